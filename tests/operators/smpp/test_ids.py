"""Message ids: how an operator writes them in its answer, and how in its receipts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.operators.protocols.smpp.ids import LEARNING_REPORTS, IdStyle, Learning, candidates, kept


@pytest.mark.parametrize(
    ("style", "answered", "reported"),
    [
        (IdStyle.EXACT, "0A1b", "0A1b"),
        (IdStyle.PADDED, "1234", "0000001234"),
        (IdStyle.PADDED, "0000001234", "1234"),
        (IdStyle.PADDED, "0xABCD", "abcd"),
        (IdStyle.PADDED, "a-b-c", "A-B-C"),
        (IdStyle.DECIMAL_TO_HEX, "04D2", "1234"),
        (IdStyle.DECIMAL_TO_HEX, "4d2", "0000001234"),
        (IdStyle.HEX_TO_DECIMAL, "1234", "4D2"),
        (IdStyle.HEX_TO_DECIMAL, "0001234", "0x04d2"),
        (IdStyle.MIXED, "4d2", "1234"),
        (IdStyle.MIXED, "1234", "4d2"),
        (IdStyle.MIXED, "1234", "01234"),
        (IdStyle.LEARN, "4D2", "1234"),
    ],
)
def test_a_receipt_finds_its_answer(style: IdStyle, answered: str, reported: str) -> None:
    assert kept(answered, style) in candidates(reported, style)


@pytest.mark.parametrize(
    ("style", "answered", "reported"),
    [
        (IdStyle.EXACT, "1234", "01234"),
        (IdStyle.PADDED, "4d2", "1234"),
        (IdStyle.DECIMAL_TO_HEX, "4d2", "4d2"),
        (IdStyle.HEX_TO_DECIMAL, "1234", "xyz"),
        (IdStyle.PADDED, "", ""),
        (IdStyle.EXACT, "", ""),
    ],
)
def test_and_not_another_one(style: IdStyle, answered: str, reported: str) -> None:
    assert kept(answered, style) not in candidates(reported, style)


@given(st.text(max_size=100), st.sampled_from(IdStyle))
def test_no_id_is_too_strange(ref: str, style: IdStyle) -> None:
    assert "" not in candidates(ref, style)
    kept(ref, style)


@pytest.mark.parametrize(
    ("written", "learnt"),
    [
        (lambda n: (f"{n:08x}", f"{n:08x}"), IdStyle.PADDED),
        (lambda n: (f"{n:x}", f"{n}"), IdStyle.DECIMAL_TO_HEX),
        (lambda n: (f"{n}", f"{n:X}"), IdStyle.HEX_TO_DECIMAL),
        (lambda n: (f"{n}", f"{n:010d}" if n % 2 else f"{n:x}"), IdStyle.MIXED),
        (lambda n: (f"{n}", f"{n:010d}" if n % 50 else f"{n:x}"), IdStyle.PADDED),  # a few strange ones change nothing
    ],
)
def test_learning_says_which_style_matched(written: object, learnt: IdStyle) -> None:
    learning = Learning()
    for number in range(100_000, 100_000 + LEARNING_REPORTS):
        assert learning.learnt is None
        answered, reported = written(number)  # type: ignore[operator]
        learning.watch(reported, kept(answered, IdStyle.LEARN))
    assert learning.learnt is learnt
