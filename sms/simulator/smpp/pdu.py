"""SMPP 3.4 on the wire, as much as a message centre needs: headers, binds, submits."""

import re
from struct import Struct
from typing import NamedTuple

HEADER = Struct(">IIII")  # length, command, status, sequence
MAX_BYTES = 70_000  # a message_payload of 64 KiB and its surroundings
RESPONSE = 0x8000_0000
_TLV = Struct(">HH")
_SHORT = Struct(">H")
# service type; line and recipient, each behind its type and plan; class, protocol, priority; when to deliver, until
# when; receipt, replace, coding, canned text, length. One match is all in C.
_SUBMIT_HEAD = re.compile(rb"[^\0]*\0..([^\0]*)\0..([^\0]*)\0(.)..[^\0]*\0[^\0]*\0(.).(.).(.)", re.DOTALL)
_REFERENCE_HEAD, _REFERENCE_BYTES = b"\x02\x04\0\x02", 6  # user_message_reference, alone


class Command:
    """The commands we know."""

    GENERIC_NACK = 0x8000_0000
    BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
    SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
    SUBMIT_SM_RESP, DELIVER_SM_RESP, UNBIND_RESP, ENQUIRE_LINK_RESP = 0x8000_0004, 0x8000_0005, 0x8000_0006, 0x8000_0015


class Status:
    """Command statuses, as many as the simulator says."""

    OK, MESSAGE_LENGTH, COMMAND_LENGTH, COMMAND_ID, BIND_STATE, ALREADY_BOUND = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05
    SYSTEM_ERROR, SOURCE, DESTINATION, BIND_FAILED, PASSWORD, SYSTEM_ID = 0x08, 0x0A, 0x0B, 0x0D, 0x0E, 0x0F
    QUEUE_FULL, ESM_CLASS, THROTTLED, OPTIONAL_PARTS = 0x14, 0x43, 0x58, 0xC0


class Tag:
    """Optional parameters, as many as the simulator reads or writes."""

    RECEIPTED_ID, REFERENCE, SAR_REFERENCE, SAR_TOTAL, SAR_PART = 0x001E, 0x0204, 0x020C, 0x020E, 0x020F
    NETWORK_ERROR, PAYLOAD, STATE = 0x0423, 0x0424, 0x0427


class Malformed(ValueError):
    """The body of a PDU cannot be read; `status` is what the caller is told."""

    def __init__(self, status: int) -> None:
        self.status = status


class Part(NamedTuple):
    """Which part of a longer text a submit carries."""

    reference: int
    total: int
    number: int


class Submit(NamedTuple):
    """What is read out of a submit_sm."""

    line: bytes
    recipient: bytes
    esm_class: int
    registered: int
    coding: int
    text: bytes  # short_message without its header, or message_payload
    header_bytes: int  # of the user data header
    is_payload: bool
    reference: int
    part: Part | None


class Bind(NamedTuple):
    """Who wants to be let in."""

    system_id: str
    password: str


def pdu(command: int, sequence: int, body: bytes = b"", *, status: int = 0) -> bytes:
    """One PDU."""
    return HEADER.pack(16 + len(body), command, status, sequence) + body


def tlv(tag: int, value: bytes) -> bytes:
    """One optional parameter."""
    return _TLV.pack(tag, len(value)) + value


def read_bind(body: bytes) -> Bind:
    """Read the body of any of the three binds; raises Malformed."""
    words = body.split(b"\0", 2)
    if len(words) < 3:  # noqa: PLR2004 - name, password, the rest
        raise Malformed(Status.COMMAND_LENGTH)
    return Bind(words[0].decode("latin-1"), words[1].decode("latin-1"))


def read_submit(data: bytes, at: int, end: int) -> Submit:
    """Read the body of a submit_sm, which lies between `at` and `end`; raises Malformed."""
    head = _SUBMIT_HEAD.match(data, at, end)
    if head is None:
        raise Malformed(Status.COMMAND_LENGTH)
    line, recipient, esm, registered_byte, coding_byte, length = head.groups()
    esm_class, registered, coding = esm[0], registered_byte[0], coding_byte[0]
    at = head.end()
    stop = at + length[0]
    if stop > end:
        raise Malformed(Status.MESSAGE_LENGTH)
    text = data[at:stop]
    if not esm_class & 0x40:
        if stop == end:
            return Submit(line, recipient, esm_class, registered, coding, text, 0, False, 0, None)
        if end - stop == _REFERENCE_BYTES and data.startswith(_REFERENCE_HEAD, stop):  # nearly always
            reference = _SHORT.unpack_from(data, end - _SHORT.size)[0]
            return Submit(line, recipient, esm_class, registered, coding, text, 0, False, reference, None)
    more = read_tlvs(data, stop, end)
    payload = more.get(Tag.PAYLOAD)
    if payload is not None:
        if text:
            raise Malformed(Status.MESSAGE_LENGTH)
        text = payload
    found = more.get(Tag.REFERENCE)
    reference = _SHORT.unpack(found)[0] if found and len(found) == 2 else 0  # noqa: PLR2004 - two bytes by definition
    part, header_bytes = (_sar(more), 0) if Tag.SAR_TOTAL in more else (None, 0)
    if esm_class & 0x40:
        part, header_bytes = _header(text)
        text = text[header_bytes:]
    return Submit(
        line, recipient, esm_class, registered, coding, text, header_bytes, payload is not None, reference, part
    )


def read_tlvs(data: bytes, at: int, end: int) -> dict[int, bytes]:
    """The optional parameters between `at` and `end`; raises Malformed."""
    found = {}
    while at < end:
        if end - at < _TLV.size:
            raise Malformed(Status.OPTIONAL_PARTS)
        tag, length = _TLV.unpack_from(data, at)
        at += _TLV.size
        if at + length > end:
            raise Malformed(Status.OPTIONAL_PARTS)
        found[tag] = data[at : at + length]
        at += length
    return found


def _sar(more: dict[int, bytes]) -> Part | None:
    reference, total, number = (
        int.from_bytes(more.get(tag, b""), "big") for tag in (Tag.SAR_REFERENCE, Tag.SAR_TOTAL, Tag.SAR_PART)
    )
    return _part(reference, total, number)


def _header(text: bytes) -> tuple[Part | None, int]:
    """The part a user data header tells, and how long the header is."""
    size = text[0] + 1 if text else 1
    if size > len(text):
        raise Malformed(Status.ESM_CLASS)
    at = 1
    while at + 2 <= size:
        kind, length = text[at], text[at + 1]
        value = text[at + 2 : at + 2 + length]
        if (kind, length) in ((0, 3), (8, 4)):  # concatenated, with a reference of one byte or of two
            return _part(int.from_bytes(value[:-2], "big"), value[-2], value[-1]), size
        at += 2 + length
    return None, size


def _part(reference: int, total: int, number: int) -> Part | None:
    if not 1 <= number <= total:
        raise Malformed(Status.OPTIONAL_PARTS)
    return Part(reference, total, number) if total > 1 else None
