"""Commands for scripts: the numbers that can be sold."""

import io
from pathlib import Path

import click
from flask.cli import with_appcontext

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.actor import PANEL
from sms.core.calendar import next_day, parse_day, start_of_day
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.core.errors import NotFound, in_english
from sms.core.sheets.table import read_table
from sms.lines.formats.queries import sellers
from sms.lines.formats.rules.sheet import Known
from sms.lines.stock import operations, queries
from sms.lines.stock.queries import NO_SUCH_NUMBER, NumberView
from sms.lines.stock.rules import ReadNumbers, read_numbers


def _known() -> list[Known]:
    return [Known(each.id, each.code, each.formats) for each in sellers(clock.now())]


def _added(read: ReadNumbers) -> dict[str, object]:
    ids = operations.add_numbers(list(read.items.values()), by=PANEL, at=clock.now())
    return {
        "added": len(ids),
        "there_already": len(read.items) - len(ids),
        "problem_count": read.problem_count,
        "problems": [{"cell": each.place, "why": in_english(each.message, each.params)} for each in read.problems],
    }


@click.command("number-add")
@click.argument("numbers", nargs=-1, required=True)
@json_option
@with_appcontext
def number_add(*, numbers: tuple[str, ...], as_json: bool) -> None:
    """Add numbers to the inventory; a range is written 3000123x."""
    with refusals(), transaction():
        answer = _added(read_numbers([(place, [each]) for place, each in enumerate(numbers, start=1)], _known()))
    tell(answer, as_json)
    if answer["problem_count"]:
        raise SystemExit(1)


@click.command("number-import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@with_appcontext
def number_import(*, file: Path, as_json: bool) -> None:
    """Add the numbers of an XLSX, CSV or TXT file; what cannot be is told with its cell."""
    with refusals(), transaction():
        answer = _added(read_numbers(read_table(io.BytesIO(file.read_bytes())), _known()))
    tell(answer, as_json)


@click.command("number-reserve")
@click.argument("number")
@click.option("--account", "username", required=True, help="User name of the customer it is kept for.")
@click.option("--until", "day", required=True, help="Last day of the reservation, such as 2026-12-22.")
@click.option("--reason", default="")
@json_option
@with_appcontext
def number_reserve(*, number: str, username: str, day: str, reason: str, as_json: bool) -> None:
    """Keep a free number for a customer."""
    with refusals(), transaction():
        found = _found(number)
        operations.reserve(
            number_id=found.id,
            account_id=int(user_by_name(username).account_id),
            until=start_of_day(next_day(parse_day(day, "en"))),
            reason=reason,
            by=PANEL,
            at=clock.now(),
        )
    tell({"number_id": found.id, "state": "reserved"}, as_json)


@click.command("number-release")
@click.argument("number")
@click.option("--reason", default="")
@json_option
@with_appcontext
def number_release(*, number: str, reason: str, as_json: bool) -> None:
    """Make a reserved or expired number free again."""
    with refusals(), transaction():
        found = _found(number)
        operations.release(number_id=found.id, reason=reason, by=PANEL, at=clock.now())
    tell({"number_id": found.id, "state": "free"}, as_json)


def _found(number: str) -> NumberView:
    found = queries.number_by_digits(number)
    if found is None:
        raise NotFound(NO_SUCH_NUMBER)
    return found


COMMANDS: tuple[click.Command, ...] = (number_add, number_import, number_reserve, number_release)
