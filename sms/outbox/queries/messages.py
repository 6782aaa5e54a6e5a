"""Reads about messages: keyset pages by id, a period is a range of ids, nothing is counted at page time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.ids import first_id_at
from sms.operators.rules import Outcome
from sms.outbox.rules import COUNT_COLUMNS, Progress

_MAX_ID = 2**62
_EXPORT_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """What a list of messages is narrowed to; moments are half-open, [since, until)."""

    campaign_id: int | None = None
    outcome: str = ""
    line_id: int | None = None
    recipient: int | None = None
    since: datetime | None = None
    until: datetime | None = None


_COLUMNS = """
SELECT m.id, m.campaign_id, m.row_number, m.recipient, m.given, m.network_id, m.line_id, m.parts, m.price_mrial,
       m.outcome::text AS outcome, m.code, m.final_at, b.state AS batch_state, b.submitted_at, b.wire_at,
       EXISTS (SELECT FROM outbox_unknown u WHERE u.message_id = m.id) AS is_unknown,
       r.amount_mrial AS refund_mrial, r.due_at AS refund_due_at, r.transfer_id AS refund_transfer_id
FROM outbox_message m
LEFT JOIN outbox_batch b ON b.id = m.batch_id
LEFT JOIN outbox_refund r ON r.message_id = m.id
"""

_PAGE = (
    _COLUMNS  # noqa: S608 - the names put in are our own enum
    + """
WHERE m.id IN (
    SELECT id FROM outbox_message
    WHERE account_id = :account_id AND id >= :low AND id < :high
      AND (CAST(:campaign_id AS bigint) IS NULL OR campaign_id = :campaign_id)
      AND (CAST(:line_id AS int) IS NULL OR line_id = :line_id)
      AND (CAST(:recipient AS bigint) IS NULL OR recipient = :recipient)
    ORDER BY id DESC LIMIT :most)
  AND m.id >= :low AND m.id < :high
ORDER BY m.id DESC
"""
)

# A rare outcome is not searched for among millions of messages: the counts on campaigns and batches say where it is.
_BY_OUTCOME = (
    _COLUMNS  # noqa: S608 - the names put in are our own enum
    + """
JOIN (
    SELECT found.id FROM outbox_campaign c
    CROSS JOIN LATERAL (
        SELECT b.id, b.first_id, b.last_id FROM outbox_batch b
        WHERE b.campaign_id = c.id AND b.{column} > 0 AND b.first_id < :high AND b.last_id >= :low ORDER BY b.id DESC
    ) batch
    CROSS JOIN LATERAL (
        SELECT x.id FROM outbox_message x
        WHERE x.id BETWEEN batch.first_id AND batch.last_id AND x.batch_id = batch.id AND x.outcome = '{outcome}'
          AND x.id >= :low AND x.id < :high AND (CAST(:recipient AS bigint) IS NULL OR x.recipient = :recipient)
        ORDER BY x.id DESC
    ) found
    WHERE c.account_id = :account_id AND c.first_id < :high AND c.last_id >= :low
      AND c.counts ? '{outcome}'
      AND (CAST(:campaign_id AS bigint) IS NULL OR c.id = :campaign_id)
      AND (CAST(:line_id AS int) IS NULL OR c.line_id = :line_id)
    ORDER BY c.id DESC, batch.id DESC, found.id DESC LIMIT :most
) page ON page.id = m.id
WHERE m.id >= :low AND m.id < :high
ORDER BY m.id DESC
"""
)

# Recipients that were skipped belong to no batch; their campaigns say how many they have of them.
_SKIPPED = (
    _COLUMNS  # noqa: S608 - the names put in are our own enum
    + """
JOIN (
    SELECT found.id FROM outbox_campaign c
    CROSS JOIN LATERAL (
        SELECT x.id FROM outbox_message x
        WHERE x.account_id = :account_id AND x.id BETWEEN c.first_id AND c.last_id AND x.campaign_id = c.id
          AND x.outcome = '{outcome}' AND x.id >= :low AND x.id < :high
          AND (CAST(:recipient AS bigint) IS NULL OR x.recipient = :recipient)
        ORDER BY x.id DESC LIMIT :most
    ) found
    WHERE c.account_id = :account_id AND c.first_id < :high AND c.last_id >= :low
      AND c.counts ? '{outcome}'
      AND (CAST(:campaign_id AS bigint) IS NULL OR c.id = :campaign_id)
      AND (CAST(:line_id AS int) IS NULL OR c.line_id = :line_id)
    ORDER BY c.id DESC, found.id DESC LIMIT :most
) page ON page.id = m.id
WHERE m.id >= :low AND m.id < :high
ORDER BY m.id DESC
"""
)


def messages(
    *, account_id: int, narrowed: MessageFilter, before: int | None = None, most: int = 51
) -> Sequence[Row[Any]]:
    """A page of messages, newest first, below the id `before`."""
    low = first_id_at(narrowed.since) if narrowed.since else 0
    high = first_id_at(narrowed.until) if narrowed.until else _MAX_ID
    return rows(
        _sql(narrowed.outcome),
        account_id=account_id,
        campaign_id=narrowed.campaign_id,
        line_id=narrowed.line_id,
        recipient=narrowed.recipient,
        low=low,
        high=min(high, before) if before is not None else high,
        most=most,
    )


def _sql(outcome: str) -> str:
    if not outcome:
        return _PAGE
    chosen = Outcome(outcome)  # from our own list, so it may stand in the statement
    column = COUNT_COLUMNS.get(chosen)
    if column is None or chosen is Outcome.OPTED_OUT:
        return _SKIPPED.replace("{outcome}", chosen)
    return _BY_OUTCOME.replace("{outcome}", chosen).replace("{column}", column)


def progress_of(message: Any) -> Progress | None:
    """Where a message without an outcome stands; None when it has one."""
    if message.outcome:
        return None
    if message.is_unknown:
        return Progress.UNKNOWN
    return {"queued": Progress.QUEUED, "submitting": Progress.SENDING, "cancelled": Progress.QUEUED}.get(
        message.batch_state, Progress.WAITING
    )


def message(*, account_id: int, message_id: int) -> Row[Any] | None:
    """One message of an account, as in the lists."""
    return row(_COLUMNS + "WHERE m.id = :id AND m.account_id = :account_id", id=message_id, account_id=account_id)


def submissions(*, message_id: int) -> Sequence[Row[Any]]:
    """Every time the operator took a message from us."""
    return rows(
        """SELECT s.attempt, s.operator_ref, s.submitted_at, g.name AS gateway_name, s.gateway_id FROM
        outbox_submission s
           JOIN operators_gateway g ON g.id = s.gateway_id WHERE s.message_id = :id ORDER BY s.attempt""",
        id=message_id,
    )


def reports(*, message_id: int) -> Sequence[Row[Any]]:
    """The raw reports kept of a message."""
    return rows(
        """SELECT r.code, r.outcome::text AS outcome, r.reported_at, t.received_at, t.source
           FROM outbox_submission s
           JOIN outbox_report_set t ON t.gateway_id = s.gateway_id AND t.received_at >= s.submitted_at
           JOIN outbox_report r ON r.set_id = t.id AND r.operator_ref = s.operator_ref
           WHERE s.message_id = :id AND t.received_at < s.submitted_at + interval '7 days'
           ORDER BY t.received_at LIMIT 20""",
        id=message_id,
    )


def refund(*, message_id: int) -> Row[Any] | None:
    """The refund of a message with the rule it stands on."""
    return row(
        """SELECT r.amount_mrial, r.due_at, r.transfer_id, r.outcome::text AS outcome, b.percent, b.delay_seconds,
        b.note,
                  t.posted_at
           FROM outbox_refund r JOIN billing_refund_rule b ON b.id = r.rule_id
           LEFT JOIN ledger_transfer t ON t.id = r.transfer_id WHERE r.message_id = :id""",
        id=message_id,
    )


def export(*, account_id: int, narrowed: MessageFilter) -> Iterator[Sequence[Row[Any]]]:
    """All messages of a filter in slices, newest first; flat in memory however many there are."""
    before: int | None = None
    while True:
        page = messages(account_id=account_id, narrowed=narrowed, before=before, most=_EXPORT_ROWS)
        if page:
            yield page
        if len(page) < _EXPORT_ROWS:
            return
        before = page[-1].id
