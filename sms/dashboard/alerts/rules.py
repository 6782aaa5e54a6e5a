"""What staff are told of money, in which words, and by which policy. Plain Python."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.text import N_


class Kind(StrEnum):
    """What is wrong, or may be."""

    PRICE_BELOW_COST = "price_below_cost"
    CREDIT_LOW = "credit_low"
    SPEND_HIGH = "spend_high"
    SPEND_LOW = "spend_low"


KIND_LABELS: dict[Kind, str] = {
    Kind.PRICE_BELOW_COST: N_("Price below cost"),
    Kind.CREDIT_LOW: N_("Low credit at an operator"),
    Kind.SPEND_HIGH: N_("Spends more than usual"),
    Kind.SPEND_LOW: N_("Spends less than usual"),
}
SENTENCES: dict[Kind, str] = {
    Kind.PRICE_BELOW_COST: N_(
        "%(scope)s, %(network)s, %(language)s: a part is sold for %(price)s and costs us %(cost)s."
    ),
    Kind.CREDIT_LOW: N_("Our credit at %(gateway)s is %(credit)s; it should not be below %(limit)s."),
    Kind.SPEND_HIGH: N_("%(account)s spent %(spent)s in %(hours)s hours; at these hours %(usual)s is usual."),
    Kind.SPEND_LOW: N_("%(account)s spent only %(spent)s in %(hours)s hours; at these hours %(usual)s is usual."),
}
TONES: dict[Kind, str] = {
    Kind.PRICE_BELOW_COST: "danger",
    Kind.CREDIT_LOW: "danger",
    Kind.SPEND_HIGH: "warning",
    Kind.SPEND_LOW: "info",
}
OF_SPEND = (Kind.SPEND_HIGH, Kind.SPEND_LOW)
LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Policy:
    """When something is told; amounts in milli-rial, `spend_factor_percent` in hundredths of a robust deviation."""

    least_margin_percent: int
    spend_hours: int
    spend_weeks: int
    spend_least_days: int
    spend_factor_percent: int
    spend_floor_mrial: int

    @property
    def days(self) -> int:
        """So many earlier days are looked at."""
        return self.spend_weeks * 7


@dataclass(frozen=True, slots=True)
class Noticed:
    """One thing that is so now: what it is about, whose it is, and what fills the places of its sentence."""

    subject: str
    account_id: int | None = None
    details: Mapping[str, object] = field(default_factory=dict)


def last_full_hour(at: datetime) -> datetime:
    """The end of the last hour of Tehran's clock that is over, some minutes ago: until then it may be counted."""
    counted = at - timedelta(minutes=5)
    half = timedelta(minutes=30)  # Tehran's hours begin at half past of UTC
    return (counted - half).replace(minute=0, second=0, microsecond=0) + half
