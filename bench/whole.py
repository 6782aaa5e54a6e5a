"""Whole campaigns with the panel's own programs, from the press of the button to the last refund."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.checks import verify
from bench.processes import forget_peak, peak_megabytes, watching
from bench.running import gateway_queues, simulator, started, wait_for, wait_for_workers
from bench.shop import Shop, accept, draft
from deploy.throwaway import ThrowAwayPanel
from sms.core.db import release, row, scalar

PROGRAMS = ("simulator", "tick", "worker")
ENDED = "closed_at IS NOT NULL AND refund_due_count = 0 AND refunded_count = (counts->>'blocked')::int"


@dataclass(frozen=True, slots=True)
class Sent:
    """One campaign that was sent to its end: seconds since it was confirmed, CPU and peak memory by program."""

    rows: int
    accept_seconds: float
    submitted_seconds: float
    closed_seconds: float
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    peaks: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Messages a second from the hold to the last refund."""
        return self.rows / self.closed_seconds

    @property
    def cpu_us(self) -> float:
        """CPU µs a message over all processes, the simulator's among them."""
        return sum(self.cpu_seconds.values()) / self.rows * 1e6

    def notes(self) -> list[str]:
        """How the time and the CPU divide."""
        shares = ", ".join(f"{name} {seconds / self.rows * 1e6:.0f}" for name, seconds in self.cpu_seconds.items())
        peaks = ", ".join(f"{name} {peak:.0f}" for name, peak in self.peaks.items())
        return [
            f"{self.rows:,} recipients: accepted and held after {self.accept_seconds:.1f} s, submitted after"
            f" {self.submitted_seconds:.1f} s, reports stored and blocked ones refunded after"
            f" {self.closed_seconds:.1f} s; escrow 0, invariants hold, the simulator has each exactly once",
            f"CPU µs a message: {self.cpu_us:.0f} = {shares}",
            f"largest process, MB: {peaks}",
        ]


def send(programs: ThrowAwayPanel, shop: Shop, size: int, **knobs: object) -> Sent:
    """Send to `size` recipients, with these knobs of the simulator; raises AssertionError when anything of it is
    wrong."""
    draft_id = draft(shop, size)
    with started(programs, *PROGRAMS) as pids:
        begin(programs, shop, **knobs)
        sent = _watched(pids, shop, draft_id, size)
        check_truth(programs, shop, size)
    verify()
    return sent


def begin(programs: ThrowAwayPanel, shop: Shop, **knobs: object) -> None:
    """The simulator anew, reports after half a second to one; returns when there is somebody to send."""
    wanted = {"reset": True, "report_delay_seconds": [0.5, 1], **knobs}
    simulator(programs, f"/control/{shop.operator_code}", wanted)
    wait_for_workers(gateway_queues(shop.gateway_id))
    if scalar("SELECT adapter = 'smpp' FROM operators_gateway WHERE id = :id", id=shop.gateway_id):
        release()
        wait_for(lambda: _is_bound(shop.gateway_id), what="the bind", seconds=60)
    release()


def _is_bound(gateway_id: int) -> bool:
    found = scalar(
        "SELECT bound_count > 0 AND lease_until > clock_timestamp() FROM operators_bind WHERE gateway_id = :id",
        id=gateway_id,
    )
    release()
    return bool(found)


def check_truth(programs: ThrowAwayPanel, shop: Shop, size: int) -> None:
    """The simulator has been given `size` messages, none of them twice; raises AssertionError."""
    truth = simulator(programs, "/truth/summary")[shop.operator_code]
    twice = simulator(programs, "/truth/recipients")[shop.operator_code]
    if (truth["accepted"], truth["duplicates"], len(twice)) != (size, 0, 0):
        raise AssertionError(f"the simulator got {truth} of {size}, {len(twice)} recipients more than once")


def _watched(pids: Mapping[str, int], shop: Shop, draft_id: int, size: int) -> Sent:
    forget_peak()
    with watching(pids) as watch:
        started_at, cpu = time.perf_counter(), time.thread_time()
        campaign_id = accept(shop, draft_id)
        accepted, accept_cpu = time.perf_counter() - started_at, time.thread_time() - cpu
        accept_peak = peak_megabytes("self")
        wait_for(lambda: campaign_is(campaign_id, "submitted_at IS NOT NULL"), what="the last submission")
        submitted = time.perf_counter() - started_at
        wait_for(lambda: campaign_is(campaign_id, ENDED), what="the campaign's end")
        closed = time.perf_counter() - started_at
    return Sent(
        rows=size,
        accept_seconds=accepted,
        submitted_seconds=submitted,
        closed_seconds=closed,
        cpu_seconds={"accepting": accept_cpu, **watch.cpu_seconds},
        peaks={"accepting": accept_peak, **watch.peaks()},
    )


def campaign_is(campaign_id: int, condition: str) -> bool:
    """Whether a condition of ours holds for a campaign."""
    found = row(f"SELECT {condition} AS holds FROM outbox_campaign WHERE id = :id", id=campaign_id)  # noqa: S608 - our own text
    release()
    return bool(found and found.holds)
