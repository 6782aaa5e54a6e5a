"""P2 and the larger half of P11: whole campaigns over Magfa HTTP, from the hold to the last refund."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.checks import verify
from bench.figures import Figure
from bench.processes import forget_peak, peak_megabytes, watching
from bench.running import gateway_queues, panel, simulator, started, wait_for, wait_for_workers
from bench.shop import OPERATOR_CODE, Shop, accept, draft, open_shop
from deploy.throwaway import ThrowAwayPanel
from sms.core.db import release, row

_PROGRAMS = ("simulator", "tick", "worker")
_LARGER = 5  # times the first send: does any process grow with the list?
_MB_FLAT = 1.2  # what an allocator's leftovers may add


@dataclass(frozen=True, slots=True)
class Sent:
    """One campaign that was sent to its end: seconds since it was confirmed, CPU and peak memory by program."""

    rows: int
    accept_seconds: float
    submitted_seconds: float
    closed_seconds: float
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    peaks: Mapping[str, float] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """How the time and the CPU divide."""
        total = sum(self.cpu_seconds.values())
        shares = ", ".join(f"{name} {seconds / self.rows * 1e6:.0f}" for name, seconds in self.cpu_seconds.items())
        peaks = ", ".join(f"{name} {peak:.0f}" for name, peak in self.peaks.items())
        return [
            f"{self.rows:,} recipients: accepted and held after {self.accept_seconds:.1f} s, submitted after"
            f" {self.submitted_seconds:.1f} s, reports stored and blocked ones refunded after"
            f" {self.closed_seconds:.1f} s; escrow 0, invariants hold, the simulator has each exactly once",
            f"CPU µs a message: {total / self.rows * 1e6:.0f} = {shares}",
            f"largest process, MB: {peaks}",
        ]


def measure(rows: int) -> list[Figure]:
    """Send `rows` recipients, then five times as many."""
    programs = panel()
    shop = open_shop(simulator_url=programs.settings["SIMULATOR_URL"])
    small, large = _send(programs, shop, rows), _send(programs, shop, rows * _LARGER)
    grown = max(large.peaks[name] / small.peaks[name] for name in ("accepting", "worker"))
    return [
        Figure(
            code="P2",
            work="send to refund over Magfa HTTP",
            value=small.rows / small.closed_seconds,
            unit="messages/s",
            target=0.6,
            share_of="messages",
            notes=[*small.notes(), f"at {large.rows:,}: {large.rows / large.closed_seconds:,.0f} messages/s"],
        ),
        Figure(
            code="P11",
            work=f"largest panel process sending {large.rows:,}",
            value=max(large.peaks[name] for name in ("accepting", "worker", "tick")),
            unit="MB",
            target=250,
            is_ceiling=True,
            notes=large.notes(),
        ),
        Figure(
            code="P11",
            work=f"its growth from {small.rows:,} recipients",
            value=grown,
            unit="times",
            target=_MB_FLAT,
            is_ceiling=True,
        ),
    ]


def _send(programs: ThrowAwayPanel, shop: Shop, size: int) -> Sent:
    draft_id = draft(shop, size)
    with started(programs, *_PROGRAMS) as pids:
        simulator(programs, f"/control/{OPERATOR_CODE}", {"reset": True, "report_delay_seconds": [0.5, 1]})
        wait_for_workers(gateway_queues(shop.gateway_id))
        sent = _watched(pids, shop, draft_id, size)
        truth = simulator(programs, "/truth/summary")[OPERATOR_CODE]
    if (truth["accepted"], truth["duplicates"]) != (size, 0):
        raise AssertionError(f"the simulator got {truth} of {size}")
    verify()
    return sent


def _watched(pids: Mapping[str, int], shop: Shop, draft_id: int, size: int) -> Sent:
    forget_peak()
    with watching(pids) as watch:
        started_at, cpu = time.perf_counter(), time.thread_time()
        campaign_id = accept(shop, draft_id)
        accepted, accept_cpu = time.perf_counter() - started_at, time.thread_time() - cpu
        accept_peak = peak_megabytes("self")
        wait_for(lambda: _is(campaign_id, "submitted_at IS NOT NULL"), what="the last submission")
        submitted = time.perf_counter() - started_at
        wait_for(lambda: _is(campaign_id, _ENDED), what="the campaign's end")
        closed = time.perf_counter() - started_at
    return Sent(
        rows=size,
        accept_seconds=accepted,
        submitted_seconds=submitted,
        closed_seconds=closed,
        cpu_seconds={"accepting": accept_cpu, **watch.cpu_seconds},
        peaks={"accepting": accept_peak, **watch.peaks()},
    )


_ENDED = "closed_at IS NOT NULL AND refund_due_count = 0 AND refunded_count = (counts->>'blocked')::int"


def _is(campaign_id: int, condition: str) -> bool:
    found = row(f"SELECT {condition} AS holds FROM outbox_campaign WHERE id = :id", id=campaign_id)  # noqa: S608 - our own text
    release()
    return bool(found and found.holds)
