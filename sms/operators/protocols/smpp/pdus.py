"""SMPP 3.4 on the wire: headers, mandatory fields and TLVs (SMPP v3.4 issue 1.2, chapters 3 to 5).

What is sent by the thousand, `submit_sm`, is built from a template: only the recipient and the sequence change."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct(">IIII")
MAX_PDU_BYTES = 65_536 + 512  # a message_payload of 64 KiB and its fields; anything longer is not SMPP
SHORT_MESSAGE_BYTES = 254
_ADDRESS_BYTES = 66  # the 21 of the standard, and what some operators make of it
# service_type; source and destination, each behind its ton and npi; esm_class, protocol_id, priority_flag; two moments;
# registered_delivery, replace_if_present, data_coding, sm_default_msg_id, sm_length. One match is all in C.
_DELIVER_HEAD = re.compile(
    rb"[^\0]{0,5}\0..([^\0]{0,65})\0..([^\0]{0,65})\0(.)..[^\0]{0,16}\0[^\0]{0,16}\0..(.).(.)", re.DOTALL
)
_TLV = struct.Struct(">HH")
_REFERENCE = struct.Struct(">HHH")
RESPONSE = 0x80000000


class Command(IntEnum):
    """The operations a client speaks (5.1.2.1)."""

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x00000001
    BIND_TRANSMITTER = 0x00000002
    QUERY_SM = 0x00000003
    SUBMIT_SM = 0x00000004
    DELIVER_SM = 0x00000005
    UNBIND = 0x00000006
    BIND_TRANSCEIVER = 0x00000009
    ENQUIRE_LINK = 0x00000015
    ALERT_NOTIFICATION = 0x00000102
    DATA_SM = 0x00000103
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM_RESP = 0x80000005
    UNBIND_RESP = 0x80000006
    BIND_TRANSCEIVER_RESP = 0x80000009
    ENQUIRE_LINK_RESP = 0x80000015
    DATA_SM_RESP = 0x80000103


class Tag(IntEnum):
    """The optional parameters we read or write (5.3.2)."""

    USER_MESSAGE_REFERENCE = 0x0204
    SOURCE_PORT = 0x020A
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    RECEIPTED_MESSAGE_ID = 0x001E
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


# Looked up for every message: a member of an enum takes four times as long as a plain number.
_SUBMIT = int(Command.SUBMIT_SM)
_OUR_REFERENCE = int(Tag.USER_MESSAGE_REFERENCE)
_RECEIPTED = int(Tag.RECEIPTED_MESSAGE_ID)
_PAYLOAD = int(Tag.MESSAGE_PAYLOAD)


class Malformed(ValueError):
    """The bytes are not SMPP; the link cannot be read any further."""


Pdu = tuple[int, int, int, bytes]  # command, status, sequence, body; a plain tuple, as there are thousands a second


class Decoder:
    """Cuts a stream into PDUs; what is not whole yet waits."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, data: bytes) -> list[Pdu]:
        """The PDUs that are whole with these bytes; raises Malformed when a length cannot be."""
        if self._waiting:
            data = self._waiting + data
        found: list[Pdu] = []
        start, size = 0, len(data)
        while size - start >= HEADER.size:
            length, command, status, sequence = HEADER.unpack_from(data, start)
            if not HEADER.size <= length <= MAX_PDU_BYTES:
                raise Malformed(f"a PDU of {length} bytes")
            if size - start < length:
                break
            found.append((command, status, sequence, data[start + HEADER.size : start + length]))
            start += length
        self._waiting = data[start:]
        return found


def pdu(command: int, sequence: int, body: bytes = b"", *, status: int = 0) -> bytes:
    """One PDU."""
    return HEADER.pack(HEADER.size + len(body), command, status, sequence) + body


def c_string(text: str) -> bytes:
    """A C-octet string."""
    return text.encode("ascii", "replace") + b"\0"


def tlv(tag: int, value: bytes) -> bytes:
    """One optional parameter."""
    return _TLV.pack(tag, len(value)) + value


def bind(system_id: str, password: str, system_type: str = "") -> bytes:
    """The body of a bind of any kind: interface version 3.4, no address range."""
    return c_string(system_id) + c_string(password) + c_string(system_type) + b"\x34\0\0\0"


@dataclass(frozen=True, slots=True)
class Address:
    """An SMPP address with its type of number and numbering plan."""

    number: str
    ton: int = 0
    npi: int = 0

    def encoded(self) -> bytes:
        """As it stands in a PDU."""
        return bytes((self.ton, self.npi)) + c_string(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a text, ready for the wire: `content` already carries its UDH when `has_udh`."""

    content: bytes
    data_coding: int
    has_udh: bool = False
    tlvs: bytes = b""
    is_payload: bool = False


class SubmitTemplate:
    """`submit_sm` of one part from one sender; recipients and sequence numbers are filled in."""

    def __init__(
        self, *, source: Address, part: Part, service_type: str = "", wants_report: bool = True, recipient: Address
    ) -> None:
        esm_class = 0x40 if part.has_udh else 0
        short = b"" if part.is_payload else part.content
        if len(short) > SHORT_MESSAGE_BYTES:
            raise ValueError(f"a short message of {len(short)} bytes")
        self._head = c_string(service_type) + source.encoded() + bytes((recipient.ton, recipient.npi))
        self._tail = (
            b"\0"
            + bytes((esm_class, 0, 0))
            + b"\0\0"
            + bytes((1 if wants_report else 0, 0, part.data_coding, 0, len(short)))
            + short
            + part.tlvs
            + (tlv(Tag.MESSAGE_PAYLOAD, part.content) if part.is_payload else b"")
        )
        self._fixed = HEADER.size + len(self._head) + len(self._tail)

    def fill(self, recipient: int, sequence: int, reference: int | None) -> bytes:
        """The PDU for one recipient; `reference` is told as user_message_reference, of which it takes 16 bits."""
        address = b"%d" % recipient
        if reference is None:
            length = self._fixed + len(address)
            return HEADER.pack(length, _SUBMIT, 0, sequence) + self._head + address + self._tail
        length = self._fixed + len(address) + _REFERENCE.size
        told = _REFERENCE.pack(_OUR_REFERENCE, 2, reference & 0xFFFF)
        return HEADER.pack(length, _SUBMIT, 0, sequence) + self._head + address + self._tail + told


def _tlvs(body: bytes, at: int) -> dict[int, bytes]:
    """What follows the mandatory fields; the first of a tag counts, a cut last one is left out."""
    found: dict[int, bytes] = {}
    size = len(body)
    while at + 4 <= size:
        tag, length = _TLV.unpack_from(body, at)
        at += 4 + length
        if at > size:
            break
        found.setdefault(tag, body[at - length : at])
    return found


class Delivered(NamedTuple):
    """A `deliver_sm` or `data_sm` from the operator: a receipt or an inbound text."""

    source: str
    destination: str
    esm_class: int
    data_coding: int
    content: bytes
    tlvs: Mapping[int, bytes]

    @property
    def is_receipt(self) -> bool:
        """Whether it reports on a message of ours: by its class (a receipt, or a notice on the way), or because only
        receipts carry this parameter."""
        return bool(self.esm_class & 0x24) or _RECEIPTED in self.tlvs

    @property
    def has_udh(self) -> bool:
        """Whether the content begins with a user data header."""
        return bool(self.esm_class & 0x40)


def read_deliver(body: bytes) -> Delivered:
    """The fields of a `deliver_sm`; raises Malformed."""
    head = _DELIVER_HEAD.match(body)
    if head is None:
        raise Malformed("a deliver_sm whose fields end too early")
    source, destination, esm_class, data_coding, length = head.groups()
    at = head.end()
    end = at + length[0]
    if end > len(body):
        raise Malformed("a deliver_sm whose text ends too early")
    tlvs = _tlvs(body, end)
    content = tlvs.get(_PAYLOAD) or body[at:end]
    return Delivered(
        source.decode("latin-1"), destination.decode("latin-1"), esm_class[0], data_coding[0], content, tlvs
    )


def read_data(body: bytes) -> Delivered:
    """The fields of a `data_sm`, whose text stands in message_payload; raises Malformed."""
    try:
        source, destination, at = _addresses(body)
        esm_class, data_coding = body[at], body[at + 2]
    except (ValueError, IndexError):
        raise Malformed("a data_sm whose fields end too early") from None
    tlvs = _tlvs(body, at + 3)
    return Delivered(source, destination, esm_class, data_coding, tlvs.get(_PAYLOAD, b""), tlvs)


def _addresses(body: bytes) -> tuple[str, str, int]:
    """Source, destination, and where the fields behind them begin; raises ValueError."""
    at = body.index(b"\0", 0, 6) + 3  # service_type, source ton and npi
    end = body.index(b"\0", at, at + _ADDRESS_BYTES)
    source = body[at:end].decode("latin-1")
    at = end + 3
    end = body.index(b"\0", at, at + _ADDRESS_BYTES)
    return source, body[at:end].decode("latin-1"), end + 1


def read_message_id(body: bytes) -> str:
    """The message id of a `submit_sm_resp`; empty when there is none (a refusal may leave the body out)."""
    return body.partition(b"\0")[0].decode("latin-1").strip()


def udh_of(content: bytes) -> tuple[Sequence[tuple[int, bytes]], bytes]:
    """The information elements of a user data header and the text behind it (3GPP TS 23.040 §9.2.3.24)."""
    if not content or content[0] + 1 > len(content):
        return [], content
    header, rest = content[1 : content[0] + 1], content[content[0] + 1 :]
    elements: list[tuple[int, bytes]] = []
    at = 0
    while at + 2 <= len(header):
        identifier, length = header[at], header[at + 1]
        elements.append((identifier, header[at + 2 : at + 2 + length]))
        at += 2 + length
    return elements, rest
