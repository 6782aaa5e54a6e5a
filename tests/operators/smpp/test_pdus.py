"""SMPP on the wire: known bytes, every way a stream may be cut, and bytes that are not SMPP at all."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.operators.protocols.smpp.pdus import (
    Address,
    Command,
    Decoder,
    Malformed,
    Part,
    SubmitTemplate,
    bind,
    pdu,
    read_data,
    read_deliver,
    read_message_id,
    tlv,
    udh_of,
)
from tests.operators.smpp.smsc import deliver_body, read_submit


def template(
    content: bytes = b"hello", *, coding: int = 0, wants_report: bool = True, **part: object
) -> SubmitTemplate:
    return SubmitTemplate(
        source=Address("1000505", 0, 0),
        recipient=Address("", 1, 1),
        part=Part(content=content, data_coding=coding, **part),  # type: ignore[arg-type]
        wants_report=wants_report,
    )


def test_a_bind_is_what_the_standard_draws() -> None:
    body = bind("SMPP3TEST", "secret08", "SUBMIT1")
    assert pdu(Command.BIND_TRANSMITTER, 1, body) == bytes.fromhex(
        "0000002f 00000002 00000000 00000001 534d50503354455354 00 7365637265743038 00 5355424d495431 00 34 00 00 00"
    )


def test_a_submit_is_what_the_standard_draws() -> None:
    assert template().fill(989121234567, 7, None) == bytes.fromhex(
        "00000039 00000004 00000000 00000007 00 0000 31303030353035 00 0101 393839313231323334353637 00"
        "00 00 00 00 00 01 00 00 00 05 68656c6c6f"
    )


def test_our_reference_goes_along_as_sixteen_bits() -> None:
    read = read_submit(template().fill(989121234567, 7, 0x12345)[16:])
    assert read.tlvs == {0x0204: b"\x23\x45"}


@given(
    content=st.binary(max_size=254),
    recipient=st.integers(989000000000, 989999999999),
    sequence=st.integers(1, 0x7FFFFFFF),
    is_joined=st.booleans(),
    wants_report=st.booleans(),
)
def test_whatever_is_submitted_reads_the_same(
    content: bytes, recipient: int, sequence: int, is_joined: bool, wants_report: bool
) -> None:
    made = template(content, coding=8, has_udh=is_joined, wants_report=wants_report).fill(recipient, sequence, 5)
    ((command, status, number, body),) = Decoder().feed(made)
    read = read_submit(body)
    assert (command, status, number) == (Command.SUBMIT_SM, 0, sequence)
    assert (read.source, read.recipient, read.text) == ("1000505", str(recipient), content)
    assert (read.esm_class, read.registered, read.coding) == (0x40 * is_joined, int(wants_report), 8)


def test_a_long_payload_stands_in_its_own_parameter() -> None:
    read = read_submit(template(b"x" * 600, is_payload=True).fill(989121234567, 1, None)[16:])
    assert (read.text, read.tlvs[0x0424]) == (b"", b"x" * 600)


def test_a_short_message_is_short() -> None:
    with pytest.raises(ValueError, match="255 bytes"):
        template(b"x" * 255)


@given(bodies=st.lists(st.binary(max_size=60), max_size=8), cuts=st.lists(st.integers(0, 700), max_size=12).map(sorted))
def test_a_stream_may_be_cut_anywhere(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pdu(Command.DELIVER_SM, number, body) for number, body in enumerate(bodies))
    decoder = Decoder()
    found = [
        each
        for low, high in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for each in decoder.feed(stream[low:high])
    ]
    assert found == [(Command.DELIVER_SM, 0, number, body) for number, body in enumerate(bodies)]


@pytest.mark.parametrize("length", [0, 15, 65_536 + 513, 0x48545450])
def test_a_length_that_cannot_be_ends_it(length: int) -> None:
    with pytest.raises(Malformed):
        Decoder().feed(struct.pack(">IIII", length, 4, 0, 1))


@given(st.binary(max_size=200))
def test_garbage_is_malformed_and_nothing_worse(data: bytes) -> None:
    for read in (read_deliver, read_data):
        with contextlib.suppress(Malformed):
            read(data)
    with contextlib.suppress(Malformed):
        Decoder().feed(data)
    read_message_id(data)
    udh_of(data)


@given(st.data())
def test_a_deliver_cut_short_is_malformed_or_has_lost_its_parameters_only(data: st.DataObject) -> None:
    whole = deliver_body("989121234567", "1000", b"salam", tlvs=tlv(0x1E, b"77\0") + tlv(0x427, b"\2"))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    with contextlib.suppress(Malformed):
        read = read_deliver(cut)
        assert (read.source, read.destination, read.content) == ("989121234567", "1000", b"salam")


def test_a_deliver_reads_with_its_parameters() -> None:
    read = read_deliver(deliver_body("989121234567", "1000505", b"hi", esm_class=4, coding=8, tlvs=tlv(0x1E, b"a1\0")))
    assert (read.source, read.destination, read.content, read.data_coding) == ("989121234567", "1000505", b"hi", 8)
    assert read.is_receipt
    assert read.tlvs == {0x1E: b"a1\0"}


def test_the_text_may_stand_in_the_payload() -> None:
    assert read_deliver(deliver_body("989121234567", "1000", b"x" * 300)).content == b"x" * 300


def test_a_data_sm_reads() -> None:
    body = b"\0\1\x01989121234567\0\0\x001000\0" + bytes((4, 0, 8)) + tlv(0x0424, b"text") + tlv(0x1E, b"9\0")
    read = read_data(body)
    assert (read.source, read.destination, read.content, read.data_coding) == ("989121234567", "1000", b"text", 8)
    assert read.is_receipt


@pytest.mark.parametrize(
    ("esm_class", "tlvs", "is_receipt"),
    [(0x00, b"", False), (0x04, b"", True), (0x20, b"", True), (0x40, b"", False), (0x00, tlv(0x1E, b"1\0"), True)],
)
def test_a_receipt_is_known_by_its_class_or_its_parameter(esm_class: int, tlvs: bytes, is_receipt: bool) -> None:
    assert read_deliver(deliver_body("98912", "1000", b"", esm_class=esm_class, tlvs=tlvs)).is_receipt is is_receipt


@pytest.mark.parametrize(
    ("body", "message_id"), [(b"abc\0", "abc"), (b"", ""), (b"\0", ""), (b"abc", "abc"), (b" 12 \0tail", "12")]
)
def test_a_message_id_may_be_missing(body: bytes, message_id: str) -> None:
    assert read_message_id(body) == message_id


def test_a_header_is_told_from_the_text() -> None:
    assert udh_of(bytes((5, 0, 3, 9, 2, 1)) + b"text") == ([(0, bytes((9, 2, 1)))], b"text")
    assert udh_of(bytes((99, 0))) == ([], bytes((99, 0)))  # longer than what there is: no header
