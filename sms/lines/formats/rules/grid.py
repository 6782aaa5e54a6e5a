"""The price grid of one operator and audience, as a page lays it out and as its fields are named."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sms.lines.formats.rules.offers import NO_OFFER, Cell, Format, Offer
from sms.lines.formats.rules.sheet import COLUMNS, Column
from sms.lines.formats.rules.tiers import Audience, Choice, Tier

_PREFIX = "p-"


@dataclass(frozen=True, slots=True)
class Place:
    """A cell of the page; `coming` is when it will say something else, and what."""

    cell: Cell
    offer: Offer
    coming: tuple[datetime, Offer] | None = None

    @property
    def name(self) -> str:
        """The name of its field."""
        return name_of(self.cell)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the page: a length, and its places under the columns; None where nothing can be priced."""

    format: Format
    places: tuple[Place | None, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """All of it."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]

    @property
    def tiers(self) -> list[tuple[Tier, int]]:
        """The tiers above the columns, and how many columns each has."""
        return [(tier, len(list(columns))) for tier, columns in groupby(self.columns, key=lambda column: column[0])]


def name_of(cell: Cell) -> str:
    """p-8-round-custom."""
    return f"{_PREFIX}{cell.digits}-{cell.tier}-{cell.choice}"


def cell_named(name: str, *, operator_id: int, audience: Audience) -> Cell | None:
    """The cell a field stands for; None for any other field."""
    parts = name.removeprefix(_PREFIX).split("-")
    if not name.startswith(_PREFIX) or len(parts) != 3 or not parts[0].isdecimal() or len(parts[0]) > 2:  # noqa: PLR2004
        return None
    if parts[1] not in set(Tier) or parts[2] not in set(Choice):
        return None
    return Cell(operator_id, int(parts[0]), Tier(parts[1]), Choice(parts[2]), audience)


def grid(
    formats: tuple[Format, ...],
    offers: Mapping[Cell, Offer],
    coming: Mapping[Cell, tuple[datetime, Offer]],
    *,
    operator_id: int,
    audience: Audience,
) -> Grid:
    """The page of these formats: only columns some length has."""
    sold = sorted((each for each in formats if each.is_on_sale), key=lambda each: each.digits)
    there = {column for each in sold for column in each.columns}
    columns = tuple(column for column in COLUMNS if column in there)

    def place(each: Format, column: Column) -> Place | None:
        if column not in set(each.columns):
            return None
        cell = Cell(operator_id, each.digits, *column, audience)
        return Place(cell, offers.get(cell, NO_OFFER), coming.get(cell))

    return Grid(columns, tuple(Line(each, tuple(place(each, column) for column in columns)) for each in sold))


def gaps(formats: tuple[Format, ...]) -> list[int]:
    """Lengths between the shortest and the longest on sale that are not sold, and those staff wrote a note about."""
    sold = {each.digits for each in formats if each.is_on_sale}
    told = {each.digits for each in formats if not each.is_on_sale}
    between = set(range(min(sold), max(sold))) if sold else set()
    return sorted((between | told) - sold)


def offered(whole: Grid) -> Grid:
    """The part of a grid in which something is offered: what a customer sees."""
    filled = [
        place for place in range(len(whole.columns)) if any(_is_offered(line.places[place]) for line in whole.lines)
    ]
    return Grid(
        tuple(whole.columns[place] for place in filled),
        tuple(
            Line(line.format, tuple(line.places[place] for place in filled))
            for line in whole.lines
            if any(map(_is_offered, line.places))
        ),
    )


def _is_offered(place: Place | None) -> bool:
    return place is not None and place.offer != NO_OFFER
