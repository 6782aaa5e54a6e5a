"""`python3 panel.py faults`: the panel is made to fail in every way a seed says, and held to what it promised."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from tests.faults.points import POINTS, benched, try_point
from tests.faults.run import Told, compare, ledger_of, run, verify_after
from tests.faults.stage import PARTS, staged

_KILLS_A_MINUTE = 20


def main(words: list[str]) -> int:
    """Run what the words say; 1 when anything broke."""
    asked = _parser().parse_args(words)
    if asked.points is not None:
        return _points(asked)
    with staged(seed=asked.seed) as stage:
        stage.codes = [code for code in stage.codes if code in (asked.operators or stage.codes)]
        told = run(
            stage,
            seed=asked.seed,
            minutes=asked.minutes,
            messages=asked.messages,
            kills=asked.kills or round(_KILLS_A_MINUTE * asked.minutes),
        )
    _print(told, as_json=asked.as_json)
    return 1 if told.broke else 0


def _points(asked: argparse.Namespace) -> int:
    chosen = [point for point in POINTS if point.code in (asked.points or {each.code for each in POINTS})]
    told = Told(asked.seed)
    with staged(seed=asked.seed, parts=(*PARTS, "worker-2"), is_pointed=True) as stage, benched(stage) as bench:
        start = ledger_of(stage)
        for point in chosen:
            began = time.monotonic()
            wrong = try_point(bench, point, times=asked.times)
            told.figures[point.code] = (
                f"{point.what}: {asked.times} times, {len(wrong)} wrong, {time.monotonic() - began:.0f} s"
            )
            told.broke += [f"{point.code}: {each}" for each in wrong]
            _say(f"{point.code}: {told.figures[point.code]}")
        verify_after(stage, told)
        compare(stage, bench.sent, start, told)
    _print(told, as_json=asked.as_json)
    return 1 if told.broke else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="panel.py faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=2.0, help="for so long things go wrong")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=0, help=f"{_KILLS_A_MINUTE} a minute, unless said")
    parser.add_argument("--operators", nargs="*", help="only over these, such as 1000 3000")
    parser.add_argument("--points", nargs="*", help="the named crash points instead, all or those named: C1 C7")
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
