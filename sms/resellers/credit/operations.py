"""Writes of credit within a tree: given, taken back, lent; and from which balance on an account is warned."""

from datetime import datetime

from sms.accounts.operations import record
from sms.accounts.tree.queries import below
from sms.core.db import execute
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.ledger import operations as ledger
from sms.ledger.credit.operations import grant_limit
from sms.ledger.rules import MOST_MRIAL
from sms.resellers.credit.queries import threshold


def move(
    *, top_id: int, account_id: int, amount_mrial: int, key: str, reason: str, actor_id: int | None, at: datetime
) -> dict[str, int]:
    """Give an account right below credit of one's own or, with a negative amount, take some back; returns the transfer
    by its key, or nothing when this was done before. Raises NotFound, Refusal, InsufficientBalance, KeyReused."""
    _check_own(top_id, account_id)
    if amount_mrial < 0:
        return ledger.take(
            from_account_id=account_id,
            to_account_id=top_id,
            amount_mrial=-amount_mrial,
            key=key,
            reason=reason,
            actor_id=actor_id,
            at=at,
        )
    return ledger.give(
        from_account_id=top_id,
        to_account_id=account_id,
        amount_mrial=amount_mrial,
        key=key,
        reason=reason,
        actor_id=actor_id,
        at=at,
    )


def lend(*, top_id: int, account_id: int, credit_limit_mrial: int, actor_id: int | None, at: datetime) -> None:
    """Change how far below zero an account right below may go. Raises NotFound or Refusal."""
    _check_own(top_id, account_id)
    grant_limit(
        parent_account_id=top_id,
        account_id=account_id,
        credit_limit_mrial=credit_limit_mrial,
        actor_id=actor_id,
        at=at,
    )


def _check_own(top_id: int, account_id: int) -> None:
    """Credit moves step by step: who stands further down has its money from the account right above it."""
    found = below(top_id, account_id)
    if found.parent_id != top_id:
        raise Refusal(N_("The credit of this account is the business of the reseller right above it."))
    if found.state == "closed":
        raise Refusal(N_("This account is closed."))


def warn_below(*, account_id: int, threshold_mrial: int, actor_id: int | None, at: datetime) -> None:
    """Warn an account, and the one above it, once less than this can be spent; 0 warns nobody. Raises Refusal."""
    if not 0 <= threshold_mrial <= MOST_MRIAL:
        raise Refusal(N_("State an amount of zero or more."))
    before = threshold(account_id)
    if before == threshold_mrial:
        return
    if threshold_mrial:
        execute(
            """INSERT INTO resellers_low_balance (account_id, threshold_mrial, set_at, set_by)
               VALUES (:id, :threshold, :at, :by) ON CONFLICT (account_id) DO UPDATE
               SET threshold_mrial = excluded.threshold_mrial, set_at = excluded.set_at, set_by = excluded.set_by""",
            id=account_id,
            threshold=threshold_mrial,
            at=at,
            by=actor_id,
        )
    else:
        execute("DELETE FROM resellers_low_balance WHERE account_id = :id", id=account_id)
    record(
        actor_id=actor_id,
        account_id=account_id,
        action="money.warning_set",
        details={"before_mrial": before, "after_mrial": threshold_mrial},
        at=at,
    )
