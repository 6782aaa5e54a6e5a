"""What goes wrong and when, all of it drawn from a seed: processes die, servers vanish, networks and operators fail."""

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from redis.exceptions import RedisError

from tests.faults.stage import Stage

VICTIMS = {"worker": 76, "pool": 4, "web worker": 10, "web": 3, "tick": 3, "valkey": 4}
# Knobs of the network; none delivers a request later than operators are said to take it at most.
NETWORK: Mapping[str, Mapping[str, object]] = {
    "cut after the request": {"cut_reply_share": 0.5},
    "cut within the request": {"cut_request_share": 0.5},
    "cut within the reply": {"limit_reply_share": 0.5, "limit_bytes": 300},
    "reset after the request": {"cut_reply_share": 0.5, "is_reset": True},
    "half-closed": {"half_close_share": 0.5},
    "nobody listens": {"is_refusing": True},
    "nothing passes": {"is_silent": True},
    "answers do not pass": {"is_deaf": True},
    "slow and jittery": {"delay_ms": 150, "reply_delay_ms": 400, "jitter_ms": 400},
    "in slices": {"slice_bytes": 11, "jitter_ms": 2},
    "narrow": {"bytes_per_second": 3000},
}
# Whatever can be noticed; ids that are all shifted by one recipient cannot.
GARBAGE = (
    *("error_500", "html", "empty", "truncated", "wrong_charset", "redirect", "huge", "wrong_count", "reordered"),
    "other_ids",
)
OPERATOR: Mapping[str, Mapping[str, object]] = {
    "cut off": {"is_cut_off": True},
    "slow": {"accept_delay_ms": 2200},
    "answers 10 s late": {"late_share": 0.4, "late_seconds": 10},
    "silent": {"is_silent": True},
    "accepted, reply cut": {"cut_reply_share": 0.5},
    "garbage": {"garbage_share": 0.4},
}
HTTP_ONLY: Mapping[str, Mapping[str, object]] = {
    "does not know what it just took": {"status_unknown_seconds": 4},
}
SMPP_ONLY: Mapping[str, Mapping[str, object]] = {
    "throttles": {"max_per_second": 20},
    "queue full": {"queue_full_share": 0.4},
    "closes with twenty unanswered": {"accept_delay_ms": 300, "close_with_unanswered": 20},
    "closes at some recipients": {"is_cut_by_digits": True},
    "stops reading": {"is_deaf": True},
    "ignores enquire_link": {"is_enquire_ignored": True},
    "refuses binds": {"bind_status": 5},
    "answers out of order": {"out_of_order_share": 0.5},
    "receipts before answers": {"early_receipt_share": 0.6},
    "receipts twice, flipped and for strangers": {
        "twice_receipt_share": 0.3,
        "flipped_receipt_share": 0.3,
        "stranger_receipt_share": 0.2,
    },
    "odd receipts": {"odd_receipt_share": 0.4},
}
SMPP_CODE = "1000"
_STOP_SECONDS = 13  # longer than a lease


@dataclass(frozen=True, slots=True, order=True)
class Deed:
    """One thing that goes wrong at a moment; what lasts is mended after `seconds`."""

    at: float
    kind: str  # kill, stop, flush, postgres, network, operator
    what: str = ""
    code: str = ""
    seconds: float = 0.0
    draw: float = 0.0  # which of several is hit


def schedule(*, seed: int, seconds: float, kills: int, codes: Sequence[str]) -> list[Deed]:
    """All that goes wrong in a run, in order; the same for the same seed and codes."""
    random = Random(f"mischief {seed}")
    names, weights = list(VICTIMS), list(VICTIMS.values())
    deeds = [
        Deed(random.uniform(2, seconds), "kill", random.choices(names, weights)[0], draw=random.random())
        for _ in range(kills - 1)
    ]
    deeds.append(Deed(random.uniform(0.4, 0.6) * seconds, "postgres"))
    deeds += [Deed(random.uniform(2, seconds), "flush") for _ in range(1 + int(seconds / 60))]
    deeds += [Deed(random.uniform(2, seconds), "stop", draw=random.random()) for _ in range(1 + int(seconds / 60))]
    for code in codes:
        deeds += _of_operator(random, code, seconds)
    return sorted(deeds)


def _of_operator(random: Random, code: str, seconds: float) -> list[Deed]:
    """One after the other, with quiet in between: now the network of an operator, now the operator itself."""
    own = SMPP_ONLY if code == SMPP_CODE else HTTP_ONLY
    deeds, at = [], random.uniform(1, 5)
    while at < seconds:
        lasts = random.uniform(2, 6)
        kind, choices = random.choice((("network", NETWORK), ("operator", {**OPERATOR, **own})))
        deeds.append(Deed(at, kind, random.choice(sorted(choices)), code, lasts, random.random()))
        at += lasts + random.uniform(2, 8)
    return deeds


@dataclass
class Mischief:
    """Does what a schedule says, and mends it again."""

    stage: Stage
    deeds: list[Deed]
    done: Counter[str] = field(default_factory=Counter)
    ends: list[tuple[float, Deed]] = field(default_factory=list)
    stopped: list[tuple[float, int]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do or to mend."""
        return not self.deeds and not self.ends and not self.stopped

    def step(self, now: float) -> None:
        """Do and mend all that is due `now` seconds after the beginning."""
        for until, deed in [each for each in self.ends if each[0] <= now]:
            self.ends.remove((until, deed))
            self._mend(deed)
        for until, pid in [each for each in self.stopped if each[0] <= now]:
            self.stopped.remove((until, pid))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        while self.deeds and self.deeds[0].at <= now:
            self._do(self.deeds.pop(0), now)

    def _do(self, deed: Deed, now: float) -> None:
        match deed.kind:
            case "kill":
                self._kill(deed)
            case "postgres":
                self.stage.restart_postgres()
                self.done["PostgreSQL stopped at once"] += 1
            case "flush":
                with suppress(RedisError), self.stage.valkey() as valkey:
                    valkey.flushall()
                    self.done["Valkey flushed"] += 1
            case "stop":
                self._stop(deed, now)
            case "network":
                self.stage.proxy.fault(deed.code, **NETWORK[deed.what])
                self._begun(f"network: {deed.what}", deed, now)
            case "operator":
                self._turn(deed)
                self._begun(f"operator: {deed.what}", deed, now)

    def _begun(self, name: str, deed: Deed, now: float) -> None:
        self.done[name] += 1
        self.ends.append((now + deed.seconds, deed))

    def _mend(self, deed: Deed) -> None:
        if deed.kind == "network":
            self.stage.proxy.heal(deed.code)
        else:
            self.stage.heal_operator(deed.code)

    def _turn(self, deed: Deed) -> None:
        knobs = {**OPERATOR, **HTTP_ONLY, **SMPP_ONLY}[deed.what]
        if deed.what == "garbage" and deed.code != SMPP_CODE:
            knobs = {**knobs, "garbage_kinds": list(GARBAGE)}
        self.stage.simulator.control(deed.code, **knobs)

    def _kill(self, deed: Deed) -> None:
        stage = self.stage
        if deed.what == "valkey":
            stage.kill_valkey(away_seconds=0.5 + 2 * deed.draw, is_emptied=deed.draw > 0.5)
            return
        part = {"worker": "worker", "pool": "worker", "web worker": "web"}.get(deed.what, deed.what)
        if part not in stage.panel.children:
            return
        if deed.what in {"worker", "web worker"}:
            deadline = time.monotonic() + 8
            while not (pids := sorted(set(stage.children_of(part)) - {pid for _, pid in self.stopped})):
                if time.monotonic() > deadline:
                    return
                stage.tend()
                time.sleep(0.05)
            stage.kill(pids[int(deed.draw * len(pids))], deed.what)
        else:
            stage.kill(stage.panel.children[part].pid, deed.what)

    def _stop(self, deed: Deed, now: float) -> None:
        pids = self.stage.children_of("worker")
        if pids:
            pid = pids[int(deed.draw * len(pids))]
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                self.stopped.append((now + _STOP_SECONDS, pid))
                self.done["worker stopped past its lease"] += 1
