"""Commands for scripts: the policy of public lines."""

from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.calendar import parse_day, start_of_day
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.lines.public import operations, queries
from sms.lines.public.rules import NewPolicy, Policy
from sms.operators.queries import operator_by_code


@click.command("public-policy-add")
@click.option("--policy", type=click.Choice([str(policy) for policy in Policy]), required=True)
@click.option("--operator", "operator_code", help="Prefix of one operator, such as 3000; without it: all of them.")
@click.option("--free", "free_messages", type=int, default=10, show_default=True, help="Free messages of a customer.")
@click.option(
    "--from", "day", help="The first day it holds, such as 1405-09-03 or 2026-11-24; without it: from now on."
)
@click.option("--note", default="", help="Why.")
@json_option
@with_appcontext
def public_policy_add(
    *, policy: str, operator_code: str | None, free_messages: int, day: str | None, note: str, as_json: bool
) -> None:
    """Set what public lines may be used for: trial, allowed or forbidden."""
    with refusals(), transaction():
        at = clock.now()
        valid_from = start_of_day(parse_day(day, "en")).astimezone(UTC) if day else at
        operator_id = operator_by_code(operator_code).id if operator_code else None
        new = NewPolicy(Policy(policy), operator_id, free_messages, valid_from, note)
        policy_id = operations.add_policy(new, by=PANEL, at=at)
        tell({"policy_id": policy_id, "policy": policy, "valid_from": valid_from, "now": _now(at)}, as_json)


def _now(at: datetime) -> dict[str, str]:
    """What holds for each operator after it."""
    return {operator.code: operator.policy for operator in queries.in_force(at=at)}


COMMANDS: tuple[click.Command, ...] = (public_policy_add,)
