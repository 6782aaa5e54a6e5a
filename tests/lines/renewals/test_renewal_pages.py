"""An owner reads when a line ends, and renews it; the timetable's job."""

from datetime import timedelta

import pytest
from flask import Flask

from jobs.orders import keep_renewals
from sms.core import clock
from sms.core.db import execute, scalar, transaction
from sms.lines.orders.rules import OrderState
from sms.lines.queries import usable_lines
from tests.factories import make_account
from tests.lines.orders.desk import PRICE, Desk, make_format
from tests.operators.staff import Person, sign_in, text_of


@pytest.fixture
def desk(app: Flask) -> Desk:
    found = Desk.open()
    make_format(found.operator_id, renewal_percent=20, renewal_months=12, grace_days=10)
    return found


@pytest.fixture
def owner(app: Flask, desk: Desk) -> Person:
    person = sign_in(app, desk.user_id)
    person.browser.set_cookie("language", "en")
    return person


def _line(desk: Desk, *, ends_in: timedelta) -> str:
    """The address of the renewal of a line that ends so soon."""
    line_id = desk.order(desk.order_in(OrderState.ACTIVE)).line_id
    with transaction():
        execute("UPDATE lines_line SET expires_at = :end WHERE id = :id", end=clock.now() + ends_in, id=line_id)
    return f"/lines/{line_id}/renewal"


def _form(page: str) -> dict[str, str]:
    end = scalar("SELECT expires_at FROM lines_line")
    return {"price": str(PRICE // 5), "expires_at": end.isoformat()}


@pytest.mark.parametrize(
    ("days", "told"), [(40, ""), (20, "is to be renewed"), (3, "within a week"), (-3, "Renew"), (-20, "may not send")]
)
def test_the_home_page_tells_how_near_the_end_is(desk: Desk, owner: Person, days: int, told: str) -> None:
    _line(desk, ends_in=timedelta(days=days))
    home = text_of(owner.get("/"))
    assert told in home
    assert ("30001404" in home) is bool(told)


def test_a_suspended_line_is_renewed_and_sends_again(desk: Desk, owner: Person) -> None:
    page = _line(desk, ends_in=timedelta(days=-20))
    keep_renewals()
    assert usable_lines(desk.account_id) == []
    assert "1,000,000 rial" in text_of(owner.get(page))
    form = _form(page)
    assert owner.post(page, form, from_page=page).status_code == 303
    assert len(usable_lines(desk.account_id)) == 1
    again = owner.post(page, form, from_page=page)
    assert again.status_code == 422
    assert scalar("SELECT count(*) FROM lines_renewal") == 1
    assert "Renewal of a line" in text_of(owner.get("/statement"))
    desk.verify()


def test_without_enough_money_the_page_says_how_much_is_missing(desk: Desk, owner: Person) -> None:
    page = _line(desk, ends_in=timedelta(days=1))
    with transaction():
        execute("UPDATE lines_line SET bought_mrial = :price", price=5 * (desk.balance() + 1000))
    form = _form(page) | {"price": str(desk.balance() + 1000)}
    answer = owner.post(page, form, from_page=page)
    assert answer.status_code == 422
    assert "1 rial is missing" in text_of(answer)


def test_the_renewal_of_others_is_not_there(app: Flask, desk: Desk) -> None:
    page = _line(desk, ends_in=timedelta(days=1))
    stranger = sign_in(app, make_account()[1])
    assert stranger.get(page).status_code == 404
    assert stranger.post(page, _form(page), from_page="/account").status_code == 404
