"""The money of an order: held in an escrow of its own, charged at hand-over, given back when the order ends."""

from datetime import datetime

from sms.core.actor import Actor
from sms.core.db import execute
from sms.ledger.operations import customer_wallet_id, open_wallet, post
from sms.ledger.rules import Posting, TransferKind, WalletKind
from sms.lines.orders.queries import OrderView


def hold(*, order_id: int, account_id: int, price_mrial: int, by: Actor, at: datetime) -> None:
    """Customer → the order's escrow; raises InsufficientBalance with what is missing."""
    escrow = open_wallet(code=f"line_order:{order_id}", kind=WalletKind.ESCROW, account_id=account_id, at=at)
    amounts = {customer_wallet_id(account_id=account_id, at=at): -price_mrial, escrow: price_mrial}
    _post(TransferKind.HOLD, order_id, amounts, by=by, at=at)
    execute(
        "UPDATE lines_order SET escrow_wallet_id = :escrow, held_mrial = :price WHERE id = :id",
        id=order_id,
        escrow=escrow,
        price=price_mrial,
    )


def release(order: OrderView, *, by: Actor, at: datetime) -> None:
    """Escrow → customer: all that is still set aside."""
    amount = order.set_aside_mrial
    if not amount or order.escrow_wallet_id is None:
        return
    wallet_id = customer_wallet_id(account_id=order.account_id, at=at)
    _post(TransferKind.RELEASE, order.id, {order.escrow_wallet_id: -amount, wallet_id: amount}, by=by, at=at)
    execute(
        "UPDATE lines_order SET released_mrial = released_mrial + :amount WHERE id = :id", id=order.id, amount=amount
    )


def charge(order: OrderView, *, by: Actor, at: datetime) -> None:
    """Escrow → revenue, and of it what the operator is owed."""
    amount = order.set_aside_mrial
    cost = order.cost_mrial or 0
    revenue = open_wallet(code=f"{WalletKind.REVENUE}:{order.operator_code}", kind=WalletKind.REVENUE, at=at)
    owed = open_wallet(code=f"{WalletKind.OPERATOR_COST}:{order.operator_code}", kind=WalletKind.OPERATOR_COST, at=at)
    amounts = {revenue: amount - cost, owed: cost}
    if order.escrow_wallet_id is not None:
        amounts[order.escrow_wallet_id] = -amount
    _post(TransferKind.CHARGE, order.id, amounts, by=by, at=at)
    execute("UPDATE lines_order SET charged_mrial = charged_mrial + :amount WHERE id = :id", id=order.id, amount=amount)


def _post(kind: TransferKind, order_id: int, amounts: dict[int, int], *, by: Actor, at: datetime) -> None:
    if not any(amounts.values()):  # a number that is given away moves no money
        return
    posting = Posting(
        kind=kind,
        key=f"line_order:{order_id}:{kind}",
        subject=f"line_order:{order_id}",
        amounts_mrial=amounts,
        actor_id=by.id,
    )
    post([posting], at=at)
