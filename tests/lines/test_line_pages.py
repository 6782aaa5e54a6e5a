"""Pages of lines: a customer's own, and the staff's."""

import pytest
from flask import Flask

from sms.core.db import execute, rows, transaction
from sms.lines import queries
from tests.factories import make_account, make_gateway, make_line
from tests.operators.staff import Person, make_staff, sign_in, text_of


@pytest.fixture
def place(app: Flask) -> tuple[int, int]:
    """(operator id, gateway id)"""
    return make_gateway()


@pytest.fixture
def staff(app: Flask) -> Person:
    return make_staff(app)


def _customer(app: Flask) -> tuple[int, Person]:
    account_id, user_id, _ = make_account()
    person = sign_in(app, user_id)
    person.browser.set_cookie("language", "en")
    return account_id, person


def _line(place: tuple[int, int], number: str, account_id: int | None = None) -> int:
    return make_line(operator_id=place[0], gateway_id=place[1], number=number, account_id=account_id)


# The customer's


def test_a_customer_sees_its_own_and_the_public_lines_and_no_others(app: Flask, place: tuple[int, int]) -> None:
    account_id, customer = _customer(app)
    _line(place, "30001111", account_id)
    _line(place, "30002222")
    _line(place, "30003333", make_account()[0])

    page = text_of(customer.get("/lines"))
    assert "30001111" in page
    assert "30002222" in page
    assert "30003333" not in page


def test_an_empty_account_is_told_how_to_begin(app: Flask) -> None:
    _, customer = _customer(app)

    assert "You have no line of your own yet" in text_of(customer.get("/lines"))


def test_a_line_gets_a_name_and_it_is_shown_as_text(app: Flask, place: tuple[int, int]) -> None:
    account_id, customer = _customer(app)
    url = f"/lines/{_line(place, '30001111', account_id)}"
    assert customer.post(url, {"alias": "<b>Shop</b>"}, from_page=url).status_code == 303

    answer = customer.get("/lines")
    assert "<b>Shop</b>" in text_of(answer)
    assert "<b>Shop</b>" not in answer.text


def test_a_name_that_is_too_long_is_refused_with_a_sentence(app: Flask, place: tuple[int, int]) -> None:
    account_id, customer = _customer(app)
    url = f"/lines/{_line(place, '30001111', account_id)}"
    answer = customer.post(url, {"alias": "x" * 41}, from_page=url)

    assert answer.status_code == 422
    assert "at most 40 characters" in text_of(answer)


def test_somebody_elses_line_is_not_there(app: Flask, place: tuple[int, int]) -> None:
    account_id, customer = _customer(app)
    own = _line(place, "30001111", account_id)
    other = _line(place, "30003333", make_account()[0])
    public = _line(place, "30002222")
    for line_id in (other, public, 10**6):
        assert customer.get(f"/lines/{line_id}").status_code == 404
        assert customer.post(f"/lines/{line_id}", {"alias": "x"}, from_page=f"/lines/{own}").status_code == 404
    assert {line.alias for line in queries.lines_page(queries.LineFilter(), before=None, most=9)} == {""}


def test_a_customer_cannot_set_more_than_the_name(app: Flask, place: tuple[int, int]) -> None:
    account_id, customer = _customer(app)
    line_id = _line(place, "30001111", account_id)
    with transaction():
        execute("UPDATE lines_line SET is_active = false")
    extra = {"alias": "Shop", "is_active": "y", "service_class": "service", "account_id": "1", "number": "30009999"}
    customer.post(f"/lines/{line_id}", extra, from_page=f"/lines/{line_id}")

    line = queries.line(line_id)
    assert (line.alias, line.is_active, line.service_class, line.account_id, line.number) == (
        "Shop",
        False,
        "advertising",
        account_id,
        "30001111",
    )


# The staff's


def test_staff_add_a_line_for_a_customer(app: Flask, staff: Person, place: tuple[int, int]) -> None:
    account_id, user_id, _ = make_account()
    (username,) = rows("SELECT username FROM accounts_user WHERE id = :id", id=user_id)[0]
    url = "/admin/lines/add"
    data = {
        "gateway_id": place[1],
        "number": "+98 ۳۰۰۰ ۱۲۳۴",
        "kind": "dedicated",
        "account": username,
        "service_class": "service",
        "joined_units": "66",
        "is_active": "y",
    }
    answer = staff.post(url, data, from_page=url)

    assert answer.status_code == 303
    (line,) = queries.account_lines(account_id)
    assert (line.number, line.service_class, line.joined_units, line.is_active) == ("30001234", "service", 66, True)
    assert staff.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("number", "20001234", "begins with 3000"),
        ("number", "12", "3 to 20 digits"),
        ("number", "", "must be filled in"),
        ("account", "nobody-at-all", "no user called nobody-at-all"),
        ("account", "staff", "open account of a customer or reseller"),
        ("joined_units", "70", "choice"),
    ],
)
def test_a_refused_line_is_shown_again_with_a_sentence(
    staff: Person, place: tuple[int, int], field: str, value: str, told: str
) -> None:
    staff.browser.set_cookie("language", "en")
    url = "/admin/lines/add"
    data = {
        "gateway_id": place[1],
        "number": "30001234",
        "kind": "dedicated",
        "service_class": "advertising",
        "joined_units": "67",
        field: value,
    }
    answer = staff.post(url, data, from_page=url)

    assert answer.status_code == 422
    assert told in text_of(answer)
    assert queries.lines_page(queries.LineFilter(), before=None, most=1) == []


def test_staff_assign_change_and_take_back(staff: Person, place: tuple[int, int]) -> None:
    account_id, user_id, _ = make_account()
    (username,) = rows("SELECT username FROM accounts_user WHERE id = :id", id=user_id)[0]
    line_id = _line(place, "30001111", account_id)
    url = f"/admin/lines/{line_id}"
    assert staff.post(f"{url}/take-back", from_page=url).status_code == 303
    assert queries.line(line_id).account_id is None
    assert staff.post(f"{url}/assign", {"account": username}, from_page=url).status_code == 303
    assert queries.line(line_id).account_id == account_id
    data = {"alias": "Shop", "service_class": "advertising", "joined_units": "67"}
    assert staff.post(url, data, from_page=url).status_code == 303
    assert not queries.line(line_id).is_active
    assert staff.post(f"{url}/assign", {"account": "nobody"}, from_page=url).status_code == 422


def test_the_staffs_list_is_narrowed_and_paged(staff: Person, place: tuple[int, int]) -> None:
    staff.browser.set_cookie("language", "en")
    for number in range(55):
        _line(place, f"3000{number:03}")
    first = staff.get("/admin/lines?number=3000")
    assert "3000054" in first.text
    assert "3000004" not in first.text
    older = next(part for part in first.text.split('"') if "before=" in part).replace("&amp;", "&")
    assert "number=3000" in older
    assert "3000004" in staff.get(older).text
    assert "No line fits" in text_of(staff.get("/admin/lines?number=9"))
    assert staff.get("/admin/lines?operator=x&kind=y&before=z").status_code == 200


def test_customers_may_not_see_the_staffs_pages(app: Flask, place: tuple[int, int]) -> None:
    account_id, customer = _customer(app)
    line_id = _line(place, "30001111", account_id)
    for page in ("/admin/lines", "/admin/lines/add", f"/admin/lines/{line_id}"):
        assert customer.get(page).status_code == 403
    answer = customer.post(f"/admin/lines/{line_id}/take-back", from_page=f"/lines/{line_id}")
    assert answer.status_code == 403
    assert queries.line(line_id).account_id == account_id
