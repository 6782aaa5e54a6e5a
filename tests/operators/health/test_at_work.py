"""The engine under a bad operator: the breaker opens, others go on, and it closes when the operator is back."""

import time
from datetime import timedelta

import pytest

from jobs import asking, health, sending
from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import execute, scalar, transaction
from sms.operators import queries as operators
from sms.operators.contract import UNKNOWN_FATE, Unanswered
from sms.operators.health import queries
from sms.operators.health.operations import staff
from sms.operators.health.rules.breaker import BreakerState, Cause, Permit
from sms.operators.health.rules.pace import BrownoutCause
from sms.operators.health.rules.talks import TalkKind
from sms.operators.operations import resume
from sms.operators.rules import GatewayState
from sms.outbox.queries import campaigns
from tests.jobs.conftest import Desk


def _standing(desk: Desk) -> queries.Standing:
    return queries.standing(desk.shop.gateway_id)


def _let_cool_off(desk: Desk) -> None:
    """Let the time pass until the next trial, and until batches may go again."""
    desk.try_again()
    with transaction():
        execute("UPDATE operators_health SET trial_at = now() - interval '1 second' WHERE breaker = 'open'")


def _fail_until_open(desk: Desk, tries: int = 8) -> None:
    for _ in range(tries):
        desk.try_again()
        desk.drain()
        if _standing(desk).breaker.state is BreakerState.OPEN:
            return
    pytest.fail("the breaker did not open")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hang is seen at once."""
    monkeypatch.setattr("sms.operators.health.rules.breaker.LEAST_SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(health, "_TELL_SECONDS", 0.05)
    monkeypatch.setattr(sending, "_LISTEN_SECONDS", 0.05)


def test_a_closed_door_opens_it_and_another_operator_goes_on(desk: Desk, other: Desk) -> None:
    campaign_id = desk.campaign(size=80, batch_size=5)
    elsewhere = other.campaign(size=20, batch_size=5)
    desk.simulator.control("3000", is_cut_off=True)
    _fail_until_open(desk)
    asked = desk.accepted()["requests"]
    desk.try_again()
    assert desk.drain() == 0
    assert desk.accepted()["requests"] == asked

    assert other.drain() == 4
    assert _standing(other).breaker.state is BreakerState.CLOSED
    assert other.settled(elsewhere)["charged_mrial"] == 20_000_000

    desk.simulator.control("3000", is_cut_off=False)
    _let_cool_off(desk)
    desk.drain()
    assert _standing(desk).breaker.state is BreakerState.CLOSED
    assert desk.settled(campaign_id)["charged_mrial"] == 80_000_000
    assert (desk.accepted()["duplicates"], desk.unknown_count()) == (0, 0)


def test_a_hang_opens_it_before_any_request_has_timed_out(desk: Desk, impatient: None) -> None:
    with transaction():
        execute("UPDATE operators_gateway SET timeout_seconds = 3, lease_seconds = 8")
    desk.campaign(size=40, batch_size=5)
    desk.simulator.control("3000", is_silent=True)
    desk.drain()

    found = _standing(desk)
    assert (found.breaker.state, found.breaker.cause) == (BreakerState.OPEN, Cause.SILENCE)
    assert found.breaker.figures["calls"] == 4
    assert found.breaker.since is not None
    assert (clock.now() - found.breaker.since) > timedelta(seconds=2)  # long before what was on the wire ended
    assert desk.batches().count("queued") == 4  # what waited for a thread was never sent


def test_a_hanging_operator_costs_no_batch_a_trial(
    desk: Desk, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_PROBE_SECONDS", 0.2)
    campaign_id = desk.campaign(size=60, batch_size=5)
    desk.simulator.control("3000", is_silent=True)
    desk.drain()
    lost = desk.unknown_count()
    for _ in range(3):
        _let_cool_off(desk)
        assert desk.drain() == 0
    assert desk.unknown_count() == lost
    assert _standing(desk).breaker.opened_count == 4

    desk.simulator.control("3000", is_silent=False)
    for _ in range(2):
        _let_cool_off(desk)
        desk.drain()
        desk.look_up()
        desk.look_up()
    assert _standing(desk).breaker.state is BreakerState.CLOSED
    assert desk.settled(campaign_id)["charged_mrial"] == 60_000_000
    assert desk.accepted()["duplicates"] == 0


def test_an_operator_that_answers_questions_and_hangs_at_sends_is_tried_with_ten_messages(desk: Desk) -> None:
    campaign_id = desk.campaign(size=90, batch_size=15)
    desk.simulator.control("3000", garbage_share=1, garbage_kinds=["error_500"])
    _fail_until_open(desk)
    desk.look_up()
    desk.simulator.control("3000", garbage_share=0)
    desk.look_up()
    before = desk.accepted()["accepted"]
    desk.simulator.control("3000", cut_reply_share=1)
    _let_cool_off(desk)
    desk.drain()
    assert desk.accepted()["accepted"] - before <= 10

    desk.simulator.control("3000", cut_reply_share=0)
    for _ in range(3):
        _let_cool_off(desk)
        desk.drain()
        desk.look_up()
        desk.look_up()
    assert desk.settled(campaign_id)["charged_mrial"] == 90_000_000
    assert desk.accepted()["duplicates"] == 0


def test_a_throttling_operator_gets_half_and_its_breaker_stays_closed(desk: Desk) -> None:
    desk.campaign(size=40, batch_size=5)
    desk.simulator.control("3000", refuse_status=15)
    for _ in range(4):
        desk.try_again()
        desk.drain()

    found = _standing(desk)
    assert found.breaker.state is BreakerState.CLOSED
    assert (found.brownout.factor, found.brownout.cause) == (0.5, BrownoutCause.THROTTLED)
    assert set(desk.batches()) == {"queued"}

    desk.simulator.control("3000", refuse_status=0)
    desk.try_again()
    desk.drain()
    assert set(desk.batches()) == {"submitted"}


def test_what_the_operator_refuses_for_business_is_no_failure(desk: Desk) -> None:
    desk.campaign(size=40, batch_size=5)
    desk.simulator.control("3000", refuse_status=9)
    desk.drain()

    assert _standing(desk).breaker.state is BreakerState.CLOSED
    minute = queries.lately(since=clock.now() - timedelta(minutes=2))[desk.shop.gateway_id]
    assert (minute.calls, minute.failures) == (8, 0)


def test_no_credit_holds_what_waits_and_is_told(desk: Desk) -> None:
    desk.campaign(size=10)
    desk.simulator.control("3000", refuse_status=14)
    desk.drain()

    assert [told.alert for told in queries.alerts(at=clock.now())] == ["credit"]
    assert (_standing(desk).breaker.state, set(desk.batches())) == (BreakerState.CLOSED, {"queued"})


def test_a_slow_operator_is_not_a_silent_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_LISTEN_SECONDS", 0.05)
    campaign_id = desk.campaign(size=40, batch_size=5)
    desk.simulator.control("3000", accept_delay_ms=400)
    desk.drain()
    assert _standing(desk).breaker.state is BreakerState.CLOSED
    assert desk.settled(campaign_id)["charged_mrial"] == 40_000_000


def test_staff_stop_a_send_in_its_midst(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_TELL_SECONDS", 0.0)
    with transaction():
        execute("UPDATE operators_gateway SET concurrency = 1")
    desk.campaign(size=60, batch_size=5)
    record = sending.dispatch.record

    def held(*results: object, **facts: object) -> object:
        stored = record(*results, **facts)  # type: ignore[arg-type]
        if not scalar("SELECT 1 FROM operators_health WHERE override = 'open'"):
            staff.override(
                gateway_id=desk.shop.gateway_id,
                state=BreakerState.OPEN,
                minutes=5,
                reason="test",
                by=PANEL,
                at=clock.now(),
            )
        return stored

    monkeypatch.setattr(sending.dispatch, "record", held)
    desk.drain()
    # Besides what is stored just then, two are with the one hand, and one is claimed while it is stored.
    assert desk.batches().count("queued") >= 8
    assert desk.unknown_count() == 0


def test_no_more_requests_a_second_than_agreed(desk: Desk) -> None:
    with transaction():
        staff.change_limits(
            gateway_id=desk.shop.gateway_id, per_second=20, credit_alert_mrial=None, by=PANEL, at=clock.now()
        )
    campaign_id = desk.campaign(size=50, batch_size=1)
    began = time.monotonic()
    desk.drain()
    seconds = time.monotonic() - began

    assert desk.settled(campaign_id)["charged_mrial"] == 50_000_000
    assert sum(desk.simulator.truth("summary")["3000"]["requests"].values()) <= 20 * seconds + 21


def test_questions_leave_the_rate_to_sends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_TURN_SECONDS", 0.0)
    desk.campaign(size=30, batch_size=1)
    desk.drain()
    with transaction():
        execute("UPDATE operators_gateway SET per_second = 4")
        execute(
            "INSERT INTO operators_bucket (gateway_id, full_at, asked_at) VALUES (:id, :full, :at)",
            id=desk.shop.gateway_id,
            full=clock.now() + timedelta(seconds=1),
            at=clock.now(),
        )
    assert desk.poll() == 0  # sends have taken everything, and a question was asked just now
    with transaction():
        execute("UPDATE operators_bucket SET full_at = now(), asked_at = NULL")
    assert 0 < asking.poll(desk.shop.gateway_id) < 30


def test_what_is_sent_once_more_too_often_is_put_off(desk: Desk) -> None:
    desk.campaign(size=40, batch_size=1)
    with transaction():
        execute("UPDATE outbox_batch SET attempt = 1")
        execute(  # it has failed a moment ago
            "INSERT INTO operators_minute (gateway_id, minute, kind, calls, failures, throttles, retries, submitted,"
            " latency_ms, histogram) SELECT :id, date_trunc('minute', now()), 'send', 1, 1, 0, 0, 0, 0, histogram"
            " FROM (SELECT array_fill(0, ARRAY[64]) AS histogram) empty",
            id=desk.shop.gateway_id,
        )
    for _ in range(4):
        desk.drain()
    assert desk.batches().count("submitted") == 20
    assert scalar("SELECT count(*) FROM outbox_batch WHERE state = 'queued' AND not_before > now()") == 20
    assert queries.budget(desk.shop.gateway_id, at=clock.now()) == 0


def test_what_a_bad_hour_left_goes_at_full_speed_when_nothing_fails_any_more(desk: Desk) -> None:
    desk.campaign(size=40, batch_size=1)
    with transaction():
        execute("UPDATE outbox_batch SET attempt = 1")
    for _ in range(4):
        desk.drain()
    assert desk.batches().count("submitted") == 40


def test_questions_are_counted_beside_sends(desk: Desk) -> None:
    desk.campaign(size=10)
    desk.drain()
    desk.poll()
    kinds = [scalar("SELECT sum(calls) FROM operators_minute WHERE kind = :kind", kind=str(kind)) for kind in TalkKind]
    assert kinds[0] == 2
    assert kinds[1] >= 1


def test_the_judge_keeps_what_waits_and_what_was_delivered(desk: Desk) -> None:
    desk.campaign(size=10)
    desk.drain()
    desk.poll()
    desk.campaign(size=15)
    with transaction():
        execute(
            "UPDATE outbox_batch SET submitted_at = :at WHERE submitted_at IS NOT NULL",
            at=clock.now() - timedelta(minutes=6.5),
        )
    health.judge_gateways()
    health.judge_gateways()

    assert _standing(desk).queued_count == 15
    assert (_standing(desk).share, scalar("SELECT count(*) FROM operators_delivery")) == (1, 1)


def test_the_judge_calls_for_the_trial_of_an_open_breaker(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[object] = []
    monkeypatch.setattr(health, "ring", lambda job, **ids: rung.append((job, ids.get("gateway_id"))))
    desk.simulator.control("3000", is_cut_off=True)
    desk.campaign(size=80, batch_size=5)
    _fail_until_open(desk)
    health.judge_gateways()
    assert rung == []
    _let_cool_off(desk)
    health.judge_gateways()
    assert rung == [("jobs.outbox.dispatch", desk.shop.gateway_id)]


def test_an_open_breaker_is_told_wherever_the_gateway_is_shown(desk: Desk) -> None:
    desk.simulator.control("3000", is_cut_off=True)
    desk.campaign(size=80, batch_size=5)
    _fail_until_open(desk)
    with transaction():  # the look at its credit found it answering
        execute("UPDATE operators_gateway SET failing_since = NULL, failure_count = 0, retry_at = NULL")
    since = _standing(desk).breaker.since
    assert (desk.gateway.state, desk.gateway.failing_since) == (GatewayState.FAILING, since)
    trouble = campaigns.gateway_trouble(line_id=desk.shop.line_id)
    assert trouble is not None
    assert (trouble.is_on, trouble.failing_since) == (True, since)

    with transaction():
        resume(gateway_id=desk.shop.gateway_id, by=PANEL, at=clock.now())
    desk.simulator.control("3000", is_cut_off=False)
    desk.try_again()
    desk.drain()
    assert (desk.gateway.state, campaigns.gateway_trouble(line_id=desk.shop.line_id)) == (GatewayState.ON, None)


@pytest.mark.parametrize(("state", "is_told"), [(BreakerState.OPEN, True), (BreakerState.CLOSED, False)])
def test_what_staff_decided_is_told_on_the_send(desk: Desk, state: BreakerState, is_told: bool) -> None:
    with transaction():
        execute(
            "INSERT INTO operators_health (gateway_id, breaker, since) VALUES (:id, 'open', now())",
            id=desk.shop.gateway_id,
        )
        staff.override(gateway_id=desk.shop.gateway_id, state=state, minutes=5, reason="x", by=PANEL, at=clock.now())
    trouble = campaigns.gateway_trouble(line_id=desk.shop.line_id)
    assert (trouble is not None) is is_told
    assert trouble is None or not trouble.is_on


def test_whoever_stays_connected_tries_one_batch_and_goes_on(desk: Desk) -> None:
    pulse = health.Pulse(operators.any_gateway(desk.shop.gateway_id), TalkKind.SEND, hears_silence=False)
    for ticket in range(5):
        pulse.began(ticket)
        pulse.ended(ticket, Unanswered(UNKNOWN_FATE))
    assert pulse.tell().permit is Permit.NOTHING
    assert not pulse.begin_trial()

    _let_cool_off(desk)
    assert pulse.begin_trial()
    pulse.began("the trial")
    pulse.ended("the trial", submitted=10)
    assert pulse.tell().permit is Permit.ALL
    assert not pulse.is_trial
