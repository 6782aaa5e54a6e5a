"""What stands on an invoice, and when. Plain Python: amounts in milli-rial, years and months of the Jalali calendar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sms.core.calendar import first_of_month, jalali_month
from sms.core.text import N_

LONGEST_FIELD = 300
LONGEST_REASON = 300
_MONTHS = 12


class InvoiceKind(StrEnum):
    """What an invoice is for."""

    PAYMENT = "payment"
    USAGE = "usage"
    CREDIT_NOTE = "credit_note"


KIND_LABELS: dict[str, str] = {
    InvoiceKind.PAYMENT: N_("Invoice"),
    InvoiceKind.USAGE: N_("Usage of a month"),
    InvoiceKind.CREDIT_NOTE: N_("Credit note"),
}


class LineKind(StrEnum):
    """What a line of an invoice is about; its words are looked up when it is read, in the reader's language."""

    TOPUP = "topup"
    SLIP = "slip"
    MESSAGES = "messages"
    REFUNDS = "refunds"
    LINE = "line"
    RENEWAL = "renewal"


LINE_LABELS: dict[str, str] = {
    LineKind.TOPUP: N_("Credit for sending messages, online payment %(number)s"),
    LineKind.SLIP: N_("Credit for sending messages, bank slip %(number)s"),
    LineKind.MESSAGES: N_("Messages sent over the line %(number)s"),
    LineKind.REFUNDS: N_("Refunds for messages over the line %(number)s"),
    LineKind.LINE: N_("Lines bought"),
    LineKind.RENEWAL: N_("Renewal of lines"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what, of which number (empty: none), how many parts (0: not counted), and its amount without VAT."""

    kind: LineKind
    number: str
    count: int
    amount_mrial: int


@dataclass(frozen=True, slots=True)
class Party:
    """Whose name stands on an invoice; everything but the name may be empty."""

    legal_name: str
    economic_code: str = ""
    national_id: str = ""
    registration_number: str = ""
    address: str = ""
    postal_code: str = ""
    phone: str = ""


PARTY_LABELS: Mapping[str, str] = {
    "legal_name": N_("Legal name"),
    "economic_code": N_("Economic code"),
    "national_id": N_("National identifier"),
    "registration_number": N_("Registration number"),
    "address": N_("Address"),
    "postal_code": N_("Postal code"),
    "phone": N_("Phone"),
}


def net(lines: Sequence[Line]) -> int:
    """What the lines come to."""
    return sum(line.amount_mrial for line in lines)


def reversed_lines(lines: Sequence[Line]) -> list[Line]:
    """The same lines with their amounts turned round, for a credit note."""
    return [Line(line.kind, line.number, line.count, -line.amount_mrial) for line in lines]


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the Jalali calendar."""

    year: int
    month: int

    @property
    def first(self) -> date:
        """Its first day."""
        return first_of_month(self.year, self.month)

    @property
    def following(self) -> "Month":
        """The month after it."""
        return Month(self.year + 1, 1) if self.month == _MONTHS else Month(self.year, self.month + 1)

    @property
    def preceding(self) -> "Month":
        """The month before it."""
        return Month(self.year - 1, _MONTHS) if self.month == 1 else Month(self.year, self.month - 1)

    @property
    def code(self) -> str:
        """1405-08, for addresses and keys."""
        return f"{self.year}-{self.month:02}"


def month_of(day: date) -> Month:
    """The month a day lies in."""
    return Month(*jalali_month(day))


def month_called(code: str) -> Month | None:
    """The month of a code; None where there is no such month."""
    year, _, month = code.partition("-")
    is_one = year.isascii() and year.isdecimal() and len(year) == len("1405") and month.isascii() and month.isdecimal()
    return Month(int(year), int(month)) if is_one and 1 <= int(month) <= _MONTHS and int(year) > 0 else None


def last_months(day: date, count: int) -> list[Month]:
    """The months that have ended before a day, the last first."""
    found = [month_of(day).preceding]
    while len(found) < count:
        found.append(found[-1].preceding)
    return found


def number_text(year: int, number: int) -> str:
    """How an invoice is called: 1405/12."""
    return f"{year}/{number}"
