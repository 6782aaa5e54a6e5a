"""Texts come from the simulated operators into the inbox: every one, each once, whenever somebody dies."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from jobs import inbox
from sms.core import clock
from sms.core.db import db, execute, rows, scalar, transaction
from sms.core.seal import seal
from sms.operators.inbound import operations as inbound
from sms.operators.inbound.queries import due_gateways
from tests.factories import Shop, make_line, make_shop
from tests.jobs.conftest import KEY, SIMULATED, make_desk
from tests.simulator.running import CREDENTIALS, RunningSimulator

LINE = {"3000": "3000555501", "5000": "5000555501"}
ADAPTERS = {"3000": "magfa", "5000": "kavenegar"}


class Killed(BaseException):
    """The worker is gone."""


def _shop(simulator: RunningSimulator, code: str) -> Shop:
    facts = SIMULATED | {"base_url": simulator.base_url(code), "adapter": ADAPTERS[code]}
    shop = make_shop(operator_code=code, credentials_sealed=seal(CREDENTIALS[code], seal_key=KEY), **facts)
    make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id, number=LINE[code])
    return shop


def _write(simulator: RunningSimulator, code: str, count: int, *, times: int = 1) -> None:
    body = f'{{"from": "09120000001", "to": "{LINE[code]}", "body": "text {{n}}", "count": {count}, "times": {times}}}'
    simulator.call(f"/control/{code}/inbound", body.encode())


def _poll(shop: Shop) -> None:
    with transaction():
        execute("UPDATE operators_inbound_poll SET due_at = now() - interval '1 hour', lease_until = NULL")
    inbox.poll_inbound(gateway_id=shop.gateway_id)


def _bodies(shop: Shop) -> list[str]:
    found = rows("SELECT body FROM inbox_message WHERE account_id = :id ORDER BY id", id=shop.account_id)
    return sorted(each.body for each in found)


def _dying(at: int) -> Callable[..., None]:
    left = [at]

    def point(_name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    return point


@pytest.mark.parametrize("code", sorted(LINE))
def test_texts_are_fetched_by_the_hundred_and_each_is_there_once(
    app: Flask, simulator: RunningSimulator, code: str
) -> None:
    shop = _shop(simulator, code)
    _write(simulator, code, 230, times=2)
    _poll(shop)
    inbox.take_inbound()
    _poll(shop)
    inbox.take_inbound()
    assert _bodies(shop) == sorted(f"text {number + 1}" for number in range(230))


@pytest.mark.parametrize("code", sorted(LINE))
@pytest.mark.parametrize("point", range(1, 7))
def test_whoever_dies_after_an_answer_was_kept_loses_nothing(
    app: Flask, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, code: str, point: int
) -> None:
    shop = _shop(simulator, code)
    _write(simulator, code, 120)
    monkeypatch.setattr(inbox, "crash_point", _dying(point))
    for work in (lambda: _poll(shop), inbox.take_inbound, lambda: _poll(shop), inbox.take_inbound, inbox.take_inbound):
        try:
            work()
        except Killed:
            db.session.remove()
    assert _bodies(shop) == sorted(f"text {number + 1}" for number in range(120))


def test_who_dies_before_an_answer_was_kept_asks_for_it_again_where_it_can_be_told(
    app: Flask, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = _shop(simulator, "5000")
    _write(simulator, "5000", 3)

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(inbound, "keep_raw", die)
        with pytest.raises(Killed):
            _poll(shop)
    db.session.remove()
    assert scalar("SELECT count(*) FROM operators_inbound_raw") == 0
    _poll(shop)
    inbox.take_inbound()
    assert _bodies(shop) == ["text 1", "text 2", "text 3"]
    _poll(shop)
    assert scalar("SELECT count(*) FROM operators_inbound_raw WHERE read_at IS NULL") == 0  # not asked for a third time


def test_an_operator_that_is_away_is_asked_again_and_one_that_knows_us_not_is_left_alone(
    app: Flask, simulator: RunningSimulator
) -> None:
    shop = _shop(simulator, "3000")
    _write(simulator, "3000", 1)
    simulator.control("3000", is_cut_off=True)
    _poll(shop)
    assert scalar("SELECT failure_count FROM operators_inbound_poll") == 1
    simulator.control("3000", is_cut_off=False)
    _poll(shop)
    inbox.take_inbound()
    assert _bodies(shop) == ["text {n}"]
    stranger = make_desk(simulator, credentials={"password": "wrong"})
    inbox.poll_inbound(gateway_id=stranger.shop.gateway_id)
    assert stranger.gateway.stopped_reason == "credentials"


def test_a_gateway_that_is_never_to_be_asked_is_not(app: Flask, simulator: RunningSimulator) -> None:
    shop = _shop(simulator, "3000")
    with transaction():
        execute("UPDATE operators_gateway SET inbound_every_seconds = 0 WHERE id = :id", id=shop.gateway_id)
    assert due_gateways(at=clock.now()) == []
