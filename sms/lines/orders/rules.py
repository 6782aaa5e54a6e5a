"""The life of an order: which moves there are, who makes them, and what is paid when. Plain Python."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.lines.documents.rules import Holder
from sms.lines.formats.rules.tiers import Tier
from sms.lines.rules import UnusableLine, canonical_number


class OrderState(StrEnum):
    """Where an order stands."""

    INQUIRY = "inquiry"
    QUOTED = "quoted"
    APPROVED = "approved"
    PURCHASED = "purchased"
    ACTIVE = "active"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Side(StrEnum):
    """Who makes a move."""

    CUSTOMER = "customer"
    STAFF = "staff"
    PANEL = "panel"


ORDER_LABELS: dict[OrderState, str] = {
    OrderState.INQUIRY: N_("Inquiry"),
    OrderState.QUOTED: N_("Price quoted"),
    OrderState.APPROVED: N_("Approved, money held"),
    OrderState.PURCHASED: N_("Bought at the operator"),
    OrderState.ACTIVE: N_("Handed over"),
    OrderState.REJECTED: N_("Turned down by us"),
    OrderState.EXPIRED: N_("Quote ran out"),
    OrderState.CANCELLED: N_("Cancelled"),
}

NEXT: dict[OrderState, str] = {
    OrderState.INQUIRY: N_("Our staff ask the operator for its price; you read it here."),
    OrderState.QUOTED: N_("Approve the price, and it is set aside from your balance; until then nothing is paid."),
    OrderState.APPROVED: N_("The price is set aside. Our staff buy the number at the operator."),
    OrderState.PURCHASED: N_("The number is bought; our staff connect it and hand it over."),
    OrderState.ACTIVE: N_("The line is yours: texts go out from it and replies come in."),
    OrderState.REJECTED: N_("This order is over; whatever was set aside is back in your balance."),
    OrderState.EXPIRED: N_(
        "The quote ran out before it was approved; the number is free again. Ask once more if you like."
    ),
    OrderState.CANCELLED: N_("This order is over; whatever was set aside is back in your balance."),
}
"""What happens next, said to the customer."""

_S = OrderState
MOVES: Mapping[tuple[OrderState, OrderState], Side] = {
    (_S.INQUIRY, _S.QUOTED): Side.STAFF,
    (_S.QUOTED, _S.QUOTED): Side.STAFF,
    (_S.QUOTED, _S.APPROVED): Side.CUSTOMER,
    (_S.APPROVED, _S.PURCHASED): Side.STAFF,
    (_S.PURCHASED, _S.ACTIVE): Side.STAFF,
    (_S.INQUIRY, _S.CANCELLED): Side.CUSTOMER,
    (_S.QUOTED, _S.CANCELLED): Side.CUSTOMER,
    (_S.APPROVED, _S.CANCELLED): Side.CUSTOMER,
    (_S.INQUIRY, _S.REJECTED): Side.STAFF,
    (_S.QUOTED, _S.REJECTED): Side.STAFF,
    (_S.APPROVED, _S.REJECTED): Side.STAFF,
    (_S.PURCHASED, _S.REJECTED): Side.STAFF,
    (_S.QUOTED, _S.EXPIRED): Side.PANEL,
}
"""Every move of an order after its first step and who makes it; what is not here is not possible."""

OPEN = frozenset({_S.INQUIRY, _S.QUOTED, _S.APPROVED, _S.PURCHASED})
HOLDING = frozenset({_S.APPROVED, _S.PURCHASED})
FOR_STAFF = (_S.INQUIRY, _S.APPROVED, _S.PURCHASED)
"""States in which the staff are awaited."""


class WrongMove(Refusal):
    """This order cannot go there from where it stands; most often somebody was quicker."""


_REFUSALS: dict[OrderState, str] = {
    _S.INQUIRY: N_("This order waits for a price; that is not possible yet."),
    _S.QUOTED: N_("This order waits for the customer's approval; that is not possible now."),
    _S.APPROVED: N_("This order is approved and its price is set aside; that is not possible now."),
    _S.PURCHASED: N_("The number of this order is bought at the operator already; that is not possible any more."),
    _S.ACTIVE: N_("This order is finished: its line was handed over."),
    _S.REJECTED: N_("This order is over: it was turned down."),
    _S.EXPIRED: N_("This order is over: its quote ran out."),
    _S.CANCELLED: N_("This order is over: it was cancelled."),
}


def check_move(now: OrderState, wanted: OrderState) -> Side:
    """Whose move this is; raises WrongMove when there is no such move."""
    found = MOVES.get((now, wanted))
    if found is None:
        raise WrongMove(_REFUSALS[now])
    return found


def moves_of(side: Side, now: OrderState) -> frozenset[OrderState]:
    """Where one side can take an order from here; pages offer these."""
    return frozenset(wanted for (state, wanted), whose in MOVES.items() if state is now and whose is side)


class Taken(Refusal):
    """Somebody else was quicker, or the number is not for sale."""

    def __init__(self, number: str) -> None:
        super().__init__(
            N_("Number %(number)s has just been taken by somebody else. Choose another one; nothing was paid."),
            number=number,
        )


class PriceChanged(Refusal):
    """The price that was shown holds no longer; `price_mrial` is the one that does, None: by inquiry now."""

    def __init__(self, price_mrial: int | None) -> None:
        super().__init__(N_("The price changed meanwhile: look at it once more and confirm. Nothing was paid."))
        self.price_mrial = price_mrial


# What is asked for

WISH_LENGTH = 500
REASON_LENGTH = 500
KEY_LENGTH = 80
MOST_OPEN = 20  # orders of one account that are under way at a time: each keeps a number from others


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a customer asks for: an item of the stock, or any number of an operator with so many digits.

    `shown_mrial` is the price the page showed, None for an inquiry; another price is not paid unseen.
    """

    number_id: int | None = None
    operator_id: int | None = None
    digits: int | None = None
    tier: Tier = Tier.PLAIN
    number: str = ""
    wish: str = ""
    holder: Holder = Holder.PERSON
    shown_mrial: int | None = None

    @property
    def body_hash(self) -> str:
        """What an idempotency key stands for."""
        body = [
            *(self.number_id, self.operator_id, self.digits, str(self.tier), self.number, self.wish),
            *(str(self.holder), self.shown_mrial),
        ]
        return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()


def check_wish(wish: str) -> str:
    """A wish in the customer's own words, trimmed; raises UnusableLine when it is too long."""
    trimmed = wish.strip()
    if len(trimmed) > WISH_LENGTH:
        raise UnusableLine("wish", N_("A wish has at most %(most)s characters."), most=WISH_LENGTH)
    return trimmed


def check_number(text: str, *, operator_code: str, digits: int) -> str:
    """The number somebody wants, or "" when none was named; raises UnusableLine when it has another length."""
    if not text.strip():
        return ""
    number = canonical_number(text, operator_code=operator_code)
    if len(number) != digits:
        raise UnusableLine(
            "number", N_("The number you named has %(there)s digits, not %(digits)s."), there=len(number), digits=digits
        )
    return number


def check_reason(reason: str) -> str:
    """Why an order ends, trimmed; raises UnusableLine when nothing is said."""
    stated = " ".join(reason.split())
    if not stated:
        raise UnusableLine("reason", N_("Say why: the customer reads this."))
    return stated[:REASON_LENGTH]


# Quotes

USUAL_QUOTE_DAYS = 7
MOST_QUOTE_DAYS = 60
MOST_MRIAL = 10**14


def quote_end(days: int, *, at: datetime) -> datetime:
    """Until when a quote holds; raises UnusableLine for no time or too much of it."""
    if not 1 <= days <= MOST_QUOTE_DAYS:
        raise UnusableLine("days", N_("A quote holds for 1 to %(most)s days."), most=MOST_QUOTE_DAYS)
    return at + timedelta(days=days)


def check_amount(amount_mrial: int, *, field: str) -> int:
    """An amount of a line; raises UnusableLine below zero or beyond belief."""
    if not 0 <= amount_mrial <= MOST_MRIAL:
        raise UnusableLine(field, N_("An amount lies between zero and 100 billion rial."))
    return amount_mrial


# Ranges

MOST_LINES = 100  # of a range that are handed over at once; staff add further ones when they are asked for


def lines_of(number: str, digits: int) -> list[str]:
    """The numbers an item stands for: itself, or the first of a range."""
    free = digits - len(number)
    if free <= 0:
        return [number]
    return [f"{number}{tail:0{free}}" for tail in range(min(10**free, MOST_LINES))]


def shares(amount_mrial: int, count: int) -> list[int]:
    """An amount parted among lines so that nothing is lost: the first bears what is left over."""
    each, rest = divmod(amount_mrial, count)
    return [each + rest, *([each] * (count - 1))]
