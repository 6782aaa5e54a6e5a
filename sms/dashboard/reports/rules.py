"""What a report tells: sums of messages and money that can be added up, over days of Tehran. Plain Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sms.core.text import N_
from sms.operators.rules import Outcome
from sms.outbox.rules import COUNTED

DAYS = 30  # when no period is named
MOST_DAYS = 366


class Group(StrEnum):
    """What the rows of a report stand for."""

    DAY = "day"
    LINE = "line"
    OPERATOR = "operator"
    NETWORK = "network"
    ACCOUNT = "account"


GROUP_LABELS: dict[Group, str] = {
    Group.DAY: N_("Day"),
    Group.LINE: N_("Line"),
    Group.OPERATOR: N_("Operator"),
    Group.NETWORK: N_("Network"),
    Group.ACCOUNT: N_("Sub-account"),
}


class Whose(StrEnum):
    """From where a report is looked at: the staff see all and what it cost, a reseller what its sub-accounts paid, a
    customer its own."""

    HOUSE = "house"
    TREE = "tree"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose messages a report is about: `account_id` alone (OWN), with all below it (TREE), or everybody's; and who
    looks at it: a reseller's own id is `viewer_id`."""

    whose: Whose
    account_id: int | None
    viewer: Whose
    viewer_id: int = 0


@dataclass(frozen=True, slots=True)
class Sums:
    """What became of messages, and their money in milli-rial. `price_mrial` was charged for what an operator took;
    `refund_mrial` is counted by the day on which it was paid back."""

    submitted: int = 0
    delivered: int = 0
    failed: int = 0
    unsent: int = 0
    parts: int = 0
    price_mrial: int = 0
    cost_mrial: int = 0
    refund_count: int = 0
    refund_mrial: int = 0
    refund_cost_mrial: int = 0

    @property
    def messages(self) -> int:
        """All that ended or are with an operator."""
        return self.submitted + self.unsent

    @property
    def waiting(self) -> int:
        """With an operator, and not reported yet."""
        return self.submitted - self.delivered - self.failed

    @property
    def delivered_share(self) -> float | None:
        """Of those whose fate is known; None while none is."""
        known = self.delivered + self.failed
        return self.delivered / known if known else None

    @property
    def revenue_mrial(self) -> int:
        """What is left of the price after refunds."""
        return self.price_mrial - self.refund_mrial

    @property
    def net_cost_mrial(self) -> int:
        """What the operators keep of their cost: they refund us as we refund the customer."""
        return self.cost_mrial - self.refund_cost_mrial

    @property
    def profit_mrial(self) -> int:
        """What is left of the revenue after the operators."""
        return self.revenue_mrial - self.net_cost_mrial


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a report: its key and what is shown for it, its sums, and its messages by outcome."""

    key: object
    names: tuple[str, str]
    sums: Sums
    outcomes: Mapping[Outcome, int]


def period(since: date | None, until: date | None, *, today: date) -> tuple[date, date]:
    """The days a report is about, both included: the last thirty when none are named, in order and a year at most."""
    last = until or (min(today, since + timedelta(days=MOST_DAYS - 1)) if since else today)
    first = since or last - timedelta(days=DAYS - 1)
    first, last = min(first, last), max(first, last)
    return max(first, last - timedelta(days=MOST_DAYS - 1)), last


def days_between(first: date, last: date) -> list[date]:
    """Every day of a period."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


OUTCOMES = tuple(COUNTED)
