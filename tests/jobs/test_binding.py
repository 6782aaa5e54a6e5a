"""The long job of a gateway that stays bound, against a small SMSC: from claim to refund, and when something breaks."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from jobs import asking, outbox
from jobs.binding import open_binding
from jobs.outgoing import Outgoing
from sms.core.config import Settings
from sms.core.db import execute, release, row, rows, scalar, transaction
from sms.core.queue import Job, connection, keep_rung, prefixed, ring_now, sending_queue
from sms.operators import queries as operators
from sms.operators.rules import GatewayState
from sms.outbox.operations import sweep, unknown
from sms.outbox.operations.dispatch import Result
from tests.factories import AT
from tests.jobs.bound import Desk, make_desk, wait_for
from tests.operators.smpp.smsc import Knobs, Smsc, deliver_body

LONG = "سلام " * 30  # three parts


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc(Knobs(receipts_seconds=0.02)) as running:
        yield running


@pytest.fixture
def desk(app: Flask, smsc: Smsc) -> Desk:
    return make_desk(app, smsc)


def test_a_send_goes_from_claim_to_refund(desk: Desk) -> None:
    desk.smsc.knobs.state_of = lambda recipient: "UNDELIV" if recipient.endswith("7") else "DELIVRD"
    desk.smsc.knobs.error_of = lambda recipient: "027" if recipient.endswith("7") else "000"
    campaign_id = desk.campaign(size=100, batch_size=20)
    with desk.bound():
        wait_for(lambda: desk.counts() == {"delivered": 90, "blocked": 10})
    outbox.post_due()

    campaign = desk.settled(campaign_id)
    assert campaign["state"] == "closed"
    assert (campaign["charged_mrial"], campaign["refunded_mrial"]) == (100_000_000, 10_000_000)
    assert len(desk.smsc.accepted) == len({submit.recipient for submit in desk.smsc.accepted}) == 100
    assert {status for _, status in desk.smsc.acknowledged} == {0}
    assert desk.smsc.unbinds == 1


def test_a_doorbell_is_heard_while_the_job_runs_and_no_further_job_is_asked_for(desk: Desk, settings: Settings) -> None:
    with desk.bound() as binding:
        wait_for(lambda: not binding.outgoing.has_more)
        keep_rung(Job.DISPATCH, desk.shop.gateway_id)
        desk.campaign(size=1, batch_size=1)
        for _ in range(3):
            ring_now(Job.DISPATCH, queue=sending_queue(desk.shop.gateway_id), gateway_id=desk.shop.gateway_id)
        wait_for(lambda: desk.smsc.received, seconds=3)
    assert connection().llen(f"rq:queue:{prefixed(sending_queue(desk.shop.gateway_id))}") == 0


def test_what_the_operator_refuses_is_given_back(desk: Desk) -> None:
    desk.smsc.knobs.status_of = lambda recipient: 0x0B if recipient.endswith("3") else 0
    campaign_id = desk.campaign(size=20, batch_size=20)
    with desk.bound():
        wait_for(lambda: desk.counts() == {"delivered": 18, "refused": 2})
    campaign = desk.settled(campaign_id)
    assert (campaign["charged_mrial"], campaign["released_mrial"]) == (18_000_000, 2_000_000)


def test_a_lost_link_leaves_unknowns_and_the_rest_is_sent(desk: Desk) -> None:
    desk.smsc.knobs.drops_after = 7
    campaign_id = desk.campaign(size=40, batch_size=40)
    desk.smsc.knobs.answer_seconds = 0.2
    with desk.bound():
        wait_for(lambda: desk.smsc.link_count == 1 and len(desk.smsc.received) >= 7, seconds=15)
        wait_for(lambda: desk.count("outbox_unknown") and desk.counts().get("none", 0) == desk.count("outbox_unknown"))
    lost = desk.count("outbox_unknown")
    campaign = desk.settled(campaign_id)
    assert campaign["counts"]["unknown"] == lost
    assert campaign["charged_mrial"] == (40 - lost) * 1_000_000
    recipients = [submit.recipient for submit in desk.smsc.received]
    assert len(recipients) == len(set(recipients))
    assert scalar("SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NOT NULL") == 0


def test_nothing_is_lost_or_unknown_while_the_door_is_closed(desk: Desk) -> None:
    desk.smsc.shut()
    campaign_id = desk.campaign(size=10)
    with desk.bound():
        wait_for(lambda: operators.gateway(desk.shop.gateway_id).state is GatewayState.FAILING)
        release()
        assert {batch.state for batch in rows("SELECT state FROM outbox_batch")} == {"queued"}
        desk.smsc.open()
        with transaction():
            execute("UPDATE operators_gateway SET retry_at = NULL")
        wait_for(lambda: desk.counts() == {"delivered": 10}, seconds=20)
        wait_for(lambda: operators.gateway(desk.shop.gateway_id).state is GatewayState.ON)
        release()
    assert desk.settled(campaign_id)["charged_mrial"] == 10_000_000


def test_a_part_of_a_batch_that_never_left_goes_back_to_the_queue(app: Flask, smsc: Smsc) -> None:
    desk = make_desk(app, smsc, window=10)
    smsc.knobs.is_silent = True
    campaign_id = desk.campaign(size=30, batch_size=30)
    with desk.bound():
        wait_for(lambda: len(smsc.received) == 10)
        smsc.shut()
        wait_for(lambda: desk.count("outbox_unknown") == 10)
        release()
        assert [(batch.state, batch.size) for batch in rows("SELECT state, size FROM outbox_batch ORDER BY id")] == [
            ("submitted", 10),
            ("queued", 20),
        ]
        smsc.knobs.is_silent = False
        smsc.open()
        with transaction():
            execute("UPDATE operators_gateway SET retry_at = NULL")
        wait_for(lambda: desk.counts() == {"none": 10, "delivered": 20}, seconds=20)
    assert desk.settled(campaign_id)["charged_mrial"] == 20_000_000
    assert len({submit.recipient for submit in smsc.received}) == len(smsc.received) == 30


@dataclass
class Throttle:
    """An operator that takes the first part of a text and throttles the others, while it is busy."""

    is_busy: bool = True
    begun: set[str] = field(default_factory=set)

    def __call__(self, recipient: str) -> int:
        if recipient in self.begun:
            return 0x58 if self.is_busy else 0
        self.begun.add(recipient)
        return 0


def test_texts_of_which_parts_are_out_are_completed_over_the_next_link(desk: Desk) -> None:
    desk.smsc.knobs.status_of = throttle = Throttle()
    campaign_id = desk.campaign(size=10, batch_size=5, body=LONG)
    with desk.bound():
        wait_for(lambda: len(desk.smsc.accepted) >= 5 and len(desk.smsc.received) >= 15)
        desk.smsc.cut()
        throttle.is_busy = False
        wait_for(lambda: desk.count("outbox_submission") == 10, seconds=20)
        assert (len(desk.smsc.accepted), desk.count("outbox_unknown")) == (30, 0)
        assert not scalar("SELECT count(*) FROM outbox_part WHERE operator_ref = ''")
        release()
    assert desk.settled(campaign_id)["charged_mrial"] == 10_000_000


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_job_that_ends_completes_such_texts_for_a_moment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, is_busy: bool
) -> None:
    monkeypatch.setattr("sms.operators.protocols.smpp.link._COMPLETE_SECONDS", 1.0 if is_busy else 10.0)
    desk.smsc.knobs.status_of = throttle = Throttle()
    desk.campaign(size=10, batch_size=5, body=LONG)
    with desk.bound():
        wait_for(lambda: len(desk.smsc.accepted) >= 5 and len(desk.smsc.received) >= 15)
        throttle.is_busy = is_busy
    begun, halves = len(throttle.begun), desk.count("outbox_unknown")
    assert halves == (begun if is_busy else 0)
    assert len(desk.smsc.accepted) == (begun if is_busy else 3 * begun)
    assert desk.count("outbox_submission") == begun - halves
    desk.verify()


def test_a_batch_may_be_claimed_again_before_its_last_try_is_forgotten(
    app: Flask, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(app, smsc, window=10)
    smsc.knobs.is_silent = True
    land = Outgoing._land

    def land_late(self: Outgoing, result: Result) -> None:
        if result.is_unsent:
            smsc.knobs.is_silent = False
            smsc.open()
            wait_for(lambda: (result.batch.id, result.batch.attempt + 1) in self.flights, seconds=20)
        land(self, result)

    monkeypatch.setattr(Outgoing, "_land", land_late)
    campaign_id = desk.campaign(size=60, batch_size=30)
    with desk.bound():
        wait_for(lambda: len(smsc.received) == 10)
        wait_for(lambda: scalar("SELECT count(*) FROM outbox_batch WHERE wire_at IS NOT NULL") == 2)
        release()
        smsc.shut()
        wait_for(lambda: desk.counts() == {"none": 10, "delivered": 50}, seconds=30)
    assert desk.settled(campaign_id)["charged_mrial"] == 50_000_000


def test_a_receipt_that_overtakes_its_answer_is_matched(desk: Desk) -> None:
    desk.smsc.knobs.receipts_seconds = -1
    desk.smsc.knobs.answer_seconds = 0.3
    campaign_id = desk.campaign(size=20)
    with desk.bound():
        wait_for(lambda: desk.counts() == {"delivered": 20})
    assert desk.settled(campaign_id)["state"] == "closed"
    assert desk.count("outbox_report_unmatched") == 0
    assert not scalar("SELECT count(*) FROM outbox_report WHERE message_id IS NULL")  # it waited in memory


def test_a_receipt_that_overtakes_by_far_waits_in_the_database(desk: Desk) -> None:
    desk.smsc.knobs.receipts_seconds = -1
    desk.smsc.knobs.answer_seconds = 1.7
    desk.campaign(size=5)
    with desk.bound():
        wait_for(lambda: desk.count("outbox_report_unmatched") == 5)
        wait_for(lambda: desk.counts() == {"delivered": 5})
    desk.verify()


def test_after_a_restart_receipts_are_matched_from_the_database(desk: Desk) -> None:
    desk.smsc.knobs.receipts_seconds = None
    desk.campaign(size=10)
    with desk.bound():
        wait_for(lambda: desk.count("outbox_submission") == 10)
    with desk.bound():
        for found in rows(
            "SELECT s.operator_ref, m.recipient FROM outbox_submission s JOIN outbox_message m ON m.id = s.message_id"
        ):
            desk.smsc.receipt(found.operator_ref, str(found.recipient))
        wait_for(lambda: desk.counts() == {"delivered": 10})
        desk.smsc.receipt("stranger", "989121111111")
        wait_for(lambda: desk.count("outbox_report_unmatched") == 1)
    assert len(desk.smsc.acknowledged) == 11
    desk.verify()


# Texts in parts


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        (["DELIVRD", "DELIVRD", "DELIVRD"], "delivered"),
        (["UNDELIV", "EXPIRED", "REJECTD"], "undelivered"),
        (["DELIVRD", "UNDELIV", "UNDELIV"], "none"),  # waits for the horizon: never paid back by itself
        (["DELIVRD", "ENROUTE", "DELIVRD"], "none"),
        (["DELIVRD", "DELIVRD"], "none"),
    ],
)
def test_all_parts_decide(desk: Desk, states: list[str], outcome: str) -> None:
    desk.smsc.knobs.receipts_seconds = None
    campaign_id = desk.campaign(size=1, batch_size=1, body=LONG)
    with desk.bound():
        wait_for(lambda: desk.count("outbox_part") == 3)
        refs = [part.operator_ref for part in rows("SELECT operator_ref FROM outbox_part ORDER BY part")]
        for ref, state in reversed(list(zip(refs, states, strict=False))):
            desk.smsc.receipt(ref, "989120000000", state)
        wait_for(lambda: len(desk.smsc.acknowledged) == len(states))
    assert desk.counts() == {outcome: 1}
    assert desk.count("outbox_submission") == 1
    assert desk.settled(campaign_id)["charged_mrial"] == 1_000_000


@pytest.mark.parametrize("reports", ["last", "first"])
def test_one_part_decides_where_only_one_is_reported(app: Flask, smsc: Smsc, reports: str) -> None:
    desk = make_desk(app, smsc, reports=reports)
    desk.campaign(size=4, body=LONG)
    with desk.bound():
        wait_for(lambda: desk.counts() == {"delivered": 4})
    assert (len(smsc.received), desk.count("outbox_part")) == (12, 0)
    desk.verify()


def test_a_text_in_parts_of_which_one_is_unanswered_is_unknown_until_a_part_is_reported(app: Flask, smsc: Smsc) -> None:
    desk = make_desk(app, smsc)
    smsc.knobs.receipts_seconds = None
    smsc.knobs.drops_after = 3
    campaign_id = desk.campaign(size=1, batch_size=1, body=LONG)
    with desk.bound():
        wait_for(lambda: desk.count("outbox_unknown") == 1)
    assert desk.settled(campaign_id)["counts"]["unknown"] == 1
    assert desk.counts() == {"none": 1}


# Messages of unknown fate


def _lose(desk: Desk, size: int, *, body: str = "hello", parts: int = 1) -> None:
    """All of a campaign is taken by the operator, and no answer comes."""
    desk.smsc.knobs.is_silent = True
    campaign_id = desk.campaign(size=size, batch_size=size, body=body)
    with transaction():
        execute("UPDATE outbox_message SET parts = :n WHERE campaign_id = :id", n=parts, id=campaign_id)
    with desk.bound():
        wait_for(lambda: len(desk.smsc.received) == size * parts)
        desk.smsc.cut()
        wait_for(lambda: desk.count("outbox_unknown") == size)
    desk.smsc.knobs.is_silent = False


def test_a_late_receipt_with_our_reference_resolves_at_once(desk: Desk) -> None:
    _lose(desk, 3)
    message = row("SELECT id, recipient FROM outbox_message ORDER BY id LIMIT 1")
    assert message is not None
    tlvs = bytes.fromhex("02040002") + (message.id & 0xFFFF).to_bytes(2)
    with desk.bound():
        desk.smsc.receipt("late-1", str(message.recipient), tlvs=tlvs)
        wait_for(lambda: desk.counts() == {"none": 2, "delivered": 1})
    assert desk.count("outbox_unknown") == 2
    assert scalar("SELECT operator_ref FROM outbox_submission") == "late-1"
    assert desk.count("outbox_report_unmatched") == 0
    desk.verify()


def test_a_late_receipt_of_the_only_message_to_somebody_resolves_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms.outbox.operations.lost.UNIQUE_AFTER_SECONDS", 0.5)
    _lose(desk, 2)
    line = scalar("SELECT number FROM lines_line")
    with desk.bound():
        desk.smsc.receipt("late-2", "989120000001", line=line)
        desk.smsc.receipt("late-3", "989129999999", line=line)  # nobody we lost
        desk.smsc.receipt("late-4", "989120000000", line="9999")  # from another line
        wait_for(lambda: desk.counts() == {"none": 1, "delivered": 1})
    assert [
        found.recipient
        for found in rows("SELECT m.recipient FROM outbox_unknown u JOIN outbox_message m ON m.id = u.message_id")
    ] == [989120000000]
    desk.verify()


def _lost_in_parts(desk: Desk) -> Any:
    """A message of three parts of which no answer came; returns it."""
    desk.smsc.knobs.is_silent = True
    desk.campaign(size=1, batch_size=1, body=LONG)
    with transaction():
        execute("UPDATE outbox_message SET parts = 3")
    with desk.bound():
        wait_for(lambda: len(desk.smsc.received) == 3)
        desk.smsc.cut()
        wait_for(lambda: desk.count("outbox_unknown") == 1)
    desk.smsc.knobs.is_silent = False
    return row("SELECT id, recipient FROM outbox_message")


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ({"a": ["DELIVRD"], "b": ["DELIVRD"], "c": ["DELIVRD"]}, "delivered"),
        ({"a": ["UNDELIV"], "b": ["UNDELIV", "DELIVRD"], "c": ["UNDELIV"]}, "none"),
        ({"a": ["UNDELIV"], "b": ["UNDELIV", "UNDELIV"], "c": ["EXPIRED"]}, "undelivered"),
    ],
)
def test_a_text_in_parts_of_unknown_fate_is_resolved_by_the_reports_on_all_of_them(
    desk: Desk, states: dict[str, list[str]], outcome: str
) -> None:
    message = _lost_in_parts(desk)
    tlvs = bytes.fromhex("02040002") + (message.id & 0xFFFF).to_bytes(2)
    with desk.bound():
        for ref, told in states.items():
            assert desk.count("outbox_unknown") == 1
            for state in told:
                desk.smsc.receipt(ref, str(message.recipient), state, tlvs=tlvs)
            time.sleep(0.3)
        wait_for(lambda: desk.count("outbox_unknown") == 0)
        wait_for(lambda: desk.counts() == {outcome: 1})
    assert (desk.count("outbox_part"), desk.count("outbox_submission")) == (3, 1)
    desk.verify()


def test_a_text_in_parts_was_taken_when_some_are_reported_and_the_others_are_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sms.outbox.operations.lost.ALL_PARTS_SECONDS", 1.0)
    message = _lost_in_parts(desk)
    tlvs = bytes.fromhex("02040002") + (message.id & 0xFFFF).to_bytes(2)
    with desk.bound():
        desk.smsc.receipt("b", str(message.recipient), tlvs=tlvs)
        wait_for(lambda: desk.count("outbox_submission") == 1)
        assert desk.counts() == {"none": 1}
        for ref in ("c", "a"):  # late, of parts that nobody has named yet
            desk.smsc.receipt(ref, str(message.recipient), tlvs=tlvs)
        wait_for(lambda: desk.counts() == {"delivered": 1})
    assert desk.count("outbox_report_unmatched") == 0
    desk.verify()


def test_a_report_that_no_database_could_keep_stops_nothing(desk: Desk) -> None:
    desk.smsc.knobs.receipts_seconds = None
    desk.campaign(size=1, batch_size=1)
    with desk.bound():
        wait_for(lambda: desk.count("outbox_submission") == 1)
        desk.smsc.receipt("a\0b", "989120000000", "DELI\0VRD")
        desk.smsc.deliver(deliver_body("989121234567", "1000505", b"\0a\0", coding=3))
        desk.smsc.receipt(str(scalar("SELECT operator_ref FROM outbox_submission")), "989120000000")
        wait_for(lambda: len(desk.smsc.acknowledged) == 3)
    assert desk.counts() == {"delivered": 1}


def test_two_receipts_for_one_recipient_resolve_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sms.outbox.operations.lost.UNIQUE_AFTER_SECONDS", 0.5)
    _lose(desk, 1)
    line = scalar("SELECT number FROM lines_line")
    with desk.bound():
        desk.smsc.receipt("late-5", "989120000000", line=line)
        desk.smsc.receipt("late-6", "989120000000", line=line)
        wait_for(lambda: len(desk.smsc.acknowledged) == 2)
        time.sleep(2)
    assert desk.counts() == {"none": 1}
    desk.verify()


def test_a_killed_job_leaves_unknowns_only_of_what_it_had_marked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outgoing, "store", lambda _self: None)  # killed before anything was stored
    desk.smsc.knobs.is_silent = True
    campaign_id = desk.campaign(size=20, batch_size=10)
    with desk.bound():
        wait_for(lambda: len(desk.smsc.received) == 20)
    with transaction():
        execute("UPDATE outbox_batch SET lease_until = now() - interval '1 second' WHERE state = 'submitting'")
        unknown.end_leases(at=AT)
    assert desk.settled(campaign_id)["counts"]["unknown"] == 20
    asking.look_up(desk.shop.gateway_id)
    assert scalar("SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NOT NULL") == 0


# Who holds it, and for how long


def test_a_bell_that_a_killed_job_kept_rung_is_rung_again_within_seconds(desk: Desk) -> None:
    with desk.bound():
        queue = sending_queue(desk.shop.gateway_id)
        wait_for(lambda: connection().exists(_bell(desk)))
        assert 0 < connection().pttl(_bell(desk)) <= 10_000
        ring_now(Job.DISPATCH, queue=queue, gateway_id=desk.shop.gateway_id)
        assert connection().llen(f"rq:queue:{prefixed(queue)}") == 0


def _bell(desk: Desk) -> str:
    return f"{prefixed('bell')}:{Job.DISPATCH}:{desk.shop.gateway_id}"


def test_a_gateway_is_held_once(desk: Desk) -> None:
    with desk.bound():
        assert open_binding(desk.shop.gateway_id, holder="another") is None
        bind = operators.bind(desk.shop.gateway_id)
        assert bind is not None
        assert (bind.holder, bind.is_alive) == ("test", True)
        release()
        assert _rung(desk) is False
    assert _rung(desk) is True


def _rung(desk: Desk) -> bool:
    """Whether the sweeper calls for the job."""
    found = rows(sweep._BOUND, bound=operators.bound_adapters(), at=AT)
    release()
    return [each.id for each in found] == [desk.shop.gateway_id]


def test_a_lost_lease_ends_the_job_and_nothing_more_is_sent(desk: Desk) -> None:
    with desk.bound() as binding:
        with transaction():
            execute("UPDATE operators_bind SET holder = 'another'")
        wait_for(lambda: binding.is_stopped)
        desk.campaign(size=5)
    assert scalar("SELECT holder FROM operators_bind WHERE lease_until > clock_timestamp()") == "another"
    assert desk.smsc.received == []


def test_a_wrong_password_stops_the_gateway(app: Flask, smsc: Smsc) -> None:
    desk = make_desk(app, smsc, password="wrong")
    desk.campaign()
    with desk.bound() as binding:
        wait_for(lambda: binding.is_stopped)
    gateway = operators.gateway(desk.shop.gateway_id)
    assert (gateway.state, gateway.stopped_reason) == (GatewayState.STOPPED, "credentials")
    assert _rung(desk) is False


def test_an_empty_account_stops_the_gateway_and_holds_the_rest(app: Flask, smsc: Smsc) -> None:
    desk = make_desk(app, smsc, credit_codes="0x0401")
    smsc.knobs.status_of = lambda recipient: 0x401 if recipient > "989120000004" else 0
    campaign_id = desk.campaign(size=10, batch_size=10)
    with desk.bound() as binding:
        wait_for(lambda: binding.is_stopped)
    assert operators.gateway(desk.shop.gateway_id).stopped_reason == "credit"
    assert desk.settled(campaign_id)["charged_mrial"] == 5_000_000
    assert {batch.state: batch.size for batch in rows("SELECT state, size FROM outbox_batch")} == {
        "submitted": 5,
        "queued": 5,
    }


def test_a_gateway_that_is_switched_off_sends_nothing_but_hears_its_reports(desk: Desk) -> None:
    desk.smsc.knobs.receipts_seconds = None
    desk.campaign(size=2, batch_size=2)
    with desk.bound() as binding:
        wait_for(lambda: desk.count("outbox_submission") == 2)
        with transaction():
            execute("UPDATE operators_gateway SET is_on = false")
        wait_for(lambda: not binding.outgoing.is_sending)
        desk.campaign(size=2, batch_size=2)
        refs = [found.operator_ref for found in rows("SELECT operator_ref FROM outbox_submission")]
        for ref in refs:
            desk.smsc.receipt(ref, "989120000000")
        wait_for(lambda: desk.counts() == {"none": 2, "delivered": 2})
        assert len(desk.smsc.received) == 2


def test_changed_settings_make_the_line_anew(desk: Desk) -> None:
    with desk.bound() as binding:
        with transaction():
            execute("UPDATE operators_gateway SET settings = settings || '{\"window\": 7}'")
        wait_for(lambda: binding.is_stopped)
    with desk.bound() as binding:
        assert binding.line.window == 7


def test_what_has_no_report_at_the_horizon_expires_without_asking(desk: Desk) -> None:
    desk.smsc.knobs.receipts_seconds = None
    campaign_id = desk.campaign(size=5)
    with desk.bound():
        wait_for(lambda: desk.count("outbox_submission") == 5)
    asking.poll(desk.shop.gateway_id)
    assert desk.counts() == {"none": 5}
    with transaction():
        execute("UPDATE outbox_batch SET submitted_at = submitted_at - interval '2 hours', poll_at = now()")
    asking.poll(desk.shop.gateway_id)
    assert desk.counts() == {"expired": 5}
    assert desk.settled(campaign_id)["state"] == "closed"


def test_the_style_of_ids_is_learnt_and_kept(app: Flask, smsc: Smsc) -> None:
    desk = make_desk(app, smsc, id_style="learn")
    smsc.knobs.answered_ref, smsc.knobs.reported_ref = (lambda number: f"{number:X}"), (lambda number: f"{number:010d}")
    desk.campaign(size=250, batch_size=50)
    with desk.bound() as binding:
        wait_for(lambda: desk.counts() == {"delivered": 250})
        wait_for(lambda: operators.gateway(desk.shop.gateway_id).settings["id_style"] == "decimal_to_hex")
        release()
        assert not binding.is_stopped


def test_inbound_texts_are_kept_whole_before_they_are_acknowledged(desk: Desk) -> None:
    halves = "سلام، پیام دوم".encode("utf-16-be")
    with desk.bound():
        for place, content in ((2, halves[11:]), (1, halves[:11])):
            header = bytes((5, 0, 3, 9, 2, place))
            desk.smsc.deliver(deliver_body("989121234567", "1000505", header + content, esm_class=0x40, coding=8))
        desk.smsc.deliver(deliver_body("989121234567", "1000505", b"alone\0"))
        wait_for(lambda: len(desk.smsc.acknowledged) == 3)
    assert sorted(found.body for found in rows("SELECT body FROM operators_inbound")) == ["alone@", "سلام، پیام دوم"]
    assert scalar("SELECT count(*) FROM operators_inbound_part WHERE joined_at IS NULL") == 0
