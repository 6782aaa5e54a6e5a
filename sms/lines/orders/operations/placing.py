"""An order is made: its number is kept from others from this moment on, its price held when the grid states one."""

from datetime import datetime

from sms.accounts.operations import record
from sms.accounts.queries import account
from sms.core.actor import Actor
from sms.core.db import scalar
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.ledger.rules import KeyReused
from sms.lines.formats.rules.offers import Terms
from sms.lines.formats.rules.roundness import roundness
from sms.lines.orders import queries
from sms.lines.orders.operations import money, numbers
from sms.lines.orders.operations.steps import note_step
from sms.lines.orders.queries import Item
from sms.lines.orders.rules import (
    KEY_LENGTH,
    MOST_OPEN,
    OrderState,
    PriceChanged,
    Taken,
    Wanted,
    check_number,
    check_wish,
    lines_of,
)
from sms.operators.queries import operator

_INSERT = """
INSERT INTO lines_order (account_id, user_id, key, body_hash, operator_id, number_id, number, digits, tier, choice,
    audience, wish, holder, state, is_list_priced, price_mrial, created_at, state_at)
VALUES (:account_id, :user_id, :key, :body_hash, :operator_id, :number_id, :number, :digits, :tier, :choice,
    :audience, :wish, :holder, :state, :is_list_priced, :price_mrial, :at, :at)
ON CONFLICT DO NOTHING RETURNING id
"""


def place(*, account_id: int, wanted: Wanted, key: str, by: Actor, at: datetime) -> int:
    """Order a number; returns the order's id, for the same key always the same.

    A price of the grid is held at once and the order is approved; otherwise it is an inquiry. Raises Taken,
    PriceChanged, InsufficientBalance, UnusableLine (NotOnSale with the reason among them), NotFound, KeyReused; then
    nothing is written.
    """
    if (known := _known(account_id, wanted, key)) is not None:
        return known
    _check_account(account_id)
    chosen = _chosen(account_id, wanted, at)
    price = _price(chosen, wanted)
    if price != wanted.shown_mrial:
        raise PriceChanged(price)
    order_id = _insert(chosen, wanted, account_id=account_id, key=key, price=price, by=by, at=at)
    if order_id is None:
        if (known := _known(account_id, wanted, key)) is not None:
            return known
        raise Taken(chosen.number)
    _keep(chosen, account_id=account_id, order_id=order_id, by=by, at=at)
    if price is not None:
        money.hold(order_id=order_id, account_id=account_id, price_mrial=price, by=by, at=at)
    note_step(order_id=order_id, before=None, after=_first_state(price), by=by, at=at, details={"price_mrial": price})
    record(
        actor_id=by.id,
        account_id=account_id,
        action="order.placed",
        subject=f"order:{order_id}",
        details={"number": chosen.number, "digits": chosen.digits, "price_mrial": price},
        at=at,
        address=by.address,
    )
    return order_id


def _known(account_id: int, wanted: Wanted, key: str) -> int | None:
    if not 0 < len(key) <= KEY_LENGTH:
        raise Refusal(N_("A key has 1 to %(most)s characters."), most=KEY_LENGTH)
    found = queries.of_key(account_id, key)
    if found is None:
        return None
    if found.body_hash != wanted.body_hash:
        raise KeyReused(N_("This was done before with other contents; load the page again."))
    return int(found.id)


def _check_account(account_id: int) -> None:
    found = account(account_id)
    if found.kind == "installation" or found.state != "active":
        raise Refusal(N_("Lines are ordered by open accounts of customers and resellers."))
    if queries.open_count(account_id) >= MOST_OPEN:
        raise Refusal(N_("%(most)s orders are under way; wait for one of them, or cancel one."), most=MOST_OPEN)


def _chosen(account_id: int, wanted: Wanted, at: datetime) -> Item:
    """What is ordered, with its price; digits that stand in our stock are that item."""
    number_id = wanted.number_id
    if number_id is None:
        code = operator(wanted.operator_id or 0).code
        digits = wanted.digits or 0
        number = check_number(wanted.number, operator_code=code, digits=digits)
        tier = roundness(number, operator_code=code).tier if number else wanted.tier
        chosen = queries.described(
            operator_id=wanted.operator_id or 0,
            digits=digits,
            tier=tier,
            number=number,
            account_id=account_id,
            at=at,
        )
        there = queries.item_of_number(number, digits) if number else None
        if there is None:
            return chosen
        if there.state != "free" or there.number != number:
            raise Taken(number)
        number_id = there.id
    return queries.item(number_id=number_id, account_id=account_id, at=at)


def _first_state(price: int | None) -> OrderState:
    return OrderState.INQUIRY if price is None else OrderState.APPROVED


def _price(chosen: Item, wanted: Wanted) -> int | None:
    """What is to be paid without a quote; None: by inquiry, as is whatever comes with a wish that has to be read."""
    if wanted.number_id is not None and chosen.offer.terms is Terms.NONE:
        raise Refusal(N_("This number is not for sale at the moment."))
    if chosen.number_id is None and wanted.wish.strip():
        return None
    return chosen.offer.amount_mrial


def _insert(
    chosen: Item, wanted: Wanted, *, account_id: int, key: str, price: int | None, by: Actor, at: datetime
) -> int | None:
    made = scalar(
        _INSERT,
        account_id=account_id,
        user_id=by.id,
        key=key,
        body_hash=wanted.body_hash,
        operator_id=chosen.seller.id,
        number_id=chosen.number_id,
        number=chosen.number,
        digits=chosen.digits,
        tier=str(chosen.tier),
        choice=str(chosen.choice),
        audience=str(chosen.audience),
        wish=check_wish(wanted.wish),
        holder=str(wanted.holder),
        state=str(_first_state(price)),
        is_list_priced=price is not None,
        price_mrial=price,
        at=at,
    )
    return int(made) if made is not None else None


def _keep(chosen: Item, *, account_id: int, order_id: int, by: Actor, at: datetime) -> None:
    """From here on nobody else gets it. Looked at after the order was written: what was committed before is seen."""
    if chosen.number_id is not None:
        numbers.reserve(
            number_id=chosen.number_id,
            number=chosen.number,
            account_id=account_id,
            order_id=order_id,
            by=by,
            at=at,
        )
    if chosen.number:
        numbers.check_unused(lines_of(chosen.number, chosen.digits), number=chosen.number)
