"""What a talk with an operator comes to, and how many of them are counted together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from sms.core.errors import SmsError
from sms.core.text import N_
from sms.operators.contract import (
    NOTHING_LEFT,
    BadCredentials,
    OutOfCredit,
    Refused,
    Unanswered,
    Unreachable,
)

_NOT_REACHED = N_("The operator could not be reached. Check the address, and whether this server is let through to it.")
_NO_ANSWER = N_("The operator was reached, but no whole answer came in time.")
_OTHER_TONGUE = N_("Something answered, but not as this operator does. Check the address.")
_WRONG_CREDENTIALS = N_(
    "The operator was reached, but does not accept these credentials or this server's address (code %(code)s)."
)
_EMPTY = N_("The credentials are right, but our account at the operator has no credit left (code %(code)s).")
_NOT_NOW = N_("The operator was reached, but refused the question (code %(code)s).")


class TalkKind(StrEnum):
    """What a talk was for; only sends decide about the breaker."""

    SEND = "send"
    ASK = "ask"


class Verdict(StrEnum):
    """What a talk says of the operator's health."""

    ANSWERED = "answered"  # also a refusal: it is there
    FAILED = "failed"  # no connection, no answer in time, or something no operator says
    THROTTLED = "throttled"  # it is there, and wants less


class Talk(NamedTuple):
    """One request and its end; only a talk marked as the trial decides about a breaker that is half open."""

    verdict: Verdict
    seconds: float
    submitted: int = 0  # messages it accepted
    is_retry: bool = False
    is_trial: bool = False


def explained(error: SmsError) -> SmsError:
    """What a failed question to an operator means for the person who set the gateway up; other errors as they are."""
    match error:
        case BadCredentials():
            return SmsError(_WRONG_CREDENTIALS, code=error.code)
        case OutOfCredit():
            return SmsError(_EMPTY, code=error.code)
        case Refused():
            return SmsError(_NOT_NOW, code=error.code)
        case Unreachable() if error.message == NOTHING_LEFT:
            return SmsError(_NOT_REACHED)
        case Unanswered():
            # Raised while listening, or by the adapter that could make nothing of what it heard.
            return SmsError(_NO_ANSWER if error.__cause__ else _OTHER_TONGUE)
        case _:
            return error


def verdict_of(error: SmsError | None) -> Verdict:
    """The verdict on a talk that ended with this error; business errors are answers."""
    if error is None:
        return Verdict.ANSWERED
    if isinstance(error, Refused):
        return Verdict.ANSWERED if error.retry_after_seconds is None else Verdict.THROTTLED
    return Verdict.FAILED


# A coarse histogram of latencies: a talk of at most so many milliseconds falls into the bucket.
BOUNDS_MS = (50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 204_800)


def bucket_of(seconds: float) -> int:
    """The place of a latency in a histogram."""
    return next((place for place, bound in enumerate(BOUNDS_MS) if seconds * 1000 <= bound), len(BOUNDS_MS) - 1)


def percentile_ms(histogram: Sequence[int], share: float) -> int | None:
    """The latency that `share` of the talks did not exceed, within its bucket reckoned evenly; None of no talks."""
    wanted = sum(histogram) * share
    if not wanted:
        return None
    for place, upto in enumerate(accumulate(histogram)):
        if upto >= wanted:
            low = BOUNDS_MS[place - 1] if place else 0
            inside = 1 - (upto - wanted) / histogram[place]
            return round(low + inside * (BOUNDS_MS[place] - low))
    return None


def summed(histograms: Sequence[Sequence[int]]) -> list[int]:
    """Several histograms as one."""
    return [sum(counts) for counts in zip(*histograms, strict=True)] if histograms else [0] * len(BOUNDS_MS)


@dataclass(frozen=True, slots=True)
class Tally:
    """Talks counted together."""

    calls: int
    failures: int
    throttles: int
    retries: int
    submitted: int
    latency_ms: int
    histogram: Sequence[int]


def tally(talks: Sequence[Talk]) -> Tally:
    """Count talks."""
    histogram = [0] * len(BOUNDS_MS)
    for talk in talks:
        histogram[bucket_of(talk.seconds)] += 1
    return Tally(
        calls=len(talks),
        failures=sum(talk.verdict is Verdict.FAILED for talk in talks),
        throttles=sum(talk.verdict is Verdict.THROTTLED for talk in talks),
        retries=sum(talk.is_retry for talk in talks),
        submitted=sum(talk.submitted for talk in talks),
        latency_ms=round(sum(talk.seconds for talk in talks) * 1000),
        histogram=histogram,
    )


def minute_of(moment: datetime) -> datetime:
    """The beginning of a moment's minute."""
    return moment.replace(second=0, microsecond=0)
