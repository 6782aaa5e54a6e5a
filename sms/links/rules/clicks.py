"""Who follows a link: people, and programs that only look; and clicks over time. Plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.calendar import TEHRAN
from sms.core.text import N_


class AgentKind(StrEnum):
    """What asked for a short address."""

    PERSON = "person"
    PREVIEW = "preview"
    CRAWLER = "crawler"
    TOOL = "tool"
    PREFETCH = "prefetch"


AGENT_LABELS: dict[str, str] = {
    AgentKind.PERSON: N_("Somebody"),
    AgentKind.PREVIEW: N_("A messenger's preview"),
    AgentKind.CRAWLER: N_("A crawler"),
    AgentKind.TOOL: N_("A program"),
    AgentKind.PREFETCH: N_("Loaded ahead, by itself"),
}
LISTED_KINDS = (AgentKind.PREVIEW, AgentKind.CRAWLER, AgentKind.TOOL)  # those the staff's list may name
PATTERN_LENGTH = 60
_AHEAD = ("purpose", "sec-purpose", "x-purpose", "x-moz")  # headers by which browsers say that nobody has asked yet


@dataclass(frozen=True, slots=True)
class Agent:
    """A row of the list: whoever names himself so is of this kind."""

    pattern: str
    kind: str


def agent_kind(*, method: str, headers: Mapping[str, str], agents: Sequence[Agent]) -> AgentKind:
    """What asks, by its method, by what its browser says, and by its name; whoever has no name is a program."""
    lowered = {name.lower(): value.lower() for name, value in headers.items()}
    if any(word in lowered.get(name, "") for name in _AHEAD for word in ("prefetch", "preview", "prerender")):
        return AgentKind.PREFETCH
    name = lowered.get("user-agent", "").strip()
    listed = next((agent for agent in agents if agent.pattern in name), None)
    if listed is not None:
        return AgentKind(listed.kind)
    if method == "HEAD" or not name:
        return AgentKind.TOOL
    return AgentKind.PERSON


def is_too_early(*, clicked_at: datetime, sent_at: datetime | None, within_seconds: int) -> bool:
    """Whether a click came sooner after the sending than anybody could have read the text."""
    return sent_at is not None and clicked_at < sent_at + timedelta(seconds=within_seconds)


# Over time


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in one hour: clicks of people, people who had not clicked before, and what programs did."""

    hour_at: datetime
    click_count: int
    recipient_count: int
    bot_count: int


@dataclass(frozen=True, slots=True)
class Clicks:
    """Clicks over time: sums, and points that are an hour or a day apart, from the first click on."""

    click_count: int
    recipient_count: int
    bot_count: int
    is_by_day: bool
    points: tuple[tuple[datetime, int], ...]


_MOST_HOURS, _MOST_DAYS = 48, 62


def over_time(hours: Sequence[Hour]) -> Clicks:
    """Sums and points of some hours; long ones are told by Tehran's days, and then the latest are shown."""
    by_hour = {hour.hour_at: hour.click_count for hour in hours if hour.click_count}
    points: list[tuple[datetime, int]] = []
    is_by_day = False
    if by_hour:
        first, last = min(by_hour), max(by_hour)
        count = int((last - first) / timedelta(hours=1)) + 1
        if count <= _MOST_HOURS:
            moments = [first + timedelta(hours=place) for place in range(count)]
            points = [(moment, by_hour.get(moment, 0)) for moment in moments]
        else:
            is_by_day = True
            points = _by_day(by_hour)[-_MOST_DAYS:]
    return Clicks(
        click_count=sum(hour.click_count for hour in hours),
        recipient_count=sum(hour.recipient_count for hour in hours),
        bot_count=sum(hour.bot_count for hour in hours),
        is_by_day=is_by_day,
        points=tuple(points),
    )


def _by_day(by_hour: Mapping[datetime, int]) -> list[tuple[datetime, int]]:
    days: dict[datetime, int] = {}
    for moment, count in by_hour.items():
        day = moment.astimezone(TEHRAN).replace(hour=0, minute=0, second=0, microsecond=0)
        days[day] = days.get(day, 0) + count
    first, last = min(days), max(days)
    every = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    return [(day, days.get(day, 0)) for day in every]
