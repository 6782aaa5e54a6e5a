"""The hands of a gateway: claims batches, talks to the operator in threads, stores what it said. One per gateway at
a time."""

import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from jobs.health import Pulse, begin_trial, end_trial, give_back_calls, take_calls
from sms.core import clock
from sms.core.config import settings
from sms.core.crash import crash_point
from sms.core.db import release, transaction
from sms.core.errors import SmsError
from sms.operators import operations as operators
from sms.operators import queries as operator_queries
from sms.operators.contract import (
    Answer,
    AnswerKind,
    BadCredentials,
    Operator,
    OutOfCredit,
    Refused,
    Submission,
    Unanswered,
    Unreachable,
)
from sms.operators.health.rules.breaker import Permit
from sms.operators.health.rules.talks import TalkKind
from sms.operators.queries import GatewayWay
from sms.operators.rules import Outcome
from sms.outbox.operations import dispatch, unknown
from sms.outbox.operations.claiming import seconds_to_next
from sms.outbox.operations.dispatch import Claimed, Result
from sms.outbox.queries.waiting import current_epoch

log = logging.getLogger(__name__)
_GATHER_SECONDS = 0.02  # answers that come this close together share a commit
_LISTEN_SECONDS = 1.0  # an operator that answers nothing is noticed without its answer
_PACE_SECONDS = 0.05
_RETRY_SECONDS = 1.0
_PUT_OFF_SECONDS = (5.0, 15.0)  # a batch that was to be sent once more while too many are
_TRIAL_SIZE = 10  # messages risked with an operator that failed


@dataclass(slots=True)
class Sender:
    """Drains one gateway's queue until it is empty, the gateway fails, or `seconds` are over.

    A gateway that failed last time is tried with a single batch first: an operator that takes everything and answers
    nothing costs one batch of unknown fate a try, not all that the gateway could carry.
    """

    gateway: GatewayWay
    adapter: Operator
    seconds: float = 60.0
    pool: ThreadPoolExecutor = field(init=False)
    flying: set[Future[Result]] = field(default_factory=set)
    landed: list[Result] = field(default_factory=list)  # answered, not stored yet
    epoch: int = field(init=False)
    is_trying: bool = field(init=False)
    is_stopped: bool = False
    has_noted: bool = False
    is_paced: bool = False  # something may wait that the limit of requests a second holds back
    pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        self.is_trying = self.gateway.failure_count > 0 or self.gateway.is_trial
        self.pulse = Pulse(self.gateway, TalkKind.SEND)

    def run(self) -> int:
        """Send; returns the number of batches handed over."""
        deadline = time.monotonic() + self.seconds
        self.epoch = current_epoch()
        release()
        stored = 0
        with ThreadPoolExecutor(self.gateway.concurrency, thread_name_prefix="send") as self.pool:
            try:
                while True:
                    self.is_paced = False
                    if not self.is_stopped and time.monotonic() < deadline:
                        self._launch()
                    if self.landed:  # only now: what was just claimed flies while this is stored
                        stored += self._store()
                    elif self.flying:
                        self._land()
                    elif self.is_paced:
                        time.sleep(_PACE_SECONDS)
                    else:
                        break
                    self._listen()
            finally:
                stored += self._store_rest()
        self.pulse.tell(at_once=True)
        return stored

    def _store_rest(self) -> int:
        """Also when claiming failed: what was answered stays true, and what has not begun is put back."""
        self.is_stopped = True
        stored = 0
        while self.flying or self.landed:
            if not self.landed:
                self._land()
            stored += self._store() if self.landed else 0
        return stored

    def _listen(self) -> None:
        """Stop when the breaker has opened, or staff hold the gateway back; what is on the wire is waited for."""
        guidance = self.pulse.tell()
        if guidance.permit is not Permit.ALL and not self.pulse.is_trial:
            self.is_stopped = True

    def _launch(self) -> None:
        """Claim as much as there is room for: what is sent and not yet stored stays bounded."""
        wanted = self._room()
        room = take_calls(self.gateway, TalkKind.SEND, wanted) if wanted else 0
        self.is_paced = room < wanted
        if not room:
            return
        claimed_at = time.monotonic()
        claimed = self._claim(room)
        if not claimed:
            return
        crash_point("claimed")
        with transaction():
            marked = dispatch.mark_wire(claimed, timeout_seconds=self.gateway.timeout_seconds)
        crash_point("wire_marked")
        # A batch may wait for a thread; begun later than this, its answer could come after its lease has ended.
        begin_before = claimed_at + self.gateway.lease_seconds - self.gateway.timeout_seconds
        self.flying |= {self.pool.submit(self._send, batch, begin_before) for batch in marked}

    def _claim(self, room: int) -> list[Claimed]:
        """Batches for as many requests as were taken out of the bucket; what is not used goes back into it."""
        with transaction():
            claimed = dispatch.claim(
                gateway_id=self.gateway.id,
                most=room,
                lease_seconds=self.gateway.lease_seconds,
                epoch=self.epoch,
                at=clock.now(),
            )
            if len(claimed) < room:
                self.is_paced = seconds_to_next(gateway_id=self.gateway.id) is not None
        claimed = self._within_budget(claimed)
        give_back_calls(self.gateway, room - len(claimed))
        return claimed

    def _room(self) -> int:
        if self.is_trying:
            return 0 if self.flying or self.landed else 1
        hands = self.pulse.hands
        if hands < self.gateway.concurrency or self.gateway.per_second is not None:
            return max(0, hands - len(self.flying))  # none waits for a thread, all begin at once
        room = 2 * hands - len(self.flying)
        return room if room >= hands else 0

    def _within_budget(self, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Those that may go; what was sent before is put off when too much is sent once more."""
        again = [batch for batch in claimed if batch.attempt > 1]
        over = [] if self.is_trying else again[max(0, self.pulse.retries_left) :]
        if over:
            put_off = [Result(batch, is_unsent=True, retry_seconds=random.uniform(*_PUT_OFF_SECONDS)) for batch in over]
            with transaction():
                dispatch.requeue(put_off)
        ids = {batch.id for batch in over}
        return [batch for batch in claimed if batch.id not in ids]

    def _send(self, batch: Claimed, begin_before: float) -> Result:
        """In a thread: hand a batch over, or leave it when the gateway failed meanwhile or its lease runs short."""
        if self.is_stopped or time.monotonic() > begin_before:
            return Result(batch, is_unsent=True)
        self.pulse.began(batch.id, is_retry=batch.attempt > 1)
        result = hand_over(self.adapter, batch, most=_TRIAL_SIZE if self.pulse.is_trial else None)
        self.pulse.ended(batch.id, result.error, submitted=len(result.answers))
        crash_point("reply_read")
        if result.error is not None:
            self.is_stopped = True  # before this thread takes the next batch
        return result

    def _land(self) -> None:
        done, waiting = wait(self.flying, timeout=_LISTEN_SECONDS, return_when=FIRST_COMPLETED)
        if done and waiting:
            done, _ = wait(self.flying, timeout=_GATHER_SECONDS)
        self.flying -= done
        self.landed = [future.result() for future in done]

    def _store(self) -> int:
        """Store what has landed; returns the number of batches that were handed over."""
        results, self.landed = self.landed, []
        with transaction():
            ours = dispatch.record(
                results,
                gateway_id=self.gateway.id,
                lookup_after_seconds=self.gateway.lookup_after_seconds,
                poll_after_seconds=self.gateway.polling_plan_seconds[0],
                at=clock.now(),
            )
            late = dispatch.late([result for result in results if result.batch.id not in ours])
            refs = {message_id: answer.operator_ref for message_id, answer in late.items()}
            unknown.found(refs, gateway_id=self.gateway.id, at=clock.now())
            crash_point("reply_stored")
        self._note_health(results)
        return sum(not result.is_unsent for result in results)

    def _note_health(self, results: Sequence[Result]) -> None:
        """One failure a job, however many threads met it; but what stops the gateway is always heard."""
        errors = [result.error for result in results if result.error is not None]
        stopping = next((error for error in errors if operators.stop_reason(error)), None)
        error = stopping or (errors[0] if errors and not self.has_noted else None)
        if error is not None:
            self.has_noted = True
            log.warning("gateway %s: %s", self.gateway.id, type(error).__name__)
            with transaction():
                operators.note_failure(gateway_id=self.gateway.id, error=error, at=clock.now())
        elif self.is_trying and any(result.answers for result in results):
            with transaction():
                operators.note_success(gateway_id=self.gateway.id, at=clock.now())
            self.is_trying = False


def hand_over(adapter: Operator, batch: Claimed, *, most: int | None = None) -> Result:
    """One conversation with the operator, about `most` recipients of a batch, or all. Only an explicit refusal, or no
    connection at all, proves that nothing was sent."""
    if most is None or len(batch.recipients) <= most:
        return _hand_over(adapter, batch)
    result = _hand_over(adapter, replace(batch, recipients=batch.recipients[:most]))
    kept_back = [] if result.is_unsent else [recipient.message_id for recipient in batch.recipients[most:]]
    return replace(result, batch=batch, unsent=kept_back)


def _hand_over(adapter: Operator, batch: Claimed) -> Result:
    submission = Submission(
        line_number=batch.line_number,
        body=batch.body,
        is_unicode=batch.is_unicode,
        envelopes=batch.envelopes(),
    )
    try:
        return Result(batch, answers=_by_id(adapter.submit(submission)))
    except Unanswered as error:
        return Result(batch, answers=_by_id(error.answers), error=error if not error.answers else None)
    except (Unreachable, OutOfCredit, BadCredentials) as error:
        return Result(batch, is_unsent=True, retry_seconds=_RETRY_SECONDS, error=error)
    except Refused as error:
        if error.retry_after_seconds is not None:
            return Result(batch, is_unsent=True, retry_seconds=error.retry_after_seconds, error=error)
        return Result(batch, answers=_all_refused(batch, error))
    except Exception as error:
        log.exception("adapter failed")
        return Result(batch, error=SmsError(operators.ADAPTER_FAILED, kind=type(error).__name__))


def _by_id(answers: Sequence[Answer]) -> dict[int, Answer]:
    return {answer.message_id: answer for answer in answers}


def _all_refused(batch: Claimed, error: Refused) -> dict[int, Answer]:
    return {
        recipient.message_id: Answer(recipient.message_id, AnswerKind.REFUSED, code=error.code, outcome=Outcome.REFUSED)
        for recipient in batch.recipients
    }


def drain(gateway_id: int) -> int:
    """Send what waits for a gateway, if it may send now; returns the number of batches handed over."""
    gateway = operator_queries.sendable_gateway(gateway_id, at=clock.now())
    release()
    if gateway is None:
        return 0
    try:
        adapter = operator_queries.open_adapter(gateway, seal_key=settings().seal_key)
    except SmsError as error:
        log.warning("gateway %s cannot be opened: %s", gateway_id, type(error).__name__)
        with transaction():
            operators.note_failure(gateway_id=gateway_id, error=error, at=clock.now())
        return 0
    try:
        if gateway.is_trial and not begin_trial(gateway):
            return 0
        return Sender(gateway, adapter).run()
    finally:
        adapter.close()
        if gateway.is_trial:
            end_trial(gateway)
