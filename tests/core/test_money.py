"""Money in, exactly or not at all."""

import pytest

from sms.core.money import NotMoney, from_rial, parse_rial, share


@pytest.mark.parametrize(
    ("text", "mrial"),
    [
        ("1000", 1_000_000),
        ("۱۲۳۴", 1_234_000),
        ("١٢", 12_000),
        ("1,234,567", 1_234_567_000),
        ("۱٬۲۳۴٫۵", 1_234_500),
        ("3657.5", 3_657_500),
        ("0.001", 1),
        ("-50", -50_000),
        (" 7 ", 7_000),
    ],
)
def test_what_people_type_is_read_exactly(text: str, mrial: int) -> None:
    assert mrial == parse_rial(text)


@pytest.mark.parametrize("text", ["", "abc", "1e309", "NaN", "inf", "0.0001", "1.2.3", "9" * 30, "--1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(NotMoney):
        parse_rial(text)


def test_a_share_is_rounded_down() -> None:
    assert share(999, percent=50) == 499
    assert share(999, percent=100) == 999
    assert share(999, percent=0) == 0


def test_rial_becomes_milli_rial() -> None:
    assert from_rial(7) == 7_000
