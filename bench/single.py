"""P7: one message on an idle system, from the press of the button to the operator's door."""

import time
from dataclasses import dataclass

from flask import current_app

from bench.checks import verify
from bench.figures import Figure, percentile
from bench.running import gateway_queues, panel, simulator, started, wait_for, wait_for_workers
from bench.shop import draft, magfa, open_shop
from bench.visits import Reader
from sms.core.db import release, rows, scalar

_PAUSE_SECONDS = 0.3  # until the message before it is through and the system idle again


@dataclass(frozen=True, slots=True)
class _Pressed:
    """When a button was pressed and when the page answered, in seconds of the clock."""

    at: float
    answered_at: float


def measure(size: int) -> list[Figure]:
    """Confirm `size` single messages one after another."""
    programs = panel()
    shop = open_shop(magfa(programs.settings["SIMULATOR_URL"]))
    reader = Reader(current_app._get_current_object())  # type: ignore[attr-defined]
    drafts = [draft(shop, 1) for _ in range(size + 1)]
    pressed: dict[int, _Pressed] = {}
    with started(programs, "simulator", "tick", "worker"):
        wait_for_workers(gateway_queues(shop.gateway_id))
        reader.confirm(drafts.pop())  # what is slow at the first time is not what is measured
        for draft_id in drafts:
            time.sleep(_PAUSE_SECONDS)
            at = time.time()
            campaign_id = reader.confirm(draft_id)
            pressed[campaign_id] = _Pressed(at, time.time())
        wait_for(lambda: _submitted() == size + 1, what="the last submission")
        truth = simulator(programs, f"/truth?operator={shop.operator_code}&limit={size + 2}")[shop.operator_code]
    if len(truth) != size + 1:
        raise AssertionError(f"the simulator got {len(truth)} of {size + 1}")
    verify()
    return _figures(pressed, {told["uid"]: told["accepted_at"] for told in truth})


def _submitted() -> int:
    found = int(scalar("SELECT count(*) FROM outbox_submission"))
    release()
    return found


def _figures(pressed: dict[int, _Pressed], arrived: dict[int, float]) -> list[Figure]:
    found = rows(
        "SELECT b.campaign_id, b.first_id, extract(epoch FROM b.wire_at)::float AS wire_at FROM outbox_batch b"
        " WHERE b.campaign_id = ANY(:ids)",
        ids=list(pressed),
    )
    release()
    taken = {batch.campaign_id: (arrived[batch.first_id] - pressed[batch.campaign_id].at) * 1000 for batch in found}
    answered = percentile([(each.answered_at - each.at) * 1000 for each in pressed.values()], 50)
    marked = percentile([(batch.wire_at - pressed[batch.campaign_id].at) * 1000 for batch in found], 50)
    values = list(taken.values())
    return [
        Figure(
            code="P7",
            work="one message, confirm to wire, median",
            value=percentile(values, 50),
            unit="ms",
            target=50,
            is_ceiling=True,
            notes=[
                f"{len(values)} messages, each alone: the operator has it after {min(values):.0f} to"
                f" {max(values):.0f} ms; medians: page answered after {answered:.0f} ms, about to be written to the"
                f" wire after {marked:.0f} ms"
            ],
        ),
        Figure(
            code="P7",
            work="one message, confirm to wire, 99 of 100",
            value=percentile(values, 99),
            unit="ms",
            target=250,
            is_ceiling=True,
        ),
    ]
