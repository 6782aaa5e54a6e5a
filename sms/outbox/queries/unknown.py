"""Messages whose fate nobody knows and that are no longer looked up: a person decides. For the installation's staff."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows

_BATCHES = """
SELECT p.batch_id, p.count, p.wire_at, p.price_mrial, b.campaign_id, c.title, c.body || b.suffix AS body,
       c.account_id, a.name AS account_name, l.number AS line_number, g.name AS gateway_name
FROM (
    SELECT u.batch_id, count(*) AS count, min(u.wire_at) AS wire_at, sum(m.price_mrial)::bigint AS price_mrial
    FROM outbox_unknown u JOIN outbox_message m ON m.id = u.message_id
    WHERE u.next_lookup_at IS NULL {and_more}
    GROUP BY u.batch_id ORDER BY u.batch_id DESC LIMIT :most
) p JOIN outbox_batch b ON b.id = p.batch_id JOIN outbox_campaign c ON c.id = b.campaign_id
JOIN accounts_account a ON a.id = c.account_id JOIN lines_line l ON l.id = b.line_id
JOIN operators_gateway g ON g.id = b.gateway_id ORDER BY p.batch_id DESC
"""


def parked_batches(*, before: int | None = None, most: int = 26) -> Sequence[Row[Any]]:
    """Batches with parked messages, newest first, below the batch id `before`."""
    if before is None:
        return rows(_BATCHES.format(and_more=""), most=most)
    return rows(_BATCHES.format(and_more="AND u.batch_id < :before"), before=before, most=most)


def parked_batch(*, batch_id: int) -> Row[Any] | None:
    """One batch with parked messages."""
    return row(_BATCHES.format(and_more="AND u.batch_id = :batch_id"), batch_id=batch_id, most=1)


def parked_messages(*, batch_id: int) -> Sequence[Row[Any]]:
    """The parked messages of a batch."""
    return rows(
        """SELECT m.id, m.row_number, m.recipient, m.price_mrial, u.wire_at, u.attempt, u.absent_count
           FROM outbox_unknown u JOIN outbox_message m ON m.id = u.message_id
           WHERE u.batch_id = :batch_id AND u.next_lookup_at IS NULL ORDER BY m.id""",
        batch_id=batch_id,
    )


def still_parked(message_ids: Sequence[int], *, batch_id: int) -> list[int]:
    """Those of the messages that still wait for a decision; locked, so that two people do not decide twice."""
    found = rows(
        """SELECT message_id FROM outbox_unknown
           WHERE message_id = ANY(:ids) AND batch_id = :batch_id AND next_lookup_at IS NULL
           ORDER BY message_id FOR UPDATE""",
        ids=list(message_ids),
        batch_id=batch_id,
    )
    return [message.message_id for message in found]


def has_parked() -> bool:
    """Whether anything waits for a decision."""
    return bool(rows("SELECT 1 FROM outbox_unknown WHERE next_lookup_at IS NULL LIMIT 1"))
