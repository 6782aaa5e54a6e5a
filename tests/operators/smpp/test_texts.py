"""Texts as SMPP carries them: the alphabet against another, parts as they are priced, headers as they are read."""

import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from sms.core.parts import GSM_BASIC, GSM_EXTENSION, STANDARD, WIDE_HEADER, Profile, measure
from sms.operators.protocols.smpp.pdus import Part, udh_of
from sms.operators.protocols.smpp.texts import (
    Joining,
    TooLong,
    concatenation,
    decoded,
    from_gsm,
    parts_of,
    to_gsm,
)

gsm = st.text(GSM_BASIC + GSM_EXTENSION, max_size=900)
anything = st.text(min_size=1, max_size=500)


def parts(text: str, joining: Joining = Joining.UDH, profile: Profile = STANDARD) -> list[Part]:
    is_unicode = measure(text).encoding == "ucs2"
    return parts_of(text, is_unicode=is_unicode, reference=0x1234, joining=joining, profile=profile)


@given(gsm)
def test_the_alphabet_is_that_of_everybody_else(text: str) -> None:
    assert to_gsm(text) == smsutil.encode(text)
    assert from_gsm(to_gsm(text)) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x00\x11\x1b\x65", "@_€"),
        (b"\x1b\x3c\x1b\x3e", "[]"),
        (b"\x1b\x41", "A"),  # an extension nobody knows reads as its basic character
        (b"a\x1b", "a"),
        (b"\x1b\x1bA", " A"),
    ],
)
def test_extensions(raw: bytes, text: str) -> None:
    assert from_gsm(raw) == text


@given(anything)
def test_parts_are_as_many_as_were_priced_and_read_as_the_text(text: str) -> None:
    for profile in (STANDARD, WIDE_HEADER):
        made = parts(text, profile=profile)
        assert len(made) == measure(text, profile).parts
        assert _joined(made) == text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


def _joined(made: list[Part]) -> str:
    content = b""
    for part in made:
        content += udh_of(part.content)[1] if part.has_udh else part.content
    return decoded(content, made[0].data_coding)


@pytest.mark.parametrize(("text", "most"), [("س" * 201, 140), ("a" * 400, 160)])
def test_no_part_is_longer_than_the_air_allows(text: str, most: int) -> None:
    for profile in (STANDARD, WIDE_HEADER):
        for part in parts(text, profile=profile):
            assert len(part.content) <= most
            elements, _ = udh_of(part.content)
            reference, total, _place = concatenation(elements) or (0, 0, 0)
            assert total == len(parts(text, profile=profile))
            assert reference == (0x1234 if profile is WIDE_HEADER else 0x34)


def test_sar_parameters_say_the_same_without_a_header() -> None:
    made = parts("س" * 100, Joining.SAR)
    assert [part.tlvs for part in made] == [
        bytes.fromhex("020c00021234 020e000102 020f000101"),
        bytes.fromhex("020c00021234 020e000102 020f000102"),
    ]
    assert not any(part.has_udh for part in made)


def test_a_payload_is_whole_and_only_for_what_is_long() -> None:
    (long,) = parts("س" * 100, Joining.PAYLOAD)
    (short,) = parts("س" * 70, Joining.PAYLOAD)
    assert long.is_payload
    assert len(long.content) == 200
    assert not short.is_payload


def test_more_parts_than_a_byte_counts_are_refused() -> None:
    with pytest.raises(TooLong):
        parts("a" * (153 * 256))
    assert len(parts("a" * (153 * 255))) == 255
    assert len(parts("a" * (153 * 256), Joining.PAYLOAD)) == 1


@given(st.binary(max_size=80), st.integers(0, 255))
def test_nothing_inbound_is_dropped_for_being_unreadable(raw: bytes, coding: int) -> None:
    decoded(raw, coding)


@pytest.mark.parametrize(
    ("elements", "found"),
    [
        ([(0, b"\x09\x02\x01")], (9, 2, 1)),
        ([(8, b"\x01\x02\x03\x02")], (0x102, 3, 2)),
        ([(5, b"\0\0\0\0"), (0, b"\x09\x02\x01")], (9, 2, 1)),
        ([(0, b"\x09\x02")], None),
        ([], None),
    ],
)
def test_a_part_is_known_by_its_header(elements: list[tuple[int, bytes]], found: tuple[int, int, int] | None) -> None:
    assert concatenation(elements) == found
