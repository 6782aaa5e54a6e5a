"""The sending job against the simulator: from claim to charge, and every way an operator can fail."""

import time
from typing import Any

import pytest
from flask import Flask

from jobs import sending
from sms.core import clock
from sms.core.db import execute, scalar, transaction
from sms.operators import queries
from sms.operators.contract import Answer, AnswerKind, Submission
from sms.operators.rules import GatewayState
from tests.jobs.conftest import Desk, make_desk
from tests.simulator.running import RunningSimulator


def test_a_send_goes_from_claim_to_charge(desk: Desk) -> None:
    campaign_id = desk.campaign(size=90, batch_size=20)

    assert desk.drain() == 5
    assert desk.settled(campaign_id)["charged_mrial"] == 90_000_000
    assert (desk.accepted()["accepted"], desk.accepted()["distinct"]) == (90, 90)
    assert desk.gateway.state is GatewayState.ON


def test_what_the_operator_refuses_one_by_one_is_given_back(desk: Desk) -> None:
    campaign_id = desk.campaign(size=98, batch_size=98)  # …97 is refused at submit
    desk.drain()

    campaign = desk.settled(campaign_id)
    assert (campaign["charged_mrial"], campaign["counts"]["refused"]) == (97_000_000, 1)
    assert desk.unknown_count() == 0


def test_a_cut_reply_leaves_only_its_last_one_unknown(desk: Desk) -> None:
    campaign_id = desk.campaign(size=100, batch_size=100)  # …99 is accepted, its reply cut
    desk.drain()

    assert desk.settled(campaign_id)["counts"]["unknown"] == 1
    desk.look_up()
    assert desk.settled(campaign_id)["charged_mrial"] == 99_000_000
    assert (desk.accepted()["duplicates"], desk.gateway.state) == (0, GatewayState.ON)


def test_a_closed_door_proves_that_nothing_was_sent(desk: Desk) -> None:
    campaign_id = desk.campaign(size=40)
    desk.simulator.control("3000", is_cut_off=True)
    desk.drain()

    assert (desk.unknown_count(), set(desk.batches())) == (0, {"queued"})
    assert desk.gateway.state is GatewayState.FAILING
    assert desk.gateway.failure_count == 1  # however many threads met the closed door
    assert desk.drain() == 0  # left alone for a second

    desk.simulator.control("3000", is_cut_off=False)
    desk.try_again()
    desk.drain()
    assert desk.settled(campaign_id)["charged_mrial"] == 40_000_000
    assert (desk.accepted()["duplicates"], desk.gateway.state) == (0, GatewayState.ON)


def test_a_silent_operator_costs_one_batch_a_try(app: Flask, simulator: RunningSimulator) -> None:
    desk = make_desk(simulator, timeout_seconds=0.5, concurrency=2)
    campaign_id = desk.campaign(size=50, batch_size=5)
    simulator.control("3000", is_silent=True)
    desk.drain()
    assert desk.batches().count("queued") >= 8  # two threads, at most two batches on the wire

    lost = desk.unknown_count()
    desk.try_again()
    desk.drain()
    assert desk.unknown_count() == lost + 5

    simulator.control("3000", is_silent=False)
    desk.try_again()
    desk.drain()
    desk.look_up()  # twice absent, or found: sent exactly once either way
    desk.look_up()
    desk.try_again()
    desk.drain()
    assert desk.settled(campaign_id)["charged_mrial"] == 50_000_000
    assert (desk.accepted()["distinct"], desk.accepted()["duplicates"]) == (50, 0)


@pytest.mark.parametrize(
    "kind", ["error_500", "html", "empty", "truncated", "wrong_charset", "redirect", "huge", "wrong_count", "other_ids"]
)
def test_garbage_sends_nothing_twice_and_loses_nothing(desk: Desk, kind: str) -> None:
    campaign_id = desk.campaign(size=10, batch_size=5)
    desk.simulator.control("3000", garbage_share=1, garbage_kinds=[kind])
    desk.drain()
    desk.simulator.control("3000", garbage_share=0)
    for _ in range(2):
        desk.try_again()
        desk.drain()
        desk.look_up()

    assert desk.settled(campaign_id)["charged_mrial"] == 10_000_000
    assert (desk.accepted()["distinct"], desk.accepted()["duplicates"]) == (10, 0)


@pytest.mark.parametrize("is_http_401", [False, True])
def test_a_wrong_password_stops_the_gateway_at_once(app: Flask, simulator: RunningSimulator, is_http_401: bool) -> None:
    simulator.control("3000", is_http_401=is_http_401)
    desk = make_desk(simulator, credentials={"password": "wrong"}, concurrency=2)
    desk.campaign(size=100, batch_size=5)
    desk.drain()

    assert (desk.gateway.state, desk.gateway.stopped_reason) == (GatewayState.STOPPED, "credentials")
    assert set(desk.batches()) == {"queued"}
    asked = simulator.truth("summary")["3000"]["requests"]
    desk.try_again()
    assert desk.drain() == 0
    assert simulator.truth("summary")["3000"]["requests"] == asked


def test_an_empty_account_stops_the_gateway_and_holds_the_campaign(desk: Desk) -> None:
    campaign_id = desk.campaign()
    desk.simulator.control("3000", refuse_status=14)
    desk.drain()

    assert (desk.gateway.stopped_reason, set(desk.batches())) == ("credit", {"queued"})
    assert desk.settled(campaign_id)["released_mrial"] == 0


def test_a_busy_operator_is_left_alone_for_as_long_as_it_wants(desk: Desk) -> None:
    desk.campaign()
    desk.simulator.control("3000", refuse_status=15)
    desk.drain()

    assert (desk.gateway.state, set(desk.batches())) == (GatewayState.FAILING, {"queued"})
    assert desk.gateway.retry_at is not None
    assert 3 < (desk.gateway.retry_at - clock.now()).total_seconds() <= 5


def test_credentials_that_cannot_be_unsealed_stop_the_gateway(desk: Desk) -> None:
    desk.campaign()
    with transaction():
        execute("UPDATE operators_gateway SET credentials_sealed = 'x'")

    assert desk.drain() == 0
    assert (desk.gateway.stopped_reason, set(desk.batches())) == ("credentials", {"queued"})


def test_an_adapter_that_breaks_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_id = desk.campaign(size=5)

    def broken(*_: object) -> list[Answer]:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("sms.operators.adapters.magfa.adapter.Magfa.submit", broken)
    desk.drain()

    assert desk.unknown_count() == 5
    assert (desk.gateway.state, "a secret" in desk.gateway.last_error) == (GatewayState.FAILING, False)
    assert desk.settled(campaign_id)["charged_mrial"] == 0


def test_a_gateway_that_is_off_sends_nothing(desk: Desk) -> None:
    desk.campaign()
    with transaction():
        execute("UPDATE operators_gateway SET is_on = false")

    assert desk.drain() == 0
    assert set(desk.batches()) == {"queued"}


class SlowAdapter:
    """Takes `seconds` for every batch and remembers what it was given."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.sizes: list[int] = []
        self.in_flight = self.most_in_flight = 0

    def submit(self, submission: Submission) -> list[Answer]:
        """Take it."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.sizes.append(len(submission.envelopes))
        time.sleep(self.seconds)
        self.in_flight -= 1
        return [
            Answer(envelope.message_id, AnswerKind.ACCEPTED, operator_ref=f"r{envelope.message_id}")
            for envelope in submission.envelopes
        ]


def _send_by(desk: Desk, adapter: Any, **options: Any) -> int:
    way = queries.sendable_gateway(desk.shop.gateway_id, clock.now())
    assert way is not None
    return sending.Sender(way, adapter, **options).run()


def test_a_batch_that_waited_too_long_for_a_thread_is_put_back(app: Flask, simulator: RunningSimulator) -> None:
    """Its answer could come after its lease has ended, when another worker may have it."""
    desk = make_desk(simulator, concurrency=1, timeout_seconds=5, lease_seconds=10.3)
    desk.campaign(size=2, batch_size=1)
    adapter = SlowAdapter(0.4)
    way = queries.sendable_gateway(desk.shop.gateway_id, clock.now())
    assert way is not None
    sender = sending.Sender(way, adapter)  # type: ignore[arg-type]
    batch = _claimed(desk)

    assert sender._send(batch, time.monotonic() - 0.001).is_unsent
    assert adapter.sizes == []
    assert not sender._send(batch, time.monotonic() + 5).is_unsent


def _claimed(desk: Desk) -> Any:
    with transaction():
        (batch,) = sending.dispatch.claim(gateway_id=desk.shop.gateway_id, most=1, lease_seconds=10)
    return batch


def test_no_more_than_the_agreed_requests_are_under_way(desk: Desk) -> None:
    desk.campaign(size=30, batch_size=1)
    adapter = SlowAdapter(0.02)

    assert _send_by(desk, adapter) == 30
    assert 1 < adapter.most_in_flight <= 4


def test_a_job_ends_in_time_and_leaves_the_rest_queued(desk: Desk) -> None:
    desk.campaign(size=60, batch_size=1)
    sent = _send_by(desk, SlowAdapter(0.05), seconds=0.1)

    assert 0 < sent < 60
    assert desk.batches().count("queued") == 60 - sent


def test_what_was_answered_is_stored_although_claiming_fails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_id = desk.campaign(size=90, batch_size=10)
    claim, claimed = sending.dispatch.claim, []

    def once(**asked: Any) -> list[Any]:
        if claimed:
            raise RuntimeError("the database is away")
        claimed.extend(claim(**asked | {"most": 3}))
        return claimed

    with monkeypatch.context() as patched:
        patched.setattr(sending.dispatch, "claim", once)
        with pytest.raises(RuntimeError, match="away"):
            desk.drain()
    assert desk.batches().count("submitting") == desk.unknown_count() == 0
    assert sorted(set(desk.batches())) == ["queued", "submitted"]

    desk.try_again()
    desk.drain()
    assert desk.settled(campaign_id)["charged_mrial"] == 90_000_000
    assert (desk.accepted()["distinct"], desk.accepted()["duplicates"]) == (90, 0)


def test_a_late_answer_is_stored_although_the_lease_has_ended(app: Flask, desk: Desk) -> None:
    campaign_id = desk.campaign(size=5)

    class LateAdapter(SlowAdapter):
        def submit(self, submission: Submission) -> list[Answer]:
            answers = super().submit(submission)
            with app.app_context():
                desk.end_leases()
            return answers

    _send_by(desk, LateAdapter(0))

    assert desk.unknown_count() == 0
    assert desk.settled(campaign_id)["charged_mrial"] == 5_000_000
    assert scalar("SELECT count(*) FROM outbox_submission") == 5
