"""Parts by the tables of 3GPP TS 23.038 and 23.040, against an independent splitter, and by what must always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smsutil import split as oracle

from sms.core.parts import GSM_BASIC, GSM_EXTENSION, STANDARD, WIDE_HEADER, Encoding, measure, profile_of, split

GSM = Encoding.GSM
UCS2 = Encoding.UCS2


@pytest.mark.parametrize(
    ("body", "encoding", "units", "parts", "left"),
    [
        ("", GSM, 0, 0, 160),
        ("a", GSM, 1, 1, 159),
        ("a" * 160, GSM, 160, 1, 0),
        ("a" * 161, GSM, 161, 2, 145),
        ("a" * 306, GSM, 306, 2, 0),
        ("a" * 307, GSM, 307, 3, 152),
        ("€" * 80, GSM, 160, 1, 0),
        ("€" * 81, GSM, 162, 2, 143),
        ("a" * 152 + "€" * 5, GSM, 162, 2, 143),  # the pair does not fit the 153rd place and moves on whole
        ("س", UCS2, 1, 1, 69),
        ("س" * 70, UCS2, 70, 1, 0),
        ("س" * 71, UCS2, 71, 2, 63),
        ("س" * 134, UCS2, 134, 2, 0),
        ("س" * 135, UCS2, 135, 3, 66),
        ("س" * 201, UCS2, 201, 3, 0),
        ("€" + "س", UCS2, 2, 1, 68),  # counted two only in GSM
        ("نیم\u200cفاصله", UCS2, 9, 1, 61),
        ("😀", UCS2, 2, 1, 68),
        ("😀" * 35, UCS2, 70, 1, 0),
        ("😀" * 36, UCS2, 72, 2, 61),  # 33 pairs fill 66 of 67: no pair is cut
        ("سلام\nلغو11", UCS2, 10, 1, 60),
    ],
)
def test_a_text_costs_what_the_tables_say(body: str, encoding: Encoding, units: int, parts: int, left: int) -> None:
    measured = measure(body)

    assert (encoding, units, parts, left) == (measured.encoding, measured.units, measured.parts, measured.left)


def test_a_line_may_hold_66() -> None:
    assert measure("س" * 133, profile_of(66)).parts == 3
    assert measure("س" * 132, profile_of(66)).parts == 2
    assert measure("a" * 305, WIDE_HEADER).parts == 3
    assert profile_of(67) is STANDARD


@given(st.text(alphabet=GSM_BASIC + GSM_EXTENSION, min_size=1, max_size=700))
def test_gsm_parts_equal_an_independent_splitter(body: str) -> None:
    assert len(oracle(body).parts) == measure(body).parts


@given(st.text(min_size=1, max_size=500).filter(lambda body: not any(0xD800 <= ord(c) < 0xE000 for c in body)))
def test_any_text_comes_back_whole_and_no_part_is_too_long(body: str) -> None:
    measured = measure(body)
    texts = split(body)

    assert body == "".join(texts)
    assert len(texts) == measured.parts == len(oracle(body).parts)
    if measured.encoding is UCS2:
        limit = 70 if len(texts) == 1 else 67
        assert all(len(text.encode("utf-16-be")) // 2 <= limit for text in texts)
