"""The addresses operators push reports to: open to the one who knows the secret, committed before the 200, bounded."""

import threading
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.config import Settings
from sms.core.db import rows, scalar, transaction
from sms.core.queue import GENERAL_QUEUE, Job
from sms.operators.contract import Report
from sms.operators.push import operations as push
from sms.operators.push.rules import new_token, path_of
from sms.operators.rules import Outcome
from sms.outbox import webhooks
from sms.outbox.operations import pushed, reports
from sms.outbox.webhooks import Allowance, Gatherer, NotKept
from tests.factories import AT, Shop, make_campaign, make_gateway
from tests.outbox.conftest import Steps


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    """Nothing is known or counted from one test to the next."""
    yield
    webhooks._known.clear()
    for allowance in (webhooks.REPORTS, webhooks.MISTAKES):
        allowance._left.clear()


@pytest.fixture
def address(shop: Shop) -> str:
    return renewed(shop.gateway_id)


def renewed(gateway_id: int) -> str:
    with transaction():
        return path_of(gateway_id, push.renew(gateway_id=gateway_id, by=PANEL, at=AT))


def stored() -> list[tuple[int, str, str, str | None]]:
    return [
        (report.gateway_id, report.operator_ref, report.code, report.outcome)
        for report in rows(
            "SELECT gateway_id, operator_ref, code, outcome::text AS outcome FROM outbox_report"
            " ORDER BY set_id, operator_ref"
        )
    ]


PUSHES: dict[str, dict[str, Any]] = {
    "an address": {"method": "GET", "query_string": {"messageid": "7", "status": "1"}},
    "a form": {"method": "POST", "data": {"messageid": "7", "status": "1"}},
    "JSON": {"method": "POST", "json": {"messageid": 7, "status": 1}},
    "JSON of no kind": {"method": "POST", "data": b'[{"messageid": 7, "status": 1}]', "content_type": "text/plain"},
    "JSON of a kind of its own": {
        "method": "POST",
        "data": b'{"id": 7, "status": 1}',
        "content_type": "application/vnd.x+json",
    },
}


@pytest.mark.parametrize("how", PUSHES)
def test_a_report_is_kept_raw_however_it_is_pushed(client: FlaskClient, shop: Shop, address: str, how: str) -> None:
    answer = client.open(address, **PUSHES[how])

    assert (answer.status_code, answer.text, answer.mimetype) == (200, "ok\n", "text/plain")
    assert stored() == [(shop.gateway_id, "7", "1", "delivered")]
    assert rows("SELECT source, report_count, applied_at FROM outbox_report_set") == [("push", 1, None)]
    assert "Set-Cookie" not in answer.headers


def test_what_is_answered_with_ok_is_committed_and_rung_for(
    client: FlaskClient, settings: Settings, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung = []
    monkeypatch.setattr(pushed, "ring", lambda job, *, queue: rung.append((job, queue)))
    assert client.get(address, query_string={"id": "7", "status": "1"}).status_code == 200

    with psycopg.connect(settings.database_url) as elsewhere:
        assert elsewhere.execute("SELECT operator_ref FROM outbox_report").fetchall() == [("7",)]
    assert rung == [(Job.APPLY_REPORTS, GENERAL_QUEUE)]


@pytest.mark.parametrize("error", [OperationalError("x", {}, Exception()), RuntimeError("broken")])
def test_what_could_not_be_committed_is_not_answered_with_ok(
    app: Flask, client: FlaskClient, address: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    app.testing = False  # as in the world, an error becomes an answer
    monkeypatch.setattr(pushed, "keep", fail)
    answer = client.get(address, query_string={"id": "7", "status": "1"})
    app.testing = True

    assert answer.status_code == (503 if isinstance(error, OperationalError) else 500)
    assert stored() == []
    monkeypatch.undo()
    assert client.get(address, query_string={"id": "7", "status": "1"}).status_code == 200


def test_an_address_asked_without_a_report_says_that_it_is_there(client: FlaskClient, address: str) -> None:
    assert [client.get(address).text, client.head(address).status_code] == ["ready\n", 200]
    assert stored() == []


@pytest.mark.parametrize(
    "push_it",
    [
        {"data": {}},
        {"data": {"messageid": "7"}},
        {"data": {"messageid": ["7", "8"], "status": ["1"]}},
        {"json": []},
        {"json": {"hello": "world"}},
        {"data": b"{", "content_type": "application/json"},
        {"data": b"<xml/>", "content_type": "text/xml"},
    ],
)
def test_a_push_without_a_readable_report_is_told_so(
    client: FlaskClient, address: str, push_it: dict[str, Any]
) -> None:
    assert client.post(address, **push_it).status_code == 400
    assert stored() == []


def test_what_can_be_read_is_kept_beside_what_cannot(client: FlaskClient, address: str) -> None:
    assert client.post(address, json=[{"id": 7, "status": 1}, {"id": None}, {"id": 8, "status": 4711}]).text == "ok\n"
    assert [report[1:] for report in stored()] == [("7", "1", "delivered"), ("8", "4711", None)]


# The secret


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_the_secret_opens(client: FlaskClient, shop: Shop, address: str, method: str) -> None:
    _, other_gateway = make_gateway(operator_code="2000")
    token = address.split("/")[3]
    wrong = [
        path_of(shop.gateway_id, new_token()),
        path_of(shop.gateway_id, token[:-1]),
        path_of(other_gateway, token),
        path_of(other_gateway, new_token()),
        path_of(99_999, token),
        path_of(2**31, token),
        path_of(2**70, token),
    ]
    answers = [client.open(path, method=method, data={"id": "7", "status": "1"}) for path in wrong]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert stored() == []


def test_an_address_made_anew_works_at_once_and_the_old_one_no_longer(client: FlaskClient, shop: Shop) -> None:
    first = renewed(shop.gateway_id)
    assert client.get(first).status_code == 200
    second = renewed(shop.gateway_id)
    assert client.get(second).status_code == 200

    assert client.get(first).status_code == 404


def test_a_closed_address_is_dead_a_second_later(
    client: FlaskClient, shop: Shop, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get(address).status_code == 200
    with transaction():
        push.close(gateway_id=shop.gateway_id, by=PANEL, at=AT)
    monkeypatch.setattr(webhooks, "_known", {key: (0.0, known) for key, (_, known) in webhooks._known.items()})

    assert client.get(address).status_code == 404


def test_reports_come_only_from_the_networks_named(client: FlaskClient, shop: Shop, address: str) -> None:
    with transaction():
        push.bind(gateway_id=shop.gateway_id, addresses="192.0.2.0/24", by=PANEL, at=AT)

    def answer(remote: str) -> int:
        told = client.get(address, query_string={"id": "7", "status": "1"}, environ_base={"REMOTE_ADDR": remote})
        return told.status_code

    assert [answer(remote) for remote in ("192.0.2.9", "::ffff:192.0.2.9", "127.0.0.1", "")] == [200, 200, 403, 403]
    assert len(stored()) == 2


def test_the_secret_and_what_is_pushed_stand_in_no_log(
    client: FlaskClient, shop: Shop, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    client.post(address, json={"id": "sesame", "status": 1})
    client.post(address, json={"sesame": 1})
    client.get(path_of(shop.gateway_id, "sesame"))

    assert "without a readable report" in caplog.text
    assert "sesame" not in caplog.text
    assert address.split("/")[3] not in caplog.text


# Bounds


def test_a_body_over_a_megabyte_is_refused(client: FlaskClient, address: str) -> None:
    body = b'[{"id": 7, "status": 1}' + b" " * 1_000_000 + b"]"
    kinds = ("application/json", "text/plain", "application/x-www-form-urlencoded")
    assert [client.post(address, data=body, content_type=kind).status_code for kind in kinds] == [413] * 3
    assert stored() == []


def test_wrong_secrets_are_bounded_by_address_and_right_ones_are_not(
    client: FlaskClient, shop: Shop, address: str
) -> None:
    wrong = path_of(shop.gateway_id, new_token())
    answers = [client.get(wrong).status_code for _ in range(40)]
    assert answers[:30] == [404] * 30
    assert answers[-1] == 429
    assert client.get(wrong, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 404
    assert client.get(address).status_code == 200


def test_reports_are_bounded_by_gateway(client: FlaskClient, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "REPORTS", Allowance(per_second=0.001, burst=3))
    several = [{"id": number, "status": 1} for number in range(5)]
    first, second = client.post(address, json=several), client.post(address, json=several)

    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["Retry-After"]) > 0
    assert len(stored()) == 5


def test_an_allowance_comes_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("sms.outbox.webhooks.time.monotonic", lambda: now[0])
    allowance = Allowance(per_second=2, burst=2)

    assert [allowance.takes("a") for _ in range(3)] == [True, True, False]
    assert allowance.takes("b")
    now[0] = 0.4
    assert [allowance.takes("a") for _ in range(2)] == [True, False]
    now[0] = 60
    assert [allowance.takes("a") for _ in range(3)] == [True, True, False]


def test_an_allowance_remembers_no_more_than_it_may() -> None:
    allowance = Allowance(per_second=1, burst=1)
    for number in range(2_500):
        allowance.takes(number)
    assert len(allowance._left) <= 1_000


# Together


def _at_once(tasks: list[Callable[[], object]]) -> list[object]:
    """Run all of them at the same time; what each returned or raised."""
    results: list[object] = [None] * len(tasks)
    start = threading.Barrier(len(tasks))

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = Context().run(tasks[place])
        except BaseException as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    return results


def test_pushes_that_come_together_share_sets_and_lose_nothing(app: Flask, shop: Shop, address: str) -> None:
    _, other_id = make_gateway(operator_code="2000")
    other = renewed(other_id)

    def pushing(path: str, number: int) -> Callable[[], TestResponse]:
        return lambda: FlaskClient(app).get(path, query_string={"id": number, "status": "1"})

    tasks = [pushing(other if number % 4 == 0 else address, number) for number in range(16)]
    for _ in range(3):
        assert [answer.status_code for answer in _at_once(tasks)] == [200] * 16  # type: ignore[attr-defined]

    kept = stored()
    assert sorted(kept) == sorted(
        (other_id if number % 4 == 0 else shop.gateway_id, str(number), "1", "delivered")
        for number in range(16)
        for _ in range(3)
    )
    assert scalar("SELECT sum(report_count) FROM outbox_report_set") == 48


def test_nobody_is_told_ok_when_the_commit_of_all_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    is_failing = True
    kept: list[int] = []

    def commit(together: list[Any]) -> None:
        if is_failing:
            raise SystemExit  # as when the server ends a worker
        kept.extend(each.gateway_id for each in together)

    monkeypatch.setattr(webhooks, "_commit", commit)
    gatherer = Gatherer()
    report = Report("7", "1", Outcome.DELIVERED)
    results = _at_once([lambda number=number: gatherer.keep(number, [report]) for number in range(8)])  # type: ignore[misc]
    assert {type(result) for result in results} <= {SystemExit, NotKept}

    is_failing = False
    assert _at_once([lambda number=number: gatherer.keep(number, [report]) for number in range(8)]) == [None] * 8  # type: ignore[misc]
    assert sorted(kept) == list(range(8))


def test_a_pushed_report_is_applied_and_refunded(client: FlaskClient, shop: Shop, steps: Steps, address: str) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    refs = [found.operator_ref for found in rows("SELECT operator_ref FROM outbox_submission ORDER BY message_id")]
    told = [{"mid": ref, "status": 27 if place == 3 else 1} for place, ref in enumerate(refs)]
    assert client.post(address, json=told).status_code == 200
    with transaction():
        assert reports.apply_waiting(most=100, at=clock.now()) == 1
    steps.settle(campaign_id)

    assert scalar("SELECT state FROM outbox_campaign WHERE id = :id", id=campaign_id) == "closed"
    assert scalar("SELECT count(*) FROM outbox_refund") == 1
    steps.verify()
