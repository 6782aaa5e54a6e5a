"""A small SMSC in a thread of the tests: it answers as it is told to, and remembers what it was asked."""

import asyncio
import random
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext
from threading import Thread
from typing import Any

HEADER = struct.Struct(">IIII")
SUBMIT, SUBMIT_RESP, DELIVER, DELIVER_RESP = 0x04, 0x80000004, 0x05, 0x80000005
BINDS = {0x01: "receiver", 0x02: "transmitter", 0x09: "transceiver"}
ENQUIRE, ENQUIRE_RESP, UNBIND, UNBIND_RESP, NACK = 0x15, 0x80000015, 0x06, 0x80000006, 0x80000000
UDH, THROTTLED = 0x40, 0x58


@dataclass(frozen=True, slots=True)
class Received:
    """One submit_sm, read by somebody who is not us."""

    source: str
    recipient: str
    esm_class: int
    registered: int
    coding: int
    text: bytes
    tlvs: dict[int, bytes]


def packed(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return HEADER.pack(16 + len(body), command, status, sequence) + body


def read_submit(body: bytes) -> Received:
    """SMPP 3.4, 4.4.1."""
    _service, rest = body.split(b"\0", 1)
    source, rest = rest[2:].split(b"\0", 1)
    recipient, rest = rest[2:].split(b"\0", 1)
    esm_class, rest = rest[0], rest[3:]
    _schedule, rest = rest.split(b"\0", 1)
    _validity, rest = rest.split(b"\0", 1)
    registered, _replace, coding, _default, length = rest[:5]
    text, rest = rest[5 : 5 + length], rest[5 + length :]
    tlvs = {}
    while rest:
        tag, size = struct.unpack_from(">HH", rest)
        tlvs[tag], rest = rest[4 : 4 + size], rest[4 + size :]
    return Received(source.decode(), recipient.decode(), esm_class, registered, coding, text, tlvs)


def deliver_body(
    source: str, destination: str, text: bytes, *, esm_class: int = 0, coding: int = 0, tlvs: bytes = b""
) -> bytes:
    head = b"\0\1\1" + source.encode() + b"\0\0\0" + destination.encode() + b"\0"
    short = b"" if len(text) > 254 else text
    long = struct.pack(">HH", 0x0424, len(text)) + text if len(text) > 254 else b""
    return head + bytes((esm_class, 0, 0)) + b"\0\0" + bytes((0, 0, coding, 0, len(short))) + short + tlvs + long


def receipt_text(ref: str, state: str, error: str = "000") -> bytes:
    return (
        f"id:{ref} sub:001 dlvrd:001 submit date:2611240800 done date:2611240801 stat:{state} err:{error} text:salam"
    ).encode()


@dataclass
class Knobs:
    """How it behaves; may be turned while it runs."""

    password: str = "secret"
    bind_status: int = 0
    answer_seconds: float = 0.0
    is_silent: bool = False  # takes everything, answers no submit
    answers_checks: bool = True
    shuffles: bool = False  # answers in any order
    per_second: int = 0  # throttles beyond
    drops_after: int = 0  # closes the link, unanswered, after so many submits
    nacks: bool = False
    receipts_seconds: float | None = None  # after the answer; negative: before it
    answered_ref: Callable[[int], str] = lambda number: f"{number:08x}"
    reported_ref: Callable[[int], str] = lambda number: f"{number:08x}"
    status_of: Callable[[str], int] = lambda _recipient: 0
    state_of: Callable[[str], str | None] = lambda _recipient: "DELIVRD"
    error_of: Callable[[str], str] = lambda _recipient: "000"
    echoes_reference: bool = False
    reports_unanswered: bool = False


@dataclass
class Smsc:
    """Start it with `with`; `port` is where it listens."""

    knobs: Knobs = field(default_factory=Knobs)
    received: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)
    binds: list[str] = field(default_factory=list)
    acknowledged: list[tuple[int, int]] = field(default_factory=list)  # sequence, status
    statuses: Counter[int] = field(default_factory=Counter)
    checks: int = 0
    unbinds: int = 0
    most_unanswered: int = 0
    port: int = 0
    tls: SSLContext | None = None
    _number: int = 1000
    _sequence: int = 0
    _links: list["_Serving"] = field(default_factory=list)

    def __enter__(self) -> "Smsc":
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server: Any = self._run(self._listen(0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def shut(self) -> None:
        """Close the door and every link."""
        self._run(self._close())

    def open(self) -> None:
        """Open the door again, at the same port."""
        self._server = self._run(self._listen(self.port))

    def cut(self) -> None:
        """End every link at once."""
        self._loop.call_soon_threadsafe(self._cut)

    def send(self, data: bytes) -> None:
        """Write raw bytes on the newest link that can hear."""
        self._loop.call_soon_threadsafe(lambda: self._hearing()[-1].transport.write(data))

    def deliver(self, body: bytes, *, sequence: int | None = None) -> int:
        """Send a deliver_sm; returns its sequence."""
        self._sequence += 1
        number = self._sequence if sequence is None else sequence
        self.send(packed(DELIVER, 0, number, body))
        return number

    def receipt(
        self, ref: str, recipient: str, state: str = "DELIVRD", *, line: str = "1000", tlvs: bytes = b""
    ) -> int:
        return self.deliver(deliver_body(recipient, line, receipt_text(ref, state), esm_class=4, tlvs=tlvs))

    @property
    def link_count(self) -> int:
        return len(self._links)

    def _hearing(self) -> list["_Serving"]:
        return [link for link in self._links if link.kind in {"receiver", "transceiver"}]

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _listen(self, port: int) -> Any:
        return await self._loop.create_server(
            lambda: _Serving(self), "127.0.0.1", port, reuse_address=True, ssl=self.tls
        )

    async def _close(self) -> None:
        self._server.close()
        self._cut()
        await asyncio.sleep(0)

    def _cut(self) -> None:
        for link in list(self._links):
            link.transport.abort()

    def next_number(self) -> int:
        self._number += 1
        return self._number


class _Serving(asyncio.Protocol):
    def __init__(self, smsc: Smsc) -> None:
        self.smsc = smsc
        self.kind = ""
        self.waiting = b""
        self.unanswered = 0
        self.taken_at: list[float] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.smsc._links.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.smsc._links:
            self.smsc._links.remove(self)

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        answers: list[bytes] = []
        while len(self.waiting) >= 16:
            length, command, status, sequence = HEADER.unpack_from(self.waiting)
            if len(self.waiting) < length:
                break
            body, self.waiting = self.waiting[16:length], self.waiting[length:]
            if command == SUBMIT:
                self._submit(sequence, body, answers)
            else:
                self._other(command, status, sequence, body)
        if self.smsc.knobs.shuffles:
            random.shuffle(answers)
        if answers:
            asyncio.get_running_loop().call_later(self.smsc.knobs.answer_seconds, self._answer, answers)

    def _answer(self, answers: list[bytes]) -> None:
        self.unanswered -= len(answers)
        self.transport.write(b"".join(answers))

    def _submit(self, sequence: int, body: bytes, answers: list[bytes]) -> None:
        smsc, knobs = self.smsc, self.smsc.knobs
        submit = read_submit(body)
        smsc.received.append(submit)
        self.unanswered += 1
        smsc.most_unanswered = max(smsc.most_unanswered, self.unanswered)
        if knobs.drops_after and len(smsc.received) >= knobs.drops_after:
            knobs.drops_after = 0
            smsc.accepted.append(submit)
            self.transport.abort()
            return
        status = self._status(submit.recipient)
        smsc.statuses[status] += 1
        number = smsc.next_number()
        if status == 0:
            smsc.accepted.append(submit)
            if submit.registered and (not knobs.is_silent or knobs.reports_unanswered):
                self._report(submit, number)
        if knobs.is_silent:
            return
        if knobs.nacks:
            answers.append(packed(NACK, 0x02, sequence))
            return
        ref = knobs.answered_ref(number).encode() + b"\0" if status == 0 else b""
        answers.append(packed(SUBMIT_RESP, status, sequence, ref))

    def _status(self, recipient: str) -> int:
        limit = self.smsc.knobs.per_second
        now = asyncio.get_running_loop().time()
        if limit:
            self.taken_at = [at for at in self.taken_at if now - at < 1]
            if len(self.taken_at) >= limit:
                return THROTTLED
            self.taken_at.append(now)
        return self.smsc.knobs.status_of(recipient)

    def _report(self, submit: Received, number: int) -> None:
        smsc, knobs = self.smsc, self.smsc.knobs
        state = knobs.state_of(submit.recipient)
        if knobs.receipts_seconds is None or state is None:
            return
        text = receipt_text(knobs.reported_ref(number), state, knobs.error_of(submit.recipient))
        tlvs = b""
        if knobs.echoes_reference and 0x0204 in submit.tlvs:
            tlvs = struct.pack(">HH", 0x0204, 2) + submit.tlvs[0x0204]
        body = deliver_body(submit.recipient, submit.source, text, esm_class=4, tlvs=tlvs)
        if knobs.receipts_seconds < 0:
            smsc.deliver(body)
            return
        asyncio.get_running_loop().call_later(
            knobs.answer_seconds + knobs.receipts_seconds, lambda: smsc._hearing() and smsc.deliver(body)
        )

    def _other(self, command: int, status: int, sequence: int, body: bytes) -> None:
        smsc, knobs = self.smsc, self.smsc.knobs
        if command in BINDS:
            _system_id, password, *_ = body.split(b"\0")
            refused = knobs.bind_status or (0 if password.decode() == knobs.password else 0x0E)
            self.transport.write(packed(command | 0x80000000, refused, sequence, b"" if refused else b"smsc\0"))
            if not refused:
                self.kind = BINDS[command]
                smsc.binds.append(self.kind)
        elif command == ENQUIRE:
            smsc.checks += 1
            if knobs.answers_checks:
                self.transport.write(packed(ENQUIRE_RESP, 0, sequence))
        elif command == UNBIND:
            smsc.unbinds += 1
            self.transport.write(packed(UNBIND_RESP, 0, sequence))
        elif command == DELIVER_RESP:
            smsc.acknowledged.append((sequence, status))
