"""Commands for scripts: the same operations as the pages."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
from flask.cli import with_appcontext

from sms.billing import operations, queries
from sms.billing.operations import NewRefundRule, NewTariff
from sms.billing.rules import FULL, REFUNDABLE, Language, Scope
from sms.core import clock
from sms.core.calendar import TEHRAN
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.core.errors import NotFound, Refusal
from sms.core.money import parse_rial
from sms.core.text import N_
from sms.operators.queries import networks, operator_by_code

BOTH = "both"


def _scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a row is for, and when it begins: alike for prices and for rules."""
    options = (
        click.option("--operator", "operator_code", help="The operator's prefix, such as 3000."),
        click.option("--line", "line_number", help="The number of one line, instead of an operator."),
        click.option("--network", "network_code", help="One network's code, such as mci; left out it is for any."),
        click.option("--from", "begins", type=click.DateTime(), help="When it begins, Tehran time; now when left out."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _scope(operator_code: str | None, line_number: str | None, network_code: str | None) -> Scope:
    if (operator_code is None) == (line_number is None):
        raise Refusal(N_("Give either --operator or --line."))
    network_id = _network_id(network_code) if network_code is not None else None
    if line_number is not None:
        return Scope(line_id=queries.line_called(line_number), network_id=network_id)
    return Scope(operator_id=operator_by_code(operator_code or "").id, network_id=network_id)


def _network_id(code: str) -> int:
    for network in networks():
        if network.code == code:
            return int(network.id)
    raise NotFound(N_("There is no network %(code)s."), code=code)


def _moment(begins: datetime | None) -> datetime | None:
    return begins.replace(tzinfo=TEHRAN) if begins is not None else None


@click.command("tariff-add")
@_scope_options
@click.option("--language", type=click.Choice([*map(str, Language), BOTH]), default=BOTH, show_default=True)
@click.option("--price", required=True, help="Rial a part, up to three digits after the point.")
@click.option("--cost", required=True, help="What a part costs us, in rial.")
@json_option
@with_appcontext
def tariff_add(*, language: str, price: str, cost: str, as_json: bool, **scope: Any) -> None:
    """Add a price; the one of the same scope that is in force then ends at that moment."""
    begins = _moment(scope.pop("begins"))
    spoken = list(Language) if language == BOTH else [Language(language)]
    with refusals():
        with transaction():
            row_scope = _scope(**scope)
            tariffs = [NewTariff(row_scope, each, parse_rial(price), parse_rial(cost), begins) for each in spoken]
            made = [operations.add_tariff(tariff, actor_id=None, at=clock.now()) for tariff in tariffs]
        tell({"tariffs": made}, as_json)


@click.command("refund-rule-add")
@_scope_options
@click.option("--outcome", type=click.Choice(list(map(str, REFUNDABLE))), required=True, help="How the messages ended.")
@click.option("--percent", type=int, default=FULL, show_default=True, help="How much of the price comes back.")
@click.option("--delay-hours", type=int, default=0, show_default=True, help="Counted from the sending.")
@click.option("--note", default="", help="Customers read it beside the rule.")
@json_option
@with_appcontext
def refund_rule_add(*, outcome: str, percent: int, delay_hours: int, note: str, as_json: bool, **scope: Any) -> None:
    """Add a refund rule; the one of the same scope and outcome that is in force then ends at that moment."""
    begins = _moment(scope.pop("begins"))
    with refusals():
        with transaction():
            rule = NewRefundRule(_scope(**scope), outcome, percent, delay_hours * 3_600, note, begins)
            made = operations.add_refund_rule(rule, actor_id=None, at=clock.now())
        tell({"refund_rule": made}, as_json)


COMMANDS: tuple[click.Command, ...] = (tariff_add, refund_rule_add)
