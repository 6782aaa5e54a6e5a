"""What talks with an operator teach: counted by the minute, and told to breaker and brownout at once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sms.core.db import execute, row
from sms.operators.health import queries
from sms.operators.health.operations.standing import locked, store
from sms.operators.health.queries import Standing
from sms.operators.health.rules import breaker as breakers
from sms.operators.health.rules import pace
from sms.operators.health.rules.breaker import Breaker, Permit, Silence
from sms.operators.health.rules.pace import Bucket
from sms.operators.health.rules.talks import Talk, TalkKind, Verdict, minute_of, tally

_COUNT = """
INSERT INTO operators_minute AS m (gateway_id, minute, kind, calls, failures, throttles, retries, submitted, latency_ms,
    histogram)
VALUES (:gateway_id, :minute, :kind, :calls, :failures, :throttles, :retries, :submitted, :latency_ms, :histogram)
ON CONFLICT (gateway_id, minute, kind) DO UPDATE
SET calls = m.calls + excluded.calls, failures = m.failures + excluded.failures,
    throttles = m.throttles + excluded.throttles, retries = m.retries + excluded.retries,
    submitted = m.submitted + excluded.submitted, latency_ms = m.latency_ms + excluded.latency_ms,
    histogram = ARRAY(SELECT a + b FROM unnest(m.histogram, excluded.histogram) WITH ORDINALITY AS n (a, b, place)
                      ORDER BY place)
"""


@dataclass(frozen=True, slots=True)
class Guidance:
    """What whoever talks to the operator goes by, until it tells the next time what it heard."""

    permit: Permit = Permit.ALL
    factor: float = 1.0  # of the requests at once
    silence_seconds: float = breakers.LEAST_SILENCE_SECONDS
    retries_left: int = pace.LEAST_RETRIES


def note_talks(
    *, gateway_id: int, kind: TalkKind, talks: Sequence[Talk], silence: Silence | None = None, at: datetime
) -> Guidance:
    """Count talks, in the order in which they ended, and judge by them how the gateway may go on.

    `silence` tells of requests that are under way for too long. Questions are counted and decide nothing.
    """
    if talks:
        _count(gateway_id, kind, talks, at=at)
    before = locked(gateway_id)
    if kind is TalkKind.ASK:
        return _guidance(before, at=at)
    breaker = breakers.after_talks(before.breaker, talks, at=at)
    if silence is not None:
        breaker = breakers.after_silence(breaker, silence, at=at)
    brownout = before.brownout
    if any(talk.verdict is Verdict.THROTTLED for talk in talks):
        brownout = pace.after_throttle(brownout, at=at)
    elif not before.is_slow:
        brownout = pace.recovering(brownout, at=at)
    after = replace(before, breaker=breaker, brownout=brownout)
    store(before, after, at=at)
    return _guidance(after, at=at)


def _count(gateway_id: int, kind: TalkKind, talks: Sequence[Talk], *, at: datetime) -> None:
    counted = asdict(tally(talks))
    execute(_COUNT, gateway_id=gateway_id, minute=minute_of(at), kind=str(kind), **counted)


def guidance(gateway_id: int, *, at: datetime) -> Guidance:
    """What to go by before anything was heard; changes nothing."""
    return _guidance(queries.standing(gateway_id), at=at)


def _guidance(standing: Standing, *, at: datetime) -> Guidance:
    return Guidance(
        permit=breakers.permit(standing.breaker, standing.override, at=at),
        factor=standing.brownout.factor,
        silence_seconds=breakers.silence_seconds(standing.usual_p95_ms),
        retries_left=queries.budget(standing.gateway_id, at=at),
    )


# Trials of a gateway whose breaker is not closed


def begin_trial(*, gateway_id: int, seconds: float, at: datetime) -> bool:
    """Begin the one trial, for at most `seconds`; false when it is not the time for one, or another is under way."""
    before = locked(gateway_id)
    begun = breakers.begin_trial(before.breaker, seconds=seconds, at=at)
    if begun is None:
        return False
    _store(before, begun, at=at)
    return True


def put_off_trial(*, gateway_id: int, at: datetime) -> None:
    """The operator seems to be there again, and nothing waits to try it with: the next batch will be the trial."""
    before = locked(gateway_id)
    _store(before, breakers.put_off_trial(before.breaker), at=at)


def fail_trial(*, gateway_id: int, at: datetime) -> None:
    """The operator did not answer even before a batch was risked."""
    before = locked(gateway_id)
    if before.breaker.state is breakers.BreakerState.HALF_OPEN:
        _store(before, breakers.opened_again(before.breaker, at=at), at=at)


def _store(before: Standing, breaker: Breaker, *, at: datetime) -> None:
    store(before, replace(before, breaker=breaker), at=at)


# Requests a second


def take_calls(*, gateway_id: int, kind: TalkKind, wanted: int, per_second: float, at: datetime) -> int:
    """How many of the wanted requests may begin now, 0 for none; sends go before questions."""
    granted = pace.take(_bucket(gateway_id, at), wanted=wanted, per_second=per_second, kind=kind, at=at)
    _keep(gateway_id, granted.bucket)
    return granted.granted


def give_back_calls(*, gateway_id: int, count: int, per_second: float, at: datetime) -> None:
    """Put back what was taken and not used; a negative count is taken in addition."""
    if count:
        _keep(gateway_id, pace.give_back(_bucket(gateway_id, at), count=count, per_second=per_second))


def _bucket(gateway_id: int, at: datetime) -> Bucket:
    execute(
        "INSERT INTO operators_bucket (gateway_id, full_at) VALUES (:id, :at) ON CONFLICT DO NOTHING",
        id=gateway_id,
        at=at,
    )
    found = row("SELECT full_at, asked_at FROM operators_bucket WHERE gateway_id = :id FOR UPDATE", id=gateway_id)
    return Bucket(found.full_at, found.asked_at) if found else Bucket(at)


def _keep(gateway_id: int, bucket: Bucket) -> None:
    execute(
        "UPDATE operators_bucket SET full_at = :full_at, asked_at = :asked_at WHERE gateway_id = :id",
        id=gateway_id,
        full_at=bucket.full_at,
        asked_at=bucket.asked_at,
    )
