"""Numbers that can be sold: how they are written, in which states they are, and which moves there are."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.errors import Refusal, SmsError
from sms.core.sheets.table import Row, cell_name
from sms.core.text import N_
from sms.lines.formats.rules.offers import Format, not_on_sale
from sms.lines.formats.rules.roundness import roundness
from sms.lines.formats.rules.sheet import TIER_WORDS, Known, Problem, spelled
from sms.lines.formats.rules.tiers import Tier
from sms.lines.rules import UnusableLine
from sms.operators.rules import SaleMode


class NumberState(StrEnum):
    """Where a number stands between us and its owner."""

    FREE = "free"
    RESERVED = "reserved"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


STATE_LABELS: dict[NumberState, str] = {
    NumberState.FREE: N_("Free"),
    NumberState.RESERVED: N_("Reserved"),
    NumberState.ACTIVE: N_("Active"),
    NumberState.SUSPENDED: N_("Suspended"),
    NumberState.EXPIRED: N_("Expired"),
}

# A reservation ends by itself; what had an owner becomes free only by a person, never silently.
MOVES: Mapping[NumberState, frozenset[NumberState]] = {
    NumberState.FREE: frozenset({NumberState.RESERVED}),
    NumberState.RESERVED: frozenset({NumberState.FREE, NumberState.ACTIVE}),
    NumberState.ACTIVE: frozenset({NumberState.SUSPENDED, NumberState.EXPIRED}),
    NumberState.SUSPENDED: frozenset({NumberState.ACTIVE, NumberState.EXPIRED}),
    NumberState.EXPIRED: frozenset({NumberState.ACTIVE, NumberState.FREE}),
}
LONGEST_RESERVATION = timedelta(days=90)
NOTE_LENGTH = 200
MOST_ROWS = 20_000  # a number takes a place among all spans; more would keep a page waiting
MOST_PROBLEMS = 500


def check_move(state: NumberState, to: NumberState) -> None:
    """Raise Refusal for a move there is not."""
    if to not in MOVES[state]:
        raise Refusal(N_("The number is not in a state for that; somebody was faster."))


def check_until(until: datetime | None, at: datetime) -> datetime:
    """Until when a number is reserved; raises UnusableLine when it is past or too far away."""
    if until is None or not at < until <= at + LONGEST_RESERVATION:
        raise UnusableLine(
            "until", N_("A reservation ends after today, within %(days)s days."), days=LONGEST_RESERVATION.days
        )
    return until


class NumberKind(StrEnum):
    """Sold alone, or with its neighbours."""

    SINGLE = "single"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class Item:
    """A number, or the digits all numbers of a range begin with, and how round it is."""

    operator_id: int
    kind: NumberKind
    number: str
    digits: int
    score: int
    tier: Tier
    override: Tier | None = None
    note: str = ""


_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_NOISE = re.compile(r"[\s().,/\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_RANGE = re.compile(r"(\d+?)([x*?؟×]+)")
_FROM_TO = re.compile(r"(\d+)(?:-|–|—|\.\.|to|تا)(\d+)")
_COUNTRY = ("0098", "098", "98")


def read_item(text: str, sellers: Sequence[Known]) -> Item:
    """The number or range a text stands for: 3000 1404, 3000123x or 30001230-30001239 for a range of ten.

    Raises UnusableLine when no operator has such a prefix, or sells no such number.
    """
    written = _NOISE.sub("", text.translate(_FOLD).casefold()).removeprefix("+")
    if found := _RANGE.fullmatch(written):
        number, digits = found[1], len(written)
    elif found := _FROM_TO.fullmatch(written):
        number, digits = _begins(found[1], found[2], text), len(found[1])
    elif written.isdecimal() and written.isascii():
        number, digits = written, len(written)
    else:
        raise UnusableLine("number", N_("“%(text)s” is no number."), text=text[:40])
    seller = _seller(number, sellers)
    if seller is None:
        for country in _COUNTRY:
            rest = number.removeprefix(country)
            if rest != number and (seller := _seller(rest, sellers)) is not None:
                digits -= len(number) - len(rest)
                number = rest
                break
    if seller is None:
        raise UnusableLine("number", N_("No operator's prefix begins “%(text)s”."), text=text[:40])
    return _checked(seller, number, digits)


def _begins(first: str, last: str, text: str) -> str:
    """What all numbers from a first to a last begin with."""
    free = 0
    while free < len(first) and first[: len(first) - free] != last[: len(last) - free]:
        free += 1
    same = first[: len(first) - free]
    is_whole = len(first) == len(last) and set(first[len(same) :]) <= {"0"} and set(last[len(same) :]) <= {"9"}
    if not is_whole or not same:
        raise UnusableLine(
            "number", N_("“%(text)s” is no whole range: it goes from …0 to …9, or from …00 to …99."), text=text[:40]
        )
    return same


def _seller(number: str, sellers: Sequence[Known]) -> Known | None:
    """The operator with the longest prefix that fits."""
    fitting = [each for each in sellers if number.startswith(each.code)]
    return max(fitting, key=lambda each: len(each.code), default=None)


def _checked(seller: Known, number: str, digits: int) -> Item:
    found = next((each for each in seller.formats if each.digits == digits and each.is_on_sale), None)
    if found is None:
        raise not_on_sale(seller.code, digits, seller.formats)
    free = digits - len(number)
    _check_mode(found, free, seller.code)
    score = roundness(number, operator_code=seller.code)
    kind = NumberKind.RANGE if free else NumberKind.SINGLE
    return Item(seller.id, kind, number, digits, score.score, score.tier)


def _check_mode(found: Format, free: int, code: str) -> None:
    params = {"code": code, "digits": found.digits}
    if found.sale_mode is SaleMode.RANGE and found.range_digits != free:
        raise UnusableLine(
            "number",
            N_("%(digits)s-digit %(code)s numbers are sold by the range of %(size)s: write its end as %(end)s."),
            size=10 ** (found.range_digits or 0),
            end="x" * (found.range_digits or 0),
            **params,
        )
    if found.sale_mode is SaleMode.SINGLE and free:
        raise UnusableLine("number", N_("%(digits)s-digit %(code)s numbers are sold one by one."), **params)


# Lists of numbers

_HEADS: Mapping[str, frozenset[str]] = {
    "number": frozenset({"number", "line", "شماره", "خط", "شماره خط", "شماره ها"}),
    "tier": frozenset({"tier", "roundness", "رندی", "رده", "رده رندی", "نوع"}),
    "note": frozenset({"note", "notes", "یادداشت", "توضیح", "توضیحات"}),
}


@dataclass(slots=True)
class ReadNumbers:
    """What a list holds, and what of it cannot be."""

    items: dict[tuple[str, int], Item] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    def refuse(self, place: str, error: SmsError) -> None:
        """Note a problem; beyond the most that are shown they are only counted."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(place, error.message, dict(error.params)))


def read_numbers(rows: Iterable[Row], sellers: Sequence[Known]) -> ReadNumbers:
    """The numbers of a table: a number a row, perhaps with a tier that overrides the score, and a note.

    Without a header the first column holds the numbers. Raises Refusal for more rows than are read at once.
    """
    found = ReadNumbers()
    places: dict[str, int] = {"number": 0}
    is_first = True
    for count, (number, cells) in enumerate(rows, start=1):
        if count > MOST_ROWS:
            raise Refusal(N_("At most %(most)s numbers are read at once. Split the file."), most=MOST_ROWS)
        if is_first:
            is_first = False
            if heads := _heads(cells):
                places = heads
                continue
        _read_row(found, number, cells, places, sellers)
    return found


def _heads(cells: Sequence[str]) -> dict[str, int]:
    words = [spelled(cell) for cell in cells]
    heads = {name: place for place, word in enumerate(words) for name, ways in _HEADS.items() if word in ways}
    return heads if "number" in heads else {}


def _read_row(
    found: ReadNumbers, row: int, cells: Sequence[str], places: Mapping[str, int], sellers: Sequence[Known]
) -> None:
    def cell(name: str) -> str:
        place = places.get(name, len(cells))
        return cells[place].strip() if place < len(cells) else ""

    try:
        item = read_item(cell("number"), sellers)
        if (item.number, item.digits) in found.items:
            raise UnusableLine("number", N_("This number stands in the list twice."))
    except UnusableLine as error:
        found.refuse(cell_name(row, places["number"]), error)
        return
    tier = cell("tier")
    override = TIER_WORDS.get(spelled(tier)) if tier else None
    if tier and override is None:
        wrong = UnusableLine(
            "tier", N_("“%(text)s” is no tier: plain, semi-round, round or very round."), text=tier[:40]
        )
        found.refuse(cell_name(row, places["tier"]), wrong)
        return
    found.items[item.number, item.digits] = Item(
        item.operator_id,
        item.kind,
        item.number,
        item.digits,
        item.score,
        item.tier,
        override if override is not item.tier else None,
        " ".join(cell("note").split())[:NOTE_LENGTH],
    )
