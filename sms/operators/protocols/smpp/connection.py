"""One TCP connection that is bound to an operator: a window of unanswered submits, link checks, a clean end.

Everything here runs on one event loop. A connection never sends anything again: what was not answered when it ended is
lost, and its fate is unknown."""

import asyncio
import contextlib
import math
import ssl as tls
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sms.operators.protocols.smpp.parcel import Parcel
from sms.operators.protocols.smpp.pdus import (
    RESPONSE,
    Command,
    Decoder,
    Malformed,
    Pdu,
    bind,
    pdu,
)

OK = 0x00
SYSTEM_ERROR = 0x08
REJECTED_BY_US = 0x65  # ESME_RX_R_APPN: read, understood by nobody, not to be sent again
_INVALID_COMMAND = 0x03
_BAD_PASSWORD, _BAD_SYSTEM_ID = 0x0E, 0x0F
_LAST_SEQUENCE = 0x7FFFFFFF
_LOOK_SECONDS = 0.5
_UNBIND = int(Command.UNBIND)
_REMEMBERED = 2000  # acknowledgements
_REFILL = 50  # answers; with a whole window at once, operator and we would take turns working
_SUBMIT_RESP, _DELIVER, _DATA, _NACK = (
    int(command) for command in (Command.SUBMIT_SM_RESP, Command.DELIVER_SM, Command.DATA_SM, Command.GENERIC_NACK)
)
_ANSWERS = frozenset({_SUBMIT_RESP, _NACK})  # a nack whose number we do not know: nobody can tell which it is about
Handle = tuple["Connection", int, int]  # an arrival to acknowledge: connection, command, sequence


class BindKind(StrEnum):
    """What a connection is for."""

    TRANSCEIVER = "transceiver"
    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"


_BIND_COMMANDS = {
    BindKind.TRANSCEIVER: Command.BIND_TRANSCEIVER,
    BindKind.TRANSMITTER: Command.BIND_TRANSMITTER,
    BindKind.RECEIVER: Command.BIND_RECEIVER,
}


class BindRefused(ConnectionError):
    """The operator answered the bind with an error; `status` is its SMPP command status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused with status 0x{status:08x}")
        self.status = status

    @property
    def is_credentials(self) -> bool:
        """Whether trying again with the same name and password is useless, and may lock the account."""
        return self.status in {_BAD_PASSWORD, _BAD_SYSTEM_ID}


@dataclass(frozen=True, slots=True, kw_only=True)
class BindSettings:
    """How to reach and use one operator account over SMPP."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    tls_context: tls.SSLContext | None = field(default=None, repr=False)
    window: int = 50
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0  # a submit unanswered this long ends the link
    idle_seconds: float = 30.0  # after so long without a word the link is checked
    check_seconds: float = 15.0  # an unanswered check ends it
    unbind_seconds: float = 3.0


class Events:
    """What a connection tells its owner; called on the event loop, must not block."""

    def answered(self, parcel: Parcel, position: int, status: int, body: bytes) -> None:
        """The operator answered a submit."""

    def lost(self, flying: Sequence[tuple[Parcel, int]]) -> None:
        """These were on the wire when the link ended."""

    def arrived(self, handle: Handle, body: bytes) -> None:
        """A receipt or an inbound text came."""

    def has_news(self, connection: "Connection") -> None:
        """What had come was read; there may be room again."""

    def ended(self, connection: "Connection", reason: str) -> None:
        """The connection is over."""


class Connection(asyncio.Protocol):
    """A bound connection; make it with `open_connection`."""

    def __init__(self, settings: BindSettings, kind: BindKind, events: Events) -> None:
        self.kind = kind
        self._settings = settings
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None
        self._sequence = 0
        self._flying: dict[int, tuple[Parcel, int, float]] = {}
        self._heard_at = self._loop.time()
        self._check_at: float | None = None
        self._bound: asyncio.Future[int] = self._loop.create_future()
        self._unbound: asyncio.Future[None] = self._loop.create_future()
        self._watch: asyncio.TimerHandle | None = None
        self._is_paused = False
        self._is_over = False
        self._acknowledged: deque[int] = deque(maxlen=_REMEMBERED)
        self._goodbye: int | None = None  # the sequence of the operator's unbind, not answered yet
        self.silent_seconds = 0.0  # for so long submits have been waiting and not one was answered
        self.answered_count = self.lost_count = 0
        self._answered_at = -math.inf

    # Sending

    @property
    def can_submit(self) -> bool:
        """Whether submits may be sent over it."""
        return self.is_bound and self.kind is not BindKind.RECEIVER and self._goodbye is None

    @property
    def is_bound(self) -> bool:
        return not self._is_over and not self._unbound.done() and self._bound.done()

    @property
    def room(self) -> int:
        """How many more submits the window takes."""
        return self._settings.window - len(self._flying) if self.can_submit else 0

    @property
    def has_worked(self) -> bool:
        """Whether more submits were answered over it than were lost with it."""
        return self.answered_count > self.lost_count

    @property
    def is_idle(self) -> bool:
        """Whether no submit waits for its answer."""
        return not self._flying

    def submit(self, pieces: Iterable[tuple[Parcel, Sequence[int]]]) -> None:
        """Send these positions of these parcels in one write; the caller asks `room` first."""
        now = self._loop.time()
        flying, sequence = self._flying, self._sequence
        frames: list[bytes] = []
        for parcel, positions in pieces:
            frame = parcel.frame
            for position in positions:
                sequence = sequence % _LAST_SEQUENCE + 1
                flying[sequence] = (parcel, position, now)
                frames.append(frame(position, sequence))
        self._sequence = sequence
        self._write(b"".join(frames))

    def acknowledge(self, arrivals: Iterable[tuple[int, int]], *, status: int = OK) -> None:
        """Tell the operator that these (command, sequence) are kept."""
        arrivals = list(arrivals)
        self._acknowledged.extend(sequence for _, sequence in arrivals)
        self._write(b"".join(pdu(command | RESPONSE, sequence, b"\0", status=status) for command, sequence in arrivals))

    def pause(self, *, is_paused: bool) -> None:
        """Read nothing for now, or go on."""
        if self._transport is not None and not self._is_over and is_paused != self._is_paused:
            self._is_paused = is_paused
            self._transport.pause_reading() if is_paused else self._transport.resume_reading()

    async def unbind(self) -> None:
        """Say goodbye: answers to what is out are waited for, then the link ends."""
        deadline = self._loop.time() + self._settings.unbind_seconds
        while self._flying and not self._is_over and self._loop.time() < deadline:
            await asyncio.sleep(0.01)
        if self.is_bound:
            self._write(pdu(Command.UNBIND, self._next_sequence()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._unbound), max(0.5, deadline - self._loop.time()))
        self.end("unbound")

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % _LAST_SEQUENCE + 1
        return self._sequence

    def _write(self, data: bytes) -> None:
        if self._transport is not None and data and not self._is_over:
            self._transport.write(data)

    # The life of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to be bound."""
        self._transport = transport if isinstance(transport, asyncio.Transport) else None
        settings = self._settings
        body = bind(settings.system_id, settings.password, settings.system_type)
        self._write(pdu(_BIND_COMMANDS[self.kind], self._next_sequence(), body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was unanswered is lost."""
        self.end(type(exc).__name__ if exc else "closed by the operator")

    def end(self, reason: str) -> None:
        """End the link at once; once is enough."""
        if self._is_over:
            return
        self._is_over = True
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort() if self._flying else self._transport.close()
        if not self._bound.done():
            self._bound.set_exception(ConnectionError(reason))
            self._bound.exception()  # whoever waits for it hears it; perhaps nobody does any more
        if not self._unbound.done():
            self._unbound.set_result(None)
        lost = [(parcel, position) for parcel, position, _ in self._flying.values()]
        self._flying.clear()
        self.lost_count = len(lost)
        self._events.lost(lost)
        self._events.ended(self, reason)

    async def bound(self) -> None:
        """Wait until the operator has bound us; raises BindRefused, ConnectionError or TimeoutError."""
        status = await asyncio.wait_for(asyncio.shield(self._bound), self._settings.connect_seconds)
        if status != OK:
            raise BindRefused(status)
        if not self._is_over:
            self._watch = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        settings = self._settings
        oldest = next(iter(self._flying.values()), None)
        self.silent_seconds = now - max(oldest[2], self._answered_at) if oldest is not None else 0.0
        if oldest is not None and now - oldest[2] > settings.answer_seconds:
            return self.end("a submit was not answered in time")
        if self._check_at is not None and now - self._check_at > settings.check_seconds:
            return self.end("the link check was not answered")
        if self._check_at is None and now - self._heard_at > settings.idle_seconds:
            self._check_at = now
            self._write(pdu(Command.ENQUIRE_LINK, self._next_sequence()))
        self._watch = self._loop.call_later(_LOOK_SECONDS, self._look)
        return None

    # Receiving

    def data_received(self, data: bytes) -> None:
        """Read what came; a stream that is not SMPP ends the link."""
        self._heard_at = now = self._loop.time()
        try:
            came = self._decoder.feed(data)
        except Malformed as error:
            return self.end(f"not SMPP: {error}")
        if came and came[-1][0] == _UNBIND:
            self._goodbye = came[-1][2]  # known before the answers in front of it make room for more
        answered = self._read(came, now)
        if answered and not self._is_over:
            self.answered_count += answered
            self._answered_at, self.silent_seconds = now, 0.0
        if self._goodbye is not None and not self._flying:
            self._leave()
        self._events.has_news(self)
        return None

    def _read(self, came: Sequence[Pdu], now: float) -> int:
        """Pass on what came; returns how many submits were answered."""
        events, flying = self._events, self._flying
        answered = 0
        for found in came:
            command, status, sequence, body = found
            if command in _ANSWERS:
                if command == _NACK:
                    # It could not read the PDU: not accepted. But it may be one of our acknowledgements.
                    if sequence in self._acknowledged:
                        continue
                    status, body = status or SYSTEM_ERROR, b""
                submit = flying.pop(sequence, None)
                if submit is not None:
                    submit[0].waited_seconds = now - submit[2]
                    events.answered(submit[0], submit[1], status, body)
                    answered += 1
                    if not answered % _REFILL:
                        events.has_news(self)
            elif command in {_DELIVER, _DATA}:
                events.arrived((self, command, sequence), body)
            else:
                self._take_other(found)
        return answered

    def _leave(self) -> None:
        if self._goodbye is not None:
            self._write(pdu(Command.UNBIND_RESP, self._goodbye))
        self.end("unbound by the operator")

    def _take_other(self, found: Pdu) -> None:
        command, status, sequence, _body = found
        if command == Command.ENQUIRE_LINK:
            self._write(pdu(Command.ENQUIRE_LINK_RESP, sequence))
        elif command == Command.ENQUIRE_LINK_RESP:
            self._check_at = None
        elif command == Command.UNBIND:
            self._goodbye = sequence  # what it has taken it may still answer before it goes
            self._loop.call_later(self._settings.unbind_seconds, self._leave)
        elif command == Command.UNBIND_RESP and not self._unbound.done():
            self._unbound.set_result(None)
        elif command == _BIND_COMMANDS[self.kind] | RESPONSE and not self._bound.done():
            self._bound.set_result(status)
        elif not command & RESPONSE and command != Command.ALERT_NOTIFICATION:
            self._write(pdu(Command.GENERIC_NACK, sequence, status=_INVALID_COMMAND))


async def open_connection(settings: BindSettings, kind: BindKind, events: Events) -> Connection:
    """Connect and bind; raises BindRefused (the operator said no) or OSError/TimeoutError (nobody answered)."""
    loop = asyncio.get_running_loop()
    connecting = loop.create_connection(
        lambda: Connection(settings, kind, events),
        settings.host,
        settings.port,
        ssl=settings.tls_context,
        server_hostname=settings.host if settings.tls_context else None,
    )
    _transport, connection = await asyncio.wait_for(connecting, settings.connect_seconds)
    try:
        await connection.bound()
    except BaseException:
        connection.end("not bound")
        raise
    return connection
