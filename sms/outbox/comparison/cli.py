"""Commands for scripts: a comparison."""

import time
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from sms.accounts.queries import user_by_name
from sms.core import clock, phone
from sms.core.console import json_option, refusals, tell
from sms.core.db import release, transaction
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.lines.public.queries import verified
from sms.outbox.comparison.operations import compare
from sms.outbox.comparison.queries import ComparedLine, Comparison, comparison

_LOOK_SECONDS = 0.5
_COLUMNS = (
    *("number", "operator_code", "state", "is_free", "count", "taken_count", "delivered_count", "outcomes"),
    *("accepted", "delivered", "reported", "parts", "price_mrial", "line_from_mrial", "problem"),
)


@click.command("compare")
@click.option("--as", "username", required=True, help="User name of the customer who compares.")
@click.option("--text", default="This text tries the lines of all operators.", show_default=True)
@click.option("--to", "recipients", multiple=True, help="A verified number of the customer; without it: all of them.")
@click.option("--wait", "is_waiting", is_flag=True, help="Wait until every line has said all it will.")
@json_option
@with_appcontext
def compare_lines(*, username: str, text: str, recipients: tuple[str, ...], is_waiting: bool, as_json: bool) -> None:
    """Send a text over every operator's public line to a customer's own numbers, and tell what each did."""
    with refusals():
        found = user_by_name(username)
        wanted = [_number(each) for each in recipients] or sorted(verified(found.account_id))
        with transaction():
            made = compare(account_id=found.account_id, user_id=found.id, body=text, recipients=wanted, at=clock.now())
        compared = comparison(found.account_id, made, at=clock.now())
        while is_waiting and not compared.is_finished:
            release()
            time.sleep(_LOOK_SECONDS)
            compared = comparison(found.account_id, made, at=clock.now())
        tell(_told(compared), as_json)


def _number(text: str) -> int:
    number = phone.normalise(text)
    if number is None:
        raise Refusal(N_("This is not an Iranian mobile number, such as 0912 345 6789."))
    return number


def _told(compared: Comparison) -> dict[str, object]:
    advice = compared.advice
    return {
        "comparison": compared.id,
        "is_finished": compared.is_finished,
        "lines": [_line(line) for line in compared.lines],
        "recommended": advice.chosen.operator_code if advice else None,
        "reasons": [sentence % params for sentence, params in advice.reasons] if advice else [],
    }


def _line(line: ComparedLine) -> dict[str, object]:
    refunds = {outcome: asdict(refund) for outcome, refund in line.refunds}
    return {name: getattr(line, name) for name in _COLUMNS} | {"refunds": refunds}


COMMANDS: tuple[click.Command, ...] = (compare_lines,)
