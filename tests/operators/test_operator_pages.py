"""The staff's pages of operators and gateways, as a browser without scripts meets them."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from sms.core.db import rows, scalar, transaction
from sms.core.seal import seal, unseal
from sms.operators import operations, queries
from sms.operators.contract import NOTHING_LEFT, BadCredentials, Unreachable
from tests.factories import AT, make_account, make_gateway
from tests.operators.far_side import FarSide, http
from tests.operators.staff import Person, make_staff, sign_in, text_of
from tests.simulator.running import CREDENTIALS, RunningSimulator

KEY = "a seal that only tests know"
SECRET = "hunter-2-hunter"
SEALED = seal({"username": "payamgah-user", "domain": "sample-domain", "password": SECRET}, seal_key=KEY)


@pytest.fixture
def staff(app: Flask) -> Person:
    return make_staff(app)


@pytest.fixture
def gateway_id(app: Flask) -> int:
    return make_gateway(credentials_sealed=SEALED, lookup_after_seconds=10)[1]


def _filled(staff: Person, url: str) -> dict[str, Any]:
    """What a browser would send of a form that nobody touched."""
    form = BeautifulSoup(staff.get(url).text, "html.parser").find("main").find("form", class_="form")
    data = {field["name"]: field.get("value", "") for field in form.find_all("input") if field["name"] != "csrf_token"}
    for select in form.find_all("select"):
        chosen = select.find("option", selected=True) or select.find("option")
        data[select["name"]] = chosen["value"]
    return data


def _in_english(staff: Person) -> Person:
    staff.browser.set_cookie("language", "en")
    return staff


# Adding and changing


def test_an_operator_and_a_gateway_are_added_in_the_browser(staff: Person) -> None:
    answer = staff.post(
        "/admin/operators/add",
        {"code": "3000", "name_fa": "مگفا", "name_en": "Magfa", "colour": "azure", "sale_mode": "single"},
        from_page="/admin/operators/add",
    )
    assert answer.status_code == 303
    url = "/admin/gateways/add"
    data = _filled(staff, url) | {
        "name": "مگفا ۱",
        "base_url": "https://sms.magfa.com/api/http/sms/v2/",
        "credential_username": "payamgah-user",
        "credential_domain": "sample-domain",
        "credential_password": SECRET,
        "timeout_seconds": "۱۲٫۵",
        "polling_plan_seconds": "۵، ۱۵ ۶۰",
    }
    answer = staff.post(url, data, from_page=url)

    assert answer.status_code == 303
    (gateway,) = queries.gateways()
    assert (gateway.name, gateway.timeout_seconds, list(gateway.polling_plan_seconds)) == ("مگفا ۱", 12.5, [5, 15, 60])
    sealed = scalar("SELECT credentials_sealed FROM operators_gateway")
    assert unseal(bytes(sealed), seal_key=KEY)["password"] == SECRET
    assert [line.actor_id for line in rows("SELECT actor_id FROM accounts_audit")] == [staff.user_id] * 2


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("lease_seconds", "20", "at least 55 seconds"),
        ("lease_seconds", "soon", "not a number of seconds"),
        ("lease_seconds", "nan", "not a number of seconds"),
        ("concurrency", "99999999999999", "too large"),
        ("batch_size", "500", "from 1 to 100 recipients"),
        ("base_url", "sms.magfa.com", "begins with http:// or https://"),
        ("polling_plan_seconds", "often", "whole seconds"),
        ("credential_password", "", "must be filled in"),
        ("name", "", "must be filled in"),
        ("operator_id", "999", "choice"),
    ],
)
def test_a_refused_gateway_is_shown_again_with_a_sentence(
    staff: Person, gateway_id: int, field: str, value: str, told: str
) -> None:
    url = "/admin/gateways/add"
    data = _filled(_in_english(staff), url) | {
        "name": "Second",
        "base_url": "https://sms.magfa.com/",
        "credential_username": "payamgah-user",
        "credential_domain": "sample-domain",
        "credential_password": SECRET,
        field: value,
    }
    answer = staff.post(url, data, from_page=url)

    assert answer.status_code == 422
    assert told in text_of(answer)
    assert not any(secret in answer.text for secret in (SECRET, "payamgah-user", "sample-domain"))
    assert [gateway.id for gateway in queries.gateways()] == [gateway_id]


def test_credentials_are_on_no_page_and_an_empty_one_is_kept(staff: Person, gateway_id: int) -> None:
    url = f"/admin/gateways/{gateway_id}/edit"
    data = _filled(staff, url) | {"concurrency": "۲"}
    pages = [staff.get(page).text for page in ("/admin/gateways", f"/admin/gateways/{gateway_id}", url)]
    assert staff.post(url, data, from_page=url).status_code == 303
    pages.append(staff.get(f"/admin/gateways/{gateway_id}").text)

    assert not any(secret in page for page in pages for secret in (SECRET, "payamgah-user", "sample-domain"))
    assert queries.gateway(gateway_id).concurrency == 2
    assert bytes(scalar("SELECT credentials_sealed FROM operators_gateway")) == SEALED


def test_an_untouched_form_changes_nothing(staff: Person, gateway_id: int) -> None:
    url = f"/admin/gateways/{gateway_id}/edit"
    before = queries.gateway(gateway_id)
    assert staff.post(url, _filled(staff, url), from_page=url).status_code == 303

    assert queries.gateway(gateway_id) == before
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'gateway.changed'") == 0


def test_another_address_asks_for_all_credentials_again(staff: Person, gateway_id: int) -> None:
    url = f"/admin/gateways/{gateway_id}/edit"
    data = _filled(_in_english(staff), url) | {"base_url": "https://attacker.example/"}
    answer = staff.post(url, data, from_page=url)

    assert answer.status_code == 422
    assert "give all credentials again" in text_of(answer)


def test_an_operator_keeps_its_prefix(staff: Person, gateway_id: int) -> None:
    operator_id = queries.gateway(gateway_id).operator_id
    url = f"/admin/operators/{operator_id}"
    staff.post(url, _filled(staff, url) | {"name_en": "Magfa", "code": "9999"}, from_page=url)

    operator = queries.operator(operator_id)
    assert (operator.code, operator.name_en) == ("3000", "Magfa")
    assert "Magfa" in staff.get("/admin/operators").text


# Testing


def _test(staff: Person, gateway_id: int) -> str:
    page = f"/admin/gateways/{gateway_id}"
    answer = _in_english(staff).post(f"{page}/test", from_page=page)
    assert answer.status_code == 303
    return text_of(staff.get(answer.headers["Location"]))


def _simulated(simulator: RunningSimulator, **changes: Any) -> int:
    credentials = CREDENTIALS["3000"] | changes
    return make_gateway(
        base_url=simulator.base_url("3000"), credentials_sealed=seal(credentials, seal_key=KEY), timeout_seconds=2
    )[1]


def test_a_good_gateway_tells_its_credit(staff: Person, simulator: RunningSimulator) -> None:
    simulator.control("3000", credit_mrial=1_234_567_000)

    assert "Our credit at the operator is 1,234,567 rial" in _test(staff, _simulated(simulator))


@pytest.mark.parametrize("is_http_401", [False, True])
def test_a_wrong_password_is_told_and_stops_the_gateway(
    staff: Person, simulator: RunningSimulator, is_http_401: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    simulator.control("3000", is_http_401=is_http_401)
    gateway_id = _simulated(simulator, password=SECRET)

    told = _test(staff, gateway_id)
    assert "does not accept these credentials" in told
    assert "The operator does not accept our credentials." in told
    assert queries.gateway(gateway_id).stopped_reason == "credentials"
    assert SECRET not in caplog.text


def test_a_silent_operator_is_told(staff: Person, simulator: RunningSimulator) -> None:
    simulator.control("3000", is_silent=True)

    assert "no whole answer came in time" in _test(staff, _simulated(simulator))


def test_a_closed_door_is_told(staff: Person, gateway_id: int) -> None:
    assert "could not be reached" in _test(staff, gateway_id)
    assert "Failing" in text_of(staff.get("/admin/gateways"))


def test_somebody_else_at_the_address_is_told(staff: Person) -> None:
    with FarSide(http(b"<html>welcome</html>")) as far_side:
        gateway_id = make_gateway(base_url=far_side.url, credentials_sealed=SEALED)[1]
        assert "not as this operator does" in _test(staff, gateway_id)


def test_credentials_sealed_with_another_key_are_told(staff: Person) -> None:
    gateway_id = make_gateway(credentials_sealed=seal({"username": "u"}, seal_key="the key before"))[1]

    assert "sealed with another key" in _test(staff, gateway_id)


def test_no_transaction_waits_while_an_operator_is_asked(
    staff: Person, gateway_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy: list[int] = []

    def ask(way: queries.GatewayWay, **_: object) -> operations.Checked:
        busy.append(
            scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
            )
        )
        return operations.Checked(way.id, balance_mrial=1)

    monkeypatch.setattr(operations, "ask_balance", ask)
    _test(staff, gateway_id)

    assert busy == [0]


# Switching


def _act(staff: Person, gateway_id: int, action: str, data: dict[str, str] | None = None) -> int:
    page = f"/admin/gateways/{gateway_id}"
    return staff.post(f"{page}/{action}", data, from_page=page).status_code


def test_a_gateway_is_switched_off_and_on(staff: Person, gateway_id: int) -> None:
    assert _act(staff, gateway_id, "switch", {"state": "off"}) == 303
    assert not queries.gateway(gateway_id).is_on
    assert _act(staff, gateway_id, "switch", {"state": "on"}) == 303
    assert queries.gateway(gateway_id).is_on
    assert _act(staff, gateway_id, "switch", {"state": "sideways"}) == 400
    actors = rows("SELECT DISTINCT actor_id, address FROM accounts_audit WHERE action LIKE 'gateway.switched%'")
    assert [tuple(line) for line in actors] == [(staff.user_id, "127.0.0.1")]


def test_a_stopped_gateway_is_resumed(staff: Person, gateway_id: int) -> None:
    with transaction():
        operations.note_failure(gateway_id=gateway_id, error=BadCredentials("no", code="18"), at=AT)

    assert _act(staff, gateway_id, "resume") == 303
    assert queries.gateway(gateway_id).stopped_reason == ""
    assert _act(staff, gateway_id, "resume") == 422


def test_pages_ask_again_only_while_something_fails(staff: Person, gateway_id: int) -> None:
    pages = ("/admin/gateways", f"/admin/gateways/{gateway_id}")
    for page in pages:
        assert "hx-trigger" not in staff.get(page).text.partition("<main")[2]
        assert staff.get(page, **{"HX-Request": "true"}).status_code == 286
    with transaction():
        operations.note_failure(gateway_id=gateway_id, error=Unreachable(NOTHING_LEFT), at=AT)
    for page in pages:
        assert "hx-trigger" in staff.get(page).text.partition("<main")[2]
        fragment = staff.get(page, **{"HX-Request": "true"})
        assert (fragment.status_code, "<html" in fragment.text) == (200, False)


# Who may


def test_only_staff_may_see_or_do_any_of_it(app: Flask, gateway_id: int) -> None:
    customer = sign_in(app, make_account()[1])
    for page in ("/admin/operators", "/admin/gateways", f"/admin/gateways/{gateway_id}/edit", "/admin/gateways/add"):
        assert customer.get(page).status_code == 403
        assert app.test_client().get(page).status_code == 303
    assert (
        customer.post(f"/admin/gateways/{gateway_id}/switch", {"state": "off"}, from_page="/account").status_code == 403
    )
    assert queries.gateway(gateway_id).is_on


def test_nothing_is_done_without_a_token(staff: Person, gateway_id: int) -> None:
    page = f"/admin/gateways/{gateway_id}"
    for action in ("switch", "test", "resume", "edit"):
        assert staff.browser.post(f"{page}/{action}", data={"state": "off"}).status_code == 400
    assert queries.gateway(gateway_id).is_on


def test_what_is_not_there_is_not_found(staff: Person) -> None:
    for page in (
        "/admin/gateways/999",
        "/admin/gateways/999/edit",
        "/admin/operators/999",
        "/admin/gateways/add?adapter=x",
    ):
        assert staff.get(page).status_code == 404
