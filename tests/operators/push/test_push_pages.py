"""The staff's page of an address for pushed reports: shown once, renewed, closed, bound to networks."""

import re

import pytest
from flask import Flask

from sms.core.db import execute, row, rows, transaction
from sms.operators.push.queries import Push, push
from sms.operators.push.rules import hash_of
from tests.factories import make_gateway
from tests.operators.staff import Person, make_staff, text_of

_ADDRESS = re.compile(r"http://localhost/hooks/(\d+)/([\w-]{22})/reports")


@pytest.fixture
def staff(app: Flask) -> Person:
    person = make_staff(app)
    person.browser.set_cookie("language", "en")
    return person


@pytest.fixture
def gateway_id(app: Flask) -> int:
    return make_gateway()[1]


def found(gateway_id: int) -> Push:
    known = push(gateway_id)
    assert known is not None
    return known


def renew(staff: Person, gateway_id: int) -> str:
    """Make an address in the browser; returns its token."""
    page = f"/admin/gateways/{gateway_id}/push"
    shown = _ADDRESS.search(staff.post(f"{page}/renew", from_page=page).text)
    assert shown is not None
    assert int(shown[1]) == gateway_id
    return shown[2]


def actions() -> list[str]:
    return [line.action for line in rows("SELECT action FROM accounts_audit WHERE action LIKE '%push%' ORDER BY id")]


def test_an_address_is_shown_once_and_only_its_hash_is_kept(staff: Person, gateway_id: int) -> None:
    token = renew(staff, gateway_id)

    assert found(gateway_id).token_hash == hash_of(token)
    for url in (f"/admin/gateways/{gateway_id}/push", f"/admin/gateways/{gateway_id}", "/admin/audit"):
        assert token not in staff.get(url).text
    stored = row("SELECT row_to_json(g)::text AS text FROM operators_gateway g WHERE id = :id", id=gateway_id)
    assert stored is not None
    assert token not in stored.text
    with staff.browser.session_transaction() as session:
        assert token not in str(dict(session))
    assert token not in repr(found(gateway_id))
    assert actions() == ["gateway.push_made"]


def test_another_address_takes_the_place_of_the_first(staff: Person, gateway_id: int) -> None:
    first, second = renew(staff, gateway_id), renew(staff, gateway_id)

    assert first != second
    assert found(gateway_id).token_hash == hash_of(second)
    assert actions() == ["gateway.push_made", "gateway.push_renewed"]


def test_an_address_is_closed(staff: Person, gateway_id: int) -> None:
    page = f"/admin/gateways/{gateway_id}/push"
    renew(staff, gateway_id)
    assert staff.post(f"{page}/close", from_page=page).status_code == 303

    assert not found(gateway_id).is_open
    assert staff.post(f"{page}/close", from_page=page).status_code == 422
    assert actions() == ["gateway.push_made", "gateway.push_closed"]


def test_reports_may_be_bound_to_networks(staff: Person, gateway_id: int) -> None:
    page = f"/admin/gateways/{gateway_id}/push"
    assert staff.post(page, {"addresses": "192.0.2.7 198.51.100.0/24"}, from_page=page).status_code == 303
    assert list(found(gateway_id).addresses) == ["192.0.2.7/32", "198.51.100.0/24"]
    assert 'value="192.0.2.7/32 198.51.100.0/24"' in staff.get(page).text

    refused = staff.post(page, {"addresses": "example.com"}, from_page=page)
    assert refused.status_code == 422
    assert "example.com" in text_of(refused)
    assert "is no IP address" in text_of(refused)
    assert staff.post(page, {"addresses": ""}, from_page=page).status_code == 303
    assert list(found(gateway_id).addresses) == []
    assert actions() == ["gateway.push_bound"] * 2


def test_a_gateway_tells_how_it_is_pushed_to(staff: Person, gateway_id: int) -> None:
    page = f"/admin/gateways/{gateway_id}"
    assert "Pushed reports Secret address None" in text_of(staff.get(page))
    renew(staff, gateway_id)
    assert "Secret address Open" in text_of(staff.get(page))


def test_a_gateway_whose_adapter_is_pushed_nothing_has_no_address(staff: Person, gateway_id: int) -> None:
    with transaction():
        execute("UPDATE operators_gateway SET adapter = 'gone' WHERE id = :id", id=gateway_id)
    page = f"/admin/gateways/{gateway_id}/push"
    assert "no reports that are pushed" in text_of(staff.get(page))
    assert "Pushed reports" not in text_of(staff.get(f"/admin/gateways/{gateway_id}"))
    assert staff.post(f"{page}/renew", from_page="/account").status_code == 422
    assert not found(gateway_id).is_open


def test_a_gateway_that_is_not_there(staff: Person) -> None:
    page = "/admin/gateways/99999/push"
    assert staff.get(page).status_code == 404
    for what in ("renew", "close"):
        assert staff.post(f"{page}/{what}", from_page="/account").status_code == 404
