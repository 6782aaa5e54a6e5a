"""A bound gateway under a bad operator: its breaker opens, it sends nothing, and is tried over the bind."""

import time
from collections.abc import Iterator

import pytest
from flask import Flask

from jobs.binding import Binding
from sms.core.db import execute, release, rows, scalar, transaction
from sms.operators.health import queries
from sms.operators.health.rules.breaker import BreakerState, Cause
from sms.operators.health.rules.pace import BrownoutCause
from tests.jobs.bound import Desk, make_desk, wait_for
from tests.operators.smpp.smsc import Knobs, Smsc


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc(Knobs()) as running:
        yield running


@pytest.fixture
def desk(app: Flask, smsc: Smsc) -> Desk:
    return make_desk(app, smsc, window=10)


def _standing(desk: Desk) -> queries.Standing:
    found = queries.standing(desk.shop.gateway_id)
    release()
    return found


def _is_open(desk: Desk) -> bool:
    return _standing(desk).breaker.state is BreakerState.OPEN


def _let_cool_off(desk: Desk) -> None:
    with transaction():
        execute("UPDATE operators_health SET trial_at = now() - interval '1 second' WHERE breaker = 'open'")


def _queued() -> int:
    release()
    return int(scalar("SELECT coalesce(sum(size), 0) FROM outbox_batch WHERE state = 'queued'"))


def test_links_that_fail_open_the_breaker_and_it_closes_after_a_trial_of_ten(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms.operators.protocols.smpp.link._LONGEST_PAUSE_SECONDS", 0.5)
    desk.smsc.knobs.bind_status = 0x0D
    campaign_id = desk.campaign(size=60, batch_size=30)
    with desk.bound():
        wait_for(lambda: _is_open(desk), seconds=30)
        assert _standing(desk).breaker.cause is Cause.FAILURES
        desk.smsc.knobs.bind_status = 0
        desk.smsc.knobs.answer_seconds = 1.5
        wait_for(lambda: desk.smsc.link_count and desk.smsc.binds, seconds=20)
        _let_cool_off(desk)
        wait_for(lambda: len(desk.smsc.received) == 10)
        wait_for(lambda: _standing(desk).breaker.state is BreakerState.CLOSED)
        desk.smsc.knobs.answer_seconds = 0
        wait_for(lambda: len(desk.smsc.accepted) == 60, seconds=20)
        wait_for(lambda: desk.count("outbox_submission") == 60)
    assert desk.settled(campaign_id)["charged_mrial"] == 60_000_000
    assert len({submit.recipient for submit in desk.smsc.received}) == 60


def test_an_operator_that_is_back_is_gone_round_no_longer_though_nothing_waits_to_try_it_with(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms.operators.protocols.smpp.link._LONGEST_PAUSE_SECONDS", 0.5)
    desk.smsc.knobs.bind_status = 0x0D
    with desk.bound():
        wait_for(lambda: _is_open(desk), seconds=30)
        _let_cool_off(desk)
        time.sleep(1.5)
        assert _is_open(desk)  # it does not bind us yet
        desk.smsc.knobs.bind_status = 0
        wait_for(lambda: _standing(desk).breaker.state is BreakerState.HALF_OPEN, seconds=20)
        wait_for(lambda: _standing(desk).breaker.trial_at is None)
        desk.campaign(size=60, batch_size=30)
        wait_for(lambda: _standing(desk).breaker.state is BreakerState.CLOSED)
        wait_for(lambda: len(desk.smsc.accepted) == 60, seconds=20)
    desk.verify()


def test_a_hang_opens_it_before_the_time_limit_and_what_waits_goes_back_to_the_queue(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms.operators.health.rules.breaker.LEAST_SILENCE_SECONDS", 0.6)
    with transaction():
        execute("UPDATE operators_gateway SET timeout_seconds = 5, lease_seconds = 15")
    desk.smsc.knobs.is_silent = True
    desk.campaign(size=50, batch_size=25)
    with desk.bound():
        wait_for(lambda: _is_open(desk), seconds=4)
        found = _standing(desk).breaker
        assert found.cause is Cause.SILENCE
        assert desk.count("outbox_unknown") == 0  # nothing has timed out yet
        wait_for(lambda: _queued() >= 25)  # a batch of which nothing had left
        wait_for(lambda: desk.count("outbox_unknown") == 10)
        assert _queued() == 40
    assert len(desk.smsc.received) == 10
    desk.verify()


def test_a_trial_that_fails_costs_no_more_than_ten(desk: Desk) -> None:
    desk.smsc.knobs.is_silent = True
    desk.campaign(size=200, batch_size=5)
    with desk.bound():
        wait_for(lambda: _is_open(desk), seconds=25)
        wait_for(lambda: scalar("SELECT count(*) FROM outbox_batch WHERE state = 'submitting'") == 0)
        release()
        before = desk.count("outbox_unknown")
        _let_cool_off(desk)
        wait_for(lambda: desk.count("outbox_unknown") > before, seconds=15)
        assert desk.count("outbox_unknown") - before <= 10
        wait_for(lambda: _is_open(desk))
        assert _standing(desk).breaker.opened_count == 2
    desk.verify()


def test_an_operator_that_throttles_gets_less_in_hand(desk: Desk) -> None:
    desk.smsc.knobs.per_second = 20
    campaign_id = desk.campaign(size=40, batch_size=5)
    with desk.bound():
        wait_for(lambda: _standing(desk).brownout.cause is BrownoutCause.THROTTLED)
        wait_for(lambda: desk.count("outbox_submission") == 40, seconds=20)
    assert _standing(desk).breaker.state is BreakerState.CLOSED
    assert desk.settled(campaign_id)["charged_mrial"] == 40_000_000


def test_so_much_is_in_hand_as_may_be_of_unknown_fate(app: Flask, smsc: Smsc) -> None:
    desk = make_desk(app, smsc, window=500)
    with transaction():
        execute("UPDATE operators_gateway SET batch_size = 10, concurrency = 3")
    smsc.knobs.answer_seconds = 1.0
    desk.campaign(size=100, batch_size=10)
    most: list[int] = []
    with desk.bound() as binding:
        wait_for(lambda: most.append(_in_hand(binding)) or desk.count("outbox_submission") == 100, seconds=20)  # type: ignore[func-returns-value]
    assert max(most) == 30


def _in_hand(binding: Binding) -> int:
    return binding.outgoing.in_hand


def test_staff_that_hold_a_gateway_back_get_what_waits_back(desk: Desk) -> None:
    desk.smsc.knobs.is_silent = True
    desk.campaign(size=30, batch_size=30)
    with desk.bound():
        wait_for(lambda: len(desk.smsc.received) == 10)
        with transaction():
            execute("UPDATE operators_gateway SET is_on = false")
        wait_for(lambda: _queued() == 20)
    assert len(desk.smsc.received) == 10
    assert [found.state for found in rows("SELECT state FROM outbox_batch ORDER BY id")] == ["submitted", "queued"]
