"""What can become of a message, what an adapter is able to tell us about it, and how a gateway is set and fares."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from urllib.parse import urlsplit

from sms.core.errors import Refusal, SmsError
from sms.core.text import N_


class Outcome(StrEnum):
    """The final fate of one recipient; the first ten are also counted on every batch, in this order."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    BLOCKED = "blocked"
    OPTED_OUT = "opted_out"
    NOT_IN_NETWORK = "not_in_network"
    REFUSED = "refused"
    FILTERED = "filtered"
    OUT_OF_HOURS = "out_of_hours"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    INVALID = "invalid"
    DUPLICATE = "duplicate"


OUTCOME_LABELS: dict[Outcome, str] = {
    Outcome.DELIVERED: N_("Delivered"),
    Outcome.UNDELIVERED: N_("Undelivered"),
    Outcome.BLOCKED: N_("Blocked advertising"),
    Outcome.OPTED_OUT: N_("Opted out"),
    Outcome.NOT_IN_NETWORK: N_("Not in network"),
    Outcome.REFUSED: N_("Refused by operator"),
    Outcome.FILTERED: N_("Filtered text"),
    Outcome.OUT_OF_HOURS: N_("Out of hours"),
    Outcome.EXPIRED: N_("No report in time"),
    Outcome.CANCELLED: N_("Cancelled"),
    Outcome.INVALID: N_("Invalid number"),
    Outcome.DUPLICATE: N_("Duplicate number"),
}


class Capability(StrEnum):
    """What an operator lets us do about a message of unknown fate."""

    DEDUPES = "dedupes"  # repeating our id returns the first record: safe to resend
    LOOKS_UP = "looks_up"  # our id can be looked up, a repeat is not promised to be refused
    LISTS = "lists"  # only its outbox can be listed
    NOTHING = "nothing"


class SaleMode(StrEnum):
    """How an operator sells its numbers."""

    SINGLE = "single"
    RANGE = "range"


SALE_MODE_LABELS: dict[SaleMode, str] = {
    SaleMode.SINGLE: N_("Single numbers"),
    SaleMode.RANGE: N_("Ranges of numbers"),
}

COLOUR_LABELS: dict[str, str] = {
    "blue": N_("Blue"),
    "azure": N_("Azure"),
    "indigo": N_("Indigo"),
    "purple": N_("Purple"),
    "pink": N_("Pink"),
    "red": N_("Red"),
    "orange": N_("Orange"),
    "yellow": N_("Yellow"),
    "lime": N_("Lime"),
    "green": N_("Green"),
    "teal": N_("Teal"),
    "cyan": N_("Cyan"),
}


class OnAbsent(StrEnum):
    """What is done with a message the operator, asked twice by our id, does not have."""

    PARK = "park"
    RESEND = "resend"


ON_ABSENT_LABELS: dict[OnAbsent, str] = {
    OnAbsent.PARK: N_("Keep it for a person to decide"),
    OnAbsent.RESEND: N_("Send it again"),
}
_RESENDING = frozenset({Capability.DEDUPES, Capability.LOOKS_UP})


class UnusableSetting(Refusal):
    """A setting that could lose or double messages, or means nothing; `field` names it."""

    def __init__(self, field: str, message: str, **params: object) -> None:
        super().__init__(message, **params)
        self.field = field


INBOUND_EVERY_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """What staff decide of one gateway; seconds everywhere."""

    name: str
    base_url: str
    batch_size: int = 100
    concurrency: int = 8
    timeout_seconds: float = 30.0
    slowest_accept_seconds: float = 10.0
    lease_seconds: float = 60.0
    polling_plan_seconds: tuple[int, ...] = (5, 15, 60, 300, 900, 3600)
    report_horizon_seconds: int = 82_800
    lookup_after_seconds: float = 120.0
    on_absent: OnAbsent = OnAbsent.PARK
    inbound_every_seconds: int = INBOUND_EVERY_SECONDS  # texts to our lines are asked for; 0: never
    own: Mapping[str, object] | None = None  # the adapter's own settings; None: the usual ones, or those there are


NAME_LENGTH = 60
MAX_INBOUND_SECONDS = 86_400
MAX_CONCURRENCY = 64
MAX_TIMEOUT_SECONDS = 120
MAX_LEASE_SECONDS = 600
MAX_HORIZON_SECONDS = 14 * 86_400
MAX_POLLS = 20
LEASE_MARGIN_SECONDS = 5
_Check = tuple[bool, str, str, dict[str, object]]


def check_settings(
    settings: GatewaySettings, *, capability: Capability, max_batch: int, schemes: Sequence[str] = ("http", "https")
) -> None:
    """Raise UnusableSetting for the first setting that cannot be; the adapter says what it can do."""
    for checks in (
        _limit_checks(settings, max_batch, schemes),
        _time_checks(settings),
        _resend_checks(settings, capability),
    ):
        for holds, field, message, params in checks:
            if not holds:
                raise UnusableSetting(field, message, **params)


def _limit_checks(settings: GatewaySettings, max_batch: int, schemes: Sequence[str]) -> list[_Check]:
    return [
        (
            0 < len(settings.name.strip()) <= NAME_LENGTH,
            "name",
            N_("A name has 1 to %(most)s characters."),
            {"most": NAME_LENGTH},
        ),
        (
            is_address(settings.base_url, schemes),
            "base_url",
            N_("The address begins with http:// or https://, names a host, and holds no user name or password.")
            if "https" in schemes
            else N_("The address is written %(schemes)s and holds no user name or password."),
            {"schemes": ", ".join(f"{scheme}://host:port" for scheme in schemes)},
        ),
        (
            0 < settings.batch_size <= max_batch,
            "batch_size",
            N_("This operator takes from 1 to %(most)s recipients in one request."),
            {"most": max_batch},
        ),
        (
            0 < settings.concurrency <= MAX_CONCURRENCY,
            "concurrency",
            N_("From 1 to %(most)s requests at once are possible."),
            {"most": MAX_CONCURRENCY},
        ),
    ]


def _time_checks(settings: GatewaySettings) -> list[_Check]:
    least = least_lease_seconds(settings)
    plan = settings.polling_plan_seconds
    return [
        (
            0 < settings.timeout_seconds <= MAX_TIMEOUT_SECONDS,
            "timeout_seconds",
            N_("The time limit of a request is more than 0 and at most %(most)s seconds."),
            {"most": MAX_TIMEOUT_SECONDS},
        ),
        (
            0 <= settings.slowest_accept_seconds <= MAX_TIMEOUT_SECONDS,
            "slowest_accept_seconds",
            N_("The slowest acceptance lies between 0 and %(most)s seconds."),
            {"most": MAX_TIMEOUT_SECONDS},
        ),
        (
            least <= _real(settings.lease_seconds) <= MAX_LEASE_SECONDS,
            "lease_seconds",
            N_(
                "A lease lasts at least %(least)s seconds (time limit + 2 × slowest acceptance + 5) and at most "
                "%(most)s; a shorter one could let two workers send the same batch."
            ),
            {"least": _told(least), "most": MAX_LEASE_SECONDS},
        ),
        (
            0 < settings.report_horizon_seconds <= MAX_HORIZON_SECONDS,
            "report_horizon_seconds",
            N_("Reports are awaited for at least 1 and at most %(most)s seconds."),
            {"most": MAX_HORIZON_SECONDS},
        ),
        (
            0 <= settings.inbound_every_seconds <= MAX_INBOUND_SECONDS,
            "inbound_every_seconds",
            N_("Texts are asked for every 1 to %(most)s seconds; 0: never."),
            {"most": MAX_INBOUND_SECONDS},
        ),
        (
            0 < len(plan) <= MAX_POLLS and plan[0] > 0 and all(a < b for a, b in pairwise(plan)),
            "polling_plan_seconds",
            N_("The polling plan is 1 to %(most)s ages in seconds, each later than the one before, such as 5 15 60."),
            {"most": MAX_POLLS},
        ),
        (
            0 < settings.lookup_after_seconds <= MAX_HORIZON_SECONDS,
            "lookup_after_seconds",
            N_("A message of unknown fate is looked up after more than 0 seconds."),
            {},
        ),
    ]


def _resend_checks(settings: GatewaySettings, capability: Capability) -> list[_Check]:
    # To an operator that dedupes all is sent again that it does not know, whatever was chosen.
    if settings.on_absent is not OnAbsent.RESEND and capability is not Capability.DEDUPES:
        return []
    least = _real(settings.timeout_seconds) + _real(settings.slowest_accept_seconds)
    return [
        (
            capability in _RESENDING,
            "on_absent",
            N_("This operator cannot look up a message by our id, so sending again could send twice."),
            {},
        ),
        (
            _real(settings.lookup_after_seconds) >= least,
            "lookup_after_seconds",
            N_(
                "What may be sent again is looked up after at least %(least)s seconds (time limit + slowest "
                "acceptance): asked sooner, the operator may not know it yet."
            ),
            {"least": _told(least)},
        ),
    ]


def least_lease_seconds(settings: GatewaySettings) -> float:
    """The shortest safe lease; reckoned with the 32-bit numbers the database keeps, as its own check does."""
    return _real(settings.timeout_seconds) + 2 * _real(settings.slowest_accept_seconds) + LEASE_MARGIN_SECONDS


def _real(number: float) -> float:
    (kept,) = struct.unpack("f", struct.pack("f", number))
    return float(kept)


def _told(seconds: float) -> str:
    return f"{round(seconds, 2):g}"


def is_address(text: str, schemes: Sequence[str] = ("http", "https")) -> bool:
    """Whether an operator's service can stand there; secrets in an address would be shown."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc) and text.isprintable() and " " not in text
    return parts.scheme in schemes and bool(parts.hostname) and is_plain


def is_same_place(one: str, other: str) -> bool:
    """Whether two addresses lead to the same host by the same way: credentials kept for one may go to the other."""
    first, second = urlsplit(one), urlsplit(other)
    return (first.scheme, first.hostname, first.port) == (second.scheme, second.hostname, second.port)


class StopReason(StrEnum):
    """Why a gateway stopped by itself; only a person, or new credit, starts it again."""

    CREDENTIALS = "credentials"
    CREDIT = "credit"


STOP_LABELS: dict[StopReason, str] = {
    StopReason.CREDENTIALS: N_("The operator does not accept our credentials."),
    StopReason.CREDIT: N_("Our account at the operator has no credit left."),
}


class GatewayState(StrEnum):
    """How a gateway stands, in one word; what a person did goes before what happened."""

    OFF = "off"
    STOPPED = "stopped"
    HELD = "held"
    FAILING = "failing"
    ON = "on"


STATE_LABELS: dict[GatewayState, str] = {
    GatewayState.OFF: N_("Switched off"),
    GatewayState.STOPPED: N_("Stopped"),
    GatewayState.HELD: N_("Held back by staff"),
    GatewayState.FAILING: N_("Failing"),
    GatewayState.ON: N_("Working"),
}


def state_of(
    *, is_on: bool, stopped_reason: str, failing_since: datetime | None, is_held: bool = False
) -> GatewayState:
    """The state that follows from what is stored; `is_held` while staff keep its breaker open."""
    if not is_on:
        return GatewayState.OFF
    if stopped_reason:
        return GatewayState.STOPPED
    if is_held:
        return GatewayState.HELD
    return GatewayState.FAILING if failing_since else GatewayState.ON


MAX_RETRY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a gateway from the talks with its operator."""

    stopped_reason: str = ""
    failing_since: datetime | None = None
    failure_count: int = 0
    retry_at: datetime | None = None
    last_error: str = ""
    last_ok_at: datetime | None = None


def after_success(health: Health, *, at: datetime) -> Health:
    """It answered: nothing is failing. A stop stays a stop until somebody, or new credit, ends it."""
    return Health(stopped_reason=health.stopped_reason, last_ok_at=at)


def after_failure(
    health: Health, *, error: str, stop: StopReason | None, wait_seconds: float | None, at: datetime
) -> Health:
    """It failed: it stops, or is tried again soon — after 1, 2, 4, 8, then every 15 seconds, or when the operator said
    so — so that one that comes back is used within seconds."""
    count = health.failure_count + 1
    seconds = retry_seconds(count) if wait_seconds is None else max(wait_seconds, 0.0)
    return Health(
        stopped_reason=stop or health.stopped_reason,
        failing_since=health.failing_since or at,
        failure_count=count,
        retry_at=at + timedelta(seconds=seconds),
        last_error=error,
        last_ok_at=health.last_ok_at,
    )


def retry_seconds(failure_count: int) -> float:
    """How long a failing gateway is left alone after so many failures in a row."""
    return float(min(2.0 ** min(failure_count - 1, 10), MAX_RETRY_SECONDS))


def has_new_credit(*, before_mrial: int | None, balance_mrial: int) -> bool:
    """Whether an account that ran dry was filled meanwhile: it holds something, and more than when last asked."""
    return before_mrial is not None and balance_mrial > max(before_mrial, 0)


def remembered(error: SmsError) -> str:
    """An error as it is stored: its message id and the places of it, never anything that is not told to people."""
    return json.dumps([error.message, {name: str(value) for name, value in error.params.items()}], ensure_ascii=False)


def recalled(text: str) -> SmsError | None:
    """The error that was stored, ready to be said in the reader's language; None when there is none."""
    if not text:
        return None
    message, params = json.loads(text)
    return SmsError(message, **params)
