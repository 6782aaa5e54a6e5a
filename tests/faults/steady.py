"""A steady flow over all operators, paced by them, and what is measured while one hangs or Valkey is taken away."""

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from redis.exceptions import RedisError

from tests.faults.people import TROUBLE, Customer
from tests.faults.points import Bench
from tests.faults.run import Told
from tests.faults.stage import GaveUp, Stage

BATCH, HANDS, ANSWER_MS, WINDOW = 20, 2, 400, 40
POOLS = 2  # of workers, each with its hands
PER_SECOND = POOLS * BATCH * HANDS * 1000 / ANSWER_MS  # an operator takes no more
_WARM_SECONDS = 20
_BASE_SECONDS = 40
_SLOWER = 0.95
_OPENS_SECONDS, _CLOSES_SECONDS, _RESUMES_SECONDS = 30.0, 60.0, 30.0
_P95_ROOM = 1.5  # of a page's usual p95, and so much more, is still the same on a busy machine
_P95_ROOM_MS = 25
_PAGES = ("/", "/campaigns", "/outbox")


@dataclass(eq=False)
class Visitor(threading.Thread):
    """Somebody who looks at pages all the time."""

    stage: Stage
    is_over: threading.Event = field(default_factory=threading.Event)
    seen: list[tuple[float, float]] = field(default_factory=list)  # (moment, milliseconds)
    failed: int = 0

    def __post_init__(self) -> None:
        super().__init__(name="visitor", daemon=True)

    def run(self) -> None:
        customer = Customer(self.stage, "customer")
        place = 0
        while not self.is_over.wait(0.1):
            began = time.monotonic()
            try:
                customer.walker.go(_PAGES[place % len(_PAGES)])
            except TROUBLE:
                self.failed += 1
                continue
            self.seen.append((began, (time.monotonic() - began) * 1000))
            place += 1

    def p95_ms(self, since: float, until: float) -> float:
        """The slow one of twenty pages of a stretch of time."""
        times = sorted(ms for at, ms in self.seen if since <= at < until)
        return round(times[int(len(times) * 0.95)], 1) if times else 0.0


@dataclass
class Flow:
    """What flows, and how fast each operator takes it."""

    bench: Bench

    def begin(self, seconds: float) -> None:
        """One campaign an operator, enough for so long."""
        stage = self.bench.stage
        stage.set_times(batch_size=BATCH, concurrency=HANDS)
        stage.rows(
            "UPDATE operators_gateway SET settings = settings || jsonb_build_object('window', %(window)s::int)"
            " WHERE adapter = 'smpp'",
            window=WINDOW,
        )
        for code in stage.codes:
            stage.simulator.control(code, accept_delay_ms=ANSWER_MS)
            self.bench.campaign(code, count=int(seconds * PER_SECOND))

    def taken(self) -> Mapping[str, int]:
        """How many each operator has taken by now."""
        summary = self.bench.stage.simulator.truth("summary")
        return {code: summary[code]["accepted"] for code in self.bench.stage.codes}

    def is_beyond(self, before: Mapping[str, int]) -> bool:
        """Whether every operator has taken more since."""
        return all(count > before[code] for code, count in self.taken().items())

    def watch(self, seconds: float) -> Mapping[str, float]:
        """Messages a second by operator over the coming stretch of time."""
        before, began = self.taken(), time.monotonic()
        self.pass_time(seconds)
        took, after = time.monotonic() - began, self.taken()
        return {code: round((after[code] - before[code]) / took, 1) for code in after}

    def pass_time(self, seconds: float) -> None:
        """Look after the processes meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.bench.stage.tend()
            time.sleep(0.1)


def hang(bench: Bench, told: Told, *, code: str, seconds: float) -> None:
    """One operator takes everything and answers nothing; the others go on as before, and so do the pages."""
    stage, flow, visitor = bench.stage, Flow(bench), Visitor(bench.stage)
    flow.begin(_WARM_SECONDS + _BASE_SECONDS + seconds + 2 * _CLOSES_SECONDS)
    visitor.start()
    flow.pass_time(_WARM_SECONDS)
    began = time.monotonic()
    before = flow.watch(_BASE_SECONDS)
    stage.simulator.control(code, is_silent=True)
    hung_at = time.monotonic()
    opened = _time_until(stage, lambda: stage.breaker(code) == "open", most=2 * _OPENS_SECONDS)
    during = flow.watch(max(5.0, seconds - (opened or 0)))
    well_at = time.monotonic()
    stage.simulator.control(code, is_silent=False)
    closed = _time_until(stage, lambda: stage.breaker(code) == "closed", most=2 * _CLOSES_SECONDS)
    visitor.is_over.set()
    base_ms, hung_ms = visitor.p95_ms(began, hung_at), visitor.p95_ms(hung_at, well_at)
    others = [each for each in stage.codes if each != code]
    shares = {each: round(during[each] / before[each], 3) for each in others if before[each]}
    told.figures |= {
        "hung": code,
        "seconds": round(well_at - hung_at),
        "messages_a_second_before": before,
        "messages_a_second_during": during,
        "others_keep": shares,
        "web_p95_ms_before": base_ms,
        "web_p95_ms_during": hung_ms,
        "pages_seen": len(visitor.seen),
        "pages_failed": visitor.failed,
        "breaker_opens_after_seconds": opened,
        "breaker_closes_after_seconds": closed,
    }
    if min(shares.values(), default=0) < _SLOWER:
        told.broke.append(f"another operator is slower than {_SLOWER:.0%} of before: {shares}")
    if hung_ms > _P95_ROOM * base_ms + _P95_ROOM_MS or visitor.failed:
        told.broke.append(f"pages: p95 {base_ms} ms before, {hung_ms} ms during, {visitor.failed} failed")
    if opened is None or opened > _OPENS_SECONDS:
        told.broke.append(f"the breaker opened after {opened} s")
    if closed is None or closed > _CLOSES_SECONDS:
        told.broke.append(f"the breaker closed after {closed} s")
    _end(bench, told)


def without_valkey(bench: Bench, told: Told) -> None:
    """Valkey is emptied with nobody left who remembers, is killed, stays away, is full; each time sending resumes."""
    stage, flow = bench.stage, Flow(bench)
    flow.begin(600)
    flow.pass_time(_WARM_SECONDS)
    for name, trouble in (
        ("flushed, all workers killed", _flushed),
        ("killed, empty afterwards", _killed),
        ("away for a minute", _away),
        ("full for half a minute", _full),
    ):
        trouble(stage, flow)
        before = flow.taken()
        slowest = _time_until(stage, lambda since=before: flow.is_beyond(since), most=4 * _RESUMES_SECONDS)
        told.figures[f"{name}: sending resumes everywhere after seconds"] = slowest
        if slowest is None or slowest > _RESUMES_SECONDS:
            told.broke.append(f"Valkey {name}: sending resumed after {slowest} s")
        flow.pass_time(5)
    _end(bench, told)


def _flushed(stage: Stage, _flow: Flow) -> None:
    for _ in range(2):
        with stage.valkey() as valkey:
            valkey.flushall()
        for pid in stage.worker_pids():
            stage.kill(pid, "worker")


def _killed(stage: Stage, _flow: Flow) -> None:
    stage.kill_valkey(away_seconds=2, is_emptied=True)


def _away(stage: Stage, _flow: Flow) -> None:
    for pid in stage.worker_pids():
        stage.kill(pid, "worker")  # else they would go on with what they have begun
    stage.kill_valkey(away_seconds=60)


def _full(stage: Stage, flow: Flow) -> None:
    with stage.valkey() as valkey:
        valkey.config_set("maxmemory", "1mb")
        for pid in stage.worker_pids():
            stage.kill(pid, "worker")
        flow.pass_time(30)
        valkey.config_set("maxmemory", "0")


def _time_until(stage: Stage, is_so: object, *, most: float) -> float | None:
    """Seconds until it is so; None when it is not after `most`."""
    assert callable(is_so)
    with contextlib.suppress(GaveUp, RedisError):
        return round(stage.wait_until(is_so, what="", seconds=most), 1)
    return None


def _end(bench: Bench, told: Told) -> None:
    """What is not sent yet is cancelled; the rest comes to its end."""
    with bench.running():
        bench.cancel_all()
    bench.sent[:] = [replace(sent, is_cancelled=True) for sent in bench.sent]
    told.broke += bench.settle()
