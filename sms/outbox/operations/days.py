"""The totals of an account's days, which the database adds to as campaigns change."""

from sms.core.db import execute
from sms.outbox.rules import COUNT_COLUMNS

_SUMS = ("messages", "refund_due_mrial", "refund_due_count", *COUNT_COLUMNS.values())

# What is deleted is what is added up, so two of these at once take different rows and none twice.
_FOLD = (
    "WITH added_to AS (SELECT DISTINCT account_id, day FROM outbox_day WHERE NOT is_folded),"  # noqa: S608 - names are our own
    " gone AS (DELETE FROM outbox_day d USING added_to a WHERE d.account_id = a.account_id AND d.day = a.day"
    f" RETURNING d.account_id, d.day, {', '.join(f'd.{name}' for name in _SUMS)})"
    f" INSERT INTO outbox_day (account_id, day, is_folded, {', '.join(_SUMS)})"
    f" SELECT account_id, day, true, {', '.join(f'sum({name})' for name in _SUMS)} FROM gone GROUP BY account_id, day"
)


def fold() -> int:
    """Make one row of each day that was added to; returns how many days."""
    return execute(_FOLD)
