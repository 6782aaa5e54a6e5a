"""Receipts as operators write them: by parameters, by text, and by texts nobody would have thought of."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.operators.protocols.smpp.pdus import Delivered, tlv
from sms.operators.protocols.smpp.reading import Reader, mobile
from sms.operators.protocols.smpp.receipts import OUTCOMES, code_of, read_receipt
from sms.operators.rules import Outcome

USUAL = b"id:0123 sub:001 dlvrd:001 submit date:2611240800 done date:2611240830 stat:DELIVRD err:000 text:salam"


def delivered(content: bytes, tlvs: dict[int, bytes] | None = None, coding: int = 0) -> Delivered:
    return Delivered("989121234567", "1000", 4, coding, content, tlvs or {})


@pytest.mark.parametrize(
    ("content", "ref", "state", "error"),
    [
        (USUAL, "0123", "DELIVRD", "000"),
        (USUAL.replace(b"000 text", b"000 Text"), "0123", "DELIVRD", "000"),
        (USUAL.replace(b"salam", "سلام".encode()), "0123", "DELIVRD", "000"),
        (USUAL.replace(b" text:salam", b""), "0123", "DELIVRD", "000"),
        (USUAL.replace(b"DELIVRD", b"UNDELIV").replace(b"err:000", b"err:27"), "0123", "UNDELIV", "27"),
        (b"id:a1-b2 stat:EXPIRED", "a1-b2", "EXPIRED", ""),  # nearly all fields missing
        (b"stat:REJECTD err:5 id:77", "77", "REJECTD", "5"),  # another order
        (b"ID: 55 Stat: Delivered", "55", "DELIVRD", ""),  # other cases, blanks, a word of their own
        (b"id:1,stat:DELIVRD;err:0", "1", "DELIVRD", "0"),  # other separators
        (b"id:12sub:001dlvrd:001done date:2611240830stat:UNDELIVerr:045text:hi", "12", "UNDELIV", "045"),  # glued
        (b"id:9 submitdate:2611240800 donedate:2611240830 stat:ENROUTE", "9", "ENROUTE", ""),
        (b"id:9 stat:UNDELIV text:id:8 stat:DELIVRD err:1", "9", "UNDELIV", ""),  # a customer may write anything
        (b"id:9 text:stat:DELIVRD", "9", "", ""),
        (b"id: sub:001 stat:DELIVRD", "", "DELIVRD", ""),
        (b"", "", "", ""),
        (b"\xff\xfe\x00", "", "", ""),
    ],
)
def test_texts_of_receipts(content: bytes, ref: str, state: str, error: str) -> None:
    told = read_receipt(delivered(content))
    assert (told.ref, told.state, told.error) == (ref, state, error)


def test_what_no_database_keeps_is_left_out_of_ids_and_words() -> None:
    told = read_receipt(delivered(b"id:a\0b\x1b" + b"9" * 500 + b" stat:DELI\0VRD err:0\x0020"))
    assert (told.ref, told.state, told.error) == ("ab" + "9" * 98, "DELIVRD", "020")


def test_a_receipt_in_ucs2_reads_the_same() -> None:
    assert read_receipt(delivered(USUAL.decode().encode("utf-16-be"), coding=8)).ref == "0123"
    assert read_receipt(delivered(USUAL.decode().encode("utf-16-be"), coding=0)).state == "DELIVRD"


@pytest.mark.parametrize(
    ("tlvs", "ref", "state", "error"),
    [
        (tlv(0x1E, b"A7\0") + tlv(0x427, b"\5"), "A7", "UNDELIV", ""),
        (tlv(0x1E, b"A7") + tlv(0x427, b"\2"), "A7", "DELIVRD", ""),  # without its end
        (tlv(0x427, b"\3"), "", "EXPIRED", ""),
        (tlv(0x427, b"\x63"), "", "", ""),  # a state nobody knows
        (tlv(0x427, b""), "", "", ""),
        (tlv(0x1E, b"\0") + tlv(0x427, b"\2") + tlv(0x423, b"\3\0\x1b"), "", "DELIVRD", "27"),
    ],
)
def test_parameters_of_receipts(tlvs: bytes, ref: str, state: str, error: str) -> None:
    found = {}
    while tlvs:
        size = int.from_bytes(tlvs[2:4])
        found[int.from_bytes(tlvs[:2])] = tlvs[4 : 4 + size]
        tlvs = tlvs[4 + size :]
    told = read_receipt(delivered(b"", found))
    assert (told.ref, told.state, told.error) == (ref, state, error)


def test_parameters_go_before_the_text() -> None:
    told = read_receipt(delivered(USUAL, {0x1E: b"other\0", 0x427: b"\5", 0x204: b"\x12\x34"}))
    assert (told.ref, told.state, told.error, told.user_reference) == ("other", "UNDELIV", "000", 0x1234)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (b"2611240830", datetime(2026, 11, 24, 5, 0, tzinfo=UTC)),
        (b"261124083059", datetime(2026, 11, 24, 5, 0, 59, tzinfo=UTC)),
        (b"2613240830", None),
        (b"1", None),
    ],
)
def test_done_dates_are_tehrans(written: bytes, moment: datetime | None) -> None:
    assert read_receipt(delivered(USUAL.replace(b"2611240830", written))).done_at == moment


def test_only_what_is_final_and_known_has_an_outcome() -> None:
    assert {state for state, outcome in OUTCOMES.items() if outcome is None} == {"ENROUTE", "ACCEPTD", "UNKNOWN"}
    assert {outcome for outcome in OUTCOMES.values() if outcome} == {Outcome.DELIVERED, Outcome.UNDELIVERED}


@pytest.mark.parametrize(
    ("state", "error", "outcome", "code"),
    [
        ("UNDELIV", "027", Outcome.BLOCKED, "UNDELIV:027"),
        ("UNDELIV", "27", Outcome.BLOCKED, "UNDELIV:27"),
        ("EXPIRED", "16", Outcome.NOT_IN_NETWORK, "EXPIRED:16"),
        ("UNDELIV", "99", Outcome.UNDELIVERED, "UNDELIV:99"),
        ("UNDELIV", "000", Outcome.UNDELIVERED, "UNDELIV"),
        ("DELIVRD", "027", Outcome.DELIVERED, "DELIVRD:027"),  # delivered is delivered
        ("ENROUTE", "027", None, "ENROUTE:027"),
        ("STRANGE", "000", None, "STRANGE"),
    ],
)
def test_an_operators_own_error_codes_say_why(state: str, error: str, outcome: Outcome | None, code: str) -> None:
    reader = Reader(errors={"27": Outcome.BLOCKED, "16": Outcome.NOT_IN_NETWORK})
    told = read_receipt(delivered(f"id:1 stat:{state} err:{error}".encode()))
    assert reader._outcome(told) is outcome
    assert code_of(told) == code


@given(st.binary(max_size=200), st.integers(0, 255))
def test_no_receipt_is_too_strange_to_read(content: bytes, coding: int) -> None:
    read_receipt(delivered(content, coding=coding))


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("989121234567", 989121234567),
        ("+989121234567", 989121234567),
        ("00989121234567", 989121234567),
        ("09121234567", 989121234567),
        ("9121234567", 989121234567),
        ("1000505", None),
        ("98100050500", None),
        ("", None),
        ("98912123456x", None),
    ],
)
def test_mobile_numbers_in_any_spelling(address: str, number: int | None) -> None:
    assert mobile(address) == number
