"""Credit limits that somebody answers for. Who stands above whom is for the caller to know.

A credit limit that a reseller grants is covered by money of its own, set aside while it is granted: so the installation
never carries the debt of a sub-account.
"""

from datetime import datetime

from sms.core.db import rows, scalar
from sms.ledger.credit.queries import cover
from sms.ledger.operations import change_credit_limit, check_limit, customer_wallet_id, open_wallet, post
from sms.ledger.rules import (
    InsufficientBalance,
    NotCovered,
    Posting,
    TransferKind,
    WalletKind,
    cover_needed,
)


def grant_limit(
    *, parent_account_id: int | None, account_id: int, credit_limit_mrial: int, actor_id: int | None, at: datetime
) -> None:
    """Change how far below zero an account may go. Where a reseller stands above it, that one's own money covers the
    whole of it: more is taken from its wallet, less goes back to it, but never what the account owes at present.

    Asked again with the same limit it gives back what the account has paid meanwhile. Raises Refusal, NotCovered when
    the reseller has not so much (its own credit limit does not count), NotFound.
    """
    check_limit(credit_limit_mrial)
    if parent_account_id is not None:
        _cover(account_id, parent_account_id, credit_limit_mrial, actor_id, at)
    change_credit_limit(account_id=account_id, credit_limit_mrial=credit_limit_mrial, actor_id=actor_id, at=at)


def _cover(account_id: int, guarantor_id: int, limit_mrial: int, actor_id: int | None, at: datetime) -> None:
    granted = customer_wallet_id(account_id=account_id, at=at)
    guarantor = customer_wallet_id(account_id=guarantor_id, at=at)
    code = f"guarantee:{account_id}"
    wallet_id = open_wallet(code=code, kind=WalletKind.GUARANTEE, account_id=account_id, at=at)
    # Both at once and in the order of postings; nobody spends or covers until this is through.
    balances = {
        wallet.id: int(wallet.balance_mrial)
        for wallet in rows(
            "SELECT id, balance_mrial FROM ledger_wallet WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE",
            ids=[granted, guarantor],
        )
    }
    covered = cover(account_id)
    more = cover_needed(limit_mrial=limit_mrial, balance_mrial=balances[granted]) - covered
    if more:
        number = scalar("SELECT count(*) FROM ledger_entry WHERE wallet_id = :id", id=wallet_id)
        posting = Posting(
            kind=TransferKind.GUARANTEE,
            key=f"{code}:{number}",
            subject=f"account:{account_id}",
            amounts_mrial={guarantor: -more, wallet_id: more},
            actor_id=actor_id,
            spends_credit=False,
        )
        try:
            post([posting], at=at)
        except InsufficientBalance as error:
            raise NotCovered(missing_mrial=error.missing_mrial) from error
