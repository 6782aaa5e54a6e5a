"""An account's lines as it keeps them: colours, and the order in which a send goes on over them. Plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.lines.rules import UnusableLine

COLOURS: dict[str, str] = {
    "blue": N_("Blue"),
    "cyan": N_("Turquoise"),
    "green": N_("Green"),
    "lime": N_("Lime"),
    "yellow": N_("Yellow"),
    "orange": N_("Orange"),
    "red": N_("Red"),
    "pink": N_("Pink"),
    "purple": N_("Purple"),
    "dark": N_("Black"),
}
MOST_PLAN_LINES = 10
LEAST_PERCENT, MOST_PERCENT = 100, 1000


def check_colour(colour: str) -> str:
    """A colour there is, or none: the operator's; raises UnusableLine."""
    if colour and colour not in COLOURS:
        raise UnusableLine("colour", N_("Choose one of the colours."))
    return colour


@dataclass(frozen=True, slots=True)
class PlanStep:
    """A line a send may go on over when its operator is down, and what it may cost there at most, in percent of its
    price on the first line; None: no more than there."""

    line_id: int
    most_percent: int | None = None


def check_plan(steps: Sequence[PlanStep]) -> list[PlanStep]:
    """The plan without repeated lines; raises Refusal."""
    by_line: dict[int, PlanStep] = {}
    for step in steps:
        by_line.setdefault(step.line_id, step)
    once = list(by_line.values())
    if len(once) > MOST_PLAN_LINES:
        raise Refusal(N_("A plan has at most %(most)s lines."), most=MOST_PLAN_LINES)
    for step in once:
        if step.most_percent is not None and not LEAST_PERCENT <= step.most_percent <= MOST_PERCENT:
            raise Refusal(
                N_("What a send may cost elsewhere is between %(least)s and %(most)s percent of its price."),
                least=LEAST_PERCENT,
                most=MOST_PERCENT,
            )
    return once


def cap_mrial(price_mrial: int, most_percent: int | None) -> int:
    """What a send of this price may cost over a line of the plan; what is less than a milli-rial is left out."""
    return price_mrial * (most_percent or LEAST_PERCENT) // LEAST_PERCENT
