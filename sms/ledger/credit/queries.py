"""What lies aside to cover an account's credit limit."""

from sms.core.db import scalar


def cover(account_id: int) -> int:
    """What the reseller of an account has set aside for its credit limit, in milli-rial; 0 where nobody has."""
    return int(
        scalar(
            "SELECT coalesce(sum(e.amount_mrial), 0)::bigint FROM ledger_wallet w"
            " JOIN ledger_entry e ON e.wallet_id = w.id WHERE w.code = 'guarantee:' || CAST(:id AS bigint)",
            id=account_id,
        )
    )


# What a reseller granted is covered to the last rial of what may be owed, and of what is.
I3_COVER = """
SELECT g.code, sum(e.amount_mrial)::bigint AS cover_mrial, w.credit_limit_mrial, w.balance_mrial,
       'a credit limit is not covered' AS problem
FROM ledger_wallet g JOIN ledger_entry e ON e.wallet_id = g.id
JOIN ledger_wallet w ON w.account_id = g.account_id AND w.kind = 'customer'
WHERE g.kind = 'guarantee' GROUP BY g.id, w.id
HAVING sum(e.amount_mrial) < greatest(w.credit_limit_mrial, -w.balance_mrial) LIMIT 20
"""
