"""How an operator's statement is read, what may differ between it and us, and why it may. Plain Python."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from sms.core import phone
from sms.core.errors import NotFound, SmsError
from sms.core.money import MRIAL_PER_RIAL, RIAL_PER_TOMAN, parse_rial
from sms.core.text import N_
from sms.lines.formats.rules.sheet import Problem, spelled

MOST_PROBLEMS = 200  # shown; beyond them they are only counted
MOST_DIFFERENCES = 50_000  # of a kind and a day, kept one by one; beyond them they are only counted
MOST_BYTES = 25_000_000
LONGEST_REFERENCE = 100
LONGEST_NOTE = 500
_LARGEST = 2**63 - 1
_MOST_PARTS = 1_000


class Kind(StrEnum):
    """What differs."""

    CREDIT = "credit"
    ONLY_OURS = "only_ours"
    ONLY_THEIRS = "only_theirs"
    DIFFERS = "differs"


KIND_LABELS: dict[Kind, str] = {
    Kind.CREDIT: N_("Drop of the credit"),
    Kind.ONLY_OURS: N_("Only ours"),
    Kind.ONLY_THEIRS: N_("Only theirs"),
    Kind.DIFFERS: N_("Other parts or cost"),
}
OF_STATEMENT = (Kind.ONLY_OURS, Kind.ONLY_THEIRS, Kind.DIFFERS)


class Reason(StrEnum):
    """Why a difference is none to worry about, or whose it is."""

    OTHER_DAY = "other_day"
    OTHER_PRICE = "other_price"
    OWN_REFUND = "own_refund"
    BY_HAND = "by_hand"
    THEIR_FAULT = "their_fault"
    OUR_FAULT = "our_fault"
    OTHER = "other"


REASON_LABELS: dict[Reason, str] = {
    Reason.OTHER_DAY: N_("The operator counts it on another day"),
    Reason.OTHER_PRICE: N_("The operator changed its price"),
    Reason.OWN_REFUND: N_("The operator paid back, or took back, something"),
    Reason.BY_HAND: N_("Sent or moved beside the panel"),
    Reason.THEIR_FAULT: N_("A fault of the operator; claimed"),
    Reason.OUR_FAULT: N_("A fault of ours"),
    Reason.OTHER: N_("Another reason"),
}


# Days in addresses


def day_number(day: date) -> int:
    """A day as addresses carry it: 20261123."""
    return day.year * 10_000 + day.month * 100 + day.day


def day_numbered(number: int) -> date:
    """The day of such a number; raises NotFound for what is no day."""
    try:
        return date(number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        raise NotFound(N_("There is no such day.")) from None


# Credit


@dataclass(frozen=True, slots=True)
class CreditDay:
    """A day of our credit at an operator: what it was at its beginning and its end (None: unknown), what we bought,
    what our messages cost by our tariffs, and what we expect the operator to have paid back."""

    start_mrial: int | None
    end_mrial: int | None
    bought_mrial: int
    cost_mrial: int
    paid_back_mrial: int

    @property
    def drop_mrial(self) -> int | None:
        """By how much the credit fell, apart from what was bought."""
        if self.start_mrial is None or self.end_mrial is None:
            return None
        return self.start_mrial + self.bought_mrial - self.end_mrial

    @property
    def expected_mrial(self) -> int:
        """By how much it should have fallen."""
        return self.cost_mrial - self.paid_back_mrial

    @property
    def difference_mrial(self) -> int | None:
        """How much more it fell than it should have."""
        return None if self.drop_mrial is None else self.drop_mrial - self.expected_mrial


# Statements


class NoStatement(SmsError):
    """The file has no header that names the columns of a statement."""


class Column(StrEnum):
    """What a statement may say of a message."""

    OPERATOR_REF = "operator_ref"
    OUR_ID = "our_id"
    RECIPIENT = "recipient"
    PARTS = "parts"
    COST = "cost"
    STATUS = "status"


_NAMES: Mapping[Column, Sequence[str]] = {
    Column.OPERATOR_REF: (
        *("operator ref", "operator reference", "reference", "ref", "message id", "messageid", "msgid", "id"),
        *("شناسه", "شناسه پیام", "شناسه اپراتور", "شناسه پیامک", "کد رهگیری", "کد پیگیری"),
    ),
    Column.OUR_ID: (
        *("our id", "local id", "localid", "uid", "mid", "user id", "client id", "client reference"),
        *("شناسه ما", "شناسه محلی", "شناسه کاربر", "شناسه مشتری"),
    ),
    Column.RECIPIENT: (
        *("recipient", "receptor", "mobile", "to", "destination", "number", "phone"),
        *("گیرنده", "شماره گیرنده", "موبایل", "شماره موبایل", "مقصد"),
    ),
    Column.PARTS: (
        *("parts", "part", "pages", "segments", "count", "sms count"),
        *("صفحه", "صفحات", "تعداد صفحه", "تعداد صفحات", "پارت", "تعداد پارت", "بخش"),
    ),
    Column.COST: (
        *("cost", "price", "amount", "fee", "cost rial", "cost (rial)", "price (rial)", "amount (rial)"),
        *("هزینه", "مبلغ", "قیمت", "تعرفه", "هزینه (ریال)", "مبلغ (ریال)", "قیمت (ریال)", "هزینه ریال", "مبلغ ریال"),
    ),
    Column.STATUS: ("status", "state", "delivery", "وضعیت", "وضعیت ارسال", "وضعیت تحویل", "نتیجه"),
}
_TOMAN: Sequence[str] = (
    "cost (toman)",
    "amount (toman)",
    "price (toman)",
    "هزینه (تومان)",
    "مبلغ (تومان)",
    "قیمت (تومان)",
)
_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_HEADER_ROWS = 20  # statements begin with names and sums


@dataclass(frozen=True, slots=True)
class Line:
    """What a statement says of one message, or of one part of it."""

    number: int
    operator_ref: str = ""
    our_id: int | None = None
    recipient: int | None = None
    parts: int | None = None
    cost_mrial: int | None = None
    status: str = ""


@dataclass(slots=True)
class Problems:
    """What of a file could not be read, by row."""

    shown: list[Problem] = field(default_factory=list)
    count: int = 0

    def note(self, number: int, error: SmsError) -> None:
        """One more."""
        self.count += 1
        if len(self.shown) < MOST_PROBLEMS:
            self.shown.append(Problem(str(number), error.message, dict(error.params)))


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the columns are, and how many milli-rial the unit of the cost is."""

    places: Mapping[Column, int]
    unit_mrial: int


def read_statement(rows: Iterable[tuple[int, list[str]]], problems: Problems) -> Iterator[Line]:
    """The lines of a statement, one by one as they are read; what cannot be is noted. Raises NoStatement."""
    header: _Header | None = None
    for seen, (number, cells) in enumerate(rows):
        if header is None:
            header = _header(cells)
            if header is None and seen >= _HEADER_ROWS:
                break
            continue
        try:
            yield _line(number, cells, header)
        except SmsError as error:
            problems.note(number, error)
    if header is None:
        raise NoStatement(
            N_(
                "No row of the file names its columns. One column must be the operator's reference or our id;"
                " recipient, parts, cost and status may stand beside it."
            )
        )


def _header(cells: Sequence[str]) -> _Header | None:
    places: dict[Column, int] = {}
    unit = MRIAL_PER_RIAL
    for place, cell in enumerate(cells):
        word = spelled(cell)
        for column, names in _NAMES.items():
            is_toman = column is Column.COST and word in map(spelled, _TOMAN)
            if (is_toman or word in map(spelled, names)) and column not in places:
                places[column] = place
                unit = unit * RIAL_PER_TOMAN if is_toman else unit
                break
    is_header = Column.OPERATOR_REF in places or Column.OUR_ID in places
    return _Header(places, unit) if is_header else None


def _line(number: int, cells: Sequence[str], header: _Header) -> Line:
    def said(column: Column) -> str:
        place = header.places.get(column)
        return cells[place].strip() if place is not None and place < len(cells) else ""

    reference = said(Column.OPERATOR_REF).translate(_FOLD)
    if len(reference) > LONGEST_REFERENCE:
        raise SmsError(N_("The reference is too long."))
    our_id = _whole(said(Column.OUR_ID), most=_LARGEST)
    if not reference and our_id is None:
        raise SmsError(N_("Neither the operator's reference nor our id stands in this row."))
    cost = said(Column.COST)
    return Line(
        number,
        reference,
        our_id,
        phone.normalise(said(Column.RECIPIENT)),
        _whole(said(Column.PARTS), most=_MOST_PARTS),
        _cost(cost, header.unit_mrial) if cost else None,
        said(Column.STATUS)[:LONGEST_REFERENCE],
    )


def _whole(text: str, *, most: int) -> int | None:
    digits = text.translate(_FOLD).removesuffix(".0")
    if not digits:
        return None
    if not (digits.isascii() and digits.isdecimal()) or int(digits) > most:
        raise SmsError(N_("“%(text)s” is not a whole number."), text=text[:40])
    return int(digits)


def _cost(text: str, unit_mrial: int) -> int:
    cost = parse_rial(text) * unit_mrial // MRIAL_PER_RIAL
    if cost < 0:
        raise SmsError(N_("A cost is zero or more."))
    return cost
