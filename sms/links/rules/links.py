"""States of a link, and what may be said of it. Plain Python."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.errors import Refusal
from sms.core.text import N_

TITLE_LENGTH = 100
_FURTHEST = timedelta(days=3660)


class LinkState(StrEnum):
    """What its owner says of a link."""

    ACTIVE = "active"
    OFF = "off"


class Standing(StrEnum):
    """How a link stands at a moment."""

    ACTIVE = "active"
    OFF = "off"
    EXPIRED = "expired"
    DENIED = "denied"


STANDING_LABELS: dict[str, str] = {
    Standing.ACTIVE: N_("In use"),
    Standing.OFF: N_("Switched off"),
    Standing.EXPIRED: N_("Expired"),
    Standing.DENIED: N_("Blocked by the staff"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """A link to be: where it leads, and what its owner says of it."""

    target: str
    title: str = ""
    utm: dict[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None


def standing(*, state: str, expires_at: datetime | None, is_denied: bool, at: datetime) -> Standing:
    """How a link stands; what the staff say is above what its owner says."""
    if is_denied:
        return Standing.DENIED
    if state == LinkState.OFF:
        return Standing.OFF
    return Standing.EXPIRED if expires_at is not None and expires_at <= at else Standing.ACTIVE


def check_title(title: str) -> str:
    """A link's title, trimmed; raises Refusal when it is too long."""
    trimmed = " ".join(title.split())
    if len(trimmed) > TITLE_LENGTH:
        raise Refusal(N_("A title has at most %(most)s characters."), most=TITLE_LENGTH)
    return trimmed


def check_expiry(expires_at: datetime | None, *, at: datetime) -> datetime | None:
    """When a link is to end; raises Refusal for a moment that is over, or too far off."""
    if expires_at is not None and expires_at <= at:
        raise Refusal(N_("Choose a day that is still to come."))
    if expires_at is not None and expires_at > at + _FURTHEST:
        raise Refusal(N_("A link can last ten years at most."))
    return expires_at
