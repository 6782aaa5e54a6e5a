"""Two hundred customers and one number: one gets it, the money of all is right."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask

from sms.core.actor import Actor
from sms.core.db import db, rows, scalar, transaction
from sms.ledger.rules import TransferKind
from sms.lines.orders.operations import moving, placing
from sms.lines.orders.rules import OrderState, Taken, Wanted, WrongMove
from tests.factories import AT, make_account
from tests.lines.orders.desk import PRICE, Desk, make_number, make_price

BUYERS = 200  # each on a thread of its own
MONEY = 10**11


@pytest.mark.parametrize("is_priced", [True, False], ids=["list price", "inquiry"])
def test_two_hundred_orders_of_one_number_have_one_winner(app: Flask, desk: Desk, is_priced: bool) -> None:
    buyers = [make_account(money_mrial=MONEY)[:2] for _ in range(BUYERS)]
    if is_priced:
        make_price(desk.operator_id)
        wanted = Wanted(number_id=make_number(desk.operator_id, "30001404"), shown_mrial=PRICE)
    else:
        wanted = Wanted(operator_id=desk.operator_id, digits=8, number="30001404")
    barrier = Barrier(BUYERS)

    def buy(buyer: tuple[int, int]) -> str:
        account_id, user_id = buyer
        with app.app_context():
            barrier.wait(30)  # all begin at the same moment
            try:
                with transaction():
                    placing.place(account_id=account_id, wanted=wanted, key="k", by=Actor(id=user_id), at=AT)
            except Taken:
                return "taken"
            finally:
                db.session.remove()
            return "won"

    with ThreadPoolExecutor(BUYERS) as pool:
        told = Counter(pool.map(buy, buyers))

    assert told == {"won": 1, "taken": BUYERS - 1}
    (order,) = rows("SELECT account_id, held_mrial FROM lines_order")
    balances = dict(rows("SELECT account_id, balance_mrial FROM ledger_wallet WHERE kind = 'customer'"))
    held = PRICE if is_priced else 0
    assert order.held_mrial == held
    assert all(
        balances[account_id] == MONEY - (held if account_id == order.account_id else 0) for account_id, _ in buyers
    )
    desk.verify()


def test_one_form_sent_many_times_at_once_is_one_order(app: Flask, desk: Desk) -> None:
    make_price(desk.operator_id)
    wanted = Wanted(number_id=make_number(desk.operator_id, "30001404"), shown_mrial=PRICE)

    def send(_: int) -> int:
        with app.app_context():
            try:
                with transaction():
                    return placing.place(account_id=desk.account_id, wanted=wanted, key="k", by=desk.customer, at=AT)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(16)))) == 1
    assert scalar("SELECT count(*) FROM ledger_transfer WHERE kind = :kind", kind=str(TransferKind.HOLD)) == 1
    desk.verify()


def test_of_approving_cancelling_and_turning_down_at_once_one_happens_and_the_money_fits(
    app: Flask, desk: Desk
) -> None:
    order_id = desk.order_in(OrderState.QUOTED)
    number = (moving.approve, moving.cancel, moving.reject)

    def move(place: int) -> str:
        asked = {
            moving.approve: {"account_id": desk.account_id, "shown_mrial": PRICE},
            moving.cancel: {"account_id": desk.account_id},
            moving.reject: {"reason": "no"},
        }
        change = number[place % 3]
        with app.app_context():
            try:
                with transaction():
                    change(order_id=order_id, by=desk.customer, at=AT, **asked[change])  # type: ignore[operator]
            except WrongMove:
                return "refused"
            finally:
                db.session.remove()
            return change.__name__

    with ThreadPoolExecutor(6) as pool:
        told = Counter(pool.map(move, range(24)))
    assert told["approve"] <= 1
    assert told["cancel"] + told["reject"] == 1
    assert desk.balance() == MONEY
    desk.verify()
