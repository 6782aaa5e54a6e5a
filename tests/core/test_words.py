"""What people write is one word, however they write it."""

import pytest

from sms.core.words import folded


@pytest.mark.parametrize(
    "written",
    [
        *(
            "لغو11",
            "لغو۱۱",
            "لغو١١",
            "لغو 11",
            "لغو  ۱۱ ",
            " لغو\u200c۱۱",
            "لغو\u200f۱۱",
            "«لغو۱۱»",
            "لغو-11",
            "لغو_11",
        ),
        *(
            "لغـــو11",
            "لَغْو11",
            "لغو\n11",
            "(لغو 11).",
            "\ufeffلغو11",
            "ﻟﻐﻮ11",
            "لغو\u00a011",
            "لغو\u202811!",
            "لغو\uff11\uff11",
        ),
    ],
)
def test_every_spelling_of_the_suffix_is_one(written: str) -> None:
    assert folded(written) == "لغو11"


@pytest.mark.parametrize(
    "written", ["11", "۱۱", "١١", " 11 ", "11.", "«۱۱»", "1\u200c1", "\u200e11\u200e", "۱1", "11\n"]
)
def test_every_spelling_of_eleven_is_one(written: str) -> None:
    assert folded(written) == "11"


@pytest.mark.parametrize("written", ["1-1", "1 1", "1:1", "1.1", "111", "011", "11 12", "", "یازده", "11 نفر"])
def test_what_is_something_else_stays_something_else(written: str) -> None:
    assert folded(written) != "11"


@pytest.mark.parametrize(("one", "other"), [("كيك", "کیک"), ("ABC", "abc"), ("Straße", "STRASSE")])
def test_letters_that_are_written_two_ways_are_one(one: str, other: str) -> None:
    assert folded(one) == folded(other)
