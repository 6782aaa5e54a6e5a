"""How round a number is, and why. Only the digits after the operator's prefix count: the prefix is everybody's.

The score is the strongest reason, half of the second, a quarter of the third and so on, 100 at most. The weights are
ours: operators publish tiers, not rules; staff may override a number (domain reference §1.3).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sms.core.text import N_
from sms.lines.formats.rules.tiers import Tier

MOST = 100
THRESHOLDS: tuple[tuple[int, Tier], ...] = ((80, Tier.VERY_ROUND), (50, Tier.ROUND), (25, Tier.SEMI))

_WHOLE_LADDER, _PART_LADDER = 80, 60
_RUN, _ZEROS = 70, 80
_MIRROR, _PAIRS, _TWO_DIGITS = 45, 55, 20
_ECHO = 90
_BLOCKS = {2: 75, 3: 70, 4: 65, 5: 60, 6: 60}  # by the length of what is repeated
_TINY = 60  # a tail of one digit, or of two equal ones
_LEAST_RUN, _LEAST_LADDER, _LEAST_MIRROR, _LEAST_OF_TWO = 3, 3, 4, 5
_EQUAL = re.compile(r"(\d)\1*")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a number is round: a sentence with its places, and what it is worth."""

    points: int
    message: str
    params: dict[str, str]


@dataclass(frozen=True, slots=True)
class Roundness:
    """What a number's digits come to; `reasons` begins with the strongest and is empty for a plain number."""

    score: int
    tier: Tier
    reasons: tuple[Reason, ...]


def roundness(number: str, *, operator_code: str) -> Roundness:
    """The score of a whole sender number of an operator."""
    tail = number.removeprefix(operator_code)
    reasons = sorted(_reasons(tail, operator_code), key=lambda reason: -reason.points)
    score = min(MOST, sum(reason.points >> place for place, reason in enumerate(reasons)))
    tier = next((tier for least, tier in THRESHOLDS if score >= least), Tier.PLAIN)
    return Roundness(score, tier, tuple(reasons))


def _reasons(tail: str, code: str) -> Iterator[Reason]:
    if len(tail) < _LEAST_RUN:
        if not tail:
            yield Reason(MOST, N_("It is the operator's prefix itself"), {})
        elif len(set(tail)) == 1:
            yield Reason(_TINY, N_("Hardly a digit follows the prefix"), {})
        return
    if len(set(tail)) == 1:
        yield Reason(MOST, N_("After the prefix there are only %(digit)s's"), {"digit": tail[0]})
        return
    yield from _repeats(tail, code)
    yield from _runs(tail)
    yield from _ladders(tail)
    yield from _shapes(tail)


def _repeats(tail: str, code: str) -> Iterator[Reason]:
    """1212, 123123; and 3000 3000, where the prefix itself comes again."""
    if tail == code * (len(tail) // len(code)):
        yield Reason(_ECHO, N_("The prefix %(code)s comes again"), {"code": code})
        return
    for width, points in _BLOCKS.items():
        times, rest = divmod(len(tail), width)
        if not rest and times > 1 and tail == tail[:width] * times:
            yield Reason(points, N_("%(block)s comes %(times)s times"), {"block": tail[:width], "times": str(times)})
            return


def _runs(tail: str) -> Iterator[Reason]:
    """7777 inside a number, and zeros at its end, which are worth more."""
    runs = [(found.group(), found.end()) for found in _EQUAL.finditer(tail)]
    last, _ = runs[-1]
    if last[0] == "0" and len(last) > 1:
        count = len(last)
        yield Reason(_ZEROS * count // len(tail), N_("It ends with %(count)s zeros"), {"count": str(count)})
        runs.pop()
    longest = max((run for run, _ in runs), key=len, default="")
    if len(longest) >= _LEAST_RUN:
        params = {"digit": longest[0], "count": str(len(longest))}
        yield Reason(
            _RUN * len(longest) // len(tail), N_("The digit %(digit)s stands %(count)s times in a row"), params
        )


def _ladders(tail: str) -> Iterator[Reason]:
    """1234 and 9876."""
    longest = max((_ladder(tail, start, step) for start in range(len(tail)) for step in (1, -1)), key=len)
    if longest == tail:
        points = _WHOLE_LADDER if len(tail) > _LEAST_LADDER else _PART_LADDER
    elif len(longest) > _LEAST_LADDER:
        points = _PART_LADDER * len(longest) // len(tail)
    else:
        return
    yield Reason(points, N_("%(ladder)s goes step by step"), {"ladder": longest})


def _ladder(tail: str, start: int, step: int) -> str:
    end = start + 1
    while end < len(tail) and int(tail[end]) - int(tail[end - 1]) == step:
        end += 1
    return tail[start:end]


def _shapes(tail: str) -> Iterator[Reason]:
    """1221 reads the same backwards; 1122 is made of pairs; 55155 has two digits only."""
    if len(tail) >= _LEAST_MIRROR and tail == tail[::-1]:
        yield Reason(_MIRROR, N_("%(tail)s reads the same backwards"), {"tail": tail})
    pairs = [tail[place : place + 2] for place in range(0, len(tail), 2)]
    if len(pairs) > 1 and all(len(set(pair)) == 1 and len(pair) == len(pairs[0]) for pair in pairs):
        yield Reason(_PAIRS, N_("It is made of pairs: %(pairs)s"), {"pairs": " ".join(pairs)})
    is_flat = all(one == other for one, other in pairwise(tail))
    if len(tail) >= _LEAST_OF_TWO and len(set(tail)) == 2 and not is_flat:  # noqa: PLR2004 - as the sentence says
        yield Reason(_TWO_DIGITS, N_("It has only two different digits"), {})
