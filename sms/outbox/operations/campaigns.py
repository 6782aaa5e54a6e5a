"""The life of a campaign after it is accepted: its totals, its unsent part, its end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sms.accounts.operations import record
from sms.core.db import execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.queue import GENERAL_QUEUE, Job, ring
from sms.core.text import N_
from sms.ledger.operations import post
from sms.ledger.queries import customer_wallet
from sms.ledger.rules import Posting, TransferKind
from sms.outbox.operations.counters import touch
from sms.outbox.rules import COUNT_COLUMNS, CampaignState, runs

_CLEAN = """
UPDATE outbox_campaign SET is_dirty = false WHERE id = :id AND is_dirty
RETURNING id, account_id, escrow_wallet_id, sendable_count, state, skipped
"""

_TOTALS = (
    "SELECT coalesce(sum(size) FILTER (WHERE state IN ('queued', 'paused')), 0) AS queued,"  # noqa: S608 - the names put in are our own enum
    " coalesce(sum(size) FILTER (WHERE state = 'submitting'), 0) AS sending,"
    " coalesce(sum(size) FILTER (WHERE state = 'cancelled' AND cancelled_count = 0), 0) AS cancelling,"
    " coalesce(sum(unknown_count), 0) AS unknown, coalesce(sum(submitted_count), 0) AS submitted,"
    " coalesce(sum(charged_mrial), 0)::bigint AS charged_mrial,"
    " coalesce(sum(releasable_mrial), 0)::bigint AS releasable_mrial, coalesce(sum(released_mrial), 0)::bigint AS "
    "released_mrial, "
    + ", ".join(f"coalesce(sum({column}), 0) AS {column}" for column in COUNT_COLUMNS.values())
    + " FROM outbox_batch WHERE campaign_id = :id"
)


def dirty(*, most: int) -> list[int]:
    """Campaigns whose totals changed since they were settled last."""
    return [
        found.id for found in rows("SELECT id FROM outbox_campaign WHERE is_dirty ORDER BY id LIMIT :most", most=most)
    ]


def settle(*, campaign_id: int, at: datetime) -> None:
    """Take a campaign's totals anew, give back what was refused or cancelled, close it when it is complete."""
    rows(
        "SELECT id FROM outbox_batch WHERE campaign_id = :id AND released_mrial <> releasable_mrial ORDER BY id "
        "FOR NO KEY UPDATE",
        id=campaign_id,
    )
    campaign = row(_CLEAN, id=campaign_id)
    totals = row(_TOTALS, id=campaign_id)
    if campaign is None or totals is None:
        return
    outcomes = {outcome: int(getattr(totals, column)) for outcome, column in COUNT_COLUMNS.items()}
    unsent = int(totals.queued + totals.sending + totals.cancelling)
    waiting = campaign.sendable_count - unsent - int(totals.unknown) - sum(outcomes.values())
    released = int(totals.released_mrial)
    if not unsent and totals.releasable_mrial > released:
        _release(campaign, amount_mrial=totals.releasable_mrial - released, released_before=released, at=at)
        released = int(totals.releasable_mrial)
    state = _state(campaign, totals, unsent=unsent, open_count=waiting + int(totals.unknown))
    counts = {str(outcome): count for outcome, count in outcomes.items() if count}
    for outcome, count in campaign.skipped.items():
        counts[outcome] = counts.get(outcome, 0) + count
    counts |= {"queued": int(totals.queued + totals.cancelling), "sending": int(totals.sending)}
    counts |= {"unknown": int(totals.unknown), "waiting": waiting, "submitted": int(totals.submitted)}
    _write(
        campaign,
        state=state,
        counts=counts,
        charged_mrial=totals.charged_mrial,
        released_mrial=released,
        unsent=unsent,
        at=at,
    )


def _state(campaign: Any, totals: Any, *, unsent: int, open_count: int) -> CampaignState:
    if unsent:
        begun = totals.sending or totals.submitted or campaign.state != CampaignState.QUEUED
        return CampaignState.SENDING if begun else CampaignState.QUEUED
    return CampaignState.REPORTING if open_count else CampaignState.CLOSED


def _write(
    campaign: Any,
    *,
    state: CampaignState,
    counts: dict[str, int],
    charged_mrial: int,
    released_mrial: int,
    unsent: int,
    at: datetime,
) -> None:
    execute(
        """UPDATE outbox_campaign SET state = :state, charged_mrial = :charged, released_mrial = :released,
               counts = jsonb_strip_nulls(CAST(:counts AS jsonb)),
               submitted_at = CASE WHEN :is_sent THEN coalesce(submitted_at, :at) END,
               closed_at = CASE WHEN :is_closed THEN coalesce(closed_at, :at) END
           WHERE id = :id""",
        state=str(state),
        charged=charged_mrial,
        released=released_mrial,
        counts="{" + ", ".join(f'"{name}": {count}' for name, count in counts.items()) + "}",
        is_sent=unsent == 0,
        is_closed=state is CampaignState.CLOSED,
        at=at,
        id=campaign.id,
    )


def _release(campaign: Any, *, amount_mrial: int, released_before: int, at: datetime) -> None:
    """Escrow → customer; the key carries what had been released before, so the same money cannot go back twice."""
    execute(
        "UPDATE outbox_batch SET released_mrial = releasable_mrial WHERE campaign_id = :id AND released_mrial <> "
        "releasable_mrial",
        id=campaign.id,
    )
    posting = Posting(
        kind=TransferKind.RELEASE,
        key=f"release:{campaign.id}:{released_before}",
        subject=f"campaign:{campaign.id}",
        amounts_mrial={
            campaign.escrow_wallet_id: -amount_mrial,
            customer_wallet(account_id=campaign.account_id).id: amount_mrial,
        },
    )
    post([posting], at=at)


def cancel(*, campaign_id: int, account_id: int, user_id: int | None = None, reason: str = "", at: datetime) -> int:
    """Stop what is not sent yet, be it queued, paused or scheduled; returns how many messages that are. What is on the
    wire stays where it is.

    Raises NotFound, or Refusal when nothing waits any more.
    """
    waiting = (
        "SELECT id FROM outbox_batch WHERE campaign_id = :id AND state IN ('queued', 'paused') ORDER BY id"
        " FOR NO KEY UPDATE"
    )
    if not scalar(
        "SELECT 1 FROM outbox_campaign WHERE id = :id AND account_id = :account", id=campaign_id, account=account_id
    ):
        raise NotFound(N_("There is no such campaign."))
    stopped = rows(
        f"UPDATE outbox_batch SET state = 'cancelled' WHERE id IN ({waiting}) RETURNING size",  # noqa: S608 - our own words
        id=campaign_id,
    )
    if not stopped:
        raise Refusal(N_("Nothing is left to cancel: every message is already on its way."))
    execute(
        "UPDATE outbox_campaign SET cancelled_at = :at, paused_at = NULL, is_dirty = true WHERE id = :id",
        at=at,
        id=campaign_id,
    )
    count = sum(int(batch.size) for batch in stopped)
    record(
        actor_id=user_id,
        account_id=account_id,
        action="campaign.cancelled",
        subject=f"campaign:{campaign_id}",
        details={"count": count} | ({"reason": reason} if reason else {}),
        at=at,
    )
    ring(Job.FINISH_CANCELLED, queue=GENERAL_QUEUE)
    return count


def finish_cancelled(*, most: int, at: datetime) -> int:
    """Give the messages of cancelled batches their outcome; their money goes back when the campaign is settled."""
    batches = rows(
        "SELECT id, campaign_id, first_id, last_id FROM outbox_batch WHERE state = 'cancelled' AND cancelled_count = 0"
        " ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED",
        most=most,
    )
    for run in runs([(batch.id, batch.first_id, batch.last_id) for batch in batches]):
        _finish_run(run.low, run.high, list(run.batch_ids), at=at)
    touch(batch.campaign_id for batch in batches)
    return len(batches)


def _finish_run(low: int, high: int, batch_ids: Sequence[int], *, at: datetime) -> None:
    execute(
        """WITH ended AS (
               UPDATE outbox_message SET outcome = 'cancelled', final_at = :at
               WHERE id BETWEEN :low AND :high AND batch_id = ANY(:ids)
               AND outcome IS NULL RETURNING batch_id, price_mrial
           )
           UPDATE outbox_batch b SET cancelled_count = e.n, releasable_mrial = releasable_mrial + e.price_mrial
           FROM (SELECT batch_id, count(*) AS n, sum(price_mrial) AS price_mrial
           FROM ended GROUP BY 1) e WHERE b.id = e.batch_id""",
        low=low,
        high=high,
        ids=list(batch_ids),
        at=at,
    )
