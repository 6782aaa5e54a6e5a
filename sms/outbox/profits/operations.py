"""Paying out what a reseller has earned."""

from datetime import datetime

from sms.accounts.operations import record
from sms.core.db import execute
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.ledger.operations import customer_wallet_id, post, profit_wallets
from sms.ledger.queries import transfer_of_key
from sms.ledger.rules import Posting, TransferKind
from sms.outbox.profits.queries import profit_of


def pay_out_profit(*, account_id: int, key: str, actor_id: int | None, at: datetime) -> int:
    """Move a reseller's final profit to its own wallet, once per key; returns the transfer's id, the same one however
    often asked.

    Raises Refusal when nothing is final, or less than nothing.
    """
    own = customer_wallet_id(account_id=account_id, at=at)
    # Whoever pays out at the same time waits here, and then finds it paid.
    execute("SELECT id FROM ledger_wallet WHERE id = :id FOR NO KEY UPDATE", id=own)
    named = f"profit:{account_id}:{key}"
    if (made := transfer_of_key(named)) is not None:
        return made
    amount = profit_of(account_id).payable_mrial
    if not amount:
        raise Refusal(N_("There is no profit to pay out yet."))
    (profit,) = profit_wallets([account_id], at=at)
    posting = Posting(
        kind=TransferKind.PROFIT,
        key=named,
        subject=f"account:{account_id}",
        amounts_mrial={profit: -amount, own: amount},
        actor_id=actor_id,
    )
    transfer_id = post([posting], at=at)[named]
    record(
        actor_id=actor_id,
        account_id=account_id,
        action="money.profit_paid",
        subject=f"transfer:{transfer_id}",
        details={"amount_mrial": amount},
        at=at,
    )
    return transfer_id
