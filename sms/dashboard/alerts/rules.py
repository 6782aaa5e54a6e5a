"""What staff are told of money, in which words, and by which policy. Plain Python."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sms.billing.price_lists.rules import Loss
from sms.core.text import N_


class Kind(StrEnum):
    """What is wrong, or may be."""

    PRICE_BELOW_COST = "price_below_cost"
    CREDIT_LOW = "credit_low"
    SPEND_HIGH = "spend_high"
    SPEND_LOW = "spend_low"
    ASKED_BELOW_COST = "asked_below_cost"


KIND_LABELS: dict[Kind, str] = {
    Kind.PRICE_BELOW_COST: N_("Price below cost"),
    Kind.CREDIT_LOW: N_("Low credit at an operator"),
    Kind.SPEND_HIGH: N_("Spends more than usual"),
    Kind.SPEND_LOW: N_("Spends less than usual"),
    Kind.ASKED_BELOW_COST: N_("Below own price"),
}
SENTENCES: dict[Kind, str] = {
    Kind.PRICE_BELOW_COST: N_(
        "%(scope)s, %(network)s, %(language)s: a part is sold for %(price)s and costs us %(cost)s."
    ),
    Kind.CREDIT_LOW: N_("Our credit at %(gateway)s is %(credit)s; it should not be below %(limit)s."),
    Kind.SPEND_HIGH: N_("%(account)s spent %(spent)s in %(hours)s hours; at these hours %(usual)s is usual."),
    Kind.SPEND_LOW: N_("%(account)s spent only %(spent)s in %(hours)s hours; at these hours %(usual)s is usual."),
    Kind.ASKED_BELOW_COST: N_(
        "%(owner)s, %(scope)s, %(network)s, %(language)s: a part is sold to %(account)s for %(price)s and costs the"
        " reseller %(cost)s."
    ),
}
TONES: dict[Kind, str] = {
    Kind.PRICE_BELOW_COST: "danger",
    Kind.CREDIT_LOW: "danger",
    Kind.SPEND_HIGH: "warning",
    Kind.SPEND_LOW: "info",
    Kind.ASKED_BELOW_COST: "warning",
}
COMING = N_(
    "%(owner)s, %(scope)s, %(network)s, %(language)s: a part is sold to %(account)s for %(price)s and will cost the"
    " reseller %(cost)s from %(begins)s on."
)
OWN_SENTENCES: dict[tuple[bool, bool], str] = {  # by whether it is coming, and whether it is asked all the same
    (False, False): N_(
        "%(scope)s, %(network)s, %(language)s, for %(account)s: your price is %(price)s a part, and you pay %(cost)s"
        " yourself. What you pay is asked instead, and nothing is left for you."
    ),
    (False, True): N_(
        "%(scope)s, %(network)s, %(language)s, for %(account)s: your price is %(price)s a part, and you now pay"
        " %(cost)s yourself, more than when you set it. The difference is taken from your wallet."
    ),
    (True, False): N_(
        "%(scope)s, %(network)s, %(language)s, for %(account)s: your price is %(price)s a part, and from %(begins)s on"
        " you pay %(cost)s yourself. What you pay will be asked instead, and nothing will be left for you."
    ),
    (True, True): N_(
        "%(scope)s, %(network)s, %(language)s, for %(account)s: your price is %(price)s a part, and from %(begins)s on"
        " you pay %(cost)s yourself, more than when you set it. The difference will be taken from your wallet."
    ),
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
    is_asked_told: bool
    asked_ahead_days: int

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


@dataclass(frozen=True, slots=True)
class Worst:
    """Where a price loses most: a line (0: any of the operator's), its networks, its language (empty: both), and the
    highest of what the reseller pays there."""

    line_id: int
    network_ids: tuple[int, ...]
    language: str
    cost_mrial: int
    is_highest: bool

    @classmethod
    def of(cls, loss: Loss) -> "Worst":
        """The worst of a loss; where places are alike the operator's own goes first."""
        line_id = max(loss.costs_mrial, key=lambda key: (loss.costs_mrial[key], -key.line_id)).line_id
        here = {key: cost for key, cost in loss.costs_mrial.items() if key.line_id == line_id}
        languages = {str(key.language) for key in here}
        return cls(
            line_id,
            tuple(dict.fromkeys(key.network_id for key in here)),
            languages.pop() if len(languages) == 1 else "",
            max(here.values()),
            len(set(here.values())) > 1,
        )

    def named(self, all_networks: int) -> tuple[int, ...]:
        """The networks to name; none where they are all."""
        return () if len(self.network_ids) == all_networks else self.network_ids


def last_full_hour(at: datetime) -> datetime:
    """The end of the last hour of Tehran's clock that is over, some minutes ago: until then it may be counted."""
    counted = at - timedelta(minutes=5)
    half = timedelta(minutes=30)  # Tehran's hours begin at half past of UTC
    return (counted - half).replace(minute=0, second=0, microsecond=0) + half
