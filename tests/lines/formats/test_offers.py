"""What may stand in a cell of the price grid, and which cells there are."""

import pytest

from sms.core.errors import in_english
from sms.core.sheets.table import Row
from sms.lines.formats.rules.offers import (
    INQUIRY,
    NO_OFFER,
    Cell,
    Format,
    NotAnOffer,
    NotOnSale,
    Offer,
    check_cell,
    check_format,
    discounted,
    parse_offer,
    priced,
)
from sms.lines.formats.rules.sheet import Known, NoGrid, Read, read_grid
from sms.lines.formats.rules.tiers import Audience, Choice, Tier
from sms.lines.rules import UnusableLine
from sms.operators.rules import SaleMode

RIAL = 1000
MAGFA = (Format(digits=8, tiers=(Tier.PLAIN, Tier.ROUND)), Format(digits=10), Format(digits=14, choosable_digits=6))
KNOWN = (Known(3, "3000", MAGFA), Known(1, "1000", (Format(digits=9, tiers=(Tier.PLAIN,), choosable_digits=5),)))


@pytest.mark.parametrize(
    ("text", "offer"),
    [
        ("1200000", priced(1_200_000 * RIAL)),
        ("۱٬۲۰۰٬۰۰۰", priced(1_200_000 * RIAL)),
        ("1,200,000", priced(1_200_000 * RIAL)),
        ("1.2m", priced(1_200_000 * RIAL)),
        ("250k", priced(250_000 * RIAL)),
        ("۲۵۰ هزار", priced(250_000 * RIAL)),
        ("۱٫۵ میلیون", priced(1_500_000 * RIAL)),
        ("0", priced(0)),
        ("?", INQUIRY),
        ("؟", INQUIRY),
        ("استعلام", INQUIRY),
        ("Inquiry", INQUIRY),
        ("", NO_OFFER),
        (" — ", NO_OFFER),
    ],
)
def test_a_cell_is_read_as_people_write_it(text: str, offer: Offer) -> None:
    assert parse_offer(text) == offer


def test_toman_are_ten_rial() -> None:
    assert parse_offer("120", rial_per_unit=10) == priced(1_200 * RIAL)


@pytest.mark.parametrize("text", ["abc", "-5", "1.5", "1e99", "nan", "inf", "100 billion", "200000000000", "1.2.3m"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(NotAnOffer):
        parse_offer(text)


@pytest.mark.parametrize(
    ("amount", "percent", "step", "result"),
    [
        (1_000_000, 10, 10_000, 900_000),
        (155_000, 10, 10_000, 140_000),  # 139,500
        (150_000, 10, 10_000, 140_000),  # 135,000: a half goes up
        (1_000_000, -20, 10_000, 1_200_000),
        (1_000_000, 100, 10_000, 0),
        (333, 10, 1, 300),
    ],
)
def test_a_discount_is_rounded_to_its_step(amount: int, percent: int, step: int, result: int) -> None:
    assert discounted(priced(amount * RIAL), percent=percent, step_rial=step) == priced(result * RIAL)


def test_an_inquiry_is_not_discounted() -> None:
    assert discounted(INQUIRY, percent=10, step_rial=1) == INQUIRY


def _cell(digits: int, tier: Tier = Tier.PLAIN, choice: Choice = Choice.ASSIGNED) -> Cell:
    return Cell(3, digits, tier, choice, Audience.CUSTOMER)


def test_a_9_digit_3000_number_has_no_price_and_the_reason_names_the_lengths() -> None:
    with pytest.raises(NotOnSale) as refused:
        check_cell(_cell(9), operator_code="3000", formats=MAGFA)
    assert str(refused.value) == "Operator 3000 sells no 9-digit numbers, only those of 8, 10, 14 digits."


def test_a_length_taken_off_sale_tells_why() -> None:
    formats = (*MAGFA, Format(digits=9, is_on_sale=False, note="Magfa never had them."))
    with pytest.raises(NotOnSale, match="Magfa never had them"):
        check_cell(_cell(9), operator_code="3000", formats=formats)


@pytest.mark.parametrize("cell", [_cell(10, Tier.ROUND), _cell(10, Tier.PLAIN, Choice.CUSTOM), _cell(8, Tier.SEMI)])
def test_a_tier_or_a_choice_that_does_not_exist_cannot_be_priced(cell: Cell) -> None:
    with pytest.raises(NotOnSale):
        check_cell(cell, operator_code="3000", formats=MAGFA)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Format(digits=3), "digits"),
        (Format(digits=21), "digits"),
        (Format(digits=8, choosable_digits=5), "choosable_digits"),
        (Format(digits=8, tiers=()), "tiers"),
        (Format(digits=8, sale_mode=SaleMode.RANGE), "range_digits"),
        (Format(digits=8, range_digits=1), "range_digits"),
        (Format(digits=8, sale_mode=SaleMode.RANGE, range_digits=5), "range_digits"),
        (Format(digits=8, renewal_percent=-1), "renewal_percent"),
        (Format(digits=8, renewal_months=0), "renewal_months"),
        (Format(digits=8, grace_days=400), "grace_days"),
        (Format(digits=8, note="x" * 301), "note"),
    ],
)
def test_a_format_that_cannot_be_names_the_field(wanted: Format, field: str) -> None:
    with pytest.raises(UnusableLine) as refused:
        check_format(wanted, operator_code="3000")
    assert refused.value.field == field


# The grid as a table

HEADER = ["Operator", "Digits", "For whom", "Plain, assigned", "Plain, chosen", "Round, assigned"]


def _read(*rows: list[str], header: list[str] = HEADER) -> Read:
    table: list[Row] = [(place, cells) for place, cells in enumerate([header, *rows], start=1)]
    return read_grid(table, KNOWN)


def test_a_table_fills_the_cells_that_are_written() -> None:
    read = _read(["3000", "8", "customer", "1.2m", "", "?"], ["۱۰۰۰", "۹", "نمایندهٔ ویژه", "", "۵۰۰٬۰۰۰"])
    assert read.problems == []
    assert read.offers == {
        Cell(3, 8, Tier.PLAIN, Choice.ASSIGNED, Audience.CUSTOMER): priced(1_200_000 * RIAL),
        Cell(3, 8, Tier.ROUND, Choice.ASSIGNED, Audience.CUSTOMER): INQUIRY,
        Cell(1, 9, Tier.PLAIN, Choice.CUSTOM, Audience.SPECIAL_RESELLER): priced(500_000 * RIAL),
    }


def test_what_cannot_be_is_told_with_its_cell_and_the_rest_is_kept() -> None:
    read = _read(
        ["3000", "9", "customer", "1000"],
        ["7000", "8", "customer", "1000"],
        ["3000", "many", "customer", "1000"],
        ["3000", "8", "nobody", "1000"],
        ["3000", "8", "customer", "cheap", "1000", "1000"],
        ["3000", "8", "customer", "", "", "2000"],
    )
    assert [(problem.place, in_english(problem.message, problem.params)[:46]) for problem in read.problems] == [
        ("D2", "Operator 3000 sells no 9-digit numbers, only t"),
        ("A3", "There is no operator “7000”."),
        ("B4", "“many” is no number of digits."),
        ("C5", "“nobody” is none of customer, reseller and spe"),
        ("D6", "“cheap” is neither an amount nor “?”, for inqu"),
        ("E6", "Digits of a 8-digit 3000 number cannot be chos"),
        ("F7", "This price stands in the file twice."),
    ]
    assert list(read.offers.values()) == [priced(1000 * RIAL)]
    assert read.problem_count == 7


def test_a_header_may_be_spelled_in_persian_and_state_its_unit() -> None:
    header = ["اپراتور", "تعداد ارقام", "برای", "غیر رند، غیر سفارشی (تومان)", "رند"]
    read = _read(["3000", "8", "مشتری", "120000", "2000000"], header=header)
    assert list(read.offers.values()) == [priced(1_200_000 * RIAL), priced(2_000_000 * RIAL)]


def test_another_table_is_refused() -> None:
    with pytest.raises(NoGrid):
        _read(header=["name", "mobile", "city"])
