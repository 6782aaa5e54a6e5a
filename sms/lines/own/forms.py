"""Forms of an account's lines."""

from collections.abc import Mapping, Sequence
from typing import Any

from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.core.web.forms import Filled, Form
from sms.lines.own.rules import COLOURS, MOST_PLAN_LINES, PlanStep

_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


class DressForm(Form):
    """The name and the colour of a line."""

    alias = StringField(N_("Name of the line"))
    colour = SelectField(
        N_("Colour"),
        choices=[
            SelectChoice("", N_("The operator's")),
            *(SelectChoice(colour, label) for colour, label in COLOURS.items()),
        ],
    )


class ShareForm(Form):
    """The account below that may send from a line too."""

    account = StringField(N_("User name of your customer"), [Filled()])


def read_plan(posted: Mapping[str, str], line_ids: Sequence[int]) -> list[PlanStep]:
    """The plan as its table was filled in: of each line a place (empty: not in the plan) and a percentage; lines of the
    same place keep their order. Raises Refusal for what is no number."""
    placed: list[tuple[int, PlanStep]] = []
    for line_id in line_ids:
        place = _number(posted.get(f"place-{line_id}", ""), most=MOST_PLAN_LINES)
        if place is not None:
            placed.append((place, PlanStep(line_id, _number(posted.get(f"percent-{line_id}", "")))))
    return [step for _, step in sorted(placed, key=_place)]


def _place(placed: tuple[int, Any]) -> int:
    return placed[0]


def _number(text: str, *, most: int = 10_000) -> int | None:
    cleaned = text.strip().translate(_DIGITS)
    if not cleaned:
        return None
    if not cleaned.isascii() or not cleaned.isdecimal() or int(cleaned[:6]) > most:
        raise Refusal(N_("This is not a whole number."))
    return int(cleaned)
