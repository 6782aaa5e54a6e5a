"""The invariants of the outbox (design §9) as SQL; each query returns the rows that break it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sms.core.db import rows
from sms.outbox.rules import COUNT_COLUMNS

I4_MESSAGES = """
WITH taken AS (SELECT message_id, count(*) AS submissions FROM outbox_submission GROUP BY message_id)
SELECT m.id AS message_id, m.campaign_id, m.outcome::text AS outcome, t.submissions,
       CASE WHEN t.submissions > 1 THEN 'charged more than once'
            WHEN m.outcome IN ('refused', 'cancelled') AND t.submissions > 0 THEN 'both charged and released'
            WHEN r.message_id IS NOT NULL AND t.submissions IS NULL THEN 'refunded without a charge'
            ELSE 'refunded more than charged' END AS problem
FROM outbox_message m LEFT JOIN taken t ON t.message_id = m.id LEFT JOIN outbox_refund r ON r.message_id = m.id
WHERE t.submissions > 1 OR (m.outcome IN ('refused', 'cancelled') AND t.submissions > 0)
   OR (r.message_id IS NOT NULL AND (t.submissions IS NULL OR r.amount_mrial > m.price_mrial))
LIMIT 20
"""

I4_POSTED = """
SELECT r.transfer_id, sum(r.amount_mrial) AS messages_mrial, max(e.amount_mrial) AS entry_mrial,
    'refunds differ from their posting' AS problem
FROM outbox_refund r JOIN ledger_entry e ON e.transfer_id = r.transfer_id
JOIN ledger_wallet w ON w.id = e.wallet_id AND w.kind = 'customer'
WHERE r.transfer_id IS NOT NULL GROUP BY r.transfer_id HAVING sum(r.amount_mrial) <> max(e.amount_mrial) LIMIT 20
"""

I5_ESCROW = """
WITH open AS (
    SELECT m.campaign_id, sum(m.price_mrial) AS due_mrial FROM outbox_message m
    WHERE m.batch_id IS NOT NULL AND NOT EXISTS (SELECT FROM outbox_submission s WHERE s.message_id = m.id)
    GROUP BY m.campaign_id
), released AS (SELECT campaign_id, sum(released_mrial) AS released_mrial FROM outbox_batch GROUP BY campaign_id)
SELECT c.id AS campaign_id, w.balance_mrial AS escrow_mrial,
       coalesce(o.due_mrial, 0) - coalesce(r.released_mrial, 0) AS expected_mrial, c.state, 'escrow differs' AS problem
FROM outbox_campaign c JOIN ledger_wallet w ON w.id = c.escrow_wallet_id
LEFT JOIN open o ON o.campaign_id = c.id LEFT JOIN released r ON r.campaign_id = c.id
WHERE w.balance_mrial <> coalesce(o.due_mrial, 0) - coalesce(r.released_mrial, 0)
   OR (c.closed_at IS NOT NULL AND w.balance_mrial <> 0)
LIMIT 20
"""

I5_BATCHES = """
WITH charged AS (
    SELECT m.batch_id, sum(m.price_mrial) FILTER (WHERE s.message_id IS NOT NULL) AS charged_mrial,
           sum(m.price_mrial) FILTER (WHERE s.message_id IS NULL AND m.outcome IS NOT NULL) AS releasable_mrial
    FROM outbox_message m LEFT JOIN outbox_submission s ON s.message_id = m.id
    WHERE m.batch_id IS NOT NULL GROUP BY m.batch_id
)
SELECT b.id AS batch_id, b.campaign_id, b.charged_mrial, c.charged_mrial AS expected_charged_mrial, b.releasable_mrial,
       c.releasable_mrial AS expected_releasable_mrial, 'a batch''s money differs from its messages''' AS problem
FROM outbox_batch b LEFT JOIN charged c ON c.batch_id = b.id
WHERE b.charged_mrial <> coalesce(c.charged_mrial, 0) OR b.releasable_mrial <> coalesce(c.releasable_mrial, 0)
   OR b.released_mrial > b.releasable_mrial
LIMIT 20
"""

I6_MESSAGES = """
WITH there AS (
    SELECT campaign_id, count(*) AS total, count(batch_id) AS sendable, count(DISTINCT row_number) AS distinct_rows
    FROM outbox_message GROUP BY campaign_id
), batched AS (SELECT campaign_id, sum(size) AS sendable FROM outbox_batch GROUP BY campaign_id)
SELECT c.id AS campaign_id, c.total_count, t.total, c.sendable_count, t.sendable, b.sendable AS in_batches,
    t.distinct_rows,
       'recipients lost or doubled' AS problem
FROM outbox_campaign c LEFT JOIN there t ON t.campaign_id = c.id LEFT JOIN batched b ON b.campaign_id = c.id
WHERE c.total_count IS DISTINCT FROM t.total OR c.sendable_count IS DISTINCT FROM t.sendable
   OR c.sendable_count IS DISTINCT FROM b.sendable OR t.distinct_rows <> t.total
LIMIT 20
"""

I6_TWICE = """
SELECT campaign_id, recipient, count(*) AS times, 'a recipient is written to twice in one campaign' AS problem
FROM outbox_message WHERE batch_id IS NOT NULL GROUP BY campaign_id, recipient HAVING count(*) > 1 LIMIT 20
"""

I6_COUNTS = """
WITH counted AS (
    SELECT batch_id, count(*) AS size, count(outcome) AS ended
        FROM outbox_message WHERE batch_id IS NOT NULL GROUP BY batch_id
)
SELECT b.id AS batch_id, b.campaign_id, b.size, c.size AS messages, c.ended AS messages_ended,
    {counts} AS counted_ended,
       b.unknown_count, 'a batch''s counts differ from its messages''' AS problem
FROM outbox_batch b LEFT JOIN counted c ON c.batch_id = b.id
WHERE b.size <> coalesce(c.size, 0) OR {counts} <> coalesce(c.ended, 0)
   OR b.unknown_count <> (SELECT count(*) FROM outbox_unknown u WHERE u.batch_id = b.id)
LIMIT 20
"""

I6_DAYS = """
WITH counted AS (
    SELECT account_id, (accepted_at AT TIME ZONE 'Asia/Tehran')::date AS day, sum(sendable_count) AS messages,
           sum(refund_due_mrial) AS refund_due_mrial, sum(refund_due_count) AS refund_due_count, {counted}
    FROM outbox_campaign GROUP BY 1, 2
), kept AS (
    SELECT account_id, day, sum(messages) AS messages, sum(refund_due_mrial) AS refund_due_mrial,
           sum(refund_due_count) AS refund_due_count, {kept}
    FROM outbox_day GROUP BY 1, 2
)
SELECT coalesce(c.account_id, k.account_id) AS account_id, coalesce(c.day, k.day) AS day, c.messages,
       k.messages AS kept_messages, 'a day differs from its campaigns' AS problem
FROM counted c FULL JOIN kept k ON k.account_id = c.account_id AND k.day = c.day
WHERE k.day IS NULL OR to_jsonb(c) <> to_jsonb(k)
   OR (c.day IS NULL AND to_jsonb(k) - 'account_id' - 'day' @? '$.* ? (@ != 0)')
LIMIT 20
"""

I7_DELIVERED = """
SELECT r.message_id, r.campaign_id, m.outcome::text AS outcome, r.amount_mrial,
    'refund without a refundable outcome' AS problem
FROM outbox_refund r LEFT JOIN outbox_message m ON m.id = r.message_id
WHERE m.outcome IS NULL OR m.outcome = 'delivered' OR m.outcome IS DISTINCT FROM r.outcome LIMIT 20
"""

I7_RULE = """
SELECT r.message_id, r.campaign_id, r.rule_id, 'refund against its rule' AS problem
FROM outbox_refund r JOIN billing_refund_rule b ON b.id = r.rule_id JOIN outbox_message m ON m.id = r.message_id
JOIN outbox_campaign c ON c.id = r.campaign_id
WHERE b.outcome <> r.outcome::text OR r.amount_mrial <> m.price_mrial * b.percent / 100
   OR NOT (b.valid_from <= c.accepted_at AND (b.valid_until IS NULL OR b.valid_until > c.accepted_at))
LIMIT 20
"""

_COUNTED = ", ".join(
    f"sum(coalesce((counts->>'{code}')::int, 0)) AS {column}" for code, column in COUNT_COLUMNS.items()
)
_KEPT = ", ".join(f"sum({column}) AS {column}" for column in COUNT_COLUMNS.values())
_ENDED = "(" + " + ".join(f"b.{column}" for column in COUNT_COLUMNS.values()) + ")"

INVARIANTS: Mapping[str, Sequence[str]] = {
    "I4": (I4_MESSAGES, I4_POSTED),
    "I5": (I5_ESCROW, I5_BATCHES),
    "I6": (I6_MESSAGES, I6_TWICE, I6_COUNTS.replace("{counts}", _ENDED), I6_DAYS.format(counted=_COUNTED, kept=_KEPT)),
    "I7": (I7_DELIVERED, I7_RULE),
}


def broken() -> dict[str, list[dict[str, Any]]]:
    """The offending rows of each invariant of the outbox; an empty list where it holds. Reads every message."""
    return {
        name: [dict(found._mapping) for statement in statements for found in rows(statement)]
        for name, statements in INVARIANTS.items()
    }
