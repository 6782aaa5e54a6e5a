"""People and programs told apart, and clicks over time. Tables."""

from datetime import UTC, datetime, timedelta

import pytest

from sms.links.rules.clicks import Agent, AgentKind, Hour, agent_kind, is_too_early, over_time

AGENTS = [Agent("whatsapp", "preview"), Agent("googlebot", "crawler"), Agent("curl/", "tool")]
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126 Mobile Safari/537.36"
AT = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("method", "headers", "kind"),
    [
        ("GET", {"User-Agent": PHONE}, AgentKind.PERSON),
        ("GET", {"user-agent": PHONE.upper()}, AgentKind.PERSON),
        ("HEAD", {"User-Agent": PHONE}, AgentKind.TOOL),
        ("GET", {}, AgentKind.TOOL),
        ("GET", {"User-Agent": "  "}, AgentKind.TOOL),
        ("GET", {"User-Agent": "WhatsApp/2.23.20.0 A"}, AgentKind.PREVIEW),
        ("HEAD", {"User-Agent": "WhatsApp/2.23.20.0 A"}, AgentKind.PREVIEW),
        ("GET", {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, AgentKind.CRAWLER),
        ("GET", {"User-Agent": "curl/8.5.0"}, AgentKind.TOOL),
        ("GET", {"User-Agent": PHONE, "Sec-Purpose": "prefetch;prerender"}, AgentKind.PREFETCH),
        ("GET", {"User-Agent": PHONE, "Purpose": "prefetch"}, AgentKind.PREFETCH),
        ("GET", {"User-Agent": PHONE, "X-Moz": "prefetch"}, AgentKind.PREFETCH),
        ("GET", {"User-Agent": PHONE, "X-Purpose": "preview"}, AgentKind.PREFETCH),
        ("GET", {"User-Agent": PHONE, "Purpose": "reading"}, AgentKind.PERSON),
    ],
)
def test_what_asks_is_told_by_what_it_says_of_itself(method: str, headers: dict[str, str], kind: AgentKind) -> None:
    assert agent_kind(method=method, headers=headers, agents=AGENTS) is kind


@pytest.mark.parametrize(
    ("seconds", "within", "is_early"), [(-5, 2, True), (0, 2, True), (1.9, 2, True), (2, 2, False), (0, 0, False)]
)
def test_nobody_reads_a_text_before_it_can_have_arrived(seconds: float, within: int, is_early: bool) -> None:
    clicked_at = AT + timedelta(seconds=seconds)
    assert is_too_early(clicked_at=clicked_at, sent_at=AT, within_seconds=within) is is_early
    assert not is_too_early(clicked_at=clicked_at, sent_at=None, within_seconds=within)


def hour(place: int, clicks: int, recipients: int = 0, bots: int = 0) -> Hour:
    return Hour(AT + timedelta(hours=place), clicks, recipients, bots)


def test_hours_without_clicks_stand_between_those_with_some() -> None:
    found = over_time([hour(0, 3, 2, 1), hour(3, 1, 1), hour(9, 0, 0, 5)])
    assert (found.click_count, found.recipient_count, found.bot_count, found.is_by_day) == (4, 3, 6, False)
    assert [count for _, count in found.points] == [3, 0, 0, 1]
    assert found.points[1][0] == AT + timedelta(hours=1)


def test_a_long_time_is_told_by_tehrans_days() -> None:
    found = over_time([hour(0, 1), hour(12, 2), hour(13, 4), hour(72, 8)])  # 20:30 UTC is midnight in Tehran
    assert found.is_by_day
    assert [count for _, count in found.points] == [3, 4, 0, 8]


def test_of_years_the_latest_days_are_shown_and_all_are_summed() -> None:
    found = over_time([hour(24 * day, 1) for day in range(300)])
    assert (found.click_count, len(found.points)) == (300, 62)


def test_without_clicks_there_is_no_picture() -> None:
    assert over_time([]).points == ()
    assert over_time([hour(0, 0, 0, 9)]).points == ()
