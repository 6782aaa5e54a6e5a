"""Searching for a number as people ask for it, and as what it is sold to them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sms.core.text import N_
from sms.lines.formats.rules.offers import NO_OFFER, Cell, Offer
from sms.lines.formats.rules.tiers import TIERS, Audience, Choice, Tier, sold_as
from sms.lines.rules import UnusableLine

_FOLD = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩يك", "01234567890123456789یک")
_ENDS = re.compile(r"(?:ends? (?:with|in)|ending|ختم به|پایان|آخرش?)\s*([\d\s]*\d)")
_BEGINS = re.compile(r"(?:begins? with|starts? with|beginning|شروع با|آغاز با|اولش?)\s*([\d\s]*\d)")
_SHAPES = (  # the first that fits counts
    (_ENDS, "ends"),
    (_BEGINS, "begins"),
    (re.compile(r"^[*x…]+\s*(\d[\d\s]*)$"), "ends"),
    (re.compile(r"^(\d[\d\s]*?)\s*[*x…]+$"), "begins"),
    (re.compile(r"(\d[\d\s]*)"), "contains"),
)
_MOBILE = re.compile(r"(?:my (?:mobile|phone|number)|موبایل(?:م| من)?|شماره ?(?:ام|من))")
_LAST = re.compile(r"(?:last|آخر)\D{0,12}?(\d)|(\d)\s*(?:رقم|digits?)")
_WORDS = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "دو": "2", "سه": "3", "چهار": "4", "پنج": "5"}
LONGEST_PATTERN = 20
_LAST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a number's digits must do; empty parts ask for nothing. Prefixes count for `begins` only."""

    begins: str = ""
    ends: str = ""
    contains: str = ""


ANY = Pattern()


def read_pattern(text: str, *, mobile: int | None) -> Pattern:
    """What somebody asks for: 1404, *1404, 3000*, «ختم به ۱۴۰۴», “contains my mobile's last four”.

    Raises UnusableLine when it cannot be read, or the mobile number is not known.
    """
    asked = " ".join(text.translate(_FOLD).casefold().replace("\u200c", " ").split())
    if not asked:
        return ANY
    if _MOBILE.search(asked):
        return _of_mobile(asked, mobile)
    for expression, part in _SHAPES:
        if found := expression.search(asked):
            return replace(ANY, **{part: _joined(found[1])})
    raise UnusableLine("pattern", N_("“%(text)s” names no digits: write them, such as 1404 or *1404."), text=text[:40])


def _joined(text: str) -> str:
    return text.replace(" ", "")[:LONGEST_PATTERN]


def _of_mobile(asked: str, mobile: int | None) -> Pattern:
    if mobile is None:
        raise UnusableLine("pattern", N_("Your mobile number is not known here; write the digits instead."))
    words = " ".join(_WORDS.get(word, word) for word in asked.split())
    found = _LAST.search(words)
    count = int(found[1] or found[2]) if found else _LAST_DIGITS
    last = str(mobile)[-max(count, 1) :]
    is_end = re.search(r"\bends?\b|ختم|پایان", asked) is not None
    return Pattern(ends=last) if is_end else Pattern(contains=last)


@dataclass(frozen=True, slots=True)
class Sold:
    """As what a length and tier is sold to an audience, assigned: the tier that is priced and its offer."""

    operator_id: int
    digits: int
    tier: Tier
    priced_tier: Tier
    offer: Offer


def shelf(
    formats: Mapping[int, Sequence[tuple[int, Sequence[Tier]]]], offers: Mapping[Cell, Offer], audience: Audience
) -> list[Sold]:
    """For every operator, length on sale and tier: the offer for a number of the inventory. Where nothing is offered
    the number is not in the shop."""
    found = []
    for operator_id, lengths in formats.items():
        for digits, tiers in lengths:
            for tier in TIERS:
                priced = sold_as(tier, tiers)
                offer = offers.get(Cell(operator_id, digits, priced, Choice.ASSIGNED, audience), NO_OFFER)
                if offer != NO_OFFER:
                    found.append(Sold(operator_id, digits, tier, priced, offer))
    return found
