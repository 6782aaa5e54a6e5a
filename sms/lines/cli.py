"""Commands for scripts: the same operations as the pages."""

from typing import Any

import click
from flask.cli import with_appcontext

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.actor import PANEL
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.lines import operations, queries
from sms.lines.links.rules import LinkPolicy
from sms.lines.operations import LineSettings
from sms.lines.rules import LineKind, ServiceClass
from sms.operators.queries import gateway_by_name, operator_by_code


@click.command("line-add")
@click.option("--operator", "operator_code", required=True, help="Prefix of the operator, such as 3000.")
@click.option("--gateway", "gateway_name", required=True, help="Name of the gateway it sends through.")
@click.option("--number", required=True, help="The sender number, in any spelling.")
@click.option("--kind", type=click.Choice([str(kind) for kind in LineKind]), default="dedicated", show_default=True)
@click.option("--account", "username", help="User name of the customer a dedicated line belongs to.")
@click.option("--alias", default="", help="A name for it.")
@click.option("--service-class", type=click.Choice([str(each) for each in ServiceClass]), default="advertising")
@click.option("--joined-units", type=int, default=67, show_default=True, help="Persian characters in a joined part.")
@click.option("--links", type=click.Choice([str(each) for each in LinkPolicy]), default="allowed", show_default=True)
@json_option
@with_appcontext
def line_add(
    *,
    operator_code: str,
    gateway_name: str,
    number: str,
    kind: str,
    username: str | None,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Add a sender number."""
    with refusals(), transaction():
        settings = LineSettings(**wanted | _codes(wanted))
        line_id = operations.add_line(
            number=number,
            operator_id=operator_by_code(operator_code).id,
            gateway_id=gateway_by_name(gateway_name).id,
            kind=LineKind(kind),
            account_id=user_by_name(username).account_id if username else None,
            settings=settings,
            by=PANEL,
            at=clock.now(),
        )
        digits = queries.line(line_id).number
    tell({"line_id": line_id, "number": digits}, as_json)


def _codes(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"service_class": ServiceClass(wanted["service_class"]), "links": LinkPolicy(wanted["links"])}


COMMANDS: tuple[click.Command, ...] = (line_add,)
