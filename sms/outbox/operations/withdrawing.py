"""Who opted out while a send waits is not written to when it goes: told as everybody who opted out, and paid back.

A send that was held back is looked through when it is released; one that waits in a queue, for its line to open or its
operator to come back, whenever somebody opts out."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.contacts.operations import take_news
from sms.core.db import execute, rows
from sms.outbox.operations.counters import touch

# Only of batches that nobody ever tried to send: no answer and no report is under way to what is in them. Whoever opted
# out before was left out when the send was accepted, which takes a while.
_OPTED_OUT = """
WITH fresh AS MATERIALIZED (
    SELECT DISTINCT o.recipient FROM contacts_optout o
    WHERE (o.account_id = :account_id OR o.line_id = ANY(:line_ids))
      AND o.noted_at >= CAST(:accepted_at AS timestamptz) - interval '10 minutes')
SELECT m.batch_id, array_agg(m.id ORDER BY m.id) AS ids, sum(m.price_mrial)::bigint AS price_mrial
FROM fresh f JOIN outbox_message m ON m.account_id = :account_id AND m.recipient = f.recipient
    AND m.id BETWEEN :first_id AND :last_id
WHERE m.campaign_id = :id AND m.batch_id = ANY(:batch_ids) AND m.outcome IS NULL
  AND contacts_is_opted_out(:account_id, m.recipient, m.line_id)
GROUP BY m.batch_id ORDER BY m.batch_id
"""
_WAITING = """
WITH waiting AS MATERIALIZED (
    SELECT DISTINCT campaign_id, account_id, line_id FROM outbox_batch WHERE state = 'queued' AND attempt = 0),
said AS MATERIALIZED (
    SELECT DISTINCT w.campaign_id, w.account_id, o.recipient FROM contacts_optout o
    JOIN waiting w ON CASE WHEN o.line_id IS NULL THEN w.account_id = o.account_id ELSE w.line_id = o.line_id END
    WHERE o.id = ANY(:opt_out_ids))
SELECT DISTINCT m.batch_id FROM said s JOIN outbox_campaign c ON c.id = s.campaign_id
JOIN outbox_message m ON m.account_id = s.account_id AND m.recipient = s.recipient
    AND m.id BETWEEN c.first_id AND c.last_id
WHERE m.campaign_id = c.id AND m.batch_id IS NOT NULL AND m.outcome IS NULL
"""
# Whoever claims one of them first sends it.
_HOLD = """
SELECT id, campaign_id, line_id, state, attempt, size FROM outbox_batch
WHERE id = ANY(:ids) AND state = 'queued' AND attempt = 0 ORDER BY id FOR NO KEY UPDATE
"""
_CAMPAIGNS = (
    "SELECT id, account_id, accepted_at, first_id, last_id FROM outbox_campaign WHERE id = ANY(:ids) ORDER BY id"
)
_APART = """
INSERT INTO outbox_batch (campaign_id, account_id, line_id, gateway_id, state, priority, turn, attempt, first_id,
    last_id, size, opted_out_count, releasable_mrial, suffix)
SELECT campaign_id, account_id, line_id, gateway_id, 'submitted', priority, turn, 0, :low, :high, :count, :count,
    :price_mrial, suffix
FROM outbox_batch WHERE id = :batch_id RETURNING id
"""
_WHOLE = """
UPDATE outbox_batch SET state = 'submitted', opted_out_count = opted_out_count + :count,
    releasable_mrial = releasable_mrial + :price_mrial WHERE id = :batch_id
"""


def withdraw_news(*, most: int, at: datetime) -> int:
    """Look for up to `most` new opt-outs in the sends that wait in queues; returns how many there were."""
    news = take_news(most=most)
    waiting = rows(_WAITING, opt_out_ids=news) if news else []
    held: dict[int, list[Row[Any]]] = defaultdict(list)
    for batch in rows(_HOLD, ids=[each.batch_id for each in waiting]) if waiting else []:
        held[batch.campaign_id].append(batch)
    for campaign in rows(_CAMPAIGNS, ids=sorted(held)) if held else []:
        withdraw_opted_out(campaign, held[campaign.id], at=at)
    return len(news)


def withdraw_opted_out(campaign: Row[Any], batches: Sequence[Row[Any]], *, at: datetime) -> int:
    """End the messages of these batches, which wait and are locked, whose recipients have opted out since the send was
    accepted; their money goes back when the send is settled. Returns how many."""
    held = {batch.id: batch for batch in batches if batch.state in {"paused", "queued"} and not batch.attempt}
    if not held:
        return 0
    found = rows(
        _OPTED_OUT,
        id=campaign.id,
        account_id=campaign.account_id,
        accepted_at=campaign.accepted_at,
        first_id=campaign.first_id,
        last_id=campaign.last_id,
        line_ids=sorted({batch.line_id for batch in held.values()}),
        batch_ids=sorted(held),
    )
    for batch in found:
        _end(batch, is_whole=len(batch.ids) >= held[batch.batch_id].size, at=at)
    if found:
        touch([campaign.id])
    return sum(len(batch.ids) for batch in found)


def _end(batch: Row[Any], *, is_whole: bool, at: datetime) -> None:
    ids = list(batch.ids)
    about = {"batch_id": batch.batch_id, "count": len(ids), "price_mrial": batch.price_mrial}
    into = batch.batch_id
    if is_whole:
        execute(_WHOLE, **about)
    else:
        (made,) = rows(_APART, **about, low=ids[0], high=ids[-1])
        into = made.id
        execute(
            "UPDATE outbox_batch SET size = size - :count WHERE id = :batch_id", count=len(ids), batch_id=batch.batch_id
        )
    execute(
        """UPDATE outbox_message SET batch_id = :into, outcome = 'opted_out', final_at = :at
           WHERE id = ANY(:ids) AND id BETWEEN :low AND :high""",
        into=into,
        ids=ids,
        low=ids[0],
        high=ids[-1],
        at=at,
    )
