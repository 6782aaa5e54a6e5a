"""One link to the message centre: reads PDUs as they come, answers them together."""

import asyncio
import time
from typing import cast

from sms.simulator.characters import FATES
from sms.simulator.smpp import garbage, receipts
from sms.simulator.smpp.exchange import Delivery, Exchange
from sms.simulator.smpp.joining import parts_of
from sms.simulator.smpp.pdu import (
    HEADER,
    MAX_BYTES,
    RESPONSE,
    Command,
    Malformed,
    Status,
    Submit,
    pdu,
    read_bind,
    read_submit,
    tlv,
)
from sms.simulator.smpp.receipts import Receipt
from sms.simulator.texts import phone

_PATIENCE_SECONDS = 10  # for a bind, and for the answer to our enquire_link
_LAST_SECONDS = 0.05  # without a word, before a link ends that owes one answer for ever
_MOST_LAST_SECONDS = 1.0
_EARLY_SECONDS = 0.1  # how long after its receipt a submit is answered
_WRITE_BUFFER_BYTES = 1024 * 1024
_VERSION = tlv(0x0210, b"\x34")
_BINDS = (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER)


def _number(address: bytes) -> int | None:
    if len(address) == 12 and address.startswith(b"989") and address.isdigit():  # noqa: PLR2004 - nearly always
        return int(address)
    return phone(address.decode("latin-1"))


class Link(asyncio.Protocol):
    """A connection, from its bind to its end."""

    def __init__(self, exchange: Exchange, connections: "set[Link]") -> None:
        self._exchange = exchange
        self._connections = connections
        self._rest = b""
        self._kind = 0  # the command it was bound by
        self._answers: list[bytes] = []
        self._delayed: dict[int, tuple[bytes, int]] = {}
        self._unanswered = 0
        self._withheld: list[bytes] = []
        self._tail = b""  # the last bytes before the end
        self._submits = 0
        self._is_over = False  # closes as soon as what was read is answered
        self._is_full = False
        self._ends_by: float | None = None  # owes an answer that it will not give, and ends by then
        self._sequence = 0
        self._sent: dict[int, tuple[Delivery, float]] = {}
        self._made_at = self._heard_at = self._submitted_at = time.time()
        self._asked_at = 0.0
        self._transport: asyncio.Transport

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._connections.add(self)
        self._exchange.join(self)
        self.follow()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._exchange.leave(self)
        if self in self._exchange.receivers:
            self._exchange.receivers.remove(self)
        self._exchange.put_back([delivery for delivery, _ in self._sent.values()])
        self._sent.clear()

    def abort(self) -> None:
        """Drop the link this instant."""
        self._transport.abort()

    def follow(self) -> None:
        """Adapt to the knobs as they are now."""
        if self._withheld and not self._exchange.knobs.close_with_unanswered and not self._is_over:
            self._send(b"".join(self._withheld))
            self._withheld.clear()
        if self._exchange.knobs.is_deaf or self._is_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        self._is_full = True
        self.follow()

    def resume_writing(self) -> None:
        self._is_full = False
        self.follow()

    def look_after(self, now: float) -> None:
        """Ask whether the far side is there, or give it up."""
        knobs = self._exchange.knobs
        if knobs.is_deaf or knobs.is_silent:
            return
        asked_in_vain = self._asked_at and now - self._asked_at > _PATIENCE_SECONDS
        if asked_in_vain or (not self._kind and now - self._made_at > _PATIENCE_SECONDS):
            self.abort()
        elif self._kind and knobs.enquire_seconds and now - self._heard_at > knobs.enquire_seconds:
            self._asked_at = self._asked_at or now
            self._heard_at = now
            self._send(pdu(Command.ENQUIRE_LINK, self._next()))

    # What comes in

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, end, now = 0, len(data), time.time()
        self._heard_at, self._asked_at = now, 0.0
        while end - at >= HEADER.size:
            length, command, status, sequence = HEADER.unpack_from(data, at)
            if not HEADER.size <= length <= MAX_BYTES:
                self._send(pdu(Command.GENERIC_NACK, sequence, status=Status.COMMAND_LENGTH))
                self._is_over = True
                break
            stop = at + length
            if stop > end:
                break
            at += HEADER.size
            if command == Command.SUBMIT_SM:
                self._submits += 1
                self._submit(data, at, stop, sequence, now)
            elif command == Command.DELIVER_SM_RESP:
                self._acknowledged(sequence, status)
            else:
                self._other(command, sequence, data[at:stop])
            at = stop
        self._rest = data[at:]
        self._settle(now)

    def _settle(self, now: float) -> None:
        """After everything that was read: the truth first, then the answers."""
        exchange = self._exchange
        if self._submits:
            exchange.desk.requests["submit_sm"] += self._submits
            self._submits, self._submitted_at = 0, now
            exchange.desk.truth.write()
        if answers := self._answers:
            self._answers = []
            if exchange.desk.is_happening(exchange.knobs.out_of_order_share):
                answers.reverse()
            if self._ends_by is not None:
                self._tail += b"".join(answers)
                return
            self._answer(b"".join(answers), len(answers), exchange.knobs.accept_delay_ms / 1000)
        if self._is_over:
            self._close()
        elif self._kind != Command.BIND_TRANSMITTER:
            exchange.spread(now)

    def _other(self, command: int, sequence: int, body: bytes) -> None:
        if command in _BINDS:
            self._bind(command, sequence, body)
        elif command == Command.ENQUIRE_LINK:
            self._exchange.desk.requests["enquire_link"] += 1
            if not self._exchange.knobs.is_enquire_ignored:
                self._send(pdu(Command.ENQUIRE_LINK_RESP, sequence))
        elif command == Command.UNBIND:
            self._exchange.desk.requests["unbind"] += 1
            self._let_go()
            self._send(pdu(Command.UNBIND_RESP, sequence))
            self._is_over = True
        elif command == Command.UNBIND_RESP:
            self._is_over = True
        elif not command & RESPONSE:
            self._exchange.desk.requests["other"] += 1
            self._send(pdu(Command.GENERIC_NACK, sequence, status=Status.COMMAND_ID))

    def _bind(self, command: int, sequence: int, body: bytes) -> None:
        self._exchange.desk.requests["bind"] += 1
        status = self._bind_status(body)
        answer = b"" if status else b"SIM%b\0" % self._exchange.desk.character.code.encode() + _VERSION
        self._send(pdu(command | RESPONSE, sequence, answer, status=status))
        if status and not self._kind:
            self._is_over = True
        elif not status:
            self._kind = command
            if command != Command.BIND_TRANSMITTER:
                self._exchange.receivers.append(self)

    def _bind_status(self, body: bytes) -> int:
        exchange, character = self._exchange, self._exchange.desk.character
        try:
            who = read_bind(body)
        except Malformed as malformed:
            return malformed.status
        if self._kind:
            return Status.ALREADY_BOUND
        if exchange.knobs.bind_status:
            return exchange.knobs.bind_status
        if who.system_id != character.username:
            return Status.SYSTEM_ID
        if who.password != character.password:
            return Status.PASSWORD
        bound = sum(link.is_bound for link in self._connections)
        return Status.BIND_FAILED if 0 < exchange.knobs.most_binds <= bound else Status.OK

    @property
    def is_bound(self) -> bool:
        """Whether it has been let in."""
        return bool(self._kind)

    # Submits

    def _submit(self, data: bytes, at: int, stop: int, sequence: int, now: float) -> None:
        try:
            submit = read_submit(data, at, stop)
            parts = parts_of(submit)
            number = self._recipient(submit)
        except Malformed as malformed:
            self._refuse(sequence, malformed.status)
            return
        if self._exchange.is_calm or not self._is_refused(sequence, now):
            self._accept(submit, number, parts, sequence, now)

    def _recipient(self, submit: Submit) -> int:
        """Whom it is for; raises Malformed when it cannot be taken from here or goes nowhere."""
        number = _number(submit.recipient)
        if number is None or FATES[number % 100].is_refused:
            raise Malformed(Status.DESTINATION)
        if not submit.line.isdigit():
            raise Malformed(Status.SOURCE)
        if self._kind in (0, Command.BIND_RECEIVER):
            raise Malformed(Status.BIND_STATE)
        return number

    def _accept(self, submit: Submit, number: int, parts: int, sequence: int, now: float) -> None:
        exchange = self._exchange
        message_id, ready_at = exchange.accept(submit, number, parts, now)
        if not exchange.is_calm and exchange.desk.is_happening(exchange.knobs.same_id_share):
            message_id = exchange.last_id or message_id
        exchange.last_id = message_id
        answered, reported = receipts.spelt(exchange.knobs.id_style, message_id)
        receipt = (
            Receipt(reported, number, submit.line, now, submit.reference)
            if exchange.is_wanted(submit, number)
            else None
        )
        if number % 100 == 99 and exchange.is_cut_now(number):  # noqa: PLR2004 - the two digits
            if receipt:
                exchange.promise(receipt, ready_at)
            self._begin_to_end(now)
            return
        answer = HEADER.pack(17 + len(answered), Command.SUBMIT_SM_RESP, 0, sequence) + answered + b"\0"
        if exchange.is_calm:
            if receipt:
                exchange.expect(receipt, ready_at)
            self._answers.append(answer)
        else:
            self._answer_in_trouble(answer, sequence, receipt, ready_at)

    def _refuse(self, sequence: int, status: int) -> None:
        self._answers.append(HEADER.pack(16, Command.SUBMIT_SM_RESP, status, sequence))

    def _is_refused(self, sequence: int, now: float) -> bool:
        """Whether a knob refuses this submit; then it is answered."""
        exchange, knobs = self._exchange, self._exchange.knobs
        status = knobs.refuse_status
        if not status and (exchange.is_throttled(now) or 0 < knobs.window <= self._unanswered + len(self._answers)):
            status = Status.THROTTLED
        if not status and exchange.desk.is_happening(knobs.queue_full_share):
            status = Status.QUEUE_FULL
        if status:
            self._refuse(sequence, status)
        elif exchange.desk.is_happening(knobs.nack_share):
            self._answers.append(pdu(Command.GENERIC_NACK, sequence, status=Status.COMMAND_ID))
        else:
            return False
        return True

    def _answer_in_trouble(self, answer: bytes, sequence: int, receipt: Receipt | None, ready_at: float) -> None:
        exchange, knobs, desk = self._exchange, self._exchange.knobs, self._exchange.desk
        is_early = receipt is not None and desk.is_happening(knobs.early_receipt_share)
        if receipt:
            exchange.promise(receipt, 0.0 if is_early else ready_at)
        if knobs.close_with_unanswered:
            self._withheld.append(answer)
            if len(self._withheld) >= knobs.close_with_unanswered:
                self._is_over = True
                exchange.turn(close_with_unanswered=0)
        elif desk.is_happening(knobs.cut_reply_share):
            self._is_over = True
        elif desk.is_happening(knobs.garbage_share):
            kind = desk.random.choice(knobs.garbage_kinds)
            spoilt, is_last = garbage.instead_of(kind, answer, sequence=sequence, source=desk.random)
            if is_last:
                self._tail, self._is_over = spoilt, True
            else:
                self._answers.append(spoilt)
        elif is_early:
            self._answer(answer, 1, _EARLY_SECONDS + knobs.accept_delay_ms / 1000)
        elif desk.is_happening(knobs.late_share):
            self._answer(answer, 1, knobs.late_seconds + knobs.accept_delay_ms / 1000)
        else:
            self._answers.append(answer)

    # What goes out

    def _answer(self, answers: bytes, count: int, delay_seconds: float) -> None:
        if not delay_seconds:
            self._send(answers)
            return
        self._unanswered += count
        key = self._next()
        self._delayed[key] = answers, count
        asyncio.get_running_loop().call_later(delay_seconds, self._answer_now, key)

    def _answer_now(self, key: int) -> None:
        if key in self._delayed:
            answers, count = self._delayed.pop(key)
            self._unanswered -= count
            self._send(answers)

    def _let_go(self) -> None:
        """Answer at once what would be answered later."""
        for key in list(self._delayed):
            self._answer_now(key)

    def _send(self, data: bytes) -> None:
        if not self._exchange.knobs.is_silent and not self._transport.is_closing():
            self._transport.write(data)

    def _begin_to_end(self, now: float) -> None:
        """The far side will wait for an answer in vain; nobody else's is lost. So from now on all are held back until
        its window is full and it falls silent."""
        if self._ends_by is None:
            self._ends_by = now + _MOST_LAST_SECONDS
            asyncio.get_running_loop().call_later(_LAST_SECONDS, self._end)

    def _end(self) -> None:
        now = time.time()
        if self._transport.is_closing():
            return
        if now - self._submitted_at < _LAST_SECONDS and now < (self._ends_by or now):
            asyncio.get_running_loop().call_later(_LAST_SECONDS, self._end)
            return
        # With a goodbye behind them, the answers do not invite more submits, which would be lost.
        self._tail += pdu(Command.UNBIND, self._next())
        self._close()

    def _close(self) -> None:
        self._let_go()
        self._send(self._tail)
        self._transport.close()

    def _next(self) -> int:
        self._sequence = self._sequence % 0x7FFF_FFFF + 1
        return self._sequence

    # Deliveries

    def room(self) -> int:
        """How many more deliveries it takes now."""
        if self._is_full or self._ends_by or self._transport.is_closing() or self._exchange.knobs.is_silent:
            return 0
        return self._exchange.knobs.receipt_window - len(self._sent)

    def deliver(self, deliveries: list[Delivery], now: float) -> None:
        """Send deliveries; each is kept until it is acknowledged."""
        written = []
        sequence = self._sequence
        for delivery in deliveries:
            sequence = sequence % 0x7FFF_FFFF + 1
            body = self._exchange.body(delivery, now)
            written.append(HEADER.pack(16 + len(body), Command.DELIVER_SM, 0, sequence))
            written.append(body)
            self._sent[sequence] = delivery, now
        self._sequence = sequence
        self._send(b"".join(written))

    def overdue(self, before: float) -> list[Delivery]:
        """Those sent before this moment and not acknowledged; they are no longer this link's."""
        found = []
        for sequence, (delivery, sent_at) in self._sent.items():
            if sent_at >= before:
                break
            found.append((sequence, delivery))
        for sequence, _ in found:
            del self._sent[sequence]
        return [delivery for _, delivery in found]

    def _acknowledged(self, sequence: int, status: int) -> None:
        # One that is answered with an error stays, and is sent again when its time has come.
        if not status and self._sent.pop(sequence, None) is not None:
            self._exchange.counts["acknowledged"] += 1
