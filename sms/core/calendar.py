"""Days and moments as people in Iran write them: Jalali in Persian, ISO in English, always on Tehran's clock."""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from persiantools.digits import en_to_fa
from persiantools.jdatetime import JalaliDate

from sms.core.errors import SmsError
from sms.core.text import N_

TEHRAN = ZoneInfo("Asia/Tehran")
_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_CLOCK = re.compile(r"(\d{1,2})(?:[:.٫](\d{2}))?")
_FIRST_GREGORIAN_YEAR = 1700  # no Jalali year anybody types is as high
_LAST_YEAR = 2999  # there is always a day after


class NotADay(SmsError):
    """The text is not a day of the calendar."""


class NotATime(SmsError):
    """The text is not a time of the day."""


def start_of_day(day: date) -> datetime:
    """The moment a day begins in Tehran."""
    return datetime.combine(day, time(), tzinfo=TEHRAN)


def next_day(day: date) -> date:
    """The day after."""
    return day + timedelta(days=1)


def day_of(moment: datetime) -> date:
    """The day it is in Tehran at a moment."""
    return moment.astimezone(TEHRAN).date()


def jalali_month(day: date) -> tuple[int, int]:
    """The Jalali year and month a day lies in."""
    jalali = JalaliDate(day)
    return int(jalali.year), int(jalali.month)


def first_of_month(year: int, month: int) -> date:
    """The first day of a Jalali month."""
    return date.fromordinal(JalaliDate(year, month, 1).to_gregorian().toordinal())


def day_text(day: date, language: str) -> str:
    """1405/09/03 in Persian digits, or 2026-11-24."""
    if language != "fa":
        return day.isoformat()
    return en_to_fa(JalaliDate(day).strftime("%Y/%m/%d"))


def clock_text(moment: datetime, language: str) -> str:
    """Hours and minutes in Tehran."""
    text = moment.astimezone(TEHRAN).strftime("%H:%M")
    return en_to_fa(text) if language == "fa" else text


def moment_text(moment: datetime, language: str) -> str:
    """Day and time to the second, in Tehran."""
    here = moment.astimezone(TEHRAN)
    text = here.strftime("%H:%M:%S")
    return f"{day_text(here.date(), language)} {en_to_fa(text) if language == 'fa' else text}"


def parse_day(text: str, language: str) -> date:
    """The day somebody typed, in either calendar (the year tells which); raises NotADay."""
    found = _DAY.fullmatch(text.translate(_DIGITS).strip())
    if found is None:
        raise NotADay(_hint(language), text=text[:20])
    year, month, day = map(int, found.groups())
    try:
        if year > _LAST_YEAR:
            raise ValueError(year)
        if year >= _FIRST_GREGORIAN_YEAR:
            return date(year, month, day)
        return date.fromordinal(JalaliDate(year, month, day).to_gregorian().toordinal())
    except ValueError:
        raise NotADay(N_("“%(text)s” is not a day of the calendar."), text=text[:20]) from None


def time_text(clock: time, language: str) -> str:
    """08:00, in the reader's digits."""
    text = clock.strftime("%H:%M")
    return en_to_fa(text) if language == "fa" else text


def parse_clock(text: str) -> time:
    """The time of the day somebody typed, such as 8, 8:30 or 20:05; raises NotATime."""
    found = _CLOCK.fullmatch(text.translate(_DIGITS).strip())
    hour, minute = (int(part or 0) for part in found.groups()) if found else (-1, 0)
    try:
        return time(hour, minute)
    except ValueError:
        raise NotATime(N_("“%(text)s” is not a time; write it like 08:30."), text=text[:20]) from None


def _hint(language: str) -> str:
    if language == "fa":
        return N_("“%(text)s” is not a day; write it like 1405/09/03.")
    return N_("“%(text)s” is not a day; write it like 2026-11-24.")
