"""What can become of a message, and what an adapter is able to tell us about it."""

from enum import StrEnum

from sms.core.text import N_


class Outcome(StrEnum):
    """The final fate of one recipient; the first ten are also counted on every batch, in this order."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    BLOCKED = "blocked"
    OPTED_OUT = "opted_out"
    NOT_IN_NETWORK = "not_in_network"
    REFUSED = "refused"
    FILTERED = "filtered"
    OUT_OF_HOURS = "out_of_hours"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    INVALID = "invalid"
    DUPLICATE = "duplicate"


OUTCOME_LABELS: dict[Outcome, str] = {
    Outcome.DELIVERED: N_("Delivered"),
    Outcome.UNDELIVERED: N_("Undelivered"),
    Outcome.BLOCKED: N_("Blocked advertising"),
    Outcome.OPTED_OUT: N_("Opted out"),
    Outcome.NOT_IN_NETWORK: N_("Not in network"),
    Outcome.REFUSED: N_("Refused by operator"),
    Outcome.FILTERED: N_("Filtered text"),
    Outcome.OUT_OF_HOURS: N_("Out of hours"),
    Outcome.EXPIRED: N_("No report in time"),
    Outcome.CANCELLED: N_("Cancelled"),
    Outcome.INVALID: N_("Invalid number"),
    Outcome.DUPLICATE: N_("Duplicate number"),
}


class Capability(StrEnum):
    """What an operator lets us do about a message of unknown fate."""

    DEDUPES = "dedupes"  # repeating our id returns the first record: safe to resend
    LOOKS_UP = "looks_up"  # our id can be looked up, a repeat is not promised to be refused
    LISTS = "lists"  # only its outbox can be listed
    NOTHING = "nothing"
