"""A small shop of lines: an operator with formats, prices and numbers, a customer with money, and staff."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sms.core.actor import Actor
from sms.core.db import execute, scalar, transaction
from sms.dashboard.queries import broken
from sms.ledger.queries import balance
from sms.lines.orders import queries
from sms.lines.orders.operations import moving, placing
from sms.lines.orders.queries import OrderView
from sms.lines.orders.rules import OrderState, Wanted
from tests.factories import AT, make_account, make_gateway

PRICE = 5_000_000_000  # milli-rial
COST = 3_000_000_000
_keys = count(1)


def make_format(operator_id: int, digits: int = 8, **changes: Any) -> None:
    """What an operator sells of a length."""
    values = {"is_on_sale": True, "sale_mode": "single", "tiers": ["plain", "round"], "choosable_digits": 0} | changes
    columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    with transaction():
        execute(
            f"INSERT INTO lines_format (operator_id, digits, valid_from, created_at, {columns})"  # noqa: S608
            f" VALUES (:operator_id, :digits, '2020-01-01', :at, {places})",
            operator_id=operator_id,
            digits=digits,
            at=AT,
            **values,
        )


def make_price(
    operator_id: int,
    digits: int = 8,
    *,
    amount_mrial: int | None = PRICE,
    tier: str = "plain",
    choice: str = "assigned",
) -> None:
    """A cell of the grid for customers; no amount: by inquiry."""
    with transaction():
        change = scalar("INSERT INTO lines_price_change (kind, made_at) VALUES ('edit', :at) RETURNING id", at=AT)
        execute(
            """INSERT INTO lines_price (change_id, operator_id, digits, tier, choice, audience, terms, amount_mrial,
                   valid_from)
               VALUES (:change, :operator_id, :digits, :tier, :choice, 'customer', :terms, :amount, '2020-01-01')""",
            change=change,
            operator_id=operator_id,
            digits=digits,
            tier=tier,
            choice=choice,
            terms="inquiry" if amount_mrial is None else "price",
            amount=amount_mrial,
        )


def make_number(operator_id: int, number: str, *, digits: int | None = None, tier: str = "plain") -> int:
    """A free item of the stock; fewer digits than its length make it a range."""
    length = digits or len(number)
    with transaction():
        return int(
            scalar(
                """INSERT INTO lines_number (operator_id, kind, number, digits, score, scored_tier, state, created_at,
                       state_at)
                   VALUES (:operator_id, :kind, :number, :digits, 0, :tier, 'free', :at, :at) RETURNING id""",
                operator_id=operator_id,
                kind="single" if length == len(number) else "range",
                number=number,
                digits=length,
                tier=tier,
                at=AT,
            )
        )


@dataclass
class Desk:
    """One operator that sells 8-digit numbers, one customer, and staff."""

    operator_id: int
    gateway_id: int
    account_id: int
    user_id: int
    staff: Actor = field(default_factory=Actor)

    @classmethod
    def open(cls, *, money_mrial: int = 10**11) -> "Desk":
        """With an 8-digit format and no prices yet."""
        operator_id, gateway_id = make_gateway(operator_code="3000")
        make_format(operator_id)
        account_id, user_id, _ = make_account(money_mrial=money_mrial)
        return cls(operator_id, gateway_id, account_id, user_id)

    @property
    def customer(self) -> Actor:
        """Who acts for the customer."""
        return Actor(id=self.user_id)

    def place(self, *, key: str = "", at: datetime = AT, account_id: int | None = None, **wanted: Any) -> int:
        """Order something; without further words an inquiry of 30001404."""
        if not wanted:
            wanted = {"operator_id": self.operator_id, "digits": 8, "number": "30001404"}
        with transaction():
            return placing.place(
                account_id=account_id or self.account_id,
                wanted=Wanted(**wanted),
                key=key or f"key{next(_keys)}",
                by=self.customer,
                at=at,
            )

    def move(self, order_id: int, to: OrderState, *, at: datetime = AT) -> None:
        """Take an order one step on."""
        with transaction():
            _MOVES[to](self, order_id, at)

    def order_in(self, state: OrderState) -> int:
        """An order that came to a state by the shortest way, the one before it first."""
        order_id = self.place()
        for step in _WAYS[state]:
            self.move(order_id, step, at=AT + timedelta(days=8) if step is OrderState.EXPIRED else AT)
        return order_id

    def order(self, order_id: int) -> OrderView:
        """As it stands."""
        return queries.order(order_id)

    def balance(self) -> int:
        """The customer's."""
        return balance(self.account_id)

    def number_state(self, number_id: int) -> str:
        """Of an item of the stock."""
        return str(scalar("SELECT state FROM lines_number WHERE id = :id", id=number_id))

    def verify(self) -> None:
        """Every invariant of the installation holds."""
        scalar("SELECT 1")
        with transaction() as session:
            session.rollback()
            assert {name: found for name, found in broken().items() if found} == {}


_S = OrderState
_MOVES = {
    _S.QUOTED: lambda desk, order_id, at: moving.quote(
        order_id=order_id, price_mrial=PRICE, days=7, by=desk.staff, at=at
    ),
    _S.APPROVED: lambda desk, order_id, at: moving.approve(
        order_id=order_id, account_id=desk.account_id, shown_mrial=PRICE, by=desk.customer, at=at
    ),
    _S.PURCHASED: lambda desk, order_id, at: moving.purchase(
        order_id=order_id, cost_mrial=COST, is_without_documents=True, by=desk.staff, at=at
    ),
    _S.ACTIVE: lambda desk, order_id, at: moving.hand_over(
        order_id=order_id, gateway_id=desk.gateway_id, by=desk.staff, at=at
    ),
    _S.REJECTED: lambda desk, order_id, at: moving.reject(
        order_id=order_id, reason="not to be had", by=desk.staff, at=at
    ),
    _S.CANCELLED: lambda desk, order_id, at: moving.cancel(
        order_id=order_id, account_id=desk.account_id, by=desk.customer, at=at
    ),
    _S.EXPIRED: lambda desk, order_id, at: moving.expire(order_id=order_id, at=at),
}
_WAYS: dict[OrderState, tuple[OrderState, ...]] = {
    _S.INQUIRY: (),
    _S.QUOTED: (_S.QUOTED,),
    _S.APPROVED: (_S.QUOTED, _S.APPROVED),
    _S.PURCHASED: (_S.QUOTED, _S.APPROVED, _S.PURCHASED),
    _S.ACTIVE: (_S.QUOTED, _S.APPROVED, _S.PURCHASED, _S.ACTIVE),
    _S.REJECTED: (_S.REJECTED,),
    _S.CANCELLED: (_S.CANCELLED,),
    _S.EXPIRED: (_S.QUOTED, _S.EXPIRED),
}
