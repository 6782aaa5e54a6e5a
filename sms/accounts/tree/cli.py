"""Commands for scripts: an account suspended with all below it, and let in again, as the installation."""

import click
from flask.cli import with_appcontext

from sms.accounts.rules import By
from sms.accounts.tree import operations
from sms.core import clock
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction

_account = click.option("--account-id", type=int, required=True)
_reason = click.option("--reason", required=True, help="Why; kept in the audit and shown to resellers above.")


@click.command("account-suspend")
@_account
@_reason
@json_option
@with_appcontext
def account_suspend(*, account_id: int, reason: str, as_json: bool) -> None:
    """Shut an account and all below it out; what is not sent yet waits."""
    with refusals(), transaction():
        operations.suspend(account_id=account_id, reason=reason, by=By(actor_id=None, at=clock.now()))
    tell({"account_id": account_id, "is_open": False}, as_json)


@click.command("account-resume")
@_account
@_reason
@json_option
@with_appcontext
def account_resume(*, account_id: int, reason: str, as_json: bool) -> None:
    """Take the installation's suspension back; tells whether the account is open again."""
    with refusals(), transaction():
        is_open = operations.resume(account_id=account_id, reason=reason, by=By(actor_id=None, at=clock.now()))
    tell({"account_id": account_id, "is_open": is_open}, as_json)


COMMANDS: tuple[click.Command, ...] = (account_suspend, account_resume)
