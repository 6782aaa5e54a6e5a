"""The asking jobs against the simulator: reports, look-ups, and an operator that does not tell."""

import pytest
from flask import Flask

from jobs import asking
from sms.core.db import execute, scalar, transaction
from sms.operators import queries
from sms.operators.contract import NOTHING_LEFT, UNKNOWN_FATE, BadCredentials, OperatorError, Unanswered, Unreachable
from sms.operators.rules import GatewayState
from tests.jobs.conftest import Desk, make_desk
from tests.simulator.running import RunningSimulator


def test_every_recipient_meets_the_fate_of_its_digits(desk: Desk) -> None:
    campaign_id = desk.campaign(size=97, batch_size=50)
    desk.drain()
    desk.poll()

    counts = desk.settled(campaign_id)["counts"]
    told = ("delivered", "blocked", "not_in_network", "undelivered")
    assert [counts[outcome] for outcome in told] == [90, 4, 2, 1]


def test_what_is_not_reported_yet_is_asked_for_again(desk: Desk) -> None:
    campaign_id = desk.campaign(size=10)
    desk.simulator.control("3000", report_delay_seconds=[600, 600])
    desk.drain()
    desk.poll()

    assert desk.settled(campaign_id)["counts"]["waiting"] == 10
    assert scalar("SELECT count(*) FROM outbox_batch WHERE poll_at IS NOT NULL") == 2


@pytest.mark.parametrize(
    "trouble", [{"is_cut_off": True}, {"is_silent": True}, {"garbage_share": 1, "garbage_kinds": ["html"]}]
)
def test_an_operator_that_does_not_tell_expires_nothing(
    app: Flask, simulator: RunningSimulator, trouble: dict[str, object]
) -> None:
    desk = make_desk(simulator, timeout_seconds=0.3, report_horizon_seconds=1)
    campaign_id = desk.campaign(size=10)
    desk.drain()
    with transaction():
        execute("UPDATE outbox_batch SET submitted_at = submitted_at - interval '1 hour'")
    simulator.control("3000", **trouble)
    desk.poll()
    assert desk.settled(campaign_id)["counts"]["waiting"] == 10

    simulator.control("3000", is_cut_off=False, is_silent=False, garbage_share=0)
    desk.poll()
    assert desk.settled(campaign_id)["counts"]["delivered"] == 10


def test_reports_are_asked_for_although_the_gateway_is_off_or_out_of_credit(desk: Desk) -> None:
    campaign_id = desk.campaign(size=10)
    desk.drain()
    with transaction():
        execute("UPDATE operators_gateway SET is_on = false, stopped_reason = 'credit'")
    desk.poll()

    assert desk.settled(campaign_id)["counts"]["delivered"] == 10


def test_an_operator_that_does_not_know_us_is_asked_no_more(desk: Desk) -> None:
    desk.campaign(size=10)
    desk.drain()
    other = make_desk(desk.simulator, credentials={"password": "wrong"}).shop.gateway_id
    with transaction():
        execute(
            "UPDATE operators_gateway g SET credentials_sealed = o.credentials_sealed FROM operators_gateway o"
            " WHERE g.id = :id AND o.id = :other",
            id=desk.shop.gateway_id,
            other=other,
        )
    desk.poll()
    assert (desk.gateway.state, desk.gateway.stopped_reason) == (GatewayState.STOPPED, "credentials")

    asked = desk.accepted()["requests"]
    assert desk.poll() == 0
    assert desk.accepted()["requests"] == asked


def test_what_was_lost_on_the_way_is_found_by_our_own_id(desk: Desk) -> None:
    campaign_id = desk.campaign(size=10)
    desk.simulator.control("3000", cut_reply_share=1)
    desk.drain()
    desk.simulator.control("3000", cut_reply_share=0)
    desk.try_again()
    desk.drain()
    assert desk.unknown_count() >= 5
    desk.look_up()

    assert desk.unknown_count() == 0
    assert desk.settled(campaign_id)["charged_mrial"] == 10_000_000
    assert desk.accepted()["duplicates"] == 0


def test_absent_once_is_not_absent(desk: Desk) -> None:
    desk.campaign(size=5)
    desk.simulator.control("3000", cut_reply_share=1, status_unknown_seconds=600)
    desk.drain()
    desk.simulator.control("3000", cut_reply_share=0)
    desk.look_up()
    assert (desk.unknown_count(), desk.batches()) == (5, ["submitted"])

    desk.simulator.control("3000", status_unknown_seconds=0)
    desk.look_up()
    assert (desk.unknown_count(), desk.accepted()["duplicates"]) == (0, 0)


def test_a_look_up_that_is_not_answered_decides_nothing(desk: Desk) -> None:
    desk.campaign(size=5)
    desk.simulator.control("3000", cut_reply_share=1)
    desk.drain()
    desk.simulator.control("3000", cut_reply_share=0, garbage_share=1, garbage_kinds=["error_500", "html"])
    for _ in range(3):
        desk.look_up()

    assert desk.unknown_count() == 5
    assert scalar("SELECT max(absent_count) FROM outbox_unknown") == 0


# The asker itself


class Told:
    """Answers as it is told to, and counts how often it was asked."""

    def __init__(self, *errors: OperatorError | None) -> None:
        self.errors = list(errors)
        self.count = 0

    def ask(self, about: int) -> int:
        self.count += 1
        if error := self.errors.pop(0):
            raise error
        return about


def _asker(desk: Desk) -> asking.Asker:
    return asking.Asker(queries.any_gateway(desk.shop.gateway_id), None)  # type: ignore[arg-type]


def test_an_operator_that_never_answers_is_asked_once_a_thread(desk: Desk) -> None:
    asker, operator = _asker(desk), Told(*[Unreachable(NOTHING_LEFT)] * 100)

    assert {asker.ask(operator.ask, number) for number in range(100)} == {None}
    assert operator.count == 4


def test_an_operator_that_answers_now_and_then_is_asked_on(desk: Desk) -> None:
    asker, operator = _asker(desk), Told(None, *[Unanswered(UNKNOWN_FATE)] * 20, None)

    answers = [asker.ask(operator.ask, number) for number in range(22)]
    assert (answers[0], answers[-1], operator.count) == (0, 21, 22)


def test_a_refusal_of_our_account_ends_the_asking_at_once(desk: Desk) -> None:
    asker, operator = _asker(desk), Told(None, BadCredentials("no", code="18"), None)

    assert [asker.ask(operator.ask, number) for number in range(3)] == [0, None, None]
    assert operator.count == 2
