"""The invariants of the outbox (design §9) as SQL; each query returns the rows that break it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sms.core.db import rows
from sms.outbox.queries.shares import I13
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

# What is held changes when messages go over another line, at another price.
I5_HELD = """
WITH spent AS (
    SELECT campaign_id, sum(charged_mrial) AS charged_mrial, sum(released_mrial) AS released_mrial
    FROM outbox_batch GROUP BY campaign_id
), moved AS (SELECT campaign_id, sum(difference_mrial) AS difference_mrial FROM outbox_move GROUP BY campaign_id),
posted AS (
    SELECT e.wallet_id, sum(e.amount_mrial) FILTER (WHERE t.kind IN ('hold', 'reprice')) AS held_mrial,
           coalesce(sum(e.amount_mrial) FILTER (WHERE t.kind = 'reprice'), 0) AS difference_mrial
    FROM ledger_entry e JOIN ledger_transfer t ON t.id = e.transfer_id
    JOIN ledger_wallet w ON w.id = e.wallet_id AND w.kind = 'escrow' GROUP BY e.wallet_id
)
SELECT c.id AS campaign_id, c.held_mrial, p.held_mrial AS posted_mrial, s.charged_mrial, s.released_mrial,
       w.balance_mrial AS still_held_mrial, m.difference_mrial AS moved_mrial,
       'charged, released and still held are not what was held' AS problem
FROM outbox_campaign c JOIN ledger_wallet w ON w.id = c.escrow_wallet_id
LEFT JOIN spent s ON s.campaign_id = c.id LEFT JOIN moved m ON m.campaign_id = c.id
LEFT JOIN posted p ON p.wallet_id = c.escrow_wallet_id
WHERE c.held_mrial <> coalesce(s.charged_mrial, 0) + coalesce(s.released_mrial, 0) + w.balance_mrial
   OR c.held_mrial <> coalesce(p.held_mrial, 0) OR coalesce(m.difference_mrial, 0) <> coalesce(p.difference_mrial, 0)
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

I6_LINES = """
SELECT m.id AS message_id, m.campaign_id, m.line_id, b.line_id AS batch_line_id, b.gateway_id,
       CASE WHEN l.gateway_id <> b.gateway_id THEN 'a batch waits at another gateway than its line''s'
            ELSE 'a message is priced for another line than its batch goes over' END AS problem
FROM outbox_batch b JOIN lines_line l ON l.id = b.line_id
JOIN outbox_message m ON m.id BETWEEN b.first_id AND b.last_id AND m.batch_id = b.id
WHERE b.state IN ('queued', 'paused', 'submitting') AND m.outcome IS NULL
  AND (m.line_id <> b.line_id OR l.gateway_id <> b.gateway_id)
LIMIT 20
"""

I6_OPERATORS = """
SELECT s.message_id, count(DISTINCT s.gateway_id) AS gateways, 'a message is at two operators' AS problem
FROM outbox_submission s GROUP BY s.message_id HAVING count(DISTINCT s.gateway_id) > 1 LIMIT 20
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
    "I5": (I5_ESCROW, I5_HELD, I5_BATCHES),
    "I6": (
        I6_MESSAGES,
        I6_LINES,
        I6_OPERATORS,
        I6_TWICE,
        I6_COUNTS.replace("{counts}", _ENDED),
        I6_DAYS.format(counted=_COUNTED, kept=_KEPT),
    ),
    "I7": (I7_DELIVERED, I7_RULE),
    "I13": I13,
}


def broken() -> dict[str, list[dict[str, Any]]]:
    """The offending rows of each invariant of the outbox; an empty list where it holds. Reads every message."""
    return {
        name: [dict(found._mapping) for statement in statements for found in rows(statement)]
        for name, statements in INVARIANTS.items()
    }
