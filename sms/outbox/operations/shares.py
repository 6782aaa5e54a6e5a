"""What the resellers above an account earn of its messages, by the hour: counted beside the hours, in their sets.

Only batches of campaigns that somebody earns of are read for it."""

from collections.abc import Sequence

from sms.core.db import execute, rows
from sms.outbox.rules import IdRun

_EARNED_OF = """
SELECT b.id FROM outbox_batch b JOIN outbox_campaign c ON c.id = b.campaign_id
WHERE b.id = ANY(:ids) AND c.payee_wallet_ids IS NOT NULL
"""

_KEY = "hour_at, line_id, network_id, account_id, gateway_id, level"
_REMEMBERED = "batch_id, hour_at, network_id, line_id, gateway_id, level"

# As the hours themselves: what the batches hold now, and of it what is new.
_COUNT = f"""
WITH fresh AS MATERIALIZED (
    SELECT m.batch_id, date_trunc('hour', s.submitted_at, 'Asia/Tehran') AS hour_at, m.line_id, m.network_id,
           m.account_id, s.gateway_id, each.level::smallint AS level, sum(each.share) AS share_mrial
    FROM outbox_message m CROSS JOIN LATERAL (
        SELECT submitted_at, gateway_id FROM outbox_submission
        WHERE message_id = m.id AND message_id BETWEEN :low AND :high ORDER BY attempt LIMIT 1
    ) s CROSS JOIN LATERAL unnest(m.shares_mrial) WITH ORDINALITY AS each (share, level)
    WHERE m.id BETWEEN :low AND :high AND m.batch_id = ANY(:ids) GROUP BY 1, 2, 3, 4, 5, 6, 7
), known AS MATERIALIZED (
    SELECT * FROM outbox_batch_share WHERE batch_id = ANY(:ids)
), forgotten AS (
    DELETE FROM outbox_batch_share h USING known k LEFT JOIN fresh f USING ({_REMEMBERED})
    WHERE f.batch_id IS NULL AND (h.batch_id, h.hour_at, h.network_id, h.line_id, h.gateway_id, h.level)
        = (k.batch_id, k.hour_at, k.network_id, k.line_id, k.gateway_id, k.level)
), remembered AS (
    INSERT INTO outbox_batch_share (batch_id, {_KEY}, share_mrial) SELECT batch_id, {_KEY}, share_mrial FROM fresh
    ON CONFLICT ({_REMEMBERED}) DO UPDATE SET share_mrial = excluded.share_mrial
)
INSERT INTO lines_share_hour AS h ({_KEY}, share_mrial)
SELECT hour_at, line_id, network_id, coalesce(f.account_id, o.account_id), gateway_id, level,
       sum(coalesce(f.share_mrial, 0) - coalesce(o.share_mrial, 0))
FROM fresh f FULL JOIN known o USING ({_REMEMBERED}) GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT ({_KEY}) DO UPDATE SET share_mrial = h.share_mrial + excluded.share_mrial
"""  # noqa: S608 - the words put in are our own

_COUNT_POSTED = f"""
INSERT INTO lines_share_hour AS h ({_KEY}, refund_share_mrial)
SELECT date_trunc('hour', p.posted_at, 'Asia/Tehran'), m.line_id, m.network_id, m.account_id, m.gateway_id,
       each.level::smallint, sum(each.share)
FROM outbox_refund_posted p JOIN LATERAL (
    SELECT message_id, shares_mrial FROM outbox_refund
    WHERE message_id BETWEEN p.first_id AND p.last_id AND transfer_id = p.transfer_id AND shares_mrial IS NOT NULL
      AND campaign_id = p.campaign_id AND rule_id = p.rule_id AND outcome = p.outcome OFFSET 0
) r ON true JOIN LATERAL (
    SELECT x.line_id, x.network_id, x.account_id, s.gateway_id
    FROM outbox_message x CROSS JOIN LATERAL (
        SELECT gateway_id FROM outbox_submission WHERE message_id = x.id ORDER BY attempt LIMIT 1) s
    WHERE x.id = r.message_id OFFSET 0
) m ON true CROSS JOIN LATERAL unnest(r.shares_mrial) WITH ORDINALITY AS each (share, level)
WHERE p.id = ANY(:ids) GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT ({_KEY}) DO UPDATE SET refund_share_mrial = h.refund_share_mrial + excluded.refund_share_mrial
"""  # noqa: S608 - the words put in are our own


def count(run: IdRun) -> None:
    """Count what is earned of a run of batches, in the transaction that counts their messages."""
    ids = [batch.id for batch in rows(_EARNED_OF, ids=list(run.batch_ids))]
    if ids:
        execute(_COUNT, low=run.low, high=run.high, ids=ids)


def count_posted(ids: Sequence[int]) -> None:
    """Count what was given back with refunds that are just being counted."""
    execute(_COUNT_POSTED, ids=list(ids))


def forget(batch_ids: Sequence[int]) -> None:
    """Remember no more what of these batches stands in the hours."""
    execute("DELETE FROM outbox_batch_share WHERE batch_id = ANY(:ids)", ids=list(batch_ids))
