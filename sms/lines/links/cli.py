"""Command for scripts: the same operation as the page."""

import click
from flask.cli import with_appcontext

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.actor import PANEL
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.lines.links import operations


@click.command("link-permit")
@click.option("--account", "username", required=True, help="User name of the customer.")
@click.option("--line", "number", default="", help="The line; left out, every line the customer may use.")
@click.option("--reason", required=True, help="Why, such as the number of the operator's letter.")
@json_option
@with_appcontext
def link_permit(*, username: str, number: str, reason: str, as_json: bool) -> None:
    """Let a customer send texts with links over lines that ask for a permission."""
    with refusals(), transaction():
        permission_id = operations.permit(
            account_id=user_by_name(username).account_id,
            line_number=number,
            reason=reason,
            expires_at=None,
            by=PANEL,
            at=clock.now(),
        )
    tell({"permission_id": permission_id}, as_json)


COMMANDS: tuple[click.Command, ...] = (link_permit,)
