"""The dimensions of a line's price: how round it is, who chose its digits, who asks."""

from collections.abc import Collection
from enum import StrEnum

from sms.core.text import N_


class Tier(StrEnum):
    """How round a number is, in the words of the market, the plainest first."""

    PLAIN = "plain"
    SEMI = "semi"
    ROUND = "round"
    VERY_ROUND = "very_round"


TIERS: tuple[Tier, ...] = tuple(Tier)
TIER_LABELS: dict[Tier, str] = {
    Tier.PLAIN: N_("Plain number"),
    Tier.SEMI: N_("Semi-round"),
    Tier.ROUND: N_("Round"),
    Tier.VERY_ROUND: N_("Very round"),
}


class Choice(StrEnum):
    """Who picks the free digits: the operator, or the customer."""

    ASSIGNED = "assigned"
    CUSTOM = "custom"


CHOICE_LABELS: dict[Choice, str] = {
    Choice.ASSIGNED: N_("Assigned by the operator"),
    Choice.CUSTOM: N_("Chosen by the customer"),
}
SHORT_CHOICE_LABELS: dict[Choice, str] = {Choice.ASSIGNED: N_("assigned"), Choice.CUSTOM: N_("chosen")}


class Audience(StrEnum):
    """To whom a price is shown."""

    CUSTOMER = "customer"
    RESELLER = "reseller"
    SPECIAL_RESELLER = "special_reseller"


AUDIENCE_LABELS: dict[Audience, str] = {
    Audience.CUSTOMER: N_("Customer"),
    Audience.RESELLER: N_("Reseller"),
    Audience.SPECIAL_RESELLER: N_("Special reseller"),
}


def sold_as(tier: Tier, tiers: Collection[Tier]) -> Tier:
    """As what a number is sold where only some tiers are priced apart: the roundest there that it reaches."""
    reached = [each for each in TIERS[: TIERS.index(tier) + 1] if each in tiers]
    return reached[-1] if reached else min(tiers, key=TIERS.index)
