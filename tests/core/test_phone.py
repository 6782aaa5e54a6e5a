"""Every spelling of a mobile number that people and spreadsheets use (domain reference §8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.core.phone import NetworkGuess, local, masked, normalise

NUMBER = 989123456789


@pytest.mark.parametrize(
    "text",
    [
        "09123456789",
        "9123456789",
        "989123456789",
        "+989123456789",
        "00989123456789",
        "0989123456789",
        "۰۹۱۲۳۴۵۶۷۸۹",
        "٠٩١٢٣٤٥٦٧٨٩",
        "+۹۸۹۱۲۳۴۵۶۷۸۹",
        "0912 345 6789",
        "0912-345-6789",
        "(0912) 345-6789",
        "0912.345.6789",
        "0912_345_6789",
        "+98 (912) 345 67 89",
        " 09123456789 ",
        "\u200e09123456789\u200f",
        "\ufeff09123456789",
        "0912\u200c345\u200c6789",
        "0912\u00a0345\u00a06789",
        "\u202a09123456789\u202c",
        "tel:+989123456789",
        "Tel:09123456789",
        "'09123456789",
        "0912–345–6789",
    ],
)
def test_every_usual_spelling_is_the_same_number(text: str) -> None:
    assert normalise(text) == NUMBER


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0912345678",
        "091234567890",
        "02188776655",
        "+449123456789",
        "009123456789",
        "9812345678901",
        "0912345678x",
        "۰۹۱۲۳۴۵۶۷۸",
        "98",
        "12345",
        "0812 345 6789",
        "09123456789,09123456780",
        "²9123456789",
    ],
)
def test_what_is_no_mobile_number_is_none(text: str) -> None:
    assert normalise(text) is None


@given(st.integers(min_value=9_000_000_000, max_value=9_999_999_999), st.sampled_from(["0", "+98", "0098", "98", ""]))
def test_any_national_number_comes_back_as_it_was(national: int, prefix: str) -> None:
    number = normalise(f"{prefix}{national}")

    assert number == int(f"98{national}")
    assert local(number) == f"0{national}"


@given(st.text(max_size=30))
def test_nothing_typed_breaks_it(text: str) -> None:
    number = normalise(text)

    assert number is None or 989_000_000_000 <= number <= 989_999_999_999


def test_a_masked_number_hides_its_middle() -> None:
    assert masked(NUMBER) == "0912***6789"


@pytest.mark.parametrize(
    ("number", "network"),
    [(989123456789, 1), (989353456789, 2), (989981234567, 3), (989984234567, 4), (989503456789, 0)],
)
def test_the_longest_known_prefix_tells_the_network(number: int, network: int) -> None:
    guess = NetworkGuess({"912": 1, "935": 2, "998": 4, "9981": 3})

    assert guess.of(number) == network
    assert guess.of(number) == network  # and from memory as well
