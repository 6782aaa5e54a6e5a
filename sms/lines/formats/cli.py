"""Commands for scripts: formats, prices and roundness."""

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.calendar import parse_day, start_of_day
from sms.core.console import json_option, refusals, tell
from sms.core.db import transaction
from sms.core.errors import in_english
from sms.core.sheets.table import read_table
from sms.lines.formats import operations, queries
from sms.lines.formats.rules import sheet
from sms.lines.formats.rules.offers import Cell, Format, parse_offer
from sms.lines.formats.rules.roundness import roundness
from sms.lines.formats.rules.tiers import TIERS, Audience, Choice, Tier, sold_as
from sms.lines.rules import canonical_number
from sms.operators.queries import operator_by_code
from sms.operators.rules import SaleMode

_operator = click.option("--operator", "operator_code", required=True, help="Prefix of the operator, such as 3000.")
_from = click.option(
    "--from", "day", default="", help="Day from which on it holds, such as 2026-12-22; now if left out."
)
_audience = click.Choice([str(each) for each in Audience])


@click.command("format-add")
@_operator
@click.option("--digits", type=int, required=True, help="Digits of the whole number.")
@click.option(
    "--tier", "tiers", multiple=True, type=click.Choice([str(each) for each in Tier]), help="A tier priced apart."
)
@click.option(
    "--choosable-digits", type=int, default=0, show_default=True, help="Right-hand digits a customer may choose."
)
@click.option("--range-digits", type=int, help="Sold by range: free last digits, 1 for ten numbers.")
@click.option("--renewal-percent", type=int, default=0, show_default=True, help="Of the price paid, for each renewal.")
@click.option("--renewal-months", type=int, default=12, show_default=True)
@click.option("--grace-days", type=int, default=30, show_default=True)
@click.option("--priority/--no-priority", "gives_priority", help="Its owner comes first for longer numbers under it.")
@click.option("--not-sold", is_flag=True, help="Say that this length is not sold.")
@click.option("--note", default="", help="Shown beside the length; where it is not sold, the reason.")
@_from
@json_option
@with_appcontext
def format_add(
    *,
    operator_code: str,
    tiers: tuple[str, ...],
    not_sold: bool,
    range_digits: int | None,
    day: str,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Say what an operator sells of one length."""
    with refusals(), transaction():
        format_id = operations.set_format(
            operator_id=operator_by_code(operator_code).id,
            wanted=Format(
                is_on_sale=not not_sold,
                tiers=tuple(tier for tier in TIERS if tier in tiers) or (Tier.PLAIN,),
                sale_mode=SaleMode.SINGLE if range_digits is None else SaleMode.RANGE,
                range_digits=range_digits,
                **wanted,
            ),
            valid_from=_moment(day),
            by=PANEL,
            at=clock.now(),
        )
    tell({"format_id": format_id}, as_json)


def _moment(day: str) -> datetime | None:
    return start_of_day(parse_day(day, "en")) if day else None


@click.command("price-set")
@_operator
@click.option("--digits", type=int, required=True)
@click.option("--tier", type=click.Choice([str(each) for each in Tier]), default="plain", show_default=True)
@click.option("--choice", type=click.Choice([str(each) for each in Choice]), default="assigned", show_default=True)
@click.option("--audience", type=_audience, default="customer", show_default=True)
@click.option("--price", required=True, help="Rial, such as 1200000 or 1.2m; ? for inquiry, - for not offered.")
@_from
@json_option
@with_appcontext
def price_set(
    *, operator_code: str, digits: int, tier: str, choice: str, audience: str, price: str, day: str, as_json: bool
) -> None:
    """Write one price into the grid."""
    with refusals(), transaction():
        cell = Cell(operator_by_code(operator_code).id, digits, Tier(tier), Choice(choice), Audience(audience))
        offer = parse_offer(price)
        change_id = operations.set_prices({cell: offer}, by=PANEL, at=clock.now(), valid_from=_moment(day))
    tell({"change_id": change_id, "terms": str(offer.terms), "amount_mrial": offer.amount_mrial}, as_json)


@click.command("price-import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--apply", "is_applied", is_flag=True, help="Write what can be; without it only look.")
@json_option
@with_appcontext
def price_import(*, file: Path, is_applied: bool, as_json: bool) -> None:
    """Read a price grid from an XLSX or CSV file: what it would change, and what of it cannot be."""
    at = clock.now()
    change_id = None
    with refusals(), transaction():
        known = [sheet.Known(each.id, each.code, each.formats) for each in queries.sellers(at)]
        read = sheet.read_grid(read_table(io.BytesIO(file.read_bytes())), known)
        would_change = len(queries.differences(read.offers, at))
        if is_applied:
            change_id = operations.set_prices(read.offers, by=PANEL, at=at, kind="import", note=file.name)
    tell(
        {
            "read": len(read.offers),
            "would_change": would_change,
            "change_id": change_id,
            "problem_count": read.problem_count,
            "problems": [{"cell": each.place, "why": in_english(each.message, each.params)} for each in read.problems],
        },
        as_json,
    )


@click.command("price-undo")
@click.argument("change_id", type=int)
@json_option
@with_appcontext
def price_undo(*, change_id: int, as_json: bool) -> None:
    """Take a change of prices back."""
    with refusals(), transaction():
        made, left = operations.undo_change(change_id=change_id, by=PANEL, at=clock.now())
    tell({"change_id": made, "left_alone": left}, as_json)


@click.command("number-score")
@_operator
@click.argument("number")
@json_option
@with_appcontext
def number_score(*, operator_code: str, number: str, as_json: bool) -> None:
    """Say how round a number is, why, and as what it is sold."""
    with refusals():
        seller = queries.seller(operator_by_code(operator_code).id, clock.now())
        digits = canonical_number(number, operator_code=seller.code)
        found = roundness(digits, operator_code=seller.code)
        tiers = seller.format_of(len(digits)).tiers
    tell(
        {
            "number": digits,
            "score": found.score,
            "tier": str(found.tier),
            "sold_as": str(sold_as(found.tier, tiers)),
            "reasons": [reason.message % reason.params for reason in found.reasons],
        },
        as_json,
    )


COMMANDS: tuple[click.Command, ...] = (format_add, price_set, price_import, price_undo, number_score)
