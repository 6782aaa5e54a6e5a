"""An item of the stock while it is ordered: kept from others, given back, or its new owner's."""

from datetime import datetime

from sms.core.actor import Actor
from sms.core.db import scalar
from sms.core.errors import Refusal
from sms.lines.formats.rules.roundness import roundness
from sms.lines.orders.queries import OrderView
from sms.lines.orders.rules import Taken
from sms.lines.stock import operations as stock
from sms.lines.stock.queries import number as stock_number
from sms.lines.stock.rules import LONGEST_RESERVATION, NumberState


def reserve(*, number_id: int, number: str, account_id: int, order_id: int, by: Actor, at: datetime) -> None:
    """Keep a free item for an order; raises Taken when it is not free any more: whoever is second waits for the first
    to commit and then sees it gone."""
    try:
        stock.reserve(
            number_id=number_id,
            account_id=account_id,
            until=at + LONGEST_RESERVATION,
            reason=_reason(order_id),
            by=by,
            at=at,
        )
    except Refusal:
        raise Taken(number) from None


def keep(order: OrderView, *, by: Actor, at: datetime) -> None:
    """Make sure that a number is still kept when it is paid for: an inquiry that took months, or staff, may have freed
    it meanwhile. Raises Taken."""
    if order.number_id is not None and not _is_kept(order):
        reserve(
            number_id=order.number_id,
            number=order.number,
            account_id=order.account_id,
            order_id=order.id,
            by=by,
            at=at,
        )


def give_back(order: OrderView, *, by: Actor, at: datetime) -> None:
    """The item of an order that ended is free for everybody again."""
    if order.number_id is not None and _is_kept(order):
        stock.release(number_id=order.number_id, reason=_reason(order.id), by=by, at=at)


def hand_over(order: OrderView, *, line_id: int, by: Actor, at: datetime) -> None:
    """The item is its owner's now; a number that was bought from outside the stock becomes an item of it."""
    if order.number_id is None:
        _add(order, line_id=line_id, at=at)
        return
    stock.hand_over(
        number_id=order.number_id,
        account_id=order.account_id,
        line_id=line_id,
        reason=_reason(order.id),
        by=by,
        at=at,
    )


def _add(order: OrderView, *, line_id: int, at: datetime) -> None:
    found = roundness(order.number, operator_code=order.operator_code)
    scalar(
        """INSERT INTO lines_number (operator_id, kind, number, digits, score, scored_tier, state, account_id, line_id,
               created_at, state_at)
           VALUES (:operator_id, 'single', :number, :digits, :score, :tier, 'active', :account_id, :line_id, :at, :at)
           ON CONFLICT DO NOTHING RETURNING id""",
        operator_id=order.operator_id,
        number=order.number,
        digits=order.digits,
        score=found.score,
        tier=str(found.tier),
        account_id=order.account_id,
        line_id=line_id,
        at=at,
    )


def _is_kept(order: OrderView) -> bool:
    found = stock_number(order.number_id or 0)
    return found.state == NumberState.RESERVED and found.account_id == order.account_id


def _reason(order_id: int) -> str:
    return f"order:{order_id}"


def check_unused(found: list[str], *, number: str) -> None:
    """Raise Taken when one of these numbers is a line already."""
    if scalar("SELECT 1 FROM lines_line WHERE number = ANY(:numbers) LIMIT 1", numbers=found):
        raise Taken(number)
