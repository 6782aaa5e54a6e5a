"""The life of an order, its papers, and what public lines may be used for."""

from collections.abc import Mapping
from enum import StrEnum

from sms.core.errors import Refusal
from sms.core.text import N_


class OrderState(StrEnum):
    """Where an order of a line stands between the customer and us."""

    INQUIRY = "inquiry"
    QUOTED = "quoted"
    APPROVED = "approved"
    PURCHASED = "purchased"
    ACTIVE = "active"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


ORDER_LABELS: dict[OrderState, str] = {
    OrderState.INQUIRY: N_("Asked for a price"),
    OrderState.QUOTED: N_("Quoted"),
    OrderState.APPROVED: N_("Approved, money held"),
    OrderState.PURCHASED: N_("Bought at the operator"),
    OrderState.ACTIVE: N_("Active"),
    OrderState.REJECTED: N_("Rejected"),
    OrderState.EXPIRED: N_("Expired"),
    OrderState.CANCELLED: N_("Cancelled"),
}

# A list price needs no quote: such an order begins approved. What was bought at the operator is not undone by a click.
ORDER_MOVES: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.INQUIRY: frozenset({OrderState.QUOTED, OrderState.REJECTED, OrderState.CANCELLED}),
    OrderState.QUOTED: frozenset(
        {OrderState.APPROVED, OrderState.QUOTED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.CANCELLED}
    ),
    OrderState.APPROVED: frozenset({OrderState.PURCHASED, OrderState.REJECTED, OrderState.CANCELLED}),
    OrderState.PURCHASED: frozenset({OrderState.ACTIVE, OrderState.REJECTED}),
    OrderState.ACTIVE: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.EXPIRED: frozenset(),
    OrderState.CANCELLED: frozenset(),
}
BEGINNINGS = frozenset({OrderState.INQUIRY, OrderState.APPROVED})
OPEN = frozenset(state for state, after in ORDER_MOVES.items() if after)
HELD = frozenset({OrderState.APPROVED, OrderState.PURCHASED})  # money stands in the order's escrow
BY_CUSTOMER = frozenset(
    {OrderState.APPROVED, OrderState.CANCELLED}
)  # everything else is a step of the staff or of time


def check_step(state: OrderState, to: OrderState) -> None:
    """Raise Refusal for a step an order cannot take."""
    if to not in ORDER_MOVES[state]:
        raise Refusal(N_("The order is not in a state for that; look at it again."))


class DocumentKind(StrEnum):
    """Which paper a document is."""

    NATIONAL_CARD = "national_card"
    BIRTH_CERTIFICATE = "birth_certificate"
    GAZETTE = "gazette"
    LETTER = "letter"
    COMMITMENT = "commitment"
    BILL = "bill"
    LICENCE = "licence"
    OTHER = "other"


class DocumentState(StrEnum):
    """Whether staff have looked at it."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


DOCUMENT_MOVES: Mapping[DocumentState, frozenset[DocumentState]] = {
    DocumentState.PENDING: frozenset({DocumentState.APPROVED, DocumentState.REJECTED}),
    DocumentState.APPROVED: frozenset({DocumentState.REJECTED}),
    DocumentState.REJECTED: frozenset(),
}


class PublicPolicy(StrEnum):
    """What public lines may be used for."""

    TRIAL = "trial"
    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"


MOST_TRIAL_RECIPIENTS = 4  # the verified mobile and three more
