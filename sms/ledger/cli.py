"""Commands for scripts: the same operations as the pages."""

import uuid

import click
from flask.cli import with_appcontext

from sms.accounts.queries import account, reseller_of, user_by_name
from sms.core import clock
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.core.errors import Refusal
from sms.core.money import parse_rial
from sms.core.text import N_
from sms.ledger import operations, queries
from sms.ledger.credit.operations import grant_limit
from sms.ledger.rules import rial_text

_ACCOUNT = click.option("--account", "account_id", type=int, help="The account's id.")
_USERNAME = click.option("--username", help="The name of one of its users, instead of the id.")


def _account_id(account_id: int | None, username: str | None) -> int:
    """The account that is meant; exactly one of the two is given."""
    if (account_id is None) == (username is None):
        raise Refusal(N_("Give either --account or --username."))
    return int(user_by_name(username).account_id) if username is not None else int(account(account_id or 0).id)


def _told(account_id: int) -> dict[str, object]:
    wallet = queries.wallet_of(account_id)
    return {
        "account": account_id,
        "balance_rial": rial_text(wallet.balance_mrial),
        "balance_mrial": wallet.balance_mrial,
        "credit_limit_mrial": wallet.credit_limit_mrial,
    }


@click.command("wallet-adjust")
@_ACCOUNT
@_USERNAME
@click.option("--rial", required=True, help="How much to add, in rial; a negative amount is taken.")
@click.option("--reason", required=True, help="Why; the customer reads it in the statement.")
@click.option("--key", help="Names this one act: the same key twice has one effect. Made up when not given.")
@json_option
@with_appcontext
def wallet_adjust(
    *, account_id: int | None, username: str | None, rial: str, reason: str, key: str | None, as_json: bool
) -> None:
    """Credit or debit an account by hand."""
    with refusals():
        with transaction():
            chosen = _account_id(account_id, username)
            named = f"adjust:{chosen}:{key or uuid.uuid4()}"
            made = operations.adjust(
                account_id=chosen,
                amount_mrial=parse_rial(rial),
                key=named,
                reason=reason,
                actor_id=None,
                at=clock.now(),
            )
        answer = {"transfer": queries.transfer_of_key(named), "is_repeated": not made}
        tell(_told(chosen) | answer, as_json)


@click.command("balance")
@_ACCOUNT
@_USERNAME
@json_option
@with_appcontext
def balance(*, account_id: int | None, username: str | None, as_json: bool) -> None:
    """Tell an account's balance and credit limit, and what is set aside for its campaigns."""
    with refusals():
        chosen = _account_id(account_id, username)
        tell(_told(chosen) | {"set_aside_mrial": queries.set_aside(chosen)}, as_json)


@click.command("credit-limit")
@_ACCOUNT
@_USERNAME
@click.option("--rial", required=True, help="How far below zero the balance may go, in rial.")
@json_option
@with_appcontext
def credit_limit(*, account_id: int | None, username: str | None, rial: str, as_json: bool) -> None:
    """Change an account's credit limit; that of a sub-account is covered by its reseller's money."""
    with refusals():
        with transaction():
            chosen = _account_id(account_id, username)
            grant_limit(
                account_id=chosen,
                parent_account_id=reseller_of(chosen),
                credit_limit_mrial=parse_rial(rial),
                actor_id=None,
                at=clock.now(),
            )
        tell(_told(chosen), as_json)


COMMANDS: tuple[click.Command, ...] = (wallet_adjust, balance, credit_limit)
