"""`python3 panel.py faults`: the panel is made to fail in every way a seed says, and held to what it promised."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.forced import failovers
from tests.faults.points import POINTS, Bench, benched, try_point
from tests.faults.run import Told, calm_down, compare, ledger_of, run, verify_after
from tests.faults.stage import PARTS, Stage, staged
from tests.faults.steady import hang, without_valkey

_CALM_SECONDS = 120
_KILLS_A_MINUTE = 20


def main(words: list[str]) -> int:
    """Run what the words say; 1 when anything broke."""
    asked = _parser().parse_args(words)
    told = Told(asked.seed)
    if asked.points is not None:
        _on_bench(asked, told, lambda bench: _try_points(asked, told, bench), is_pointed=True)
    elif asked.failovers:
        _on_bench(asked, told, lambda bench: failovers(bench, told, seed=asked.seed, times=asked.failovers))
    elif asked.hang:
        _on_bench(asked, told, lambda bench: hang(bench, told, code=asked.hung, seconds=asked.hang))
    elif asked.valkey:
        _on_bench(asked, told, lambda bench: without_valkey(bench, told))
    else:
        _run(asked, told)
    _print(told, as_json=asked.as_json)
    return 1 if told.broke else 0


def _run(asked: argparse.Namespace, told: Told) -> None:
    with staged(seed=asked.seed) as stage:
        _choose(stage, asked)
        kills = asked.kills or round(_KILLS_A_MINUTE * asked.minutes)
        run(stage, told, minutes=asked.minutes, messages=asked.messages, kills=kills)


def _choose(stage: Stage, asked: argparse.Namespace) -> None:
    stage.codes = [code for code in stage.codes if code in (asked.operators or stage.codes)]


def _on_bench(
    asked: argparse.Namespace, told: Told, work: Callable[[Bench], None], *, is_pointed: bool = False
) -> None:
    """Beside the running panel, with a second pool of workers; what was sent is compared with what operators took."""
    with staged(seed=asked.seed, parts=(*PARTS, "worker-2"), is_pointed=is_pointed) as stage, benched(stage) as bench:
        _choose(stage, asked)
        start = ledger_of(stage)
        work(bench)
        calm_down(stage, told, seconds=_CALM_SECONDS)
        verify_after(stage, told)
        compare(stage, bench.sent, start, told)


def _try_points(asked: argparse.Namespace, told: Told, bench: Bench) -> None:
    for point in POINTS:
        if asked.points and point.code not in asked.points:
            continue
        began = time.monotonic()
        wrong = try_point(bench, point, times=asked.times) + bench.settle()
        told.figures[point.code] = (
            f"{point.what}: {asked.times} times, {len(wrong)} wrong, {time.monotonic() - began:.0f} s"
        )
        told.broke += [f"{point.code}: {each}" for each in wrong]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="panel.py faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=2.0, help="for so long things go wrong")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=0, help=f"{_KILLS_A_MINUTE} a minute, unless said")
    parser.add_argument("--operators", nargs="*", help="only over these, such as 1000 3000")
    parser.add_argument("--points", nargs="*", help="the named crash points instead, all or those named: C1 C7")
    parser.add_argument("--failovers", type=int, default=0, help="so many forced failovers instead")
    parser.add_argument("--hang", type=float, default=0, help="one operator hangs for so many seconds instead")
    parser.add_argument("--hung", default="3000", help="which one")
    parser.add_argument("--valkey", action="store_true", help="Valkey flushed, killed, away and full instead")
    parser.add_argument("--times", type=int, default=3, help="each point so often")
    parser.add_argument("--json", dest="as_json", action="store_true")
    return parser


def _print(told: Told, *, as_json: bool) -> None:
    if as_json:
        _say(json.dumps({"seed": told.seed, **told.figures, "broke": told.broke}, ensure_ascii=False))
        return
    _say(f"seed {told.seed}")
    _tell(told.figures, "")
    _say("\n".join(["broke:", *(f"  {each}" for each in told.broke)]) if told.broke else "nothing broke")


def _tell(figures: Mapping[str, Any], margin: str) -> None:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            _say(f"{margin}{name}:")
            _tell(value, margin + "  ")
        else:
            _say(f"{margin}{name}: {value}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the answer of a command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
