"""Which price and which refund rule is meant when several fit. Plain Python: amounts in milli-rial a part."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from sms.core.text import N_
from sms.operators.rules import Outcome


class Language(StrEnum):
    """What a tariff is for: texts of the GSM alphabet are priced as Latin, all others as Persian."""

    PERSIAN = "persian"
    LATIN = "latin"


LANGUAGE_LABELS: dict[Language, str] = {Language.PERSIAN: N_("Persian"), Language.LATIN: N_("Latin")}

NEVER_CHARGED = frozenset({Outcome.REFUSED, Outcome.CANCELLED, Outcome.INVALID, Outcome.DUPLICATE})
"""Messages that end so cost nothing, or their money goes back unspent: there is nothing to refund."""

REFUNDABLE: tuple[Outcome, ...] = tuple(
    outcome for outcome in Outcome if outcome is not Outcome.DELIVERED and outcome not in NEVER_CHARGED
)
"""What a refund rule may be about. A delivered message is never refunded."""

MOST_PRICE_MRIAL = 10**9  # a million rial a part: more is a slip of the finger
LONGEST_DELAY_SECONDS = 90 * 86_400
LONGEST_NOTE = 300
FULL = 100


class Phase(StrEnum):
    """Where a dated row stands at a moment."""

    COMING = "upcoming"
    CURRENT = "current"
    ENDED = "ended"


PHASE_LABELS: dict[Phase, str] = {
    Phase.CURRENT: N_("In force"),
    Phase.COMING: N_("Coming"),
    Phase.ENDED: N_("Ended"),
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a row is for: one operator or one of its lines, towards one network or (None) any."""

    operator_id: int | None = None
    line_id: int | None = None
    network_id: int | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """A tariff row: what a part costs, and what it costs us."""

    id: int
    scope: Scope
    valid_from: datetime
    valid_until: datetime | None
    language: Language
    price_mrial: int
    cost_mrial: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A refund rule: what comes back when a message ends so; the delay is counted from its sending."""

    id: int
    scope: Scope
    valid_from: datetime
    valid_until: datetime | None
    outcome: str
    percent: int
    delay_seconds: int
    note: str


class Dated(Protocol):
    """What both have in common."""

    @property
    def id(self) -> int:
        """Its row."""

    @property
    def scope(self) -> Scope:
        """What it is for."""

    @property
    def valid_from(self) -> datetime:
        """Its first moment."""

    @property
    def valid_until(self) -> datetime | None:
        """The first moment it no longer holds."""


AnyDated = TypeVar("AnyDated", bound=Dated)


def phase(*, valid_from: datetime, valid_until: datetime | None, at: datetime) -> Phase:
    """Where a row stands: it holds in [valid_from, valid_until)."""
    if valid_until is not None and (valid_until <= at or valid_until <= valid_from):
        return Phase.ENDED
    return Phase.COMING if valid_from > at else Phase.CURRENT


def most_specific(
    found: Iterable[AnyDated], *, line_id: int, operator_id: int | None, network_id: int, at: datetime
) -> AnyDated | None:
    """The row that is meant: a line's before its operator's, then one network's before any's, then the later one."""
    fitting = [
        row
        for row in found
        if phase(valid_from=row.valid_from, valid_until=row.valid_until, at=at) is Phase.CURRENT
        and fits(row.scope, line_id=line_id, operator_id=operator_id, network_id=network_id)
    ]
    return max(fitting, key=_rank, default=None)


def fits(scope: Scope, *, line_id: int, operator_id: int | None, network_id: int) -> bool:
    """Whether a row of this scope is about a line of an operator, towards a network."""
    if scope.network_id not in {None, network_id}:
        return False
    if scope.line_id is not None:
        return scope.line_id == line_id
    return scope.operator_id is not None and scope.operator_id == operator_id


def _rank(row: Dated) -> tuple[bool, bool, datetime, int]:
    return row.scope.line_id is not None, row.scope.network_id is not None, row.valid_from, row.id


@dataclass(frozen=True, slots=True)
class Ending:
    """What adding a row does to its neighbours of the same scope: which end when, and when the new one ends."""

    ends: tuple[tuple[int, datetime], ...]
    valid_until: datetime | None


def make_room(existing: Sequence[tuple[int, datetime, datetime | None]], *, valid_from: datetime) -> Ending:
    """Keep one row at a time in force: the row of that moment ends as the new one begins, the new one ends as the
    next begins.

    `existing` are (id, valid_from, valid_until) of the same scope; a row of the very same beginning is replaced.
    """
    ends: list[tuple[int, datetime]] = []
    coming: list[datetime] = []
    for row_id, begins, until in existing:
        if until is not None and until <= max(begins, valid_from):
            continue
        if begins <= valid_from:
            ends.append((row_id, valid_from))
        else:
            coming.append(begins)
    return Ending(tuple(ends), min(coming, default=None))


Value = TypeVar("Value", bound=Hashable)


def together(values: Mapping[int, Value]) -> list[tuple[tuple[int, ...], Value]]:
    """Networks of the same value in one group, in the order in which the values first appear."""
    groups: dict[Value, list[int]] = {}
    for network_id, value in values.items():
        groups.setdefault(value, []).append(network_id)
    return [(tuple(network_ids), value) for value, network_ids in groups.items()]


@dataclass(frozen=True, slots=True)
class Refund:
    """What comes back for an outcome, whichever row says so."""

    percent: int
    delay_seconds: int
    note: str

    @property
    def words(self) -> tuple[str, dict[str, int]]:
        """The sentence for it: a message id and what fills its places."""
        if not self.percent:
            return N_("nothing comes back"), {}
        share = N_("the whole price comes back") if self.percent == FULL else N_("%(percent)s percent comes back")
        return share, {"percent": self.percent}

    @property
    def when(self) -> tuple[str, dict[str, int]]:
        """When: a message id and what fills its places."""
        if not self.delay_seconds:
            return N_("as soon as the operator reports it"), {}
        for seconds, sentence in _UNITS:
            if self.delay_seconds % seconds == 0:
                return sentence, {"count": self.delay_seconds // seconds}
        return N_("%(count)s seconds after sending"), {"count": self.delay_seconds}


_UNITS = ((3_600, N_("%(count)s hours after sending")), (60, N_("%(count)s minutes after sending")))


def refund_of(rule: Rule | None) -> Refund:
    """What a rule gives back; without a rule, nothing."""
    if rule is None or not rule.percent:
        return Refund(0, 0, rule.note if rule else "")
    return Refund(rule.percent, rule.delay_seconds, rule.note)


def margin_percent(*, price_mrial: int, cost_mrial: int) -> int | None:
    """What is left of a price after its cost, in whole percent rounded down; None where nothing is charged."""
    return (price_mrial - cost_mrial) * 100 // price_mrial if price_mrial else None


@dataclass(slots=True)
class RefundResolver:
    """Finds the rule for a message among the rules that held when its campaign was accepted."""

    rules: Sequence[Rule]
    operators: dict[int, int]  # by line
    at: datetime
    _known: dict[tuple[int, int, str], Rule | None] = field(default_factory=dict)

    def rule(self, *, line_id: int, network_id: int, outcome: str) -> Rule | None:
        """The most specific rule for an outcome; None when nothing comes back, and always for a delivered message."""
        key = (line_id, network_id, str(outcome))
        if key not in self._known:
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(self, line_id: int, network_id: int, outcome: str) -> Rule | None:
        if outcome == Outcome.DELIVERED:
            return None
        return most_specific(
            [rule for rule in self.rules if rule.outcome == outcome],
            line_id=line_id,
            operator_id=self.operators.get(line_id),
            network_id=network_id,
            at=self.at,
        )
