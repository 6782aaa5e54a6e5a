"""The sending half of a gateway that stays bound: claims batches and hands them over, and stores, in a thread beside
that, what became of them."""

import time
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Event, Lock

from jobs.health import Pulse, end_trial
from sms.core import clock
from sms.core.db import release, transaction
from sms.core.errors import SmsError
from sms.operators.contract import (
    NOTHING_LEFT,
    UNKNOWN_FATE,
    AnswerKind,
    BadCredentials,
    Line,
    OutOfCredit,
    Refused,
    Settled,
    Submission,
    Unanswered,
    Unreachable,
)
from sms.operators.health.rules.breaker import Silence
from sms.operators.queries import GatewayWay
from sms.outbox.operations import batches, dispatch, unknown
from sms.outbox.operations.dispatch import Claimed, Result
from sms.outbox.operations.parts import Known
from sms.outbox.queries.waiting import has_queued

_BUSY_THERE = Refused("The operator is busy.", retry_after_seconds=0.0)  # told to nobody but the breaker
_MOST_TROUBLES = 5  # a look; as many open a breaker
_TRIAL_SIZE = 10  # messages risked with an operator that failed
_CLAIMS = 10  # a pass
_GATHER_SECONDS = 0.01  # answers that come this close together share a commit
_LISTEN_SECONDS = 1.0
_SMALL = 4  # batches of which so many fit into the window
_BUSY_SECONDS = 10.0  # an operator that takes nothing for so long is not waited for with claimed batches
_CUT_SECONDS = 3.0  # nor is a link; one that is back sooner sends on, and completes texts of which parts are out
_RETRY_SECONDS = 1.0
_RENEW_SHARE = 0.7  # of a lease: with less left it is renewed
_MOST_KNOWN, _FORGOTTEN = 200_000, 20_000


@dataclass(slots=True)
class Flight:
    """A batch that is with the line; `lease_until` by the monotonic clock, a little before the database's. It takes so
    much room in the line's window; some of a trial's messages are kept back."""

    batch: Claimed
    lease_until: float
    room: int
    kept_back: Sequence[int] = ()


@dataclass(slots=True)
class Outgoing:
    """What is under way, which is of unknown fate when this job is killed.

    It stays bounded, however fast the operator takes it: what is submitted and not stored, by the batches that the
    gateway may have under way; what is with the line, by its window, so that hardly anything waits there unsent.
    """

    gateway: GatewayWay
    line: Line
    epoch: int
    pulse: Pulse
    rung: Event = field(default_factory=Event)  # set when there is something new to claim
    landed: Event = field(default_factory=Event)  # set when there is something to store
    is_sending: bool = True
    is_put_off: bool = False  # the trial, to the next batch that comes
    has_more: bool = True
    known: dict[str, Known] = field(default_factory=dict)  # by the operator's reference
    lock: Lock = field(default_factory=Lock)  # of what is known: others forget while we remember
    counting: Lock = field(default_factory=Lock)  # of `in_hand`: one thread hands over while another stores
    flights: dict[tuple[int, int], Flight] = field(default_factory=dict)  # by batch and attempt
    settled: deque[Result] = field(default_factory=deque)
    results: list[Result] = field(default_factory=list)  # settled, and being stored
    in_hand: int = 0  # messages submitted and not stored
    in_line: int = 0  # of the window, as if nothing of a batch were answered before all of it is
    has_stored: bool = False  # something, since this was last set back
    trouble_count: int = 0
    busy_count: int = 0

    @property
    def is_hungry(self) -> bool:
        """Whether there may be something to claim, and room for it."""
        return self.has_more and self.is_sending and self.line.is_ready and self._room > 0

    @property
    def _room(self) -> int:
        batch_size = self.gateway.batch_size
        window = self.line.window
        # Small batches fill the window just so; of large ones, one more stands ready behind it.
        most_in_line = window if batch_size * _SMALL <= window else window + batch_size
        return min(most_in_line - self.in_line, self.pulse.hands * batch_size - self.in_hand)

    # Claiming

    def claim(self) -> None:
        """Hand over as much as there is room for; what cannot be sent soon is taken back, as it never left."""
        if self.rung.is_set():
            self.rung.clear()
            self.has_more = True
        state, now = self.line.state, time.monotonic()
        is_stuck = state.busy_since is not None and now - state.busy_since > _BUSY_SECONDS
        is_cut = state.cut_since is not None and now - state.cut_since > _CUT_SECONDS
        if self.flights and (is_stuck or is_cut):
            self.line.take_back()
            return
        for _ in range(_CLAIMS):
            if not self.is_hungry:
                return
            self._claim_some(max(1, self._room // self.gateway.batch_size))

    def _claim_some(self, most: int, *, recipients: int | None = None) -> int:
        """Hand `most` batches over, of each so many recipients, or all; returns how many batches there were."""
        now = time.monotonic()
        with transaction():
            claimed = dispatch.claim(
                gateway_id=self.gateway.id,
                most=most,
                lease_seconds=self.gateway.lease_seconds,
                epoch=self.epoch,
                at=clock.now(),
            )
            marked = dispatch.mark_wire(claimed, timeout_seconds=self.gateway.timeout_seconds) if claimed else []
        self.has_more = len(claimed) == most
        for batch in marked:
            kept_back = [] if recipients is None else [each.message_id for each in batch.recipients[recipients:]]
            self.pulse.began(batch.id)
            room = self.line.submit(_submission(batch, recipients), batch)
            self.flights[batch.id, batch.attempt] = Flight(batch, now + self.gateway.lease_seconds, room, kept_back)
            self.in_line += room
            with self.counting:
                self.in_hand += len(batch.recipients)
        return len(marked)

    def renew(self, now: float) -> None:
        """Hold the batches longer whose messages are still on the wire."""
        lease_seconds = self.gateway.lease_seconds
        due = [each for each in list(self.flights.values()) if each.lease_until - now < _RENEW_SHARE * lease_seconds]
        ours = batches.renew_leases([(each.batch.id, each.batch.attempt) for each in due], lease_seconds=lease_seconds)
        for flight in due:
            if flight.batch.id in ours:
                flight.lease_until = now + lease_seconds

    # Health

    def go_by(self, way: GatewayWay | None) -> None:
        """Once a second: tell how the operator fares, and go by what it may be sent now; `way` is the gateway, if it
        may send. What waits in the line of one that may not goes back to the queue, and perhaps another way."""
        self._hear_of_line()
        silent_seconds, waiting = self.line.silent_seconds, len(self.flights)
        is_silent = waiting > 0 and silent_seconds >= self.pulse.guidance.silence_seconds
        self.pulse.tell(silence=Silence(waiting, silent_seconds, waiting) if is_silent else None)
        self.is_sending = way is not None and not way.is_trial
        self.is_put_off = self.is_put_off and way is not None and way.is_trial
        if self.is_sending:
            return
        if self.flights:
            self.line.take_back()
        elif way is not None and self.line.is_ready:
            self._try()

    def _try(self) -> None:
        """The breaker is not closed, and the operator has bound us: a few messages are risked. Where none wait it is
        gone round no longer, else none would ever come to try it with."""
        has_some = has_queued(gateway_id=self.gateway.id)
        release()
        if not has_some and self.is_put_off:
            return
        if self.pulse.begin_trial() and not self._claim_some(1, recipients=_TRIAL_SIZE):
            end_trial(self.gateway)
            self.is_put_off = True

    def _hear_of_line(self) -> None:
        """What went wrong before anything was on its way, and that the operator wants less."""
        state = self.line.state
        trouble = (
            state.trouble if isinstance(state.trouble, BadCredentials | OutOfCredit) else Unreachable(NOTHING_LEFT)
        )
        for place in range(min(state.trouble_count - self.trouble_count, _MOST_TROUBLES)):
            self._hear(("trouble", place), trouble)
        if state.busy_count != self.busy_count:
            self._hear("busy", _BUSY_THERE)
        self.trouble_count, self.busy_count = state.trouble_count, state.busy_count

    def _hear(self, ticket: Hashable, error: SmsError | None) -> None:
        self.pulse.began(ticket)
        self.pulse.ended(ticket, error)

    # Storing

    def gather(self) -> None:
        """Take what was settled off the line, which has room for more then; it is stored beside that."""
        found = [self._result(settled) for settled in self.line.settled()]
        if found:
            self.settled.extend(found)
            self.landed.set()

    def turn(self) -> None:
        """Wait for what was settled, and store it."""
        if not self.results and self.landed.wait(_LISTEN_SECONDS):
            self.landed.clear()
            time.sleep(_GATHER_SECONDS)
        self.store()

    def store(self) -> None:
        """Store what was settled. Nothing is forgotten when that fails: it is stored at the next call."""
        self.results += [self.settled.popleft() for _ in range(len(self.settled))]
        if not self.results:
            return
        at = clock.now()
        with transaction():
            ours = dispatch.record(
                self.results,
                gateway_id=self.gateway.id,
                lookup_after_seconds=None,
                poll_after_seconds=self.gateway.report_horizon_seconds,
                at=at,
            )
            # What the operator took is true also of batches whose lease had ended meanwhile.
            late = dispatch.late([result for result in self.results if result.batch.id not in ours])
            refs = {message_id: answer.operator_ref for message_id, answer in late.items()}
            unknown.found(refs, gateway_id=self.gateway.id, at=at)
        for result in self.results:
            self._land(result)
        self.results = []
        self.line.wake.set()  # more may be claimed than before
        self.pulse.tell()

    def _result(self, settled: Settled) -> Result:
        batch = settled.ticket
        if not isinstance(batch, Claimed):
            raise TypeError("a ticket that is none of ours")
        is_busy = self.line.state.busy_since is not None
        flight = self.flights[batch.id, batch.attempt]
        self.in_line -= flight.room
        unsent = [*settled.unsent, *flight.kept_back]
        is_unsent = len(unsent) == len(batch.recipients)
        if is_unsent:
            self.pulse.forgotten(batch.id)
        else:
            error = None if settled.answers else Unanswered(UNKNOWN_FATE)
            self.pulse.ended(batch.id, error, submitted=len(settled.answers), seconds=settled.seconds)
        return Result(
            batch,
            answers=settled.answers,
            parts=settled.parts,
            unsent=unsent,
            is_unsent=is_unsent,
            retry_seconds=_RETRY_SECONDS if is_busy else 0.0,
        )

    def _land(self, result: Result) -> None:
        """Remember which message a reference stands for, until its report comes or newer ones need the room."""
        self.flights.pop((result.batch.id, result.batch.attempt), None)  # it may be on its way anew
        with self.counting:
            self.in_hand -= len(result.batch.recipients)
        self.has_stored = True
        attempt, known, in_parts = result.batch.attempt, self.known, bool(result.parts)
        for recipient in result.batch.recipients:
            answer = result.answers.get(recipient.message_id)
            if answer is not None and answer.kind is AnswerKind.ACCEPTED and not in_parts:
                known[answer.operator_ref] = Known(recipient.message_id, recipient.number, attempt, 0)
        numbers = {recipient.message_id: recipient.number for recipient in result.batch.recipients if in_parts}
        for part in result.parts:
            known[part.operator_ref] = Known(part.message_id, numbers[part.message_id], attempt, part.part)
        known.pop("", None)
        if len(known) > _MOST_KNOWN:
            with self.lock:
                for ref in list(islice(known, _FORGOTTEN)):
                    del known[ref]


def _submission(batch: Claimed, most: int | None) -> Submission:
    return Submission(
        line_number=batch.line_number,
        body=batch.body,
        is_unicode=batch.is_unicode,
        envelopes=batch.envelopes(most),
        joined_units=batch.joined_units,
        reference=batch.id,
    )
