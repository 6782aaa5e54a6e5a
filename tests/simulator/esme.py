"""A tiny SMPP client that reads and writes PDUs by hand, so that nothing of the simulator vouches for itself."""

import socket
import struct
from types import TracebackType
from typing import NamedTuple, Self

HEADER = struct.Struct(">IIII")
RECEIVER, TRANSMITTER, TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT, DELIVER, UNBIND, ENQUIRE, NACK = 0x04, 0x05, 0x06, 0x15, 0x80000000
ANSWER = 0x80000000
LINE = "10004505"
PASSWORD = "smpp1000"
MANY = [f"9891200{n:03}01" for n in range(300)]  # whom everything reaches


class Pdu(NamedTuple):
    """One PDU as it came."""

    command: int
    status: int
    sequence: int
    body: bytes

    @property
    def id(self) -> str:
        """The message id of an answer to a submit."""
        return self.body.rstrip(b"\0").decode()


class Delivery(NamedTuple):
    """What a deliver_sm holds."""

    source: str
    destination: str
    esm_class: int
    coding: int
    text: bytes
    tlvs: dict[int, bytes]

    @property
    def fields(self) -> dict[str, str]:
        """The fields of a receipt's text by name."""
        text = self.text.decode("latin-1").replace("submit date", "submit_date").replace("done date", "done_date")
        return dict(word.split(":", 1) for word in text.split() if ":" in word)


class Gone(Exception):
    """The far side closed the link."""


class Esme:
    """A link to operator 1000, bound unless `kind` is 0."""

    def __init__(self, port: int, kind: int = TRANSCEIVER, *, name: str = "payamgah", password: str = PASSWORD) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._sequence = 0
        if kind:
            self.send(kind, name.encode() + b"\0" + password.encode() + b"\0\0\x34\0\0\0")
            self.bound = self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up without a word."""
        self._socket.close()

    def raw(self, data: bytes) -> None:
        """Write these very bytes."""
        self._socket.sendall(data)

    def pdu(self, command: int, body: bytes = b"", *, status: int = 0, sequence: int | None = None) -> bytes:
        """One PDU with the next sequence number, ready to be written."""
        self._sequence += 1
        number = self._sequence if sequence is None else sequence
        return HEADER.pack(16 + len(body), command, status, number) + body

    def send(self, command: int, body: bytes = b"", *, status: int = 0, sequence: int | None = None) -> None:
        """Write one PDU."""
        self.raw(self.pdu(command, body, status=status, sequence=sequence))

    def submit(self, *recipients: str, **more: object) -> None:
        """Submit a text to each of these in one write."""
        self.raw(b"".join(self.pdu(SUBMIT, submit_body(recipient, **more)) for recipient in recipients))  # type: ignore[arg-type]

    def read(self, *, timeout: float = 10.0) -> Pdu:
        """The next PDU; raises Gone when the link was closed, TimeoutError when nothing comes."""
        self._socket.settimeout(timeout)
        while True:
            if len(self._rest) >= HEADER.size:
                length, *head = HEADER.unpack_from(self._rest)
                if len(self._rest) >= length:
                    body, self._rest = self._rest[HEADER.size : length], self._rest[length:]
                    return Pdu(*head, body)
            self._more()

    def read_bytes(self, count: int) -> bytes:
        """The next bytes, whatever they are."""
        self._socket.settimeout(10)
        while len(self._rest) < count:
            self._more()
        got, self._rest = self._rest[:count], self._rest[count:]
        return got

    def _more(self) -> None:
        try:
            chunk = self._socket.recv(65536)
        except ConnectionResetError:
            raise Gone from None
        if not chunk:
            raise Gone
        self._rest += chunk

    def answers(self, count: int) -> list[Pdu]:
        """So many answers to submits; deliveries between them are acknowledged and dropped."""
        found: list[Pdu] = []
        while len(found) < count:
            pdu = self.read()
            if pdu.command == DELIVER:
                self.acknowledge(pdu)
            else:
                found.append(pdu)
        return found

    def delivery(self, *, is_acknowledged: bool = True, timeout: float = 10.0) -> Delivery:
        """The next delivery; answers to submits before it are dropped."""
        while (pdu := self.read(timeout=timeout)).command != DELIVER:
            pass
        if is_acknowledged:
            self.acknowledge(pdu)
        return delivered(pdu.body)

    def acknowledge(self, pdu: Pdu, *, status: int = 0) -> None:
        """Answer a delivery."""
        self.send(DELIVER | ANSWER, b"\0", status=status, sequence=pdu.sequence)


def submit_body(
    recipient: str,
    *,
    text: bytes = "سلام".encode("utf-16-be"),
    coding: int = 8,
    esm_class: int = 0,
    registered: int = 1,
    line: str = LINE,
    tlvs: dict[int, bytes] | None = None,
) -> bytes:
    """The body of a submit_sm."""
    more = b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in (tlvs or {}).items())
    return (
        b"\0\x00\x00" + line.encode() + b"\0\x01\x01" + recipient.encode() + b"\0"
        + bytes((esm_class, 0, 0, 0, 0, registered, 0, coding, 0, len(text))) + text + more
    )  # fmt: skip


def delivered(body: bytes) -> Delivery:
    """Read the body of a deliver_sm."""
    _service, rest = body.split(b"\0", 1)
    source, rest = rest[2:].split(b"\0", 1)
    destination, rest = rest[2:].split(b"\0", 1)
    esm_class = rest[0]
    _schedule, rest = rest[3:].split(b"\0", 1)
    _validity, rest = rest.split(b"\0", 1)
    coding, length = rest[2], rest[4]
    text, rest = rest[5 : 5 + length], rest[5 + length :]
    tlvs = {}
    while rest:
        tag, size = struct.unpack_from(">HH", rest)
        tlvs[tag], rest = rest[4 : 4 + size], rest[4 + size :]
    return Delivery(source.decode(), destination.decode(), esm_class, coding, text, tlvs)
