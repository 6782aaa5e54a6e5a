"""What a sender number may be, and what kinds there are. Plain Python."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from sms.core.calendar import TEHRAN
from sms.core.errors import Refusal
from sms.core.text import N_


class LineKind(StrEnum):
    """Whose a number is."""

    PUBLIC = "public"
    DEDICATED = "dedicated"


KIND_LABELS: dict[LineKind, str] = {
    LineKind.PUBLIC: N_("Public line"),
    LineKind.DEDICATED: N_("Dedicated line"),
}


class ServiceClass(StrEnum):
    """What a number may be used for: advertising does not reach people who blocked it."""

    ADVERTISING = "advertising"
    SERVICE = "service"


CLASS_LABELS: dict[ServiceClass, str] = {
    ServiceClass.ADVERTISING: N_("Advertising"),
    ServiceClass.SERVICE: N_("Service"),
}

JOINED_UNITS = (67, 66)  # UCS-2 characters in each part of a longer text
ALIAS_LENGTH = 40
_NUMBER = re.compile(r"[0-9]{3,20}")
_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_NOISE = re.compile(r"[\s\-()./\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
_HALF_SPACE = "\u200c"  # joins Persian words and is no control character
_COUNTRY = ("+98", "0098", "98")


class UnusableLine(Refusal):
    """What was asked of a line cannot be; `field` names what to correct."""

    def __init__(self, field: str, message: str, **params: object) -> None:
        super().__init__(message, **params)
        self.field = field


def canonical_number(text: str, *, operator_code: str) -> str:
    """The digits of a sender number as they are stored: no +98, 0098 or 98 before the operator's prefix.

    Raises UnusableLine for anything but 3 to 20 digits that begin with the prefix.
    """
    cleaned = _NOISE.sub("", text.translate(_FOLD))
    for number in _readings(cleaned):
        if number.startswith(operator_code) and _NUMBER.fullmatch(number):
            return number
    if not _NUMBER.fullmatch(cleaned.removeprefix("+")):
        raise UnusableLine("number", N_("A line's number is 3 to 20 digits."))
    raise UnusableLine("number", N_("The number of this operator's lines begins with %(code)s."), code=operator_code)


def _readings(cleaned: str) -> list[str]:
    """What a spelling can mean, the plainest first; landline prefixes lose their 0 behind a country code."""
    found = [cleaned]
    for country in _COUNTRY:
        if cleaned.startswith(country):
            rest = cleaned.removeprefix(country)
            found += [rest, f"0{rest}"]
    return found


def check_owner(kind: LineKind, account_id: int | None) -> None:
    """Raise UnusableLine when a public line is given an owner."""
    if kind is LineKind.PUBLIC and account_id is not None:
        raise UnusableLine("account", N_("A public line belongs to nobody; choose a dedicated line."))


def check_alias(alias: str) -> str:
    """The name somebody gives a line, trimmed; raises UnusableLine when it is too long."""
    trimmed = " ".join(alias.split())
    if len(trimmed) > ALIAS_LENGTH:
        raise UnusableLine("alias", N_("A line's name has at most %(most)s characters."), most=ALIAS_LENGTH)
    if not trimmed.replace(_HALF_SPACE, "").isprintable():
        raise UnusableLine("alias", N_("A line's name is one line of text."))
    return trimmed


def check_joined_units(joined_units: int) -> int:
    """Raise UnusableLine for anything but 66 or 67 characters a part."""
    if joined_units not in JOINED_UNITS:
        raise UnusableLine("joined_units", N_("A part of a longer text holds 66 or 67 characters."))
    return joined_units


MOST_PER_SECOND = 100_000


def check_per_second(per_second: int | None) -> int | None:
    """How many messages a second a line takes at most (None: no limit of its own); raises UnusableLine."""
    if per_second is not None and not 1 <= per_second <= MOST_PER_SECOND:
        raise UnusableLine("per_second", N_("A rate is between 1 and 100,000 messages a second."))
    return per_second


def check_window(opens_at: time | None, closes_at: time | None) -> "Window | None":
    """The hours of a line (None: it is always open); raises UnusableLine when one end is missing, or both are one."""
    if opens_at is None and closes_at is None:
        return None
    if opens_at is None or closes_at is None:
        field = "opens_at" if opens_at is None else "closes_at"
        raise UnusableLine(field, N_("State both when the line opens and when it closes, or neither."))
    if opens_at == closes_at:
        raise UnusableLine("closes_at", N_("A line that is always open has no hours: leave both empty."))
    return Window(opens_at, closes_at)


@dataclass(frozen=True, slots=True)
class Window:
    """The hours of a line on Tehran's clock, [opens_at, closes_at); they may go over midnight."""

    opens_at: time
    closes_at: time

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at a moment."""
        clock = at.astimezone(TEHRAN).time()
        if self.opens_at < self.closes_at:
            return self.opens_at <= clock < self.closes_at
        return clock >= self.opens_at or clock < self.closes_at

    def next_opening(self, at: datetime) -> datetime:
        """When it opens the next time; the moment itself while it is open."""
        return at if self.is_open(at) else _next(self.opens_at, at)

    def next_closing(self, at: datetime) -> datetime:
        """When it closes the next time after a moment."""
        return _next(self.closes_at, at)


def _next(clock: time, at: datetime) -> datetime:
    """The first moment after `at` at which Tehran's clock shows this time."""
    here = at.astimezone(TEHRAN)
    today = datetime.combine(here.date(), clock, tzinfo=TEHRAN)
    return today if today > here else datetime.combine(here.date() + timedelta(days=1), clock, tzinfo=TEHRAN)
