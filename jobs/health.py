"""Health of gateways: what jobs tell of their talks, how fast they may go on, and the judge of all gateways.

Whoever talks to an operator keeps a `Pulse` and calls `began` when a request leaves, `ended` when it is over (both from
any thread), and `tell` now and then from the thread that owns the database session, outside any transaction. What
`tell` returns says whether to go on: `permit` is NOTHING when the breaker is open, `factor` cuts the requests at once.
"""

import threading
import time
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import NamedTuple

from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.queue import Job, answered, ring, sending_queue
from sms.operators import operations as operators
from sms.operators.health import queries
from sms.operators.health.operations import judging, talks
from sms.operators.health.operations.talks import Guidance
from sms.operators.health.rules.breaker import BreakerState, Permit, Silence
from sms.operators.health.rules.pace import hands_of
from sms.operators.health.rules.talks import Talk, TalkKind, Verdict, minute_of, verdict_of
from sms.operators.queries import GatewayWay
from sms.outbox.queries import flow

_TELL_SECONDS = 1.0
_PROBE_SECONDS = 10.0
_TRIAL_SLACK_SECONDS = 10.0
_DELIVERED_MINUTES = 5
_LATE_MINUTES = 3  # a minute that is looked at later than this would count more than others do


class _Begun(NamedTuple):
    at: float
    is_retry: bool
    is_trial: bool


class Pulse:
    """The talks of one job with one gateway's operator."""

    def __init__(self, gateway: GatewayWay, kind: TalkKind, *, hears_silence: bool = True) -> None:
        self.is_trial = gateway.is_trial  # until the trial is over, what begins belongs to it
        self.guidance: Guidance = talks.guidance(gateway.id, at=clock.now())
        self._gateway = gateway
        self._kind = kind
        self._hears_silence = hears_silence
        self._lock = threading.Lock()
        self._begun: dict[Hashable, _Begun] = {}
        self._ended: list[Talk] = []
        self._retries = 0
        self._answered_at = self._told_at = time.monotonic()

    @property
    def hands(self) -> int:
        """How many requests may be under way at once."""
        return hands_of(self._gateway.concurrency, self.guidance.factor)

    @property
    def retries_left(self) -> int:
        """How many batches may be sent once more."""
        return self.guidance.retries_left - self._retries

    def began(self, ticket: Hashable, *, is_retry: bool = False) -> None:
        """A request leaves now."""
        with self._lock:
            self._begun[ticket] = _Begun(time.monotonic(), is_retry, self.is_trial)
            self._retries += is_retry

    def ended(
        self, ticket: Hashable, error: SmsError | None = None, *, submitted: int = 0, seconds: float | None = None
    ) -> None:
        """A request is over: answered, or not for the reason of `error`; so many messages were accepted. It took the
        time since it began, or so many `seconds`."""
        now, verdict = time.monotonic(), verdict_of(error)
        with self._lock:
            begun = self._begun.pop(ticket, None)
            if begun is None:
                return
            took = now - begun.at if seconds is None else seconds
            self._ended.append(Talk(verdict, took, submitted, begun.is_retry, begun.is_trial))
            if verdict is not Verdict.FAILED:
                self._answered_at = now

    def forgotten(self, ticket: Hashable) -> None:
        """Nothing of this request left after all."""
        with self._lock:
            self._begun.pop(ticket, None)

    def tell(self, *, at_once: bool = False, silence: Silence | None = None) -> Guidance:
        """Hand over what was heard, once a second or when something is wrong; returns what to go by. A `silence` is
        told by whoever hears of it elsewhere."""
        now = time.monotonic()
        with self._lock:
            is_news = any(talk.is_trial or talk.verdict is not Verdict.ANSWERED for talk in self._ended)
            if not (at_once or is_news or now - self._told_at >= _TELL_SECONDS):
                return self.guidance
            ended, self._ended, self._retries, self._told_at = self._ended, [], 0, now
            silence = silence or self._silence(now)
        with transaction():
            self.guidance = talks.note_talks(
                gateway_id=self._gateway.id, kind=self._kind, talks=ended, silence=silence, at=clock.now()
            )
        self.is_trial = self.is_trial and self.guidance.permit is not Permit.ALL
        return self.guidance

    def begin_trial(self) -> bool:
        """For whoever stays connected: what begins from now on is the one trial of a breaker that is not closed; hand
        over one batch. False when it is not the time for a trial. Call it where `tell` may be called."""
        seconds = self._gateway.timeout_seconds + _TRIAL_SLACK_SECONDS
        with transaction():
            self.is_trial = talks.begin_trial(gateway_id=self._gateway.id, seconds=seconds, at=clock.now())
        return self.is_trial

    def _silence(self, now: float) -> Silence | None:
        """The requests that wait for too long, while no other was answered."""
        limit = self.guidance.silence_seconds
        if not self._hears_silence or now - self._answered_at < limit:
            return None
        waiting = [now - begun.at for begun in self._begun.values() if now - begun.at >= limit]
        hands = 1 if self.is_trial else self.hands
        return Silence(len(waiting), max(waiting), hands) if waiting else None


# Requests a second


def take_calls(gateway: GatewayWay, kind: TalkKind, wanted: int) -> int:
    """How many of the wanted requests may begin now; all of them at a gateway without a limit."""
    if gateway.per_second is None:
        return wanted
    with transaction():
        return talks.take_calls(
            gateway_id=gateway.id, kind=kind, wanted=wanted, per_second=gateway.per_second, at=clock.now()
        )


def give_back_calls(gateway: GatewayWay, count: int) -> None:
    """Put back what was taken and not used; a negative count is taken in addition."""
    if gateway.per_second is not None and count:
        with transaction():
            talks.give_back_calls(gateway_id=gateway.id, count=count, per_second=gateway.per_second, at=clock.now())


# Trials


def begin_trial(gateway: GatewayWay) -> bool:
    """Begin the one trial of a gateway whose breaker is not closed: something harmless is asked first, so that one that
    hangs costs no batch at all. Returns whether a batch is to be tried now."""
    seconds = _PROBE_SECONDS + gateway.timeout_seconds + _TRIAL_SLACK_SECONDS
    with transaction():
        if not talks.begin_trial(gateway_id=gateway.id, seconds=seconds, at=clock.now()):
            return False
    checked = operators.ask_balance(gateway, seal_key=settings().seal_key, at_most_seconds=_PROBE_SECONDS)
    if checked.error is None or verdict_of(checked.error) is Verdict.THROTTLED:
        return True
    with transaction():
        operators.note_failure(gateway_id=gateway.id, error=checked.error, at=clock.now())
        talks.fail_trial(gateway_id=gateway.id, at=clock.now())
    return False


def end_trial(gateway: GatewayWay) -> None:
    """The trial's job is over. When there was nothing to send, the next batch is the trial, whenever it comes."""
    with transaction():
        talks.put_off_trial(gateway_id=gateway.id, at=clock.now())


# The judge


def judge_gateways() -> None:
    """Look at all gateways together: queues, deliveries, latency, credit; and have tried what may be tried again."""
    answered(Job.JUDGE_GATEWAYS)
    at = clock.now()
    with transaction():
        judging.note_queues(flow.queued_by_gateway(), at=at)
        if judging.note_deliveries(_handed(at), at=at):
            judging.judge_reports(at=at)
    with transaction():
        judging.judge_latency(at=at)
    with transaction():
        judging.judge_conditions(at=at)
    with transaction():
        for found in queries.standings():
            is_due = found.breaker.trial_at is not None and found.breaker.trial_at <= at
            if found.is_on and found.breaker.state is BreakerState.OPEN and is_due:
                ring(Job.DISPATCH, queue=sending_queue(found.gateway_id), gateway_id=found.gateway_id)


def _handed(at: datetime) -> list[judging.Handed]:
    """What was handed over in the minutes that have just become old enough, and were not counted yet."""
    until = minute_of(at) - timedelta(minutes=_DELIVERED_MINUTES)
    since = until - timedelta(minutes=_LATE_MINUTES)
    last = queries.last_delivery(since=since)
    if last is not None:
        since = last + timedelta(minutes=1)
    return [judging.Handed(**found._mapping) for found in flow.handed_over(since=since, until=until)]
