"""What an account used in a month: money from the ledger's own postings, told by line; parts as they were charged."""

from sms.billing.invoices.rules import Line, LineKind, Month
from sms.core.calendar import start_of_day
from sms.core.db import rows

# A charge names its batch, a batch its line; what a charge took left the account's own escrow.
_CHARGES = """
SELECT l.number, sum(c.charged_mrial)::bigint AS amount_mrial, sum(c.parts)::bigint AS parts
FROM (
    SELECT b.line_id, -sum(e.amount_mrial) AS charged_mrial,
           (SELECT sum(m.parts) FROM outbox_message m
            WHERE m.id BETWEEN min(b.first_id) AND max(b.last_id) AND m.batch_id = b.id
              AND EXISTS (SELECT FROM outbox_submission s WHERE s.message_id = m.id)) AS parts
    FROM ledger_wallet w JOIN ledger_entry e ON e.wallet_id = w.id
    JOIN ledger_transfer t ON t.id = e.transfer_id AND t.kind = 'charge' AND t.subject LIKE 'campaign:%'
    JOIN outbox_batch b ON b.id = CAST(split_part(t.key, ':', 2) AS bigint)
    WHERE w.account_id = :account_id AND w.kind = 'escrow' AND e.amount_mrial < 0
      AND t.posted_at >= :since AND t.posted_at < :until
    GROUP BY b.id, b.line_id
) c JOIN lines_line l ON l.id = c.line_id GROUP BY l.number ORDER BY l.number
"""

_REFUNDS = """
SELECT l.number, sum(r.amount_mrial)::bigint AS amount_mrial, sum(m.parts)::bigint AS parts
FROM ledger_wallet w JOIN ledger_entry e ON e.wallet_id = w.id
JOIN ledger_transfer t ON t.id = e.transfer_id AND t.kind = 'refund'
JOIN outbox_refund r ON r.transfer_id = t.id AND r.account_id = w.account_id
JOIN outbox_message m ON m.id = r.message_id JOIN outbox_batch b ON b.id = m.batch_id
JOIN lines_line l ON l.id = b.line_id
WHERE w.account_id = :account_id AND w.kind = 'customer' AND e.amount_mrial > 0
  AND t.posted_at >= :since AND t.posted_at < :until
GROUP BY l.number ORDER BY l.number
"""

_OTHERS = """
SELECT t.kind, -sum(e.amount_mrial)::bigint AS amount_mrial
FROM ledger_wallet w JOIN ledger_entry e ON e.wallet_id = w.id JOIN ledger_transfer t ON t.id = e.transfer_id
WHERE w.account_id = :account_id AND e.amount_mrial < 0 AND t.posted_at >= :since AND t.posted_at < :until
  AND ((w.kind = 'escrow' AND t.kind = 'charge' AND t.subject LIKE 'line_order:%')
    OR (w.kind = 'customer' AND t.kind = 'renewal'))
GROUP BY t.kind ORDER BY t.kind
"""
_KINDS = {"charge": LineKind.LINE, "renewal": LineKind.RENEWAL}


def usage(account_id: int, month: Month) -> list[Line]:
    """The lines of a month's usage: charges and refunds by sender number, then lines bought and renewed."""
    when = {"since": start_of_day(month.first), "until": start_of_day(month.following.first)}
    charges = rows(_CHARGES, account_id=account_id, **when)
    refunds = rows(_REFUNDS, account_id=account_id, **when)
    others = rows(_OTHERS, account_id=account_id, **when)
    return [
        *(Line(LineKind.MESSAGES, each.number, each.parts or 0, each.amount_mrial) for each in charges),
        *(Line(LineKind.REFUNDS, each.number, each.parts or 0, -each.amount_mrial) for each in refunds),
        *(Line(_KINDS[each.kind], "", 0, each.amount_mrial) for each in others),
    ]
