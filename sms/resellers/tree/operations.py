"""Writes of a reseller's tree: accounts opened, closed and given back to who lost their password."""

from sms.accounts import operations as accounts
from sms.accounts.queries import account
from sms.accounts.rules import AccountKind, By, NewUser
from sms.accounts.tree import operations as tree
from sms.accounts.tree.queries import below, is_within
from sms.core.db import rows
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.ledger.credit.operations import grant_limit
from sms.ledger.queries import wallet_of
from sms.lines.own.operations import end_shares_of
from sms.resellers.tree.queries import still_open


def open_below(*, top_id: int, parent_id: int, kind: AccountKind, name: str, owner: NewUser, by: By) -> tuple[int, int]:
    """(account id, user id) of a new account somewhere in a tree; raises NotFound outside it."""
    if not is_within(top_id, parent_id):
        raise NotFound(N_("There is no such account."))
    return accounts.open_account(parent_id=parent_id, kind=kind, name=name, owner=owner, by=by)


def reset_access(*, top_id: int, account_id: int, user_id: int, by: By) -> str:
    """A new one-time password for a user somewhere below; every session of theirs ends. Raises NotFound."""
    below(top_id, account_id)
    return accounts.reset_password(account_id=account_id, user_id=user_id, by=by)


def close_below(*, top_id: int, account_id: int, reason: str, by: By) -> None:
    """Close an account below for good; what covered its credit limit goes back to whoever granted it. Raises NotFound,
    and Refusal naming what is still open in it."""
    parent_id = below(top_id, account_id).parent_id
    # Whoever accepts a send holds these rows until it is committed: what is open is looked at after that, and with no
    # money and no credit nothing more is accepted.
    rows(
        "SELECT id FROM ledger_wallet WHERE account_id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE",
        ids=[account_id, parent_id],
    )
    still_open(account_id).check()
    if wallet_of(account_id).credit_limit_mrial:
        grant_limit(
            parent_account_id=parent_id, account_id=account_id, credit_limit_mrial=0, actor_id=by.actor_id, at=by.at
        )
    end_shares_of(account_id=account(account_id).id)
    tree.close(account_id=account_id, by_account_id=top_id, reason=reason, by=by)
