"""P14: how much of a link's window is used when the operator takes its time to answer."""

import time

from bench.figures import Figure
from bench.running import GaveUp, panel, simulator, started, wait_for
from bench.shop import BODY, Way, open_shop, recipients, smpp
from bench.whole import send
from deploy.throwaway import ThrowAwayPanel
from sms.core.db import release, scalar
from sms.operators.adapters.smpp.adapter import Smpp
from sms.operators.contract import Access, AnswerKind, Envelope, Line, Submission

_ANSWER_MS = 20
_WINDOWS = (10, 50, 100, 200, 500)
_ALONE = 50  # messages, one after another
_ROUND_TRIPS = 100  # as many windows as are filled, if there are messages enough
_PANEL_WINDOW = 100
_A_SUBMISSION = 500
_PATIENCE_SECONDS = 120


def measure(rows: int) -> list[Figure]:
    """Send with windows of several widths, at most `rows` messages each, over a link alone; then through the panel."""
    programs = panel()
    way = smpp(programs.settings["SIMULATOR_SMPP_URL"])
    with started(programs, "simulator"):
        round_trip = 1 / _per_second(programs, way, window=1, size=min(_ALONE, rows))
        reached = {
            window: _per_second(programs, way, window=window, size=max(window, min(rows, window * _ROUND_TRIPS)))
            for window in _WINDOWS
        }
    share = {window: rate * round_trip / window for window, rate in reached.items()}
    worst = min(share, key=lambda window: share[window])
    whole = send(
        programs,
        open_shop(smpp(programs.settings["SIMULATOR_SMPP_URL"], window=_PANEL_WINDOW)),
        max(_PANEL_WINDOW, min(rows, _PANEL_WINDOW * _ROUND_TRIPS * 2)),
        accept_delay_ms=_ANSWER_MS,
    )
    through = whole.rows / _wire_seconds()
    return [
        Figure(
            code="P14",
            work=f"of window / round trip, one link, the least of {len(_WINDOWS)} windows",
            value=share[worst] * 100,
            unit="%",
            target=80,
            notes=[
                f"round trip {round_trip * 1000:.1f} ms, {_ANSWER_MS} of them the operator's; messages/s: "
                + ", ".join(f"{rate:,.0f} with a window of {window}" for window, rate in reached.items())
            ],
        ),
        Figure(
            code="P14",
            work=f"the same through the whole panel, a window of {_PANEL_WINDOW}",
            value=through * round_trip / _PANEL_WINDOW * 100,
            unit="%",
            target=80,
            notes=[f"{through:,.0f} messages/s until the last was submitted and stored"],
        ),
    ]


def _per_second(programs: ThrowAwayPanel, way: Way, *, window: int, size: int) -> float:
    """Messages a second over one link of its own, nothing stored; their reports never come."""
    knobs = {"reset": True, "accept_delay_ms": _ANSWER_MS, "report_delay_seconds": [3600, 3600]}
    simulator(programs, f"/control/{way.code}", knobs)
    own = {**way.own, "window": window}
    line = Smpp(Access(way.url, way.credentials, settings=own)).line()
    line.start()
    try:
        line.allow(_PATIENCE_SECONDS)
        wait_for(lambda: line.is_ready, what="the bind", seconds=_PATIENCE_SECONDS)
        return size / _seconds(line, size)
    finally:
        line.stop()


def _wire_seconds() -> float:
    """From the first batch that was about to be sent until the answers to the last one were stored."""
    found = scalar("SELECT extract(epoch FROM max(submitted_at) - min(wire_at))::float FROM outbox_batch")
    release()
    return float(found)


def _seconds(line: Line, size: int) -> float:
    envelopes = [Envelope(place + 1, recipient) for place, recipient in enumerate(recipients(size))]
    began = time.perf_counter()
    for low in range(0, size, _A_SUBMISSION):
        line.submit(Submission("1000505", BODY, True, envelopes[low : low + _A_SUBMISSION]), low)
    accepted = 0
    while accepted < size:
        if not line.wake.wait(_PATIENCE_SECONDS):
            raise GaveUp(f"{accepted} of {size} were answered")
        line.wake.clear()
        for settled in line.settled():
            kinds = [answer.kind for answer in settled.answers.values()]
            accepted += kinds.count(AnswerKind.ACCEPTED)
            if kinds.count(AnswerKind.ACCEPTED) < len(kinds) or settled.unsent:
                raise AssertionError("not everything was accepted")
    return time.perf_counter() - began
