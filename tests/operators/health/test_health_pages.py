"""The staff's pages of health: what they say, what can be decided, and who may not."""

from datetime import timedelta

import pytest
from flask import Flask

from sms.core import clock
from sms.core.db import execute, transaction
from sms.operators.health import queries
from sms.operators.health.operations import judging, talks
from sms.operators.health.rules.breaker import BreakerState
from sms.operators.health.rules.talks import Talk, TalkKind, Verdict
from tests.factories import make_account, make_gateway
from tests.operators.staff import Person, make_staff, sign_in, text_of

FAILED, OK = Talk(Verdict.FAILED, 0.1), Talk(Verdict.ANSWERED, 0.07, 5)


@pytest.fixture
def staff(app: Flask) -> Person:
    person = make_staff(app)
    person.browser.set_cookie("language", "en")
    return person


@pytest.fixture
def gateway_id(app: Flask) -> int:
    return make_gateway()[1]


def _note(gateway_id: int, heard: list[Talk]) -> None:
    with transaction():
        talks.note_talks(gateway_id=gateway_id, kind=TalkKind.SEND, talks=heard, at=clock.now())


def _page(staff: Person, gateway_id: int | None = None) -> str:
    return text_of(staff.get(f"/admin/health/{gateway_id}" if gateway_id else "/admin/health"))


def test_a_calm_gateway_sends_as_usual(staff: Person, gateway_id: int) -> None:
    _note(gateway_id, [OK] * 12)
    page = _page(staff)
    assert "Sends as usual" in page
    assert " 12 0 75 / 98 " in page
    assert "Nothing happened yet" in page


def test_an_open_breaker_is_told_with_its_reason_and_figures(staff: Person, gateway_id: int) -> None:
    _note(gateway_id, [FAILED] * 5)
    for page in (_page(staff), _page(staff, gateway_id)):
        assert "sends nothing at the moment: its operator fails" in page
        assert "Sending was stopped: 5 requests in a row failed." in page
        assert "next try" in page
        assert "the panel itself" in page


def test_every_kind_of_event_is_a_whole_sentence(staff: Person, gateway_id: int) -> None:
    _, other = make_gateway(operator_code="2000")
    for each in (gateway_id, other):
        with transaction():
            execute(
                "UPDATE operators_gateway SET credit_alert_mrial = 9000, credit_mrial = 5000 WHERE id = :id", id=each
            )
    with transaction():
        execute(
            "INSERT INTO operators_health (gateway_id, are_reports_slow, share, usual_share)"
            " VALUES (:id, true, 0.25, 0.9)",
            id=gateway_id,
        )
        judging.judge_conditions(at=clock.now())
    page = _page(staff)
    assert "Only 25% were delivered within five minutes; usual are 90%." in page
    assert "The credit at the operator fell to 5 rial; you wanted to be told below 9 rial." in page
    assert "low" in page


def test_the_list_is_asked_for_again_and_again(staff: Person, gateway_id: int) -> None:
    answer = staff.get("/admin/health", **{"HX-Request": "true"})
    assert answer.status_code == 200
    assert 'hx-get="/admin/health"' in answer.text
    assert "<h1" not in answer.text


def test_staff_hold_a_gateway_back_and_give_it_back(staff: Person, gateway_id: int) -> None:
    url = f"/admin/health/{gateway_id}"
    sent = {"state": "open", "minutes": "60", "reason": "the operator asked us"}
    assert staff.post(f"{url}/override", sent, from_page=url).status_code == 303
    assert queries.is_open(gateway_id, at=clock.now())
    page = _page(staff, gateway_id)
    assert "by decision of staff" in page
    assert "Staff held the gateway back until" in page
    assert "the operator asked us" in page

    staff.post(f"{url}/release", from_page=url)
    assert not queries.is_open(gateway_id, at=clock.now())
    assert "Staff gave the gateway back to its own judgement. staff" in _page(staff, gateway_id)


def test_staff_close_a_breaker_by_hand(staff: Person, gateway_id: int) -> None:
    _note(gateway_id, [FAILED] * 5)
    url = f"/admin/health/{gateway_id}"
    staff.post(f"{url}/override", {"state": "closed", "minutes": "15", "reason": "it is fine"}, from_page=url)
    found = queries.standing(gateway_id)
    assert found.override.state is BreakerState.CLOSED
    assert not queries.is_open(gateway_id, at=clock.now())
    assert found.override.until is not None
    assert found.override.until - clock.now() < timedelta(minutes=15)


@pytest.mark.parametrize(
    "sent",
    [
        {"state": "open", "minutes": "60", "reason": " "},
        {"state": "open", "minutes": "61", "reason": "x"},
        {"state": "half_open", "minutes": "60", "reason": "x"},
        {"state": "open", "minutes": "60", "reason": "x" * 201},
    ],
)
def test_half_a_decision_is_refused(staff: Person, gateway_id: int, sent: dict[str, str]) -> None:
    url = f"/admin/health/{gateway_id}"
    assert staff.post(f"{url}/override", sent, from_page=url).status_code == 422
    assert queries.standing(gateway_id).override.state is None


def test_limits_are_set_and_taken_away(staff: Person, gateway_id: int) -> None:
    url = f"/admin/health/{gateway_id}"
    sent = {"per_second": "۱۲٫۵", "credit_alert_mrial": "250000"}
    assert staff.post(f"{url}/limits", sent, from_page=url).status_code == 303
    found = queries.standing(gateway_id)
    assert (found.per_second, found.credit_alert_mrial) == (12.5, 250_000_000)

    staff.post(f"{url}/limits", {"per_second": "", "credit_alert_mrial": ""}, from_page=url)
    found = queries.standing(gateway_id)
    assert (found.per_second, found.credit_alert_mrial) == (None, None)


@pytest.mark.parametrize("per_second", ["0", "many", "10001"])
def test_a_limit_that_cannot_be_is_refused(staff: Person, gateway_id: int, per_second: str) -> None:
    url = f"/admin/health/{gateway_id}"
    assert staff.post(f"{url}/limits", {"per_second": per_second}, from_page=url).status_code == 422
    assert queries.standing(gateway_id).per_second is None


def test_long_histories_are_read_page_by_page(staff: Person, gateway_id: int) -> None:
    for _ in range(30):
        with transaction():
            execute("UPDATE operators_gateway SET stopped_reason = 'credit'")
            judging.judge_conditions(at=clock.now())
        with transaction():
            execute("UPDATE operators_gateway SET stopped_reason = ''")
            judging.judge_conditions(at=clock.now())
    first = staff.get(f"/admin/health/{gateway_id}").text
    assert first.count("<tr>") == 51  # and the head
    older = queries.events(gateway_id=gateway_id, most=50)[-1].id
    assert f"before={older}" in first
    assert staff.get(f"/admin/health/{gateway_id}?before={older}").text.count("<tr>") == 11


def test_there_is_no_page_of_no_gateway(staff: Person) -> None:
    assert staff.get("/admin/health/987654").status_code == 404


def test_customers_see_nothing_of_it(app: Flask, gateway_id: int) -> None:
    customer = sign_in(app, make_account()[1])
    assert customer.get("/admin/health").status_code == 403
    assert customer.get(f"/admin/health/{gateway_id}").status_code == 403
