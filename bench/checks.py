"""A figure counts only when everything it was taken on is right."""

from sms.core.db import release, scalar
from sms.ledger import queries as ledger
from sms.outbox.queries import invariants


def verify() -> None:
    """Every invariant holds and no closed campaign has money left aside; raises AssertionError with what does not."""
    problems = {name: found for name, found in (ledger.broken() | invariants.broken()).items() if found}
    left = scalar(
        "SELECT count(*) FROM outbox_campaign c JOIN ledger_wallet w ON w.id = c.escrow_wallet_id"
        " WHERE c.closed_at IS NOT NULL AND w.balance_mrial <> 0"
    )
    release()
    if problems or left:
        raise AssertionError(f"the measured work is wrong: {problems}, {left} escrows not empty")
