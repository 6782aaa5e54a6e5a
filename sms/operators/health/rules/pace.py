"""How fast a gateway goes: brownout, retry budget, and the bucket of requests a second."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sms.operators.health.rules.talks import TalkKind

# Brownout: an operator that wants less gets half, at once, and then a little more every few seconds.

HALVE_AT_MOST_EVERY_SECONDS = 5.0  # threads that are throttled together are one throttling
LEAST_FACTOR = 1 / 16
LEAST_FACTOR_SLOW = 0.5  # slowness is halved once; what is merely slow still works
STEP_UP = 0.1
STEP_UP_SECONDS = 10.0


class BrownoutCause(StrEnum):
    """Why a gateway goes slower than it is set to."""

    THROTTLED = "throttled"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Brownout:
    """By which factor a gateway's requests at once are cut; `at` is when that last changed."""

    factor: float = 1.0
    cause: BrownoutCause | None = None
    at: datetime | None = None


def after_throttle(brownout: Brownout, *, at: datetime) -> Brownout:
    """Halved, unless that was done just now."""
    return _halved(brownout, BrownoutCause.THROTTLED, LEAST_FACTOR, at)


def after_slowness(brownout: Brownout, *, at: datetime) -> Brownout:
    """Halved once."""
    return _halved(brownout, BrownoutCause.SLOW, LEAST_FACTOR_SLOW, at)


def _halved(brownout: Brownout, cause: BrownoutCause, least: float, at: datetime) -> Brownout:
    if brownout.factor <= least or (brownout.at and (at - brownout.at).total_seconds() < HALVE_AT_MOST_EVERY_SECONDS):
        return brownout
    return Brownout(max(brownout.factor / 2, least), cause, at)


def recovering(brownout: Brownout, *, at: datetime) -> Brownout:
    """A step up for every ten seconds without trouble, back to full speed."""
    if brownout.factor >= 1 or brownout.at is None:
        return brownout
    steps = int((at - brownout.at).total_seconds() // STEP_UP_SECONDS)
    if steps <= 0:
        return brownout
    factor = min(1.0, round(brownout.factor + steps * STEP_UP, 4))
    if factor >= 1:
        return Brownout(at=at)
    return replace(brownout, factor=factor, at=brownout.at + timedelta(seconds=steps * STEP_UP_SECONDS))


def hands_of(concurrency: int, factor: float) -> int:
    """How many requests at once are left of so many."""
    return max(1, math.floor(concurrency * factor))


# Retry budget

RETRY_SHARE = 0.1
LEAST_RETRIES = 20
BUDGET_MINUTES = 2
UNLIMITED = 1_000_000


def retries_left(*, calls: int, retries: int, failures: int) -> int:
    """How many batches may be sent again now, after so many requests, retries and failures lately: a tenth of the
    requests, and a few where there are hardly any, so that trying again never keeps a weak operator down. One that
    fails at nothing is not weak; what a bad hour left to be sent once more goes at full speed."""
    if not failures:
        return UNLIMITED
    return max(0, max(LEAST_RETRIES, math.floor(calls * RETRY_SHARE)) - retries)


# Requests a second

ASKING_SHARE = 0.1
_SLACK_SECONDS = 1.0


class Bucket(NamedTuple):
    """A token bucket, kept as the moment at which it will be full again."""

    full_at: datetime
    asked_at: datetime | None = None


class Grant(NamedTuple):
    """How many requests may begin now, and the bucket after that."""

    granted: int
    bucket: Bucket


def take(bucket: Bucket, *, wanted: int, per_second: float, kind: TalkKind, at: datetime) -> Grant:
    """Take up to `wanted` requests out of a bucket that holds one second's worth.

    Sends take what there is. Questions take what sends leave: the upper half of the bucket; and when that is always
    empty, still every tenth request.
    """
    most = max(per_second, 1.0)
    # A clock that was set back must not leave a bucket empty for hours.
    full_at = min(max(bucket.full_at, at), at + timedelta(seconds=2 * most / per_second + _SLACK_SECONDS))
    held = most - (full_at - at).total_seconds() * per_second
    asked_at = bucket.asked_at
    if kind is TalkKind.ASK:
        held -= most / 2 if most > 1 else 0
        has_waited = asked_at is None or (at - asked_at).total_seconds() >= 1 / (ASKING_SHARE * per_second)
        held = max(held, 1.0) if has_waited else held
    count = max(0, min(wanted, math.floor(held + 1e-9)))
    if count and kind is TalkKind.ASK:
        asked_at = at
    return Grant(count, Bucket(full_at + timedelta(seconds=count / per_second), asked_at))


def give_back(bucket: Bucket, *, count: int, per_second: float) -> Bucket:
    """Put back what was taken and not used; a negative count is a debt."""
    return bucket._replace(full_at=bucket.full_at - timedelta(seconds=count / per_second))
