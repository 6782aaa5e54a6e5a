"""An operator that dedupes (Kavenegar's REST, simulated 5000): whatever is lost, nobody gets a text twice."""

from dataclasses import dataclass

import pytest
from flask import Flask

from sms.core.db import execute, rows, scalar, transaction
from sms.core.seal import seal
from tests.factories import make_shop
from tests.jobs.conftest import KEY, SIMULATED, Desk
from tests.simulator.running import CREDENTIALS, RunningSimulator

OPERATOR = "5000"


@dataclass(frozen=True, slots=True)
class DedupingDesk(Desk):
    """A shop on the simulated 5000."""

    def accepted(self) -> dict[str, int]:
        summary: dict[str, int] = self.simulator.truth("summary")[OPERATOR]
        return summary

    def control(self, **knobs: object) -> None:
        """Turn its operator's knobs."""
        self.simulator.control(OPERATOR, **knobs)


@pytest.fixture
def desk(app: Flask, simulator: RunningSimulator) -> DedupingDesk:
    sealed = seal(CREDENTIALS[OPERATOR], seal_key=KEY)
    facts = SIMULATED | {"adapter": "kavenegar", "base_url": simulator.base_url(OPERATOR), "on_absent": "park"}
    return DedupingDesk(make_shop(operator_code=OPERATOR, credentials_sealed=sealed, **facts), simulator)


def _send_all(desk: DedupingDesk) -> None:
    """Drain until nothing is queued any more, whatever the gateway was left alone for."""
    for _ in range(20):
        desk.try_again()
        desk.drain()
        if "queued" not in desk.batches():
            return
    raise AssertionError("something stays queued")


def test_every_recipient_meets_the_fate_of_its_digits(desk: DedupingDesk) -> None:
    campaign_id = desk.campaign(size=98, batch_size=49)
    desk.drain()
    desk.poll()

    counts = desk.settled(campaign_id)["counts"]
    told = ("delivered", "blocked", "undelivered", "refused")
    assert [counts[outcome] for outcome in told] == [90, 4, 3, 1]


def test_what_was_lost_is_found_by_our_own_id(desk: DedupingDesk) -> None:
    campaign_id = desk.campaign(size=10, batch_size=10)
    desk.control(cut_reply_share=1)
    desk.drain()
    desk.control(cut_reply_share=0)
    assert desk.unknown_count() == 10
    desk.look_up()

    assert desk.unknown_count() == 0
    assert desk.settled(campaign_id)["charged_mrial"] == 10_000_000
    assert desk.accepted()["requests"]["sms/sendarray"] == 1


def test_what_it_does_not_know_yet_goes_again_and_is_not_sent_twice(desk: DedupingDesk) -> None:
    """The look-up comes too early: what goes again under the same ids is answered with the first records."""
    campaign_id = desk.campaign(size=10, batch_size=10)
    desk.control(cut_reply_share=1, status_unknown_seconds=600)
    desk.drain()
    desk.control(cut_reply_share=0)
    desk.look_up()
    assert (desk.unknown_count(), desk.batches()) == (0, ["submitted", "queued"])
    _send_all(desk)

    told = desk.accepted()
    assert (told["accepted"], told["distinct"], told["duplicates"]) == (10, 10, 0)
    assert desk.settled(campaign_id)["charged_mrial"] == 10_000_000
    sent = {row["uid"] for row in desk.simulator.truth(f"?operator={OPERATOR}")[OPERATOR]}
    assert sent == {found.message_id for found in rows("SELECT message_id FROM outbox_submission")}


def test_answers_that_come_too_late_double_nothing(app: Flask, desk: DedupingDesk) -> None:
    with transaction():
        execute("UPDATE operators_gateway SET timeout_seconds = 0.3")
    campaign_id = desk.campaign(size=10, batch_size=5)
    desk.control(late_share=1, late_seconds=0.8)
    desk.drain()
    desk.control(late_share=0)
    _send_all(desk)
    desk.look_up()
    _send_all(desk)

    assert (desk.accepted()["distinct"], desk.accepted()["duplicates"]) == (10, 0)
    assert desk.settled(campaign_id)["charged_mrial"] == 10_000_000


def test_after_eleven_hours_what_it_does_not_know_waits_for_a_person(desk: DedupingDesk) -> None:
    campaign_id = desk.campaign(size=5)
    desk.control(cut_reply_share=1, status_unknown_seconds=600)
    desk.drain()
    desk.control(cut_reply_share=0)
    with transaction():
        execute("UPDATE outbox_unknown SET wire_at = wire_at - interval '11 hours 1 minute'")
    desk.look_up()

    assert desk.batches() == ["submitted"]
    assert scalar("SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NULL") == 5
    assert desk.settled(campaign_id)["charged_mrial"] == 0


def test_the_key_stands_in_no_log_of_the_jobs(desk: DedupingDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    desk.campaign(size=10)
    for trouble in ({"garbage_share": 1.0}, {"garbage_share": 0.0, "is_cut_off": True}, {"is_cut_off": False}):
        desk.control(**trouble)
        desk.try_again()
        desk.drain()
        desk.look_up()
        desk.poll()

    assert "gateway" in caplog.text
    assert "sample-5000" not in caplog.text
