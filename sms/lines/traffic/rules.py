"""How lines did: delivered shares and how long reports take, in figures that can be added up. Plain Python."""

from collections.abc import Iterable
from dataclasses import dataclass

from sms.core.text import N_

# A report that took at least so many seconds is counted in the step after; the last step has no end.
DELAY_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 10_800, 43_200, 86_400)
STEPS = len(DELAY_SECONDS) + 1
FEWEST = 100  # of others' messages: fewer tell nothing, and could tell whose they are


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of messages: how many were taken, delivered and failed, and their reports by how long they took."""

    submitted: int = 0
    delivered: int = 0
    failed: int = 0
    delays: tuple[int, ...] = (0,) * STEPS

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.submitted + other.submitted,
            self.delivered + other.delivered,
            self.failed + other.failed,
            tuple(mine + more for mine, more in zip(self.delays, other.delays, strict=True)),
        )

    @property
    def delivered_share(self) -> float | None:
        """Of those whose fate is known, the share that was delivered; None while none is known."""
        known = self.delivered + self.failed
        return self.delivered / known if known else None

    def within(self, percent: int) -> int | None:
        """In how many seconds at most so many percent of the reports came; None when none came, or when they took
        longer than the longest step."""
        wanted = sum(self.delays) * percent / 100
        if not wanted:
            return None
        seen = 0
        for count, seconds in zip(self.delays, DELAY_SECONDS, strict=False):
            seen += count
            if seen >= wanted:
                return seconds
        return None

    @property
    def is_told(self) -> bool:
        """Whether these are enough to be shown to somebody whose messages they are not."""
        return self.submitted >= FEWEST


def total(figures: Iterable[Figures]) -> Figures:
    """All of them together."""
    found = Figures()
    for each in figures:
        found += each
    return found


_UNITS = ((86_400, N_("%(count)s days")), (3_600, N_("%(count)s hours")), (60, N_("%(count)s minutes")))


def seconds_words(seconds: float) -> tuple[str, float]:
    """A length of time in the largest unit that is whole, or in minutes and hours rounded when it is long: a message id
    and what fills its %(count)s."""
    for size, words in _UNITS:
        if seconds >= size:
            count = round(seconds / size, 1)
            return words, int(count) if count == int(count) else count
    if seconds >= 10:  # noqa: PLR2004 - tenths of a second tell nothing any more
        return N_("%(count)s seconds"), round(seconds)
    return N_("%(count)s seconds"), round(seconds, 1)
