"""Orders on a real database: every move with its money, its number and its steps."""

from datetime import timedelta
from itertools import product

import pytest

from jobs.orders import keep_orders
from sms.core import clock
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.ledger.rules import InsufficientBalance, KeyReused
from sms.lines.formats.rules.offers import NotOnSale
from sms.lines.orders import queries
from sms.lines.orders.operations import moving
from sms.lines.orders.rules import HOLDING, MOVES, OrderState, PriceChanged, Taken, WrongMove
from sms.lines.queries import usable_lines
from sms.lines.rules import UnusableLine
from sms.lines.stock import operations as stock
from tests.factories import AT, make_account, make_line, make_root
from tests.lines.orders.desk import _MOVES, COST, PRICE, Desk, make_format, make_number, make_price

S = OrderState
MONEY = 10**11


# Every state, every move


@pytest.mark.parametrize("state", list(S), ids=str)
def test_money_lies_where_the_state_says(desk: Desk, state: OrderState) -> None:
    found = desk.order(desk.order_in(state))
    charged = PRICE if state is S.ACTIVE else 0
    held = PRICE if state in HOLDING else 0
    assert found.state is state
    assert (found.set_aside_mrial, found.charged_mrial) == (held, charged)
    assert desk.balance() == MONEY - held - charged
    desk.verify()


@pytest.mark.parametrize(("before", "after"), [pair for pair in product(S, S) if pair[1] is not S.INQUIRY], ids=str)
def test_only_moves_of_the_table_are_made(desk: Desk, before: OrderState, after: OrderState) -> None:
    order_id = desk.order_in(before)
    was = (desk.order(order_id), desk.balance(), len(queries.steps(order_id)))
    late = AT + timedelta(days=30)
    if after is S.EXPIRED:
        desk.move(order_id, after, at=late)  # the timetable asks for all of them and passes over those that go on
        is_moved = desk.order(order_id).state is after is not before
        assert is_moved == ((before, after) in MOVES)
    elif (before, after) in MOVES:
        desk.move(order_id, after)
        assert desk.order(order_id).state is after
        assert queries.steps(order_id)[-1].from_state == before
    else:
        with pytest.raises(WrongMove):
            desk.move(order_id, after)
        assert (desk.order(order_id), desk.balance(), len(queries.steps(order_id))) == was
    assert set(_MOVES) == set(S) - {S.INQUIRY}
    desk.verify()


@pytest.mark.parametrize("way", [S.REJECTED, S.CANCELLED])
@pytest.mark.parametrize("state", [S.INQUIRY, S.QUOTED, S.APPROVED], ids=str)
def test_an_order_that_ends_gives_back_money_and_number(desk: Desk, state: OrderState, way: OrderState) -> None:
    number_id = make_number(desk.operator_id, "30001404")
    order_id = desk.order_in(state)
    assert desk.number_state(number_id) == "reserved"
    desk.move(order_id, way)

    assert desk.balance() == MONEY
    assert desk.number_state(number_id) == "free"
    assert desk.place() != order_id  # somebody may order it again
    desk.verify()


# What is ordered


def test_a_number_with_a_price_is_approved_at_once(desk: Desk) -> None:
    make_price(desk.operator_id)
    number_id = make_number(desk.operator_id, "30004711")
    found = desk.order(desk.place(number_id=number_id, shown_mrial=PRICE))

    assert (found.state, found.is_list_priced, found.number) == (S.APPROVED, True, "30004711")
    assert found.set_aside_mrial == PRICE == MONEY - desk.balance()
    desk.verify()


def test_a_number_that_the_operator_assigns_can_have_a_price_too(desk: Desk) -> None:
    make_price(desk.operator_id)
    order_id = desk.place(operator_id=desk.operator_id, digits=8, shown_mrial=PRICE)
    assert desk.order(order_id).state is S.APPROVED
    with transaction(), pytest.raises(UnusableLine):
        moving.purchase(order_id=order_id, cost_mrial=COST, is_without_documents=True, by=desk.staff, at=AT)
    with transaction():
        moving.purchase(
            order_id=order_id, cost_mrial=COST, number="3000 2580", is_without_documents=True, by=desk.staff, at=AT
        )
    desk.move(order_id, S.ACTIVE)
    assert [line.number for line in usable_lines(desk.account_id)] == ["30002580"]
    desk.verify()


def test_a_wish_in_words_is_read_before_anything_is_paid(desk: Desk) -> None:
    make_price(desk.operator_id)
    order_id = desk.place(operator_id=desk.operator_id, digits=8, wish="one that is easy to remember")
    assert desk.order(order_id).state is S.INQUIRY


@pytest.mark.parametrize("shown", [None, PRICE - 1])
def test_no_other_price_is_paid_than_the_one_that_was_shown(desk: Desk, shown: int | None) -> None:
    make_price(desk.operator_id)
    number_id = make_number(desk.operator_id, "30004711")
    with pytest.raises(PriceChanged) as caught:
        desk.place(number_id=number_id, shown_mrial=shown)
    assert caught.value.price_mrial == PRICE
    assert desk.number_state(number_id) == "free"


def test_a_number_that_is_not_offered_is_not_sold_from_the_shop(desk: Desk) -> None:
    number_id = make_number(desk.operator_id, "30004711")
    with pytest.raises(Refusal):
        desk.place(number_id=number_id)
    assert desk.number_state(number_id) == "free"


def test_without_enough_money_nothing_is_ordered(desk: Desk) -> None:
    make_price(desk.operator_id, amount_mrial=MONEY + 1)
    number_id = make_number(desk.operator_id, "30004711")
    with pytest.raises(InsufficientBalance) as caught:
        desk.place(number_id=number_id, shown_mrial=MONEY + 1)
    assert caught.value.missing_mrial == 1
    assert (desk.number_state(number_id), queries.open_count(desk.account_id)) == ("free", 0)


def test_a_length_that_is_not_sold_cannot_be_ordered_and_the_reason_is_said(desk: Desk) -> None:
    make_format(desk.operator_id, 9, is_on_sale=False, note="The operator gives out no 9-digit numbers.")
    with pytest.raises(NotOnSale) as caught:
        desk.place(operator_id=desk.operator_id, digits=9)
    assert caught.value.field == "digits"
    assert "no 9-digit numbers" in str(caught.value)
    assert "The operator gives out" in str(caught.value)


def test_digits_that_stand_in_the_stock_are_that_item(desk: Desk) -> None:
    number_id = make_number(desk.operator_id, "30001404")
    assert desk.order(desk.place()).number_id == number_id
    with pytest.raises(Taken):
        desk.place()


def test_a_number_within_a_range_and_one_that_is_a_line_are_not_for_sale(desk: Desk) -> None:
    make_number(desk.operator_id, "300014", digits=8)
    with pytest.raises(Taken):
        desk.place()
    make_line(operator_id=desk.operator_id, gateway_id=desk.gateway_id, number="30005555")
    with pytest.raises(Taken):
        desk.place(operator_id=desk.operator_id, digits=8, number="30005555")
    assert scalar("SELECT count(*) FROM lines_order") == 0


def test_the_same_key_is_one_order_and_another_body_is_refused(desk: Desk) -> None:
    wanted = {"operator_id": desk.operator_id, "digits": 8, "number": "30001404"}
    first = desk.place(key="k", **wanted)
    assert desk.place(key="k", **wanted) == first
    with pytest.raises(KeyReused):
        desk.place(key="k", **wanted | {"wish": "another"})
    assert scalar("SELECT count(*) FROM lines_order") == 1


def test_who_may_order(desk: Desk) -> None:
    closed, *_ = make_account()
    with transaction():
        execute("UPDATE accounts_account SET state = 'suspended' WHERE id = :id", id=closed)
    for account_id in (make_root(), closed):
        with pytest.raises(Refusal):
            desk.place(account_id=account_id)
    assert scalar("SELECT count(*) FROM lines_order") == 0


# Quotes


def test_a_quote_may_be_made_anew_and_the_old_price_is_not_paid(desk: Desk) -> None:
    order_id = desk.order_in(S.QUOTED)
    with transaction():
        moving.quote(order_id=order_id, price_mrial=PRICE + 1, days=7, by=desk.staff, at=AT)
    with pytest.raises(PriceChanged):
        desk.move(order_id, S.APPROVED)
    assert desk.balance() == MONEY


def test_a_number_that_was_freed_meanwhile_is_taken_again_or_refused(desk: Desk) -> None:
    number_id = make_number(desk.operator_id, "30001404")
    order_id = desk.order_in(S.QUOTED)
    other, *_ = make_account()
    with transaction():
        stock.release(number_id=number_id, reason="months went by", by=desk.staff, at=AT)
        stock.reserve(
            number_id=number_id,
            account_id=other,
            until=AT + timedelta(days=1),
            reason="",
            by=desk.staff,
            at=AT,
        )
    with pytest.raises(Taken):
        desk.move(order_id, S.APPROVED)
    assert desk.balance() == MONEY
    with transaction():
        stock.release(number_id=number_id, reason="", by=desk.staff, at=AT)
    desk.move(order_id, S.APPROVED)
    assert desk.number_state(number_id) == "reserved"
    desk.verify()


def test_a_quote_that_ran_out_cannot_be_approved_and_the_timetable_ends_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    number_id = make_number(desk.operator_id, "30001404")
    order_id = desk.order_in(S.QUOTED)
    late = AT + timedelta(days=7)
    with pytest.raises(WrongMove):
        desk.move(order_id, S.APPROVED, at=late)

    monkeypatch.setattr(clock, "now", lambda: late - timedelta(seconds=1))
    keep_orders()
    assert desk.order(order_id).state is S.QUOTED
    monkeypatch.setattr(clock, "now", lambda: late)
    keep_orders()
    assert desk.order(order_id).state is S.EXPIRED
    assert desk.number_state(number_id) == "free"
    assert [step.actor for step in queries.steps(order_id)][-1] is None
    desk.verify()


# Hand-over


def test_a_handed_over_line_is_the_customers_own_and_paid(desk: Desk) -> None:
    number_id = make_number(desk.operator_id, "30001404")
    make_format(desk.operator_id, renewal_percent=20, renewal_months=12)
    found = desk.order(desk.order_in(S.ACTIVE))
    line = row("SELECT * FROM lines_line WHERE id = :id", id=found.line_id)
    assert line is not None
    assert (line.account_id, line.kind, line.number) == (desk.account_id, "dedicated", "30001404")
    assert (line.bought_mrial, line.bought_at, line.expires_at.year) == (PRICE, AT, AT.year + 1)
    item = row("SELECT state, account_id, line_id, reserved_until FROM lines_number WHERE id = :id", id=number_id)
    assert item is not None
    assert tuple(item) == ("active", desk.account_id, found.line_id, None)
    owed = scalar("SELECT sum(e.amount_mrial) FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id"
                  " WHERE w.code = 'operator_cost:3000'")  # fmt: skip
    assert owed == COST
    desk.verify()


def test_where_renewal_costs_nothing_a_line_does_not_end(desk: Desk) -> None:
    desk.order_in(S.ACTIVE)
    assert scalar("SELECT expires_at FROM lines_line") is None


def test_a_number_from_outside_the_stock_becomes_an_item_of_it(desk: Desk) -> None:
    found = desk.order(desk.order_in(S.ACTIVE))
    item = row("SELECT number, state, account_id, line_id FROM lines_number")
    assert item is not None
    assert tuple(item) == ("30001404", "active", desk.account_id, found.line_id)


def test_a_range_is_handed_over_whole_with_its_price_parted(desk: Desk) -> None:
    make_price(desk.operator_id, amount_mrial=PRICE + 7)
    number_id = make_number(desk.operator_id, "3000140", digits=8)
    order_id = desk.place(number_id=number_id, shown_mrial=PRICE + 7)
    desk.move(order_id, S.PURCHASED)
    desk.move(order_id, S.ACTIVE)
    lines = rows("SELECT number, bought_mrial FROM lines_line ORDER BY number")
    assert [line.number for line in lines] == [f"3000140{tail}" for tail in range(10)]
    assert sum(line.bought_mrial for line in lines) == PRICE + 7
    desk.verify()


def test_documents_are_waited_for_unless_staff_buy_without_them_knowingly(desk: Desk) -> None:
    order_id = desk.order_in(S.APPROVED)
    with transaction(), pytest.raises(Refusal):
        moving.purchase(order_id=order_id, cost_mrial=COST, by=desk.staff, at=AT)
    assert desk.order(order_id).state is S.APPROVED
    desk.move(order_id, S.PURCHASED)
    assert queries.steps(order_id)[-1].details["without_documents"]
    with transaction():
        execute("DELETE FROM lines_needed_document")
    other = desk.place(operator_id=desk.operator_id, digits=8, number="30002222")
    for state in (S.QUOTED, S.APPROVED):
        desk.move(other, state)
    with transaction():
        moving.purchase(order_id=other, cost_mrial=COST, by=desk.staff, at=AT)
    assert "without_documents" not in queries.steps(other)[-1].details


# Whose it is


def test_nobody_reads_or_moves_an_order_of_others(desk: Desk) -> None:
    order_id = desk.order_in(S.QUOTED)
    stranger, *_ = make_account()
    with pytest.raises(NotFound):
        queries.account_order(stranger, order_id)
    for change in (moving.approve, moving.cancel):
        extra = {"shown_mrial": PRICE} if change is moving.approve else {}
        with transaction(), pytest.raises(NotFound):
            change(order_id=order_id, account_id=stranger, by=desk.customer, at=AT, **extra)  # type: ignore[operator]
    assert queries.account_orders(stranger, before=None, most=9) == []
    assert queries.news(stranger) == []


def test_what_others_did_is_news_until_it_was_seen(desk: Desk) -> None:
    order_id = desk.place()
    assert queries.news(desk.account_id) == []
    desk.move(order_id, S.QUOTED)
    assert [each.order_id for each in queries.news(desk.account_id)] == [order_id]
    desk.move(order_id, S.APPROVED)  # who approves has read the quote
    assert queries.news(desk.account_id) == []


# What verify finds


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE lines_order SET state = 'cancelled' WHERE state = 'approved'",
        "UPDATE lines_order SET released_mrial = 1",
        "UPDATE lines_order SET price_mrial = price_mrial + 1",
        "UPDATE lines_order SET held_mrial = held_mrial + 1",
        "UPDATE lines_number SET state = 'free', reserved_until = NULL, account_id = NULL",
    ],
)
def test_verify_finds_an_order_whose_money_or_number_is_wrong(desk: Desk, damage: str) -> None:
    make_number(desk.operator_id, "30001404")
    desk.order_in(S.APPROVED)
    desk.verify()
    with transaction():
        execute(damage)
    assert [problem for problem in queries.broken()["I5"]] != []
