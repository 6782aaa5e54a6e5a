"""The breaker of a gateway: opens when its operator fails, tries with one batch, closes when that is answered.

Opening stops what has not left yet and never touches what is on the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sms.operators.health.rules.talks import Talk, Verdict

FAILURES_IN_ROW = 5
WINDOW_SECONDS = 30
WINDOW_CALLS = 20
WINDOW_SHARE = 0.5
COOL_OFF_SECONDS = (5.0, 10.0, 15.0)  # after the first opening, the second, and every further one without a success
REPORTS_COOL_OFF_SECONDS = 300.0
LEAST_SILENCE_SECONDS = 15.0
MOST_SILENCE_SECONDS = 25.0


class BreakerState(StrEnum):
    """Whether batches go: all, one to try, or none."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Cause(StrEnum):
    """Why a breaker opened by itself."""

    FAILURES = "failures"  # so many in a row
    SHARE = "share"  # so many of those lately
    SILENCE = "silence"  # nothing answered, nothing timed out yet
    REPORTS = "reports"  # far fewer delivered than usual, of the other gateways not


class Permit(StrEnum):
    """What a gateway may send now."""

    ALL = "all"
    TRIAL = "trial"
    NOTHING = "nothing"


class Silence(NamedTuple):
    """So many requests have had no answer for `seconds`, and no other was answered meanwhile; `hands` may be under way
    at once."""

    waiting: int
    seconds: float
    hands: int


class Second(NamedTuple):
    """What ended within one second."""

    unix: int
    calls: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A breaker and what it goes by."""

    state: BreakerState = BreakerState.CLOSED
    cause: Cause | None = None
    since: datetime | None = None  # when it last opened from closed, or closed again
    trial_at: datetime | None = None  # open: the next trial; half-open: the end of the trial under way
    opened_count: int = 0  # without a success in between
    failures_in_row: int = 0
    lately: Sequence[Second] = ()
    figures: Mapping[str, object] = field(default_factory=dict)  # what it last opened for


class Override(NamedTuple):
    """What staff decided, for a time; `state` "" when they did not."""

    state: BreakerState | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it is in force."""
        return self.state is not None and self.until is not None and at < self.until


NO_OVERRIDE = Override()


def permit(breaker: Breaker, override: Override, *, at: datetime) -> Permit:
    """What may be sent at this moment; the word of staff goes first."""
    if override.holds(at):
        return Permit.NOTHING if override.state is BreakerState.OPEN else Permit.ALL
    if breaker.state is BreakerState.CLOSED:
        return Permit.ALL
    return Permit.TRIAL if breaker.trial_at is None or breaker.trial_at <= at else Permit.NOTHING


def is_open(breaker: Breaker, override: Override, *, at: datetime) -> bool:
    """Whether the gateway is to be gone round: open, by itself or by staff. One that is on trial is not."""
    state = override.state if override.holds(at) else breaker.state
    return state is BreakerState.OPEN


def is_open_now(state: str, *, override: str, until: datetime | None, at: datetime) -> bool:
    """As `is_open`, of what is stored."""
    decided = Override(BreakerState(override) if override else None, until)
    return is_open(Breaker(state=BreakerState(state)), decided, at=at)


def after_talks(breaker: Breaker, talks: Sequence[Talk], *, at: datetime) -> Breaker:
    """The breaker after these talks, in the order in which they ended, up to `at`."""
    for talk in talks:
        match breaker.state:
            case BreakerState.CLOSED:
                breaker = _counted(breaker, talk, at)
            case BreakerState.HALF_OPEN if talk.is_trial:
                breaker = opened_again(breaker, at=at) if talk.verdict is Verdict.FAILED else closed(at=at)
            case BreakerState.OPEN if breaker.cause is Cause.SILENCE and talk.verdict is not Verdict.FAILED:
                breaker = closed(at=at)  # it was no silence, it was slow
            case _:  # what was under way before says nothing new
                pass
    return breaker


def after_silence(breaker: Breaker, silence: Silence, *, at: datetime) -> Breaker:
    """The breaker after a silence: enough when so many failures in a row are, or when every hand is stuck."""
    waiting = silence.waiting
    is_stuck = waiting >= max(silence.hands, 1) or breaker.failures_in_row + waiting >= FAILURES_IN_ROW
    if not waiting or not is_stuck or breaker.state is BreakerState.OPEN:
        return breaker
    if breaker.state is BreakerState.HALF_OPEN:
        return replace(opened_again(breaker, at=at), cause=Cause.SILENCE)
    return _opened(breaker, Cause.SILENCE, {"calls": waiting, "seconds": round(silence.seconds)}, at=at)


def after_reports(breaker: Breaker, figures: Mapping[str, object], *, at: datetime) -> Breaker:
    """The breaker when much less is delivered than usual, and others are not slow."""
    if breaker.state is not BreakerState.CLOSED:
        return breaker
    return _opened(breaker, Cause.REPORTS, figures, at=at)


def silence_seconds(usual_p95_ms: int | None) -> float:
    """For how long an operator may leave everything unanswered: thrice its usual slow answer, within bounds, so that a
    hang is seen well before the time limit of a request."""
    usual = (usual_p95_ms or 0) / 1000
    return min(max(3 * usual, LEAST_SILENCE_SECONDS), MOST_SILENCE_SECONDS)


def begin_trial(breaker: Breaker, *, seconds: float, at: datetime) -> Breaker | None:
    """The breaker with its one trial under way for at most `seconds`; None when it is not the time for one."""
    if breaker.state is BreakerState.CLOSED or permit(breaker, NO_OVERRIDE, at=at) is not Permit.TRIAL:
        return None
    return replace(breaker, state=BreakerState.HALF_OPEN, trial_at=at + timedelta(seconds=seconds))


def put_off_trial(breaker: Breaker) -> Breaker:
    """The breaker when nothing was there to try with: the next batch is the trial, whenever it comes."""
    return replace(breaker, trial_at=None) if breaker.state is BreakerState.HALF_OPEN else breaker


def opened_again(breaker: Breaker, *, at: datetime) -> Breaker:
    """The breaker after a trial that failed."""
    return replace(_rested(breaker, at), state=BreakerState.OPEN)


def closed(*, at: datetime) -> Breaker:
    """A breaker that has just closed: nothing is held against the operator any more."""
    return Breaker(since=at)


def _counted(breaker: Breaker, talk: Talk, at: datetime) -> Breaker:
    is_failure = talk.verdict is Verdict.FAILED
    row = breaker.failures_in_row + 1 if is_failure else 0
    lately = _with(breaker.lately, round(at.timestamp()), is_failure)
    breaker = replace(breaker, failures_in_row=row, lately=lately)
    if row >= FAILURES_IN_ROW:
        return _opened(breaker, Cause.FAILURES, {"failures": row}, at=at)
    calls, failures = sum(second.calls for second in lately), sum(second.failures for second in lately)
    if is_failure and calls >= WINDOW_CALLS and failures >= WINDOW_SHARE * calls:
        figures = {"calls": calls, "failures": failures, "seconds": WINDOW_SECONDS}
        return _opened(breaker, Cause.SHARE, figures, at=at)
    return breaker


def _with(lately: Sequence[Second], unix: int, is_failure: bool) -> tuple[Second, ...]:
    kept = tuple(second for second in lately if unix - WINDOW_SECONDS < second.unix <= unix)
    last = kept[-1] if kept and kept[-1].unix == unix else Second(unix, 0, 0)
    others = kept[:-1] if kept and kept[-1].unix == unix else kept
    return (*others, Second(unix, last.calls + 1, last.failures + is_failure))


def _opened(breaker: Breaker, cause: Cause, figures: Mapping[str, object], *, at: datetime) -> Breaker:
    opened = replace(breaker, state=BreakerState.OPEN, cause=cause, since=at, figures=figures)
    return _rested(replace(opened, failures_in_row=0, lately=()), at)


def _rested(breaker: Breaker, at: datetime) -> Breaker:
    count = breaker.opened_count + 1
    seconds = COOL_OFF_SECONDS[min(count, len(COOL_OFF_SECONDS)) - 1]
    if breaker.cause is Cause.REPORTS and count == 1:
        seconds = REPORTS_COOL_OFF_SECONDS
    return replace(breaker, opened_count=count, trial_at=at + timedelta(seconds=seconds))
