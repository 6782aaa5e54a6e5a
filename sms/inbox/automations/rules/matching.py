"""How a text is compared with words: letters, digits, half spaces, marks and case as people mix them up."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from functools import lru_cache

from sms.core.calendar import TEHRAN
from sms.core.text import N_

_LETTERS = str.maketrans("يىكةۀ٤٥٦٧٨٩٠١٢٣۰۱۲۳۴۵۶۷۸۹", "ییکهه45678901230123456789")
_HALF_SPACE, _STRETCH, _KEPT = "\u200c", "\u0640", "\ue000"
LONGEST = 2_000  # characters of a text that are compared


class Way(StrEnum):
    """How a text must be like a keyword."""

    EXACT = "exact"
    STARTS = "starts"
    CONTAINS = "contains"
    ANY = "any"


WAY_LABELS: dict[str, str] = {
    Way.EXACT: N_("The text is the word"),
    Way.STARTS: N_("The text begins with the word"),
    Way.CONTAINS: N_("The word is somewhere in the text"),
    Way.ANY: N_("Any text"),
}


@lru_cache(maxsize=4096)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared: Persian letters and plain digits, no marks, no signs, small letters. A
    half space parts words as a space does."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST].replace(_HALF_SPACE, " ").replace(_KEPT, ""))
    kept = []
    for letter in unicodedata.normalize(
        "NFD", plain.casefold().replace("آ", _KEPT)
    ):  # of its marks only this one counts
        kind = unicodedata.category(letter)[0]
        if kind in "PZ" or letter in "\n\t\r":
            kept.append(" ")
        elif (kind not in "MC" or letter == _KEPT) and letter != _STRETCH:
            kept.append(letter)
    return tuple("".join(kept).replace(_KEPT, "آ").translate(_LETTERS).split())


def compact(text: str) -> str:
    """All words of a text in one: so «می‌خواهم», «می خواهم» and «میخواهم» are the same."""
    return "".join(words_of(text))


@dataclass(frozen=True, slots=True)
class Match:
    """What a text was recognised by, and its words besides."""

    keyword: str
    rest: tuple[str, ...]


def match(way: Way, keywords: Sequence[str], body: str) -> Match | None:
    """Whether a text is meant, by the first keyword that fits."""
    words = words_of(body)
    if way is Way.ANY:
        return Match("", words)
    for keyword in keywords:
        wanted = compact(keyword)
        rest = _rest(way, wanted, keyword, words) if wanted else None
        if rest is not None:
            return Match(keyword, rest)
    return None


def _rest(way: Way, wanted: str, keyword: str, words: tuple[str, ...]) -> tuple[str, ...] | None:
    if way is Way.EXACT:
        return () if "".join(words) == wanted else None
    starts = range(1) if way is Way.STARTS else range(len(words))
    for start in starts:
        found = _end(wanted, words, start)
        if found is not None:
            return words[:start] + words[found:]
    if way is Way.CONTAINS and " ".join(words_of(keyword)) in " ".join(words):  # within a longer word
        return words
    return None


def _end(wanted: str, words: Sequence[str], start: int) -> int | None:
    """Behind which word the wanted one ends when it begins with word `start`; it may be written in several words."""
    joined = ""
    for place in range(start, len(words)):
        joined += words[place]
        if joined == wanted:
            return place + 1
        if not wanted.startswith(joined):
            return None
    return None


@dataclass(frozen=True, slots=True)
class Hours:
    """When something goes on: hours of the day in Tehran, which may go over midnight, and between two moments."""

    opens_at: time | None = None
    closes_at: time | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether it goes on at this moment; it begins with its first and ends before its last."""
        if self.begins_at is not None and moment < self.begins_at:
            return False
        if self.is_over(moment):
            return False
        if self.opens_at is None or self.closes_at is None or self.opens_at == self.closes_at:
            return True
        clock = moment.astimezone(TEHRAN).time()
        if self.opens_at < self.closes_at:
            return self.opens_at <= clock < self.closes_at
        return clock >= self.opens_at or clock < self.closes_at

    def is_over(self, moment: datetime) -> bool:
        """Whether it will not go on any more."""
        return self.ends_at is not None and moment >= self.ends_at
