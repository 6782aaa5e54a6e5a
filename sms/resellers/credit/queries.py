"""Reads of credit within a tree: from which balance on an account is warned, and whose money runs out."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows, scalar
from sms.ledger.queries import wallet_of
from sms.resellers.credit.rules import is_low


def threshold(account_id: int) -> int:
    """Below how much (milli-rial) that can be spent still an account is warned; 0: never."""
    return int(scalar("SELECT threshold_mrial FROM resellers_low_balance WHERE account_id = :id", id=account_id) or 0)


def has_little(account_id: int) -> bool:
    """Whether an account itself is to be warned."""
    wallet = wallet_of(account_id)
    return is_low(
        balance_mrial=wallet.balance_mrial,
        credit_limit_mrial=wallet.credit_limit_mrial,
        threshold_mrial=threshold(account_id),
    )


def low_below(account_id: int, *, most: int = 5) -> Sequence[Row[Any]]:
    """The accounts right below one whose money runs out, the least first, with what they can spend still."""
    return rows(
        """SELECT a.id, a.name, (coalesce(w.balance_mrial, 0) + coalesce(w.credit_limit_mrial, 0))::bigint AS left_mrial
           FROM accounts_account a JOIN resellers_low_balance t ON t.account_id = a.id
           LEFT JOIN ledger_wallet w ON w.account_id = a.id AND w.kind = 'customer'
           WHERE a.parent_id = :id AND a.is_open
             AND coalesce(w.balance_mrial, 0) + coalesce(w.credit_limit_mrial, 0) < t.threshold_mrial
           ORDER BY left_mrial, a.id LIMIT :most""",
        id=account_id,
        most=most,
    )
