"""What a sender number may be."""

import pytest

from sms.lines.rules import (
    ALIAS_LENGTH,
    LineKind,
    UnusableLine,
    canonical_number,
    check_alias,
    check_joined_units,
    check_owner,
)


@pytest.mark.parametrize(
    ("typed", "code", "number"),
    [
        ("30001234", "3000", "30001234"),
        ("۳۰۰۰۱۲۳۴", "3000", "30001234"),
        ("٣٠٠٠١٢٣٤", "3000", "30001234"),
        ("+9830001234", "3000", "30001234"),
        ("009830001234", "3000", "30001234"),
        ("9830001234", "3000", "30001234"),
        ("+98 3000 1234", "3000", "30001234"),
        ("3000-12 34", "3000", "30001234"),
        ("\u200e30001234\u200f", "3000", "30001234"),
        ("3000", "3000", "3000"),
        ("30001528961415", "3000", "30001528961415"),
        ("02188776655", "021", "02188776655"),
        ("+982188776655", "021", "02188776655"),
        ("9981234567", "998", "9981234567"),
        ("3000" + "1" * 16, "3000", "3000" + "1" * 16),
    ],
)
def test_every_spelling_of_a_number_is_one_number(typed: str, code: str, number: str) -> None:
    assert canonical_number(typed, operator_code=code) == number


@pytest.mark.parametrize("typed", ["", "30", "3000" + "1" * 17, "3000A", "+98", "3000 12 x", "98BANK", "3000\u0661x"])
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(UnusableLine, match="3 to 20 digits"):
        canonical_number(typed, operator_code="3000")


@pytest.mark.parametrize("typed", ["20001234", "+9820001234", "03000123"])
def test_a_number_begins_with_its_operators_prefix(typed: str) -> None:
    with pytest.raises(UnusableLine, match="begins with 3000"):
        canonical_number(typed, operator_code="3000")


def test_a_public_line_has_no_owner() -> None:
    check_owner(LineKind.PUBLIC, None)
    check_owner(LineKind.DEDICATED, None)
    check_owner(LineKind.DEDICATED, 1)
    with pytest.raises(UnusableLine):
        check_owner(LineKind.PUBLIC, 1)


def test_a_name_is_one_short_line() -> None:
    assert check_alias("  فروشگاه \n مرکزی ") == "فروشگاه مرکزی"
    assert check_alias("") == ""
    with pytest.raises(UnusableLine):
        check_alias("x" * (ALIAS_LENGTH + 1))
    with pytest.raises(UnusableLine):
        check_alias("a\x00b")


@pytest.mark.parametrize("units", [0, 65, 68, 70])
def test_a_joined_part_holds_66_or_67(units: int) -> None:
    assert (check_joined_units(66), check_joined_units(67)) == (66, 67)
    with pytest.raises(UnusableLine):
        check_joined_units(units)
