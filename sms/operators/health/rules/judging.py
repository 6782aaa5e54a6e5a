"""What is judged of a gateway beside its single talks: reports, latency and credit; and how all of it is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sms.core.text import N_
from sms.operators.health.rules.breaker import NO_OVERRIDE, Breaker, BreakerState, Cause, Override, is_open
from sms.operators.health.rules.pace import Brownout, BrownoutCause
from sms.operators.rules import StopReason

# Compared with its own past, and with the others

LEAST_MESSAGES = 50
LEAST_USUAL_SHARE = 0.2  # where hardly anything is reported in time, nothing can be told from it
LEAST_USUAL_MESSAGES = 200
SLOW_SHARE = 0.5  # of the usual one
LEAST_CALLS = 20
SLOW_LATENCY = 3  # times the usual one
LEAST_SLOW_MS = 1_000


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Of `submitted` messages so many were delivered within five minutes; `usual` is the share at other times."""

    submitted: int
    delivered: int
    usual: float | None

    @property
    def share(self) -> float | None:
        """The share delivered in time; None of nothing."""
        return self.delivered / self.submitted if self.submitted else None

    @property
    def is_slow(self) -> bool | None:
        """Whether far less is delivered in time than usual; None when there is too little to tell."""
        if self.share is None or self.usual is None:
            return None
        if self.submitted < LEAST_MESSAGES or self.usual < LEAST_USUAL_SHARE:
            return None
        return self.share < SLOW_SHARE * self.usual


def is_slow_to_answer(*, calls: int, p95_ms: int | None, usual_ms: int | None) -> bool | None:
    """Whether the slow answers of the last minutes are slower than thrice the usual one; None when there is too little
    to tell."""
    if calls < LEAST_CALLS or p95_ms is None or usual_ms is None:
        return None
    return p95_ms > max(SLOW_LATENCY * usual_ms, LEAST_SLOW_MS)


def slow_alone(is_slow: Mapping[int, bool | None]) -> frozenset[int]:
    """Those of the gateways that are slow while most of the others are not.

    When all are slow it is the country's network, or ours, and nobody is punished; nor is one that cannot be compared
    with another.
    """
    alone = set()
    for gateway_id, mine in is_slow.items():
        others = [other for each, other in is_slow.items() if each != gateway_id and other is not None]
        if mine and others and 2 * sum(others) < len(others):
            alone.add(gateway_id)
    return frozenset(alone)


# What staff are told


class Alert(StrEnum):
    """What needs a look."""

    CREDENTIALS = "credentials"
    CREDIT = "credit"
    CREDIT_LOW = "credit_low"
    OPEN = "open"
    HELD = "held"
    FORCED = "forced"
    THROTTLED = "throttled"
    SLOW = "slow"
    REPORTS_SLOW = "reports_slow"


ALERT_TONES: dict[Alert, str] = {
    Alert.CREDENTIALS: "danger",
    Alert.CREDIT: "danger",
    Alert.OPEN: "danger",
    Alert.CREDIT_LOW: "warning",
    Alert.HELD: "warning",
    Alert.FORCED: "warning",
    Alert.THROTTLED: "warning",
    Alert.SLOW: "warning",
    Alert.REPORTS_SLOW: "warning",
}

ALERT_SENTENCES: dict[Alert, str] = {
    Alert.CREDENTIALS: N_(
        "%(gateway)s is stopped: the operator does not accept our credentials. Correct them, then test the gateway."
    ),
    Alert.CREDIT: N_("%(gateway)s is stopped: no credit is left at the operator. What is queued waits for a top-up."),
    Alert.CREDIT_LOW: N_("The credit of %(gateway)s at the operator is down to %(credit)s."),
    Alert.OPEN: N_("%(gateway)s sends nothing at the moment: its operator fails. It is tried again every few seconds."),
    Alert.HELD: N_("%(gateway)s is held back by staff until %(until)s: %(reason)s"),
    Alert.FORCED: N_("%(gateway)s sends whatever happens, by decision of staff, until %(until)s: %(reason)s"),
    Alert.THROTTLED: N_("%(gateway)s sends slower: its operator asked for less."),
    Alert.SLOW: N_("The operator of %(gateway)s answers much slower than usual."),
    Alert.REPORTS_SLOW: N_("Reports of %(gateway)s come much later than usual."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """All that alerts follow from."""

    is_on: bool
    stopped_reason: str
    breaker: Breaker
    override: Override = NO_OVERRIDE
    brownout: Brownout
    is_slow: bool
    are_reports_slow: bool
    credit_mrial: int | None
    credit_alert_mrial: int | None


def alerts_of(condition: Condition, *, at: datetime) -> list[Alert]:
    """What staff are to be told of a gateway, the worst first; nothing of one that they have switched off."""
    if not condition.is_on:
        return []
    breaker, override = condition.breaker, condition.override
    is_held = override.holds(at)
    found = {
        Alert.CREDENTIALS: condition.stopped_reason == StopReason.CREDENTIALS,
        Alert.CREDIT: condition.stopped_reason == StopReason.CREDIT,
        Alert.OPEN: not is_held and is_open(breaker, override, at=at),
        Alert.HELD: is_held and override.state is BreakerState.OPEN,
        Alert.FORCED: is_held and override.state is BreakerState.CLOSED,
        Alert.CREDIT_LOW: condition.stopped_reason != StopReason.CREDIT and is_credit_low(condition),
        Alert.THROTTLED: condition.brownout.cause is BrownoutCause.THROTTLED,
        Alert.SLOW: condition.is_slow,
        Alert.REPORTS_SLOW: condition.are_reports_slow,
    }
    return [alert for alert, holds in found.items() if holds]


def is_credit_low(condition: Condition) -> bool:
    """Whether the credit is known and below what staff want to be told of."""
    if condition.credit_mrial is None or condition.credit_alert_mrial is None:
        return False
    return condition.credit_mrial < condition.credit_alert_mrial


# History


class Event(StrEnum):
    """What happened to a gateway."""

    OPENED = "opened"
    CLOSED = "closed"
    SLOWED = "slowed"
    SPED_UP = "sped_up"
    STOPPED = "stopped"
    RESUMED = "resumed"
    CREDIT_LOW = "credit_low"
    CREDIT_BACK = "credit_back"
    REPORTS_SLOW = "reports_slow"
    REPORTS_BACK = "reports_back"
    HELD = "held"
    FORCED = "forced"
    RELEASED = "released"
    TIME_OVER = "time_over"
    LIMITS = "limits"


# The alerts whose coming and going is noticed by the judge, and what is then written into the history.
NOTICED: dict[Alert, tuple[Event, Event]] = {
    Alert.CREDENTIALS: (Event.STOPPED, Event.RESUMED),
    Alert.CREDIT: (Event.STOPPED, Event.RESUMED),
    Alert.CREDIT_LOW: (Event.CREDIT_LOW, Event.CREDIT_BACK),
    Alert.REPORTS_SLOW: (Event.REPORTS_SLOW, Event.REPORTS_BACK),
}

EVENT_SENTENCES: dict[tuple[Event, str], str] = {
    (Event.OPENED, Cause.FAILURES): N_("Sending was stopped: %(failures)s requests in a row failed."),
    (Event.OPENED, Cause.SHARE): N_(
        "Sending was stopped: %(failures)s of the last %(calls)s requests failed within %(seconds)s seconds."
    ),
    (Event.OPENED, Cause.SILENCE): N_(
        "Sending was stopped: %(calls)s requests had no answer for %(seconds)s seconds, and no other was answered."
    ),
    (Event.OPENED, Cause.REPORTS): N_(
        "Sending was stopped: %(delivered)s of %(submitted)s messages were delivered within five minutes; usual are"
        " %(usual)s. Other gateways are as fast as ever."
    ),
    (Event.CLOSED, ""): N_(
        "Sending goes on: the operator answered a batch. It had stood still for %(seconds)s seconds."
    ),
    (Event.SLOWED, BrownoutCause.THROTTLED): N_("Fewer requests at once (%(factor)s): the operator asked for less."),
    (Event.SLOWED, BrownoutCause.SLOW): N_(
        "Fewer requests at once (%(factor)s): the slowest answers took %(p95_ms)s milliseconds; usual are %(usual_ms)s."
    ),
    (Event.SPED_UP, ""): N_("As many requests at once as ever."),
    (Event.STOPPED, Alert.CREDENTIALS): N_("Stopped: the operator does not accept our credentials."),
    (Event.STOPPED, Alert.CREDIT): N_("Stopped: no credit is left at the operator; what is queued waits."),
    (Event.RESUMED, Alert.CREDENTIALS): N_("No longer stopped: the credentials are to be tried again."),
    (Event.RESUMED, Alert.CREDIT): N_("No longer stopped: there is credit again, or staff resumed the gateway."),
    (Event.CREDIT_LOW, ""): N_("The credit at the operator fell to %(credit)s; you wanted to be told below %(least)s."),
    (Event.CREDIT_BACK, ""): N_("The credit at the operator is above the threshold again."),
    (Event.REPORTS_SLOW, ""): N_("Only %(delivered)s were delivered within five minutes; usual are %(usual)s."),
    (Event.REPORTS_BACK, ""): N_("As much is delivered within five minutes as usual."),
    (Event.HELD, ""): N_("Staff held the gateway back until %(until)s."),
    (Event.FORCED, ""): N_("Staff let the gateway send whatever happens until %(until)s."),
    (Event.RELEASED, ""): N_("Staff gave the gateway back to its own judgement."),
    (Event.TIME_OVER, ""): N_("The time set by staff is over: the gateway judges for itself again."),
    (Event.LIMITS, ""): N_("Staff changed the limits."),
}


def sentence_of(event: Event, cause: str) -> str:
    """The message id of an event."""
    return EVENT_SENTENCES.get((event, cause)) or EVENT_SENTENCES[(event, "")]


BREAKER_LABELS: dict[BreakerState, str] = {
    BreakerState.CLOSED: N_("Sends as usual"),
    BreakerState.HALF_OPEN: N_("Tries one batch"),
    BreakerState.OPEN: N_("Sends nothing"),
}


# What staff may decide

LONGEST_OVERRIDE_MINUTES = 7 * 24 * 60
REASON_LENGTH = 200
OVERRIDE_MINUTES: Sequence[int] = (15, 60, 240, 1_440)
MOST_PER_SECOND = 10_000
