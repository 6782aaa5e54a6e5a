"""What is on sale and on which terms: the formats of an operator, and the cells of the price grid."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import NamedTuple

from sms.core.money import MRIAL_PER_RIAL
from sms.core.text import N_
from sms.lines.formats.rules.tiers import TIERS, Audience, Choice, Tier
from sms.lines.rules import UnusableLine
from sms.operators.rules import SaleMode

LEAST_DIGITS, MOST_DIGITS = 3, 20
MOST_RANGE_DIGITS = 6
MOST_MRIAL = 10**11 * MRIAL_PER_RIAL
NOTE_LENGTH = 300
PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """The numbers of one length an operator sells.

    `choosable_digits` are right-hand digits a customer may choose; `range_digits` are the free last digits of a range;
    a renewal costs `renewal_percent` of the price paid, every `renewal_months`.
    """

    digits: int
    is_on_sale: bool = True
    sale_mode: SaleMode = SaleMode.SINGLE
    range_digits: int | None = None
    choosable_digits: int = 0
    tiers: tuple[Tier, ...] = (Tier.PLAIN,)
    gives_priority: bool = False
    renewal_percent: int = 0
    renewal_months: int = 12
    grace_days: int = 30
    note: str = ""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Who may pick the digits here."""
        return tuple(Choice) if self.choosable_digits else (Choice.ASSIGNED,)

    @property
    def columns(self) -> Iterator[tuple[Tier, Choice]]:
        """What is priced here."""
        return ((tier, choice) for tier in TIERS if tier in self.tiers for choice in self.choices)


def check_format(wanted: Format, *, operator_code: str) -> None:
    """Raise UnusableLine for a format that cannot be; `field` names what to correct."""
    free = wanted.digits - len(operator_code)
    most_note: dict[str, object] = {"most": NOTE_LENGTH}
    checks: tuple[tuple[bool, str, str, dict[str, object]], ...] = (
        (
            LEAST_DIGITS <= wanted.digits <= MOST_DIGITS and free >= 0,
            "digits",
            N_("A line's number has %(least)s to %(most)s digits, its prefix among them."),
            {"least": max(LEAST_DIGITS, len(operator_code)), "most": MOST_DIGITS},
        ),
        (
            0 <= wanted.choosable_digits <= free,
            "choosable_digits",
            N_("After the prefix %(free)s digits are left to choose from."),
            {"free": free},
        ),
        (bool(wanted.tiers), "tiers", N_("Choose at least one tier."), {}),
        (
            (wanted.sale_mode is SaleMode.RANGE) == (wanted.range_digits is not None),
            "range_digits",
            N_("A range, and only a range, has free last digits."),
            {},
        ),
        (
            wanted.range_digits is None or 1 <= wanted.range_digits <= min(MOST_RANGE_DIGITS, free),
            "range_digits",
            N_("A range has 1 to %(most)s free last digits."),
            {"most": min(MOST_RANGE_DIGITS, free)},
        ),
        (0 <= wanted.renewal_percent <= 10 * PERCENT, "renewal_percent", N_("A share lies between 0 and 1000."), {}),
        (1 <= wanted.renewal_months <= 120, "renewal_months", N_("A line is renewed every 1 to 120 months."), {}),  # noqa: PLR2004
        (0 <= wanted.grace_days <= 365, "grace_days", N_("Grace lasts 0 to 365 days."), {}),  # noqa: PLR2004
        (len(wanted.note) <= NOTE_LENGTH, "note", N_("A note has at most %(most)s characters."), most_note),
    )
    for holds, field, message, params in checks:
        if not holds:
            raise UnusableLine(field, message, **params)


class NotOnSale(UnusableLine):
    """No such number is sold by this operator."""


def not_on_sale(operator_code: str, digits: int, formats: Collection[Format]) -> NotOnSale:
    """Say which lengths there are instead, and the reason staff wrote down."""
    lengths = sorted(each.digits for each in formats if each.is_on_sale)
    note = next((each.note for each in formats if each.digits == digits and each.note), "")
    params: dict[str, object] = {"code": operator_code, "digits": digits, "note": note}
    if not lengths:
        return NotOnSale("digits", N_("Operator %(code)s has no numbers on sale."), **params)
    params["lengths"] = lengths
    if note:
        message = N_("Operator %(code)s sells no %(digits)s-digit numbers, only those of %(lengths)s digits. %(note)s")
    else:
        message = N_("Operator %(code)s sells no %(digits)s-digit numbers, only those of %(lengths)s digits.")
    return NotOnSale("digits", message, **params)


class Terms(StrEnum):
    """On which terms something is offered."""

    PRICE = "price"
    INQUIRY = "inquiry"
    NONE = "none"


class Offer(NamedTuple):
    """What a cell of the grid says; `amount_mrial` belongs to a price only."""

    terms: Terms
    amount_mrial: int | None = None


NO_OFFER = Offer(Terms.NONE)
INQUIRY = Offer(Terms.INQUIRY)


def priced(amount_mrial: int) -> Offer:
    """A price."""
    return Offer(Terms.PRICE, amount_mrial)


class Cell(NamedTuple):
    """One cell of the price grid."""

    operator_id: int
    digits: int
    tier: Tier
    choice: Choice
    audience: Audience


def check_cell(cell: Cell, *, operator_code: str, formats: Sequence[Format]) -> None:
    """Raise UnusableLine for a cell that cannot be priced, since nothing like it is sold."""
    found = next((each for each in formats if each.digits == cell.digits), None)
    if found is None or not found.is_on_sale:
        raise not_on_sale(operator_code, cell.digits, formats)
    params = {"code": operator_code, "digits": cell.digits}
    if cell.choice not in found.choices:
        raise NotOnSale("choice", N_("Digits of a %(digits)s-digit %(code)s number cannot be chosen."), **params)
    if cell.tier not in found.tiers:
        raise NotOnSale("tier", N_("%(digits)s-digit %(code)s numbers are not priced by this tier."), **params)


class NotAnOffer(UnusableLine):
    """What stands in a cell is neither an amount nor a word for one."""


_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩٫٬،يكؐ", "01234567890123456789.,,یک ")
_INQUIRY_WORDS = frozenset({"?", "؟", "i", "inquiry", "by inquiry", "استعلام", "استعلامی", "تماس بگیرید"})
_NONE_WORDS = frozenset({"", "-", "–", "—", "x", "none", "ندارد", "نداریم"})
_FACTORS = (
    *(("میلیارد", 10**9), ("میلیون", 10**6), ("هزار", 10**3)),
    *(("b", 10**9), ("m", 10**6), ("k", 10**3)),
)


def parse_offer(text: str, *, rial_per_unit: int = 1) -> Offer:
    """What somebody wrote into a cell: an amount in any digits, perhaps with k, m, هزار or میلیون; ? for inquiry;
    nothing or - for what is not offered. Raises NotAnOffer."""
    written = " ".join(text.translate(_FOLD).casefold().split())
    if written in _INQUIRY_WORDS:
        return INQUIRY
    if written in _NONE_WORDS:
        return NO_OFFER
    factor = 1
    for word, times in _FACTORS:
        if written.endswith(word):
            written, factor = written.removesuffix(word), times
            break
    try:
        amount = Decimal(written.replace(",", "").replace("_", "").replace(" ", "")) * factor * rial_per_unit
    except InvalidOperation:
        raise NotAnOffer("price", N_("“%(text)s” is neither an amount nor “?”, for inquiry."), text=text[:40]) from None
    if not amount.is_finite() or amount != int(amount) or not 0 <= amount * MRIAL_PER_RIAL <= MOST_MRIAL:
        raise NotAnOffer(
            "price", N_("“%(text)s” is no price: a whole number of rial, 100 billion at most."), text=text[:40]
        )
    return priced(int(amount) * MRIAL_PER_RIAL)


def discounted(offer: Offer, *, percent: int, step_rial: int) -> Offer:
    """An offer less a percentage, rounded to the nearest step (a half goes up); what is no amount stays as it is."""
    if offer.amount_mrial is None:
        return offer
    step = step_rial * MRIAL_PER_RIAL
    exact = offer.amount_mrial * (PERCENT - percent)
    return priced((2 * exact + step * PERCENT) // (2 * step * PERCENT) * step)
