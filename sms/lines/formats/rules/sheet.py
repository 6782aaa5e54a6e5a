"""The price grid as a table: a row for each operator, length and audience, a column for each tier and choice.

Headers and words are known in both languages, however they are spelled."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sms.core.errors import SmsError
from sms.core.sheets.table import Row, cell_name
from sms.core.text import N_
from sms.lines.formats.rules.offers import (
    MOST_DIGITS,
    NO_OFFER,
    Cell,
    Format,
    Offer,
    Terms,
    check_cell,
    parse_offer,
)
from sms.lines.formats.rules.tiers import TIERS, Audience, Choice, Tier

Column = tuple[Tier, Choice]
Priced = tuple[Column, int]
"""A column of a file, and how many rial its unit has."""

COLUMNS: tuple[Column, ...] = tuple((tier, choice) for tier in TIERS for choice in Choice)
MOST_PROBLEMS = 500

OPERATOR = N_("Operator")
DIGITS = N_("Digits")
AUDIENCE = N_("For whom")
COLUMN_LABELS: dict[Column, str] = {
    (Tier.PLAIN, Choice.ASSIGNED): N_("Plain, assigned"),
    (Tier.PLAIN, Choice.CUSTOM): N_("Plain, chosen"),
    (Tier.SEMI, Choice.ASSIGNED): N_("Semi-round, assigned"),
    (Tier.SEMI, Choice.CUSTOM): N_("Semi-round, chosen"),
    (Tier.ROUND, Choice.ASSIGNED): N_("Round, assigned"),
    (Tier.ROUND, Choice.CUSTOM): N_("Round, chosen"),
    (Tier.VERY_ROUND, Choice.ASSIGNED): N_("Very round, assigned"),
    (Tier.VERY_ROUND, Choice.CUSTOM): N_("Very round, chosen"),
}

_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩يكة", "01234567890123456789یکه", "ٔ\u200e\u200f\ufeff")
_APART = str.maketrans(dict.fromkeys("\u200c،,-_()/:|", " "))
_HEADS: Mapping[str, frozenset[str]] = {
    "operator": frozenset({"operator", "prefix", "اپراتور", "پیش شماره", "سرشماره"}),
    "digits": frozenset({"digits", "length", "رقم", "ارقام", "تعداد رقم", "تعداد ارقام"}),
    "audience": frozenset({"for whom", "audience", "for", "برای", "برای چه کسی", "مخاطب"}),
}
_AUDIENCES: Mapping[str, Audience] = {
    **dict.fromkeys(("customer", "customers", "user", "مشتری", "کاربر"), Audience.CUSTOMER),
    **dict.fromkeys(("reseller", "resellers", "نماینده", "همکار", "نمایندگی"), Audience.RESELLER),
    **dict.fromkeys(
        ("special reseller", "special", "نماینده ویژه", "همکار ویژه", "نمایندگی ویژه"), Audience.SPECIAL_RESELLER
    ),
}
TIER_WORDS: Mapping[str, Tier] = {
    **dict.fromkeys(("plain", "غیر رند", "غیررند", "معمولی"), Tier.PLAIN),
    **dict.fromkeys(("semi round", "semi", "نیمه رند", "نیم رند"), Tier.SEMI),
    **dict.fromkeys(("round", "رند"), Tier.ROUND),
    **dict.fromkeys(("very round", "خیلی رند", "بسیار رند", "فوق رند"), Tier.VERY_ROUND),
}
_UNITS: Mapping[str, int] = {"rial": 1, "ریال": 1, "toman": 10, "تومان": 10}
_CHOICES: Mapping[str, Choice] = {
    **dict.fromkeys(("assigned", "", "غیر سفارشی", "غیرسفارشی", "تصادفی"), Choice.ASSIGNED),
    **dict.fromkeys(("chosen", "custom", "سفارشی", "انتخابی"), Choice.CUSTOM),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file, and in which cell."""

    place: str
    message: str
    params: Mapping[str, object] = field(default_factory=dict)


class Known(NamedTuple):
    """An operator a row may name."""

    id: int
    code: str
    formats: Sequence[Format]


class NoGrid(SmsError):
    """The file has no header that names the columns of the grid."""


@dataclass(slots=True)
class Read:
    """What a file says, and what of it cannot be."""

    offers: dict[Cell, Offer] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0

    def refuse(self, place: str, error: SmsError) -> None:
        """Note a problem; beyond the most that are shown they are only counted."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(place, error.message, dict(error.params)))


def spelled(text: str) -> str:
    """A word of a table as it is compared: one script, one case, single blanks."""
    return " ".join(text.translate(_FOLD).translate(_APART).casefold().split())


def read_grid(rows: Iterable[Row], sellers: Sequence[Known]) -> Read:
    """The cells a table fills; empty ones are left as they are. Raises NoGrid, UnreadableList."""
    stream = iter(rows)
    heads, columns = _header(stream)
    known = {each.code: each for each in sellers}
    found = Read()
    for number, cells in stream:
        _row(found, number, cells, heads=heads, columns=columns, known=known)
    return found


def _header(stream: Iterator[Row]) -> tuple[dict[str, int], dict[int, Priced]]:
    for _number, cells in stream:
        words = [spelled(cell) for cell in cells]
        heads = {name: place for place, word in enumerate(words) for name, ways in _HEADS.items() if word in ways}
        columns = {place: column for place, word in enumerate(words) if (column := _column(word)) is not None}
        if len(heads) == len(_HEADS) and columns:
            return heads, columns
        if len([word for word in words if word]) > 1:
            break  # one line of words may stand above; a table that begins otherwise is another one
    raise NoGrid(
        N_("The first row must name the columns: operator, digits, for whom, and the tiers. Begin with an export.")
    )


def _column(word: str) -> Priced | None:
    """“round, chosen (rial)”, «رند، سفارشی», or the tier alone."""
    factor = 1
    for unit, rial in _UNITS.items():
        if word.endswith(f" {unit}"):
            word, factor = word.removesuffix(unit).strip(), rial
            break
    for choice_word, choice in _CHOICES.items():
        rest = word.removesuffix(choice_word).strip() if choice_word else word
        if (rest != word or not choice_word) and rest in TIER_WORDS:
            return (TIER_WORDS[rest], choice), factor
    return None


def _row(
    found: Read,
    number: int,
    cells: Sequence[str],
    *,
    heads: Mapping[str, int],
    columns: Mapping[int, Priced],
    known: Mapping[str, Known],
) -> None:
    filled = {place: cells[place] for place in columns if place < len(cells) and cells[place].strip()}
    if not filled:
        return
    try:
        seller, digits, audience = _scope(number, cells, heads, known)
    except _Misread as error:
        found.refuse(error.place, error)
        return
    for place, text in filled.items():
        name = cell_name(number, place)
        column, rial_per_unit = columns[place]
        cell = Cell(seller.id, digits, *column, audience)
        try:
            offer = parse_offer(text, rial_per_unit=rial_per_unit)
            check_cell(cell, operator_code=seller.code, formats=seller.formats)
            if cell in found.offers:
                raise SmsError(N_("This price stands in the file twice."))
        except SmsError as error:
            found.refuse(name, error)
        else:
            found.offers[cell] = offer


class _Misread(SmsError):
    def __init__(self, place: str, message: str, **params: object) -> None:
        super().__init__(message, **params)
        self.place = place


def _scope(
    number: int, cells: Sequence[str], heads: Mapping[str, int], known: Mapping[str, Known]
) -> tuple[Known, int, Audience]:
    def at(name: str) -> tuple[str, str]:
        place = heads[name]
        return cell_name(number, place), spelled(cells[place]) if place < len(cells) else ""

    place, code = at("operator")
    seller = known.get(code.split(" ")[0])
    if seller is None:
        raise _Misread(place, N_("There is no operator “%(text)s”."), text=code[:40])
    place, length = at("digits")
    if not length.isdecimal() or int(length[:3]) > MOST_DIGITS:
        raise _Misread(place, N_("“%(text)s” is no number of digits."), text=length[:40])
    place, who = at("audience")
    audience = _AUDIENCES.get(who)
    if audience is None:
        raise _Misread(place, N_("“%(text)s” is none of customer, reseller and special reseller."), text=who[:40])
    return seller, int(length), audience


def written_rows(
    sellers: Sequence[Known], offers: Mapping[Cell, Offer]
) -> Iterator[tuple[Known, Format, Audience, list[Offer | None]]]:
    """Every row of the grid in order: operator, length, audience; None where nothing can be priced."""
    for seller in sellers:
        for each in seller.formats:
            if not each.is_on_sale:
                continue
            can_be = set(each.columns)
            for audience in Audience:
                cells = [
                    offers.get(Cell(seller.id, each.digits, *column, audience), NO_OFFER) if column in can_be else None
                    for column in COLUMNS
                ]
                yield seller, each, audience, cells


def written(offer: Offer | None, *, inquiry: str) -> str | int | None:
    """An offer as its cell: rial, a word, or nothing where nothing is offered."""
    if offer is None or offer.terms is Terms.NONE:
        return None
    return inquiry if offer.amount_mrial is None else offer.amount_mrial // 1000
