"""The moves of an order after its first step. Each locks the order, checks the move, moves the money and the number
with it, and is told to both sides."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from sms.accounts.operations import record
from sms.core.actor import PANEL, Actor
from sms.core.calendar import day_of
from sms.core.db import execute, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.documents.queries import checklist
from sms.lines.documents.rules import DOCUMENT_LABELS, Holder
from sms.lines.formats.queries import seller
from sms.lines.operations import LineSettings, add_line
from sms.lines.orders import queries
from sms.lines.orders.operations import money, numbers
from sms.lines.orders.operations.steps import mark_seen, note_step
from sms.lines.orders.queries import OrderView
from sms.lines.orders.rules import (
    OrderState,
    PriceChanged,
    WrongMove,
    check_amount,
    check_move,
    check_number,
    check_reason,
    lines_of,
    quote_end,
    shares,
)
from sms.lines.rules import LineKind, UnusableLine

_ORDERED = N_("This number is ordered or in the stock already.")


def _locked(order_id: int, account_id: int | None = None) -> OrderView:
    """The order as it stands, and nobody else moves it meanwhile; raises NotFound, also for somebody else's."""
    there = scalar(
        "SELECT id FROM lines_order WHERE id = :id"
        " AND (CAST(:account_id AS bigint) IS NULL OR account_id = :account_id) FOR NO KEY UPDATE",
        id=order_id,
        account_id=account_id,
    )
    if there is None:
        raise NotFound(queries.NO_SUCH_ORDER)
    return queries.order(order_id)


def _move(
    order: OrderView,
    after: OrderState,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    execute(
        "UPDATE lines_order SET state = :state, state_at = :at WHERE id = :id", id=order.id, state=str(after), at=at
    )
    note_step(order_id=order.id, before=order.state, after=after, by=by, at=at, reason=reason, details=details)
    record(
        actor_id=by.id,
        account_id=order.account_id,
        action=f"order.{after}",
        subject=f"order:{order.id}",
        details={"number": order.number, "reason": reason, **(details or {})},
        at=at,
        address=by.address,
    )


# Staff


def quote(*, order_id: int, price_mrial: int, days: int, note: str = "", by: Actor, at: datetime) -> None:
    """Answer an inquiry with a price that holds for some days; before it is approved another one may replace it.

    Raises NotFound, UnusableLine, WrongMove.
    """
    order = _locked(order_id)
    check_move(order.state, OrderState.QUOTED)
    check_amount(price_mrial, field="price")
    until = quote_end(days, at=at)
    execute(
        "UPDATE lines_order SET price_mrial = :price, valid_until = :until WHERE id = :id",
        id=order_id,
        price=price_mrial,
        until=until,
    )
    details = {"price_mrial": price_mrial, "valid_until": until.isoformat()}
    _move(order, OrderState.QUOTED, by=by, at=at, reason=" ".join(note.split()), details=details)


def purchase(
    *,
    order_id: int,
    cost_mrial: int,
    number: str = "",
    is_without_documents: bool = False,
    note: str = "",
    by: Actor,
    at: datetime,
) -> None:
    """The number is bought at the operator for `cost_mrial`; where the operator assigned it, `number` says which.

    Raises NotFound, WrongMove, Taken, UnusableLine, and Refusal when documents are missing, unless staff say that they
    buy without; that is written into the step.
    """
    order = _locked(order_id)
    check_move(order.state, OrderState.PURCHASED)
    check_amount(cost_mrial, field="cost")
    missing = _missing(order, at)
    if missing and not is_without_documents:
        raise Refusal(N_("Not all documents are there and accepted yet. Ask for them, or buy without them knowingly."))
    given = _given_number(order, number)
    try:
        execute(
            "UPDATE lines_order SET cost_mrial = :cost, number = :number WHERE id = :id",
            id=order_id,
            cost=cost_mrial,
            number=given,
        )
    except IntegrityError:  # somebody orders these digits at this very moment
        raise UnusableLine("number", _ORDERED) from None
    details = {"number": given, "without_documents": missing or None}
    _move(
        replace(order, number=given), OrderState.PURCHASED, by=by, at=at, reason=" ".join(note.split()), details=details
    )


def _missing(order: OrderView, at: datetime) -> list[str]:
    wanted = checklist(
        account_id=order.account_id, operator_id=order.operator_id, holder=Holder(order.holder), on=day_of(at)
    )
    return [DOCUMENT_LABELS[each.kind] for each in wanted if not each.is_good]


def _given_number(order: OrderView, number: str) -> str:
    """The digits of the order, or those that the operator assigned; nobody else's."""
    if order.number:
        return order.number
    given = check_number(number, operator_code=order.operator_code, digits=order.digits)
    if not given:
        raise UnusableLine("number", N_("Write the number that the operator assigned."))
    is_ordered = scalar(
        "SELECT 1 FROM lines_order WHERE number = :number AND digits = :digits AND id <> :id"
        " AND state IN ('inquiry', 'quoted', 'approved', 'purchased')",
        number=given,
        digits=order.digits,
        id=order.id,
    )
    if is_ordered or queries.item_of_number(given, order.digits) is not None:
        raise UnusableLine("number", _ORDERED)
    numbers.check_unused([given], number=given)
    return given


def hand_over(*, order_id: int, gateway_id: int, note: str = "", by: Actor, at: datetime) -> int:
    """Make the line, two-way and the customer's own, and charge what was set aside; returns the (first) line's id.

    A range comes as its first hundred numbers, the price parted among them. Raises NotFound, WrongMove, UnusableLine.
    """
    order = _locked(order_id)
    check_move(order.state, OrderState.ACTIVE)
    found = lines_of(order.number, order.digits)
    line_ids = [
        add_line(
            number=number,
            operator_id=order.operator_id,
            gateway_id=gateway_id,
            kind=LineKind.DEDICATED,
            account_id=order.account_id,
            settings=LineSettings(),
            by=by,
            at=at,
        )
        for number in found
    ]
    _note_bought(line_ids, order, at)
    numbers.hand_over(order, line_id=line_ids[0], by=by, at=at)
    money.charge(order, by=by, at=at)
    execute("UPDATE lines_order SET line_id = :line_id WHERE id = :id", id=order_id, line_id=line_ids[0])
    _move(order, OrderState.ACTIVE, by=by, at=at, reason=" ".join(note.split()), details={"lines": len(line_ids)})
    return line_ids[0]


def _note_bought(line_ids: list[int], order: OrderView, at: datetime) -> None:
    """What was paid for a line and until when; where renewal costs nothing, the right of use does not end."""
    sold = next((each for each in seller(order.operator_id, at).formats if each.digits == order.digits), None)
    months = sold.renewal_months if sold is not None and sold.renewal_percent else None
    execute(
        """UPDATE lines_line l SET bought_at = :at, bought_mrial = n.price,
               expires_at = CAST(:at AS timestamptz) + make_interval(months => CAST(:months AS int))
           FROM unnest(CAST(:ids AS int[]), CAST(:prices AS bigint[])) AS n (id, price) WHERE l.id = n.id""",
        ids=line_ids,
        prices=shares(order.price_mrial or 0, len(line_ids)),
        months=months,
        at=at,
    )


def reject(*, order_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Turn an order down, with the reason that the customer reads; what was set aside goes back. Raises NotFound,
    UnusableLine without a reason, WrongMove."""
    _end(_locked(order_id), OrderState.REJECTED, reason=check_reason(reason), by=by, at=at)


# Customers


def approve(*, order_id: int, account_id: int, shown_mrial: int | None, by: Actor, at: datetime) -> None:
    """Accept the quoted price: it is set aside at once. Raises NotFound, WrongMove, PriceChanged when another price was
    on the page, InsufficientBalance, Taken when its number was given away meanwhile."""
    order = _locked(order_id, account_id)
    check_move(order.state, OrderState.APPROVED)
    if order.valid_until is not None and order.valid_until <= at:
        raise WrongMove(N_("This quote has run out; ask for the price once more."))
    if order.price_mrial is None or order.price_mrial != shown_mrial:
        raise PriceChanged(order.price_mrial)
    numbers.keep(order, by=by, at=at)
    money.hold(order_id=order_id, account_id=account_id, price_mrial=order.price_mrial, by=by, at=at)
    mark_seen(order_id=order_id, account_id=account_id, at=at)
    _move(order, OrderState.APPROVED, by=by, at=at, details={"price_mrial": order.price_mrial})


def cancel(*, order_id: int, account_id: int, reason: str = "", by: Actor, at: datetime) -> None:
    """The customer takes an order back that is not bought yet; what was set aside comes back. Raises NotFound,
    WrongMove."""
    order = _locked(order_id, account_id)
    mark_seen(order_id=order_id, account_id=account_id, at=at)
    _end(order, OrderState.CANCELLED, reason=" ".join(reason.split()), by=by, at=at)


# The panel itself


def expire(*, order_id: int, at: datetime) -> bool:
    """End an order whose quote has run out, unless it was approved or quoted anew meanwhile."""
    order = _locked(order_id)
    if order.state is not OrderState.QUOTED or order.valid_until is None or order.valid_until > at:
        return False
    _end(order, OrderState.EXPIRED, by=PANEL, at=at)
    return True


def _end(order: OrderView, after: OrderState, *, reason: str = "", by: Actor, at: datetime) -> None:
    check_move(order.state, after)
    money.release(order, by=by, at=at)
    details = {"released_mrial": order.set_aside_mrial or None}
    _move(order, after, by=by, at=at, reason=reason, details=details)
    numbers.give_back(order, by=by, at=at)
