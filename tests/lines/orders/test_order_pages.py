"""Orders through the pages, as two customers and the staff."""

import re

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from werkzeug.test import TestResponse

from sms.core.db import execute, scalar, transaction
from sms.ledger.queries import balance
from sms.lines.orders import queries
from sms.lines.orders.rules import OrderState
from sms.lines.queries import usable_lines
from tests.factories import make_account
from tests.lines.orders.desk import PRICE, Desk, make_format, make_number, make_price
from tests.operators.staff import Person, make_staff, sign_in, text_of

PRICE_RIAL = str(PRICE // 1000)


def _person(app: Flask, user_id: int) -> Person:
    person = sign_in(app, user_id)
    person.browser.set_cookie("language", "en")
    return person


@pytest.fixture
def customer(app: Flask, desk: Desk) -> Person:
    return _person(app, desk.user_id)


@pytest.fixture
def staff(app: Flask) -> Person:
    person = make_staff(app)
    person.browser.set_cookie("language", "en")
    return person


def _fields(answer: TestResponse, action: str) -> dict[str, str]:
    """What a form of a page would send as it stands."""
    page = BeautifulSoup(answer.text, "html.parser")
    (form,) = [each for each in page("form", method="post") if str(each["action"]).endswith(action)]
    inputs = [tag for tag in form("input") if tag.get("name") and tag.get("type") != "checkbox"]
    found = {str(tag["name"]): str(tag.get("value", "")) for tag in inputs}
    found |= {str(tag["name"]): tag.get_text().strip() for tag in form("textarea")}
    for choice in form("select"):
        chosen = choice.find("option", selected=True) or choice.find("option")
        found[str(choice["name"])] = str(chosen["value"])  # type: ignore[index]
    return {name: value for name, value in found.items() if name != "csrf_token"}


def _send(person: Person, page: str, action: str, **changes: str) -> TestResponse:
    fields = _fields(person.get(page), action) | changes
    return person.post(page if action in page else f"{page}{action}", fields, from_page=page)


def _order_id(answer: TestResponse) -> int:
    found = re.fullmatch(r"/orders/(\d+)", answer.headers["Location"])
    assert found is not None
    return int(found[1])


def test_the_whole_way_of_an_inquiry(desk: Desk, customer: Person, staff: Person) -> None:
    with transaction():
        execute("DELETE FROM lines_needed_document")
    asked = _send(customer, "/orders/new", "/orders/new", operator_id=str(desk.operator_id), digits="8", tier="round",
                  number="3000 1404", wish="for our shop")  # fmt: skip
    order_id = _order_id(asked)
    own, theirs = f"/orders/{order_id}", f"/admin/orders/{order_id}"
    assert "30001404" in text_of(staff.get("/admin/orders"))
    assert "for our shop" in text_of(staff.get(theirs))
    assert "orders of lines wait for us" in text_of(staff.get("/"))

    assert _send(staff, theirs, "/quote", price=PRICE_RIAL, days="7", note="a fine one").status_code == 303
    assert "Price quoted" in text_of(customer.get("/"))  # the news stand on the home page
    page = text_of(customer.get(own))
    assert "a fine one" in page
    assert "by our staff" in page  # and not who
    assert customer.post(f"{own}/seen", from_page=own).status_code == 303
    assert "Price quoted" not in text_of(customer.get("/"))

    money = desk.balance()
    assert _send(customer, own, "/approve").status_code == 303
    assert desk.balance() == money - PRICE
    assert _send(staff, theirs, "/purchase", cost="1000000").status_code == 303
    assert _send(staff, theirs, "/hand-over").status_code == 303
    assert "Handed over" in text_of(customer.get(own))
    assert [line.number for line in usable_lines(desk.account_id)] == ["30001404"]
    assert f"Set aside for line order {order_id}" in text_of(customer.get("/statement"))
    desk.verify()


def test_of_two_customers_one_gets_the_number_and_the_other_is_told_at_once(
    app: Flask, desk: Desk, customer: Person
) -> None:
    make_price(desk.operator_id)
    page = f"/orders/new?number={make_number(desk.operator_id, '30001404')}"
    other_id, other_user, _ = make_account(money_mrial=10**11)
    other = _person(app, other_user)
    seen = [(person, _fields(person.get(page), page)) for person in (customer, other)]
    first, second = [person.post(page, fields, from_page="/account") for person, fields in seen]

    assert queries.order(_order_id(first)).state is OrderState.APPROVED
    assert second.status_code == 409
    assert "has just been taken by somebody else" in text_of(second)
    assert (balance(other_id), balance(desk.account_id)) == (10**11, 10**11 - PRICE)
    desk.verify()


def test_the_same_form_twice_is_one_order(desk: Desk, customer: Person) -> None:
    make_price(desk.operator_id)
    page = f"/orders/new?number={make_number(desk.operator_id, '30001404')}"
    fields = _fields(customer.get(page), page)
    first, second = (customer.post(page, fields, from_page="/account") for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]


def test_a_price_is_shown_before_it_is_paid(desk: Desk, customer: Person) -> None:
    make_price(desk.operator_id)
    money = desk.balance()
    wanted = {"operator_id": str(desk.operator_id), "digits": "8"}
    shown = _send(customer, "/orders/new", "/orders/new", **wanted)
    assert shown.status_code == 422
    assert "5,000,000 rial" in text_of(shown)
    assert desk.balance() == money
    again = customer.post("/orders/new", _fields(shown, "/orders/new"), from_page="/account")
    assert queries.order(_order_id(again)).state is OrderState.APPROVED
    assert desk.balance() == money - PRICE


def test_the_page_says_why_a_length_cannot_be_ordered(desk: Desk, customer: Person) -> None:
    make_format(desk.operator_id, 9, is_on_sale=False, note="3000 gives out no 9-digit numbers.")
    answer = _send(customer, "/orders/new", "/orders/new", operator_id=str(desk.operator_id), digits="9")
    assert answer.status_code == 422
    assert "3000 gives out no 9-digit numbers." in text_of(answer)
    assert scalar("SELECT count(*) FROM lines_order") == 0


@pytest.mark.parametrize("digits", ["", "abc", "0", "-1", "999999999999"])
def test_nonsense_is_refused(desk: Desk, customer: Person, digits: str) -> None:
    answer = _send(customer, "/orders/new", "/orders/new", operator_id=str(desk.operator_id), digits=digits)
    assert answer.status_code == 422


def test_too_little_money_is_told_with_the_sum(app: Flask, desk: Desk, staff: Person) -> None:
    poor_id, poor_user, _ = make_account(money_mrial=PRICE - 1000)
    poor = _person(app, poor_user)
    order_id = _order_id(_send(poor, "/orders/new", "/orders/new", digits="8", number="30001404"))
    _send(staff, f"/admin/orders/{order_id}", "/quote", price=PRICE_RIAL)
    answer = _send(poor, f"/orders/{order_id}", "/approve")
    assert answer.status_code == 422
    assert "1 rial is missing" in text_of(answer)
    assert (queries.order(order_id).state, balance(poor_id)) == (OrderState.QUOTED, PRICE - 1000)


def test_staff_are_told_what_is_wrong_with_a_move(desk: Desk, staff: Person) -> None:
    order_id = desk.order_in(OrderState.APPROVED)
    place = f"/admin/orders/{order_id}"
    refused = _send(staff, place, "/purchase", cost="1000")
    assert refused.status_code == 422
    assert "Not all documents are there" in text_of(refused)
    assert _send(staff, place, "/reject", reason="").status_code == 422
    assert staff.post(f"{place}/quote", {"price": "1", "days": "3"}, from_page=place).status_code == 422
    assert desk.order(order_id).state is OrderState.APPROVED
    assert _send(staff, place, "/reject", reason="gone").status_code == 303
    desk.verify()


def test_orders_of_others_are_not_there(app: Flask, desk: Desk, customer: Person) -> None:
    own = f"/orders/{desk.order_in(OrderState.QUOTED)}"
    stranger = _person(app, make_account()[1])
    assert stranger.get(own).status_code == 404
    for act in ("approve", "cancel", "seen"):
        assert stranger.post(f"{own}/{act}", {"price": str(PRICE)}, from_page="/account").status_code == 404
    assert stranger.get(f"/admin{own}").status_code == 403
    assert "30001404" not in text_of(stranger.get("/orders"))
    assert "30001404" in text_of(customer.get("/orders"))


def test_a_customer_cancels_and_reads_that_the_money_is_back(desk: Desk, customer: Person) -> None:
    own = f"/orders/{desk.order_in(OrderState.APPROVED)}"
    assert _send(customer, own, "/cancel", reason="we closed").status_code == 303
    page = text_of(customer.get(own))
    assert "we closed" in page
    assert "Back in the balance" in page
    assert customer.post(f"{own}/cancel", from_page=own).status_code == 422
    desk.verify()
