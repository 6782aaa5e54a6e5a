"""Holding a send back and letting it go: pause, resume, schedule, and what a closed line does to it.

What is held back stands in batches of state `paused`, apart from every gateway's queue. Each of these locks all batches
of the send that are not on their way, then the send itself, and only then looks at how it stands: so they, and the
sweeper beside them, see each other's work.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.operations import record
from sms.core.db import execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.queue import Job, ring, sending_queue
from sms.core.text import N_
from sms.lines.queries import usable_line
from sms.outbox.operations.accept import refuse_when_closed
from sms.outbox.operations.campaigns import cancel
from sms.outbox.operations.counters import touch
from sms.outbox.operations.turns import first_turn
from sms.outbox.operations.withdrawing import withdraw_opted_out
from sms.outbox.queries.control import closed_lines
from sms.outbox.rules import OutOfHours, Priority, check_schedule

NO_SUCH_CAMPAIGN = N_("There is no such campaign.")
_DUE_AT_ONCE = 100

_BATCHES = """
SELECT id, state, size, gateway_id, line_id, attempt FROM outbox_batch
WHERE campaign_id = :id AND state IN ('queued', 'paused') ORDER BY id FOR NO KEY UPDATE
"""
_CAMPAIGN = """
SELECT id, account_id, line_id, priority, sendable_count, scheduled_at, paused_at, cancelled_at, out_of_hours,
       accepted_at, first_id, last_id
FROM outbox_campaign WHERE id = :id FOR NO KEY UPDATE
"""
_HOLD_BACK = "UPDATE outbox_batch SET state = 'paused' WHERE campaign_id = :id AND state = 'queued'"
_QUEUE = """
UPDATE outbox_batch b SET state = 'queued', turn = :turn + n.place
FROM (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM outbox_batch
    WHERE campaign_id = :id AND state = 'paused' AND gateway_id = :gateway_id
) n WHERE b.id = n.id
"""
_DUE = """
SELECT c.id FROM outbox_campaign c JOIN accounts_account a ON a.id = c.account_id AND a.is_open
WHERE c.scheduled_at <= :at AND c.submitted_at IS NULL AND c.paused_at IS NULL
  AND EXISTS (SELECT FROM outbox_batch b WHERE b.campaign_id = c.id AND b.state = 'paused')
ORDER BY c.scheduled_at LIMIT :most
"""
_CLOSED = """
SELECT c.id, c.account_id FROM outbox_campaign c
WHERE c.out_of_hours = 'refuse' AND c.submitted_at IS NULL AND c.paused_at IS NULL AND EXISTS (
    SELECT FROM outbox_batch b JOIN lines_line l ON l.id = b.line_id
    WHERE b.campaign_id = c.id AND b.state = 'queued' AND b.line_id = ANY(:closed)
      AND (b.priority = :bulk OR l.service_class <> 'service'))
"""


@dataclass(frozen=True, slots=True)
class _Held:
    """A send that is locked: itself, and its batches that are not on their way."""

    campaign: Row[Any]
    batches: Sequence[Row[Any]]

    @property
    def queued_count(self) -> int:
        """Messages in the queue."""
        return sum(batch.size for batch in self.batches if batch.state == "queued")

    @property
    def paused_count(self) -> int:
        """Messages held back."""
        return sum(batch.size for batch in self.batches if batch.state == "paused")


def _lock(campaign_id: int, account_id: int) -> _Held:
    if not scalar(
        "SELECT 1 FROM outbox_campaign WHERE id = :id AND account_id = :account_id",
        id=campaign_id,
        account_id=account_id,
    ):
        raise NotFound(NO_SUCH_CAMPAIGN)
    batches = rows(_BATCHES, id=campaign_id)
    campaign = row(_CAMPAIGN, id=campaign_id)
    if campaign is None:
        raise NotFound(NO_SUCH_CAMPAIGN)
    return _Held(campaign, batches)


def pause(*, campaign_id: int, account_id: int, user_id: int | None, at: datetime) -> int:
    """Claim nothing more of a send from now on; returns how many messages wait. What is on the wire stays there.

    Raises NotFound; Refusal when it is paused already or nothing of it is left.
    """
    held = _lock(campaign_id, account_id)
    if held.campaign.paused_at is not None:
        raise Refusal(N_("This send is paused already."))
    if not held.batches and not _is_under_way(campaign_id):
        raise Refusal(N_("Nothing is left to pause: every message is already on its way."))
    execute(_HOLD_BACK, id=campaign_id)
    _change(campaign_id, "paused_at = :at", at=at)
    _note("campaign.paused", held, user_id, {"count": held.queued_count}, at)
    return held.queued_count + held.paused_count


def _is_under_way(campaign_id: int) -> bool:
    """Whether batches are with a worker just now, which may come back unsent."""
    return bool(
        scalar("SELECT 1 FROM outbox_batch WHERE campaign_id = :id AND state = 'submitting' LIMIT 1", id=campaign_id)
    )


def resume(*, campaign_id: int, account_id: int, user_id: int | None, at: datetime) -> int:
    """Let a paused send go on, or wait for its scheduled moment again; returns how many messages it still has.

    Raises NotFound; Refusal when it is not paused, or when its line is closed and the customer does not want to wait.
    """
    held = _lock(campaign_id, account_id)
    if held.campaign.paused_at is None:
        raise Refusal(N_("This send is not paused."))
    is_due = held.campaign.scheduled_at is None or held.campaign.scheduled_at <= at
    if is_due:
        _refuse_out_of_hours(held, begins_at=at)
    _change(campaign_id, "paused_at = NULL")
    if is_due:
        _queue(held, at)
    _note("campaign.resumed", held, user_id, {"count": held.paused_count}, at)
    return held.queued_count + held.paused_count


def schedule(
    *, campaign_id: int, account_id: int, user_id: int | None, scheduled_at: datetime | None, at: datetime
) -> None:
    """Move the beginning of a send of which nothing was sent yet; None begins it now.

    Raises NotFound; Refusal when it has begun, for a moment that is over, or when its line is closed then and the
    customer does not want it to wait.
    """
    held = _lock(campaign_id, account_id)
    sizes = sum(batch.size for batch in held.batches if not batch.attempt)
    if held.campaign.cancelled_at is not None or sizes != held.campaign.sendable_count:
        raise Refusal(N_("This send has begun already; it can be paused, but not moved to another time."))
    begins_at = at if scheduled_at is None else check_schedule(scheduled_at, at=at)
    _refuse_out_of_hours(held, begins_at=begins_at)
    _change(campaign_id, "scheduled_at = :scheduled_at", scheduled_at=scheduled_at)
    if scheduled_at is not None:
        execute(_HOLD_BACK, id=campaign_id)
    elif held.campaign.paused_at is None:
        _queue(held, at)
    _note("campaign.scheduled", held, user_id, {"scheduled_at": begins_at.isoformat()}, at)


def _refuse_out_of_hours(held: _Held, *, begins_at: datetime) -> None:
    """What would be given up as soon as it is queued, as its line is closed then, is not queued."""
    campaign = held.campaign
    if campaign.out_of_hours != OutOfHours.REFUSE:
        return
    for line_id in sorted({batch.line_id for batch in held.batches}):
        line = usable_line(campaign.account_id, line_id)
        if line is not None:
            refuse_when_closed(line, is_single=campaign.priority != Priority.BULK, begins_at=begins_at)


def release_due(*, at: datetime) -> int:
    """Queue the scheduled sends whose moment has come; returns how many."""
    begun: list[int] = []
    for due in rows(_DUE, at=at, most=_DUE_AT_ONCE):
        batches = rows(_BATCHES, id=due.id)
        campaign = row(_CAMPAIGN, id=due.id)
        # It may have been paused or moved while this waited for its batches.
        if campaign is None or campaign.paused_at is not None or campaign.scheduled_at is None:
            continue
        if campaign.scheduled_at <= at:
            _queue(_Held(campaign, batches), at)
            begun.append(due.id)
    touch(begun)
    return len(begun)


def refuse_out_of_hours(*, at: datetime) -> int:
    """Cancel the rest of sends whose line has closed, where that is what the customer wants; returns how many."""
    closed = closed_lines(at=at)
    found = rows(_CLOSED, closed=closed, bulk=int(Priority.BULK)) if closed else []
    for campaign in found:
        with suppress(Refusal):  # the last of it has just been claimed
            cancel(campaign_id=campaign.id, account_id=campaign.account_id, user_id=None, reason="out_of_hours", at=at)
    return len(found)


def _queue(held: _Held, at: datetime) -> None:
    """Put what is held back into the queues of its gateways, behind what the account has there already; but nothing to
    those who opted out meanwhile."""
    campaign = held.campaign
    withdraw_opted_out(campaign, held.batches, at=at)
    for gateway_id in sorted({batch.gateway_id for batch in held.batches if batch.state == "paused"}):
        turn = first_turn(gateway_id=gateway_id, account_id=campaign.account_id, priority=campaign.priority)
        execute(_QUEUE, id=campaign.id, gateway_id=gateway_id, turn=turn)
        ring(Job.DISPATCH, queue=sending_queue(gateway_id), gateway_id=gateway_id)


def _change(campaign_id: int, what: str, **values: object) -> None:
    execute(f"UPDATE outbox_campaign SET {what}, is_dirty = true WHERE id = :id", id=campaign_id, **values)  # noqa: S608 - our own words


def _note(action: str, held: _Held, user_id: int | None, details: dict[str, object], at: datetime) -> None:
    record(
        actor_id=user_id,
        account_id=held.campaign.account_id,
        action=action,
        subject=f"campaign:{held.campaign.id}",
        details=details,
        at=at,
    )
