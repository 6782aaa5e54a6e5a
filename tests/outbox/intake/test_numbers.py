"""From a cell to a recipient."""

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from sms.core.phone import normalise
from sms.core.sheets.cells import from_spreadsheet
from sms.outbox.intake.rules.numbers import given, recipient

ALI = 989121234567


@pytest.mark.parametrize(
    "cell",
    [
        "09121234567",
        "9121234567",
        "989121234567",
        "+989121234567",
        "00989121234567",
        "0989121234567",
        "۰۹۱۲۱۲۳۴۵۶۷",
        "٠٩١٢١٢٣٤٥٦٧",
        "+۹۸۹۱۲۱۲۳۴۵۶۷",
        "0912 123 4567",
        "0912-123-4567",
        "(0912) 123.4567",
        "+98 912 123 45 67",
        "\u200e09121234567\u200f",
        "\ufeff09121234567",
        " 09121234567\t",
        "'09121234567",
        '="09121234567"',
        "tel:+989121234567",
        "9121234567.0",
        "9121234567.00",
        "09121234567,000",
        "۹۱۲۱۲۳۴۵۶۷٫۰",
        "989121234567.0",
        "9.121234567E9",
        "9.121234567E+09",
        "9,121234567e9",
        "9.89121234567E+11",
    ],
)
def test_every_spelling_of_a_number_is_the_same_recipient(cell: str) -> None:
    assert recipient(cell) == ALI


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " ",
        "Ali",
        "0912123456",
        "091212345678",
        "02188776655",
        "+9121234567",
        "+09121234567",
        "+0989121234567",
        "009121234567",
        "19121234567",
        "+15551234567",
        "9.12E+09",  # who that was is lost
        "9.12123E9",
        "9121234567.5",
        "0912123456a",
        "09121234567 09351112233",
        "1e999999999",
        "=",
        "٫",
        "9" * 5000,
        "-",
        "nan",
        "²⁰",
    ],
)
def test_what_is_no_mobile_number_is_none(cell: str) -> None:
    assert recipient(cell) is None


@generated(st.text(alphabet="0123456789۰۱۲۹٠٩+98 -().\u200c'\"a", max_size=18))
def test_a_list_s_cell_is_read_as_the_core_reads_it(cell: str) -> None:
    read = normalise(cell)
    if read is not None and "." not in cell:
        assert recipient(cell) == read
    if recipient(cell) is not None and not set(cell) & set(".=eE"):
        assert recipient(cell) == read


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("9121234567", "9121234567"),
        ("9.121234567E9", "9121234567"),
        ("9.12E9", "9120000000"),  # in a workbook the number is whole, only short
        ("9121234567.0", "9121234567"),
        ("12.5", "12.5"),
        ("1e300", "1e300"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("", ""),
        ("x", "x"),
    ],
)
def test_numbers_of_a_workbook_are_whole_numbers(value: str, text: str) -> None:
    assert from_spreadsheet(value) == text


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("  two \n lines ", "two lines"),
        ("tab\tand\x00nul\x07", "tab and nul"),
        ("x" * 100, "x" * 40),
        ("\u202eevil", "evil"),
        ("علی رضایی", "علی رضایی"),
        ("\ud800", ""),
    ],
)
def test_what_was_given_is_shown_on_one_short_line(cell: str, shown: str) -> None:
    assert given(cell) == shown
