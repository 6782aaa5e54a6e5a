"""Reads of orders: an account's own, the staff's queue, steps, what is news, and whether the money of all is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.lines.formats.queries import Seller, audience_of, prices, seller
from sms.lines.formats.rules.offers import NO_OFFER, Cell, Offer
from sms.lines.formats.rules.tiers import Audience, Choice, Tier, sold_as
from sms.lines.orders.rules import FOR_STAFF, HOLDING, OPEN, OrderState

NO_SUCH_ORDER = N_("There is no such order.")
NO_SUCH_NUMBER = N_("There is no such number for sale.")


# What can be ordered


@dataclass(frozen=True, slots=True)
class Item:
    """A number of the stock, or an item somebody describes, with what it costs an account now."""

    number_id: int | None
    number: str
    seller: Seller
    digits: int
    tier: Tier
    choice: Choice
    audience: Audience
    offer: Offer

    @property
    def is_range(self) -> bool:
        """Whether it is a whole range of numbers."""
        return bool(self.number) and len(self.number) < self.digits


_NUMBER = "SELECT id, operator_id, number, digits, tier, state FROM lines_number WHERE id = :id"


def item(*, number_id: int, account_id: int, at: datetime) -> Item:
    """An item of the stock as an account may order it. Raises NotFound, or NotOnSale with the reason.

    Whether it is still free is only sure at the moment of ordering.
    """
    found = row(_NUMBER, id=number_id)
    if found is None:
        raise NotFound(NO_SUCH_NUMBER)
    return described(
        operator_id=found.operator_id,
        digits=found.digits,
        tier=Tier(found.tier),
        number=found.number,
        number_id=found.id,
        account_id=account_id,
        at=at,
    )


def described(
    *,
    operator_id: int,
    digits: int,
    tier: Tier,
    number: str,
    number_id: int | None = None,
    account_id: int,
    at: datetime,
) -> Item:
    """Any number of an operator with so many digits. Raises NotFound, or NotOnSale with the reason."""
    sells = seller(operator_id, at)
    sold = sells.format_of(digits)
    audience = audience_of(account_id)
    # A number of the stock is sold as the shop shows it; digits that somebody names have a price of their own where
    # the operator sells by chosen digits.
    choice = Choice.CUSTOM if number and number_id is None else Choice.ASSIGNED
    priced_as = sold_as(tier, sold.tiers)
    cell = Cell(operator_id, digits, priced_as, choice if choice in sold.choices else Choice.ASSIGNED, audience)
    offer = prices(at=at, operator_id=operator_id, audience=audience).get(cell, NO_OFFER)
    return Item(number_id, number, sells, digits, priced_as, choice, audience, offer)


def item_of_number(number: str, digits: int) -> Row[Any] | None:
    """The item of the stock that holds these digits (id, number, state), be it within a range."""
    return row(
        """SELECT id, number, state FROM lines_number
           WHERE span @> (:digits * 1e20 + CAST(rpad(:number, :digits, '0') AS numeric))""",
        number=number,
        digits=digits,
    )


# Orders


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as pages show it."""

    id: int
    account_id: int
    account_name: str
    operator_id: int
    operator_code: str
    operator_name_fa: str
    operator_name_en: str
    colour: str
    number_id: int | None
    number: str
    digits: int
    tier: str
    choice: str
    audience: str
    wish: str
    holder: str
    state: OrderState
    is_list_priced: bool
    price_mrial: int | None
    cost_mrial: int | None
    valid_until: datetime | None
    escrow_wallet_id: int | None
    held_mrial: int
    charged_mrial: int
    released_mrial: int
    line_id: int | None
    created_at: datetime
    state_at: datetime
    ordered_by: str | None
    unseen_count: int

    @property
    def is_open(self) -> bool:
        """Whether it is under way."""
        return self.state in OPEN

    @property
    def set_aside_mrial(self) -> int:
        """What lies in its escrow."""
        return self.held_mrial - self.charged_mrial - self.released_mrial

    @property
    def is_range(self) -> bool:
        """Whether a whole range is ordered."""
        return bool(self.number) and len(self.number) < self.digits


# News for the customer is what others than its own people did.
_UNSEEN = """
(SELECT count(*) FROM lines_order_step s LEFT JOIN accounts_user b ON b.id = s.actor_id
 WHERE s.order_id = o.id AND s.seen_at IS NULL AND b.account_id IS DISTINCT FROM o.account_id AND s.from_state <> '')
"""
_VIEW = f"""
SELECT o.id, o.account_id, a.name AS account_name, o.operator_id, p.code AS operator_code,
       p.name_fa AS operator_name_fa, p.name_en AS operator_name_en, p.colour, o.number_id, o.number, o.digits, o.tier,
       o.choice, o.audience, o.wish, o.holder, o.state, o.is_list_priced, o.price_mrial, o.cost_mrial, o.valid_until,
       o.escrow_wallet_id, o.held_mrial, o.charged_mrial, o.released_mrial, o.line_id, o.created_at, o.state_at,
       u.username AS ordered_by, {_UNSEEN} AS unseen_count
FROM lines_order o JOIN accounts_account a ON a.id = o.account_id JOIN operators_operator p ON p.id = o.operator_id
LEFT JOIN accounts_user u ON u.id = o.user_id
"""  # noqa: S608 - the words put in are our own


def _view(found: Row[Any]) -> OrderView:
    facts = dict(found._mapping)
    facts["state"] = OrderState(facts["state"])
    return OrderView(**facts)


def account_orders(account_id: int, *, before: int | None, most: int) -> list[OrderView]:
    """An account's orders, the newest first, older than order `before`."""
    found = rows(
        _VIEW + "WHERE o.account_id = :account_id AND (CAST(:before AS bigint) IS NULL OR o.id < :before)"
        " ORDER BY o.id DESC LIMIT :most",
        account_id=account_id,
        before=before,
        most=most,
    )
    return [_view(each) for each in found]


def account_order(account_id: int, order_id: int) -> OrderView:
    """One of them; raises NotFound, also for somebody else's."""
    found = row(_VIEW + "WHERE o.id = :id AND o.account_id = :account_id", id=order_id, account_id=account_id)
    if found is None:
        raise NotFound(NO_SUCH_ORDER)
    return _view(found)


def order(order_id: int) -> OrderView:
    """Any order, for staff; raises NotFound."""
    found = row(_VIEW + "WHERE o.id = :id", id=order_id)
    if found is None:
        raise NotFound(NO_SUCH_ORDER)
    return _view(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """What the staff's list is narrowed to; no states: those in which staff are awaited."""

    states: Sequence[str] = tuple(map(str, FOR_STAFF))
    operator_id: int | None = None
    account_id: int | None = None


_FILTERED = """
WHERE o.state = ANY(:states) AND (CAST(:operator_id AS int) IS NULL OR o.operator_id = :operator_id)
  AND (CAST(:account_id AS bigint) IS NULL OR o.account_id = :account_id)
"""


def orders_page(wanted: OrderFilter, *, last: int | None, most: int, is_oldest_first: bool) -> list[OrderView]:
    """Orders of all accounts that fit, from after order `last` on: a queue begins with the oldest, a list with the
    newest."""
    order_by = "o.id > :last) ORDER BY o.id" if is_oldest_first else "o.id < :last) ORDER BY o.id DESC"
    found = rows(
        f"{_VIEW} {_FILTERED} AND (CAST(:last AS bigint) IS NULL OR {order_by} LIMIT :most",
        states=list(wanted.states),
        operator_id=wanted.operator_id,
        account_id=wanted.account_id,
        last=last,
        most=most,
    )
    return [_view(each) for each in found]


def waiting_counts() -> dict[OrderState, int]:
    """How many orders wait for staff, by state."""
    found = rows(
        "SELECT state, count(*) AS orders FROM lines_order"
        " WHERE state IN ('inquiry', 'quoted', 'approved', 'purchased') AND state = ANY(:states) GROUP BY state",
        states=[str(state) for state in FOR_STAFF],
    )
    return {OrderState(each.state): each.orders for each in found}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an order: who did it, when, why. `is_ours`: somebody of the customer's own account."""

    id: int
    from_state: str
    to_state: OrderState
    actor: str | None
    is_ours: bool
    reason: str
    details: Mapping[str, Any]
    moved_at: datetime
    is_news: bool


def steps(order_id: int) -> list[Step]:
    """The steps of an order, the first first."""
    found = rows(
        """SELECT s.id, s.from_state, s.to_state, u.username AS actor, coalesce(u.account_id = o.account_id, false)
                      AS is_ours, s.reason, s.details, s.moved_at,
                  s.seen_at IS NULL AND s.from_state <> '' AND u.account_id IS DISTINCT FROM o.account_id AS is_news
           FROM lines_order_step s JOIN lines_order o ON o.id = s.order_id
           LEFT JOIN accounts_user u ON u.id = s.actor_id
           WHERE s.order_id = :id ORDER BY s.id""",
        id=order_id,
    )
    return [Step(**dict(each._mapping) | {"to_state": OrderState(each.to_state)}) for each in found]


def news(account_id: int, *, most: int = 5) -> Sequence[Row[Any]]:
    """What became of an account's orders and nobody of it has seen yet: order_id, number, digits, operator_code,
    state, state_at; the newest first."""
    return rows(
        f"""SELECT o.id AS order_id, o.number, o.digits, p.code AS operator_code, o.state, o.state_at
            FROM lines_order o JOIN operators_operator p ON p.id = o.operator_id
            WHERE o.account_id = :account_id AND {_UNSEEN} > 0 ORDER BY o.state_at DESC LIMIT :most""",  # noqa: S608
        account_id=account_id,
        most=most,
    )


def of_key(account_id: int, key: str) -> Row[Any] | None:
    """The order (id, body_hash) that an idempotency key stands for."""
    return row(
        "SELECT id, body_hash FROM lines_order WHERE account_id = :account_id AND key = :key",
        account_id=account_id,
        key=key,
    )


def open_count(account_id: int) -> int:
    """How many orders of an account are under way."""
    return int(
        scalar(
            "SELECT count(*) FROM lines_order WHERE account_id = :account_id"
            " AND state IN ('inquiry', 'quoted', 'approved', 'purchased')",
            account_id=account_id,
        )
    )


def run_out(at: datetime, *, most: int) -> list[int]:
    """Orders whose quote has run out."""
    found = rows(
        "SELECT id FROM lines_order WHERE state = 'quoted' AND valid_until <= :at ORDER BY valid_until LIMIT :most",
        at=at,
        most=most,
    )
    return [each.id for each in found]


# What must always hold (design §9, I5)

I5_ORDERS = """
WITH posted AS (
    SELECT e.wallet_id, sum(e.amount_mrial) FILTER (WHERE t.kind = 'hold') AS held_mrial,
           -sum(e.amount_mrial) FILTER (WHERE t.kind = 'charge') AS charged_mrial,
           -sum(e.amount_mrial) FILTER (WHERE t.kind = 'release') AS released_mrial
    FROM ledger_entry e JOIN ledger_transfer t ON t.id = e.transfer_id
    JOIN lines_order o ON o.escrow_wallet_id = e.wallet_id GROUP BY e.wallet_id
)
SELECT o.id AS order_id, o.state, o.price_mrial, o.held_mrial, o.charged_mrial, o.released_mrial,
       w.balance_mrial AS escrow_mrial,
       CASE WHEN coalesce(w.balance_mrial, 0) <> o.held_mrial - o.charged_mrial - o.released_mrial
                THEN 'escrow is not what was held less what was charged and released'
            WHEN (o.held_mrial, o.charged_mrial, o.released_mrial) <> (coalesce(p.held_mrial, 0),
                 coalesce(p.charged_mrial, 0), coalesce(p.released_mrial, 0)) THEN 'an order differs from its postings'
            WHEN NOT o.state = ANY(:holding) AND coalesce(w.balance_mrial, 0) <> 0 THEN 'money is held for nothing'
            WHEN o.state = ANY(:holding) THEN 'what is held is not the price'
            WHEN o.state = 'active' THEN 'what was charged is not the price'
            ELSE 'charged without a line' END AS problem
FROM lines_order o LEFT JOIN ledger_wallet w ON w.id = o.escrow_wallet_id LEFT JOIN posted p ON p.wallet_id = w.id
WHERE coalesce(w.balance_mrial, 0) <> o.held_mrial - o.charged_mrial - o.released_mrial
   OR (o.held_mrial, o.charged_mrial, o.released_mrial)
      <> (coalesce(p.held_mrial, 0), coalesce(p.charged_mrial, 0), coalesce(p.released_mrial, 0))
   OR (NOT o.state = ANY(:holding) AND coalesce(w.balance_mrial, 0) <> 0)
   OR (o.state = ANY(:holding) AND coalesce(w.balance_mrial, 0) <> o.price_mrial)
   OR (o.state = 'active') <> (o.charged_mrial = o.price_mrial AND o.line_id IS NOT NULL)
LIMIT 20
"""

# Whoever has paid for an item of the stock keeps it from others.
I5_NUMBERS = """
SELECT o.id AS order_id, o.state, n.number, n.state AS number_state, 'an order does not hold its number' AS problem
FROM lines_order o JOIN lines_number n ON n.id = o.number_id
WHERE o.state = ANY(:holding)
  AND (n.state <> 'reserved' OR n.account_id IS DISTINCT FROM o.account_id)
LIMIT 20
"""


def broken() -> dict[str, list[dict[str, Any]]]:
    """The offending rows of the invariants of orders; an empty list where they hold."""
    holding = [str(state) for state in HOLDING]
    found = [*rows(I5_ORDERS, holding=holding), *rows(I5_NUMBERS, holding=holding)]
    return {"I5": [dict(each._mapping) for each in found]}
