"""Days as people write them; another library's calendar is the oracle."""

from datetime import UTC, date, datetime, timedelta

import jdatetime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.core.calendar import NotADay, clock_text, day_of, day_text, moment_text, parse_day, start_of_day


@given(st.dates(min_value=date(1950, 1, 1), max_value=date(2079, 12, 31)))
def test_jalali_days_agree_with_another_calendar(day: date) -> None:
    expected = jdatetime.date.fromgregorian(date=day).strftime("%Y/%m/%d")

    assert day_text(day, "fa").translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")) == expected


@given(st.dates(min_value=date(1950, 1, 1), max_value=date(2079, 12, 31)), st.sampled_from(["fa", "en"]))
def test_what_is_written_is_read_again(day: date, language: str) -> None:
    assert parse_day(day_text(day, language), language) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1405/09/03", date(2026, 11, 24)),
        ("۱۴۰۵/۹/۳", date(2026, 11, 24)),
        ("1405-09-03", date(2026, 11, 24)),
        (" 1405.9.3 ", date(2026, 11, 24)),
        ("2026-11-24", date(2026, 11, 24)),
        ("1403/12/30", date(2025, 3, 20)),
    ],
)
def test_either_calendar_is_understood(text: str, day: date) -> None:
    assert parse_day(text, "fa") == parse_day(text, "en") == day


@pytest.mark.parametrize(
    "text", ["", "today", "1405/13/01", "1404/12/30", "1405/9", "2026-02-30", "1405/09/03/1", "9999-12-31"]
)
def test_no_day_is_refused(text: str) -> None:
    with pytest.raises(NotADay):
        parse_day(text, "fa")


def test_a_day_begins_at_midnight_in_tehran() -> None:
    begins = start_of_day(date(2026, 11, 24))

    assert begins.astimezone(UTC) == datetime(2026, 11, 23, 20, 30, tzinfo=UTC)
    assert day_of(begins) == date(2026, 11, 24)
    assert day_of(begins - timedelta(seconds=1)) == date(2026, 11, 23)


def test_moments_are_told_by_tehrans_clock() -> None:
    moment = datetime(2026, 11, 23, 20, 30, 5, tzinfo=UTC)

    assert moment_text(moment, "fa") == "۱۴۰۵/۰۹/۰۳ ۰۰:۰۰:۰۵"
    assert moment_text(moment, "en") == "2026-11-24 00:00:05"
    assert clock_text(moment, "fa") == "۰۰:۰۰"
