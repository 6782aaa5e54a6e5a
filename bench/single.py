"""P7: one message on an idle system, from the press of the button to the operator's door."""

import time

from bench.checks import verify
from bench.figures import Figure, percentile
from bench.running import gateway_queues, panel, simulator, started, wait_for_workers
from bench.shop import OPERATOR_CODE, accept, draft, open_shop
from sms.core.db import release, row

_PAUSE_SECONDS = 0.3  # until the message before it is through and the system idle again


def measure(rows: int) -> list[Figure]:
    """Confirm `rows` single messages one after another."""
    programs = panel()
    shop = open_shop(simulator_url=programs.settings["SIMULATOR_URL"])
    drafts = [draft(shop, 1) for _ in range(rows)]
    confirmed: dict[int, float] = {}
    with started(programs, "simulator", "tick", "worker"):
        wait_for_workers(gateway_queues(shop.gateway_id))
        for draft_id in drafts:
            pressed_at = time.time()
            campaign_id = accept(shop, draft_id)
            confirmed[campaign_id] = pressed_at
            time.sleep(_PAUSE_SECONDS)
        time.sleep(1)
        truth = simulator(programs, f"/truth?operator={OPERATOR_CODE}&limit={rows + 1}")[OPERATOR_CODE]
    arrived = {told["uid"]: told["accepted_at"] for told in truth}
    if len(truth) != rows:
        raise AssertionError(f"the simulator got {len(truth)} of {rows}")
    taken = [(arrived[_message(campaign_id)] - at) * 1000 for campaign_id, at in confirmed.items()]
    verify()
    note = f"{rows} messages, each alone: least {min(taken):.0f}, most {max(taken):.0f} ms, until the operator has it"
    return [
        Figure(
            code="P7",
            work="one message, confirm to wire, median",
            value=percentile(taken, 50),
            unit="ms",
            target=50,
            is_ceiling=True,
            notes=[note],
        ),
        Figure(
            code="P7",
            work="one message, confirm to wire, 99 of 100",
            value=percentile(taken, 99),
            unit="ms",
            target=250,
            is_ceiling=True,
        ),
    ]


def _message(campaign_id: int) -> int:
    found = row("SELECT first_id FROM outbox_campaign WHERE id = :id", id=campaign_id)
    release()
    if found is None:
        raise LookupError(campaign_id)
    return int(found.first_id)
