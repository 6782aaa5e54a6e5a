"""Which line to choose after all were tried with the same text, and why. Plain Python.

What counts is stated by the founding article: how soon a text goes out and its report comes back, what comes back for
those that are not reached, and the price; technically the operators are much alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from sms.core.errors import Refusal
from sms.core.text import N_

LONGEST_TEXT = 300
QUICK_SECONDS, SLOW_SECONDS = 10.0, 60.0

# In what the choice is weighed, as percent of the price: a report that comes late by a step, and being paid back for
# numbers that are not in the network.
STEP_PERCENT = 10
PAYS_BACK_PERCENT = 5

Words = tuple[str, dict[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a line did with the text; times in seconds, averaged over the recipients. Without a report `reported` is
    None; `line_from_mrial` is what a number there costs at least."""

    line_id: int
    operator_code: str
    count: int = 1
    delivered_count: int = 0
    accepted: float | None = None
    reported: float | None = None
    price_mrial: int | None = None
    pays_back: bool = False
    line_from_mrial: int | None = None

    @property
    def is_reached(self) -> bool:
        """Whether everybody got the text."""
        return 0 < self.count == self.delivered_count

    @property
    def slowness(self) -> int:
        """0: the report came within seconds; 1: within a minute; 2: later."""
        if self.reported is None or self.reported > SLOW_SECONDS:
            return 2
        return 1 if self.reported > QUICK_SECONDS else 0


@dataclass(frozen=True, slots=True)
class Advice:
    """The line to choose, the sentence that says so, and why; `others` tells for whom another one is better."""

    chosen: Tried
    sentence: Words
    reasons: tuple[Words, ...]
    others: tuple[Words, ...] = ()


def advise(tried: Sequence[Tried]) -> Advice | None:
    """The line that is best for most: it reached everybody, and price, report and refunds weigh least together; None
    while no line has reached everybody."""
    reached = [line for line in tried if line.is_reached and line.price_mrial is not None]
    if not reached:
        return None
    cheapest = min(line.price_mrial or 0 for line in reached)
    chosen = min(reached, key=lambda line: (weight(line, cheapest), line.operator_code))
    return Advice(
        chosen,
        (N_("For most sends we recommend operator %(operator)s."), {"operator": chosen.operator_code}),
        _reasons(chosen, reached, cheapest),
        _others(chosen, reached, cheapest),
    )


def weight(line: Tried, cheapest_mrial: int) -> int:
    """What a line weighs: how many percent dearer than the cheapest it is, and what is added or taken for the rest."""
    dearer = _dearer_percent(line, cheapest_mrial)
    return dearer + STEP_PERCENT * line.slowness - (PAYS_BACK_PERCENT if line.pays_back else 0)


def _dearer_percent(line: Tried, cheapest_mrial: int) -> int:
    """In whole percent, rounded down."""
    return 100 * ((line.price_mrial or 0) - cheapest_mrial) // cheapest_mrial if cheapest_mrial else 0


def _reasons(chosen: Tried, reached: Sequence[Tried], cheapest: int) -> tuple[Words, ...]:
    found: list[Words] = [(N_("It reached every one of your numbers."), {})]
    if chosen.reported is not None:
        found.append(_about_report(chosen, reached))
    dearer = _dearer_percent(chosen, cheapest)
    if dearer:
        found.append((N_("The text costs %(percent)s percent more there than over the cheapest."), {"percent": dearer}))
    elif len(reached) > 1:
        found.append((N_("Nowhere is the text cheaper."), {}))
    if chosen.pays_back:
        found.append((N_("It pays back for numbers that are not in the network, too."), {}))
    return tuple(found)


def _about_report(chosen: Tried, reached: Sequence[Tried]) -> Words:
    seconds = round(chosen.reported or 0, 1)
    slowest = max((line.reported or 0 for line in reached), default=0)
    if len(reached) > 1 and chosen.reported == min(line.reported for line in reached if line.reported is not None):
        return N_("Its report was the first: after %(seconds)s seconds; the last came after %(slowest)s."), {
            "seconds": seconds,
            "slowest": round(slowest, 1),
        }
    return N_("Its report came after %(seconds)s seconds."), {"seconds": seconds}


def _others(chosen: Tried, reached: Sequence[Tried], cheapest: int) -> tuple[Words, ...]:
    found: list[Words] = []
    paying = [line.operator_code for line in reached if line.pays_back]
    if paying and not chosen.pays_back:
        found.append(
            (
                N_("If your list is old, look at operator %(operator)s: it pays back for numbers not in the network."),
                {"operator": ", ".join(paying)},
            )
        )
    quick = [line.operator_code for line in reached if line.slowness < chosen.slowness]
    if quick:
        found.append((N_("If you want your reports sooner: operator %(operator)s."), {"operator": ", ".join(quick)}))
    cheap = [line.operator_code for line in reached if line.price_mrial == cheapest and line is not chosen]
    if cheap and chosen.price_mrial != cheapest:
        found.append(
            (
                N_("If only the price counts, and reports may come late: operator %(operator)s."),
                {"operator": ", ".join(cheap)},
            )
        )
    return tuple(found)


def check_text(body: str) -> str:
    """The text of a comparison; raises Refusal."""
    if not body.strip():
        raise Refusal(N_("The text is empty."))
    if len(body) > LONGEST_TEXT:
        raise Refusal(N_("A text to compare with has at most %(most)s characters."), most=LONGEST_TEXT)
    return body
