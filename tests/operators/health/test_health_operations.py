"""The kept health of gateways: counted, judged together, decided by staff, and remembered."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from flask import Flask

from sms.core.actor import PANEL
from sms.core.config import Settings
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.operators.health import queries
from sms.operators.health.operations import judging, staff, talks
from sms.operators.health.operations.judging import Handed
from sms.operators.health.rules.breaker import BreakerState, Cause, Permit
from sms.operators.health.rules.judging import Alert
from sms.operators.health.rules.pace import UNLIMITED
from sms.operators.health.rules.talks import Talk, TalkKind, Verdict
from sms.operators.queries import sendable_gateway
from sms.operators.rules import UnusableSetting
from tests.factories import make_gateway

AT = datetime(2026, 11, 24, 8, 0, 30, tzinfo=UTC)
OK, FAILED, THROTTLED = (Talk(verdict, 0.1, 5) for verdict in (Verdict.ANSWERED, Verdict.FAILED, Verdict.THROTTLED))


@pytest.fixture
def gateway_id(app: Flask) -> int:
    return make_gateway()[1]


def _later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def _note(gateway_id: int, heard: list[Talk], *, kind: TalkKind = TalkKind.SEND, at: datetime = AT) -> Permit:
    with transaction():
        return talks.note_talks(gateway_id=gateway_id, kind=kind, talks=heard, at=at).permit


def _kinds(gateway_id: int) -> list[str]:
    return [event.kind for event in reversed(queries.events(gateway_id=gateway_id, most=50))]


def test_talks_are_counted_by_the_minute(gateway_id: int) -> None:
    _note(gateway_id, [OK, OK, FAILED])
    _note(gateway_id, [THROTTLED, OK._replace(is_retry=True, seconds=3.0)], at=_later(20))
    _note(gateway_id, [OK], at=_later(40))
    _note(gateway_id, [OK], kind=TalkKind.ASK)

    found = rows("SELECT * FROM operators_minute WHERE kind = 'send' ORDER BY minute")
    assert [(each.calls, each.failures, each.throttles, each.retries, each.submitted) for each in found] == [
        (5, 1, 1, 1, 25),
        (1, 0, 0, 0, 5),
    ]
    assert (sum(found[0].histogram), found[0].histogram[6], found[0].latency_ms) == (5, 1, 3_400)
    assert queries.lately(since=AT.replace(second=0))[gateway_id].calls == 6


def test_failures_open_the_breaker_with_a_reason_and_figures(gateway_id: int) -> None:
    assert _note(gateway_id, [OK, *[FAILED] * 4]) is Permit.ALL
    assert _note(gateway_id, [FAILED], at=_later(1)) is Permit.NOTHING

    (event,) = queries.events(gateway_id=gateway_id, most=5)
    assert (event.kind, event.cause, event.figures) == ("opened", "failures", {"failures": 5})
    assert scalar("SELECT action FROM accounts_audit ORDER BY id DESC LIMIT 1") == "gateway.opened"
    assert queries.is_open(gateway_id, at=AT)
    assert sendable_gateway(gateway_id, _later(2)) is None


def test_questions_decide_nothing(gateway_id: int) -> None:
    assert _note(gateway_id, [FAILED] * 50, kind=TalkKind.ASK) is Permit.ALL


def test_the_trial_closes_it(gateway_id: int) -> None:
    _note(gateway_id, [FAILED] * 5)
    way = sendable_gateway(gateway_id, _later(6))
    assert way is not None
    assert way.is_trial
    with transaction():
        assert talks.begin_trial(gateway_id=gateway_id, seconds=30, at=_later(6))
    with transaction():
        assert not talks.begin_trial(gateway_id=gateway_id, seconds=30, at=_later(7))
    assert sendable_gateway(gateway_id, _later(7)) is None
    assert not queries.is_open(gateway_id, at=_later(7))

    assert _note(gateway_id, [OK._replace(is_trial=True)], at=_later(8)) is Permit.ALL
    assert _kinds(gateway_id) == ["opened", "closed"]
    assert queries.events(gateway_id=gateway_id, most=1)[0].figures == {"seconds": 8}


def test_a_trial_without_anything_to_send_waits_for_the_next_batch(gateway_id: int) -> None:
    _note(gateway_id, [FAILED] * 5)
    with transaction():
        talks.begin_trial(gateway_id=gateway_id, seconds=30, at=_later(6))
        talks.put_off_trial(gateway_id=gateway_id, at=_later(7))
    way = sendable_gateway(gateway_id, _later(8))
    assert way is not None
    assert way.is_trial


def test_throttling_slows_down_and_opens_nothing(gateway_id: int) -> None:
    assert _note(gateway_id, [THROTTLED] * 50) is Permit.ALL
    assert queries.standing(gateway_id).brownout.factor == 0.5
    for second in range(10, 61, 10):
        _note(gateway_id, [OK], at=_later(second))
    assert queries.standing(gateway_id).brownout.factor == 1
    assert _kinds(gateway_id) == ["slowed", "sped_up"]


def test_retries_use_up_their_budget_while_the_operator_fails(gateway_id: int) -> None:
    _note(gateway_id, [OK._replace(is_retry=True)] * 15)
    before = queries.budget(gateway_id, at=AT)
    _note(gateway_id, [THROTTLED])
    assert (before, queries.budget(gateway_id, at=AT)) == (UNLIMITED, 5)
    assert queries.budget(gateway_id, at=_later(150)) == UNLIMITED


def test_requests_a_second_are_shared(gateway_id: int) -> None:
    def take(kind: TalkKind, wanted: int, at: datetime) -> int:
        with transaction():
            return talks.take_calls(gateway_id=gateway_id, kind=kind, wanted=wanted, per_second=10, at=at)

    assert [take(TalkKind.SEND, 8, AT), take(TalkKind.SEND, 8, AT)] == [8, 2]
    assert take(TalkKind.SEND, 8, _later(0.5)) == 5
    with transaction():
        talks.give_back_calls(gateway_id=gateway_id, count=3, per_second=10, at=_later(0.5))
    assert take(TalkKind.SEND, 8, _later(0.5)) == 3


# All together


def _minutes(gateway_id: int, *, since: datetime, count: int, submitted: int, delivered: int) -> None:
    with transaction():
        judging.note_deliveries(
            [
                Handed(gateway_id, (since + timedelta(minutes=step)).replace(second=0), submitted, delivered)
                for step in range(count)
            ],
            at=AT,
        )


def _judge_reports() -> None:
    with transaction():
        judging.judge_reports(at=AT)


def _past_and_present(gateway_id: int, *, delivered: int) -> None:
    _minutes(gateway_id, since=AT - timedelta(hours=5), count=10, submitted=100, delivered=90)
    _minutes(gateway_id, since=AT - timedelta(minutes=8), count=3, submitted=100, delivered=delivered)


def test_reports_much_later_than_usual_open_the_breaker_of_that_one_alone(gateway_id: int) -> None:
    _, other = make_gateway(operator_code="2000")
    _past_and_present(gateway_id, delivered=10)
    _past_and_present(other, delivered=88)
    _judge_reports()

    found = queries.standing(gateway_id)
    assert (found.breaker.state, found.breaker.cause) == (BreakerState.OPEN, Cause.REPORTS)
    assert found.breaker.figures == {"delivered": 30, "submitted": 300, "usual_share": 0.9}
    assert queries.standing(other).breaker.state is BreakerState.CLOSED


def test_when_all_are_slow_nobody_is_punished(gateway_id: int) -> None:
    _, other = make_gateway(operator_code="2000")
    for each in (gateway_id, other):
        _past_and_present(each, delivered=10)
    _judge_reports()

    assert [found.breaker.state for found in queries.standings()] == [BreakerState.CLOSED] * 2
    assert {told.alert for told in queries.alerts(at=AT)} == {Alert.REPORTS_SLOW}


def test_after_it_closed_again_only_what_was_sent_since_counts(gateway_id: int) -> None:
    _, other = make_gateway(operator_code="2000")
    _past_and_present(gateway_id, delivered=10)
    _past_and_present(other, delivered=88)
    with transaction():
        execute(
            "INSERT INTO operators_health (gateway_id, since) VALUES (:id, :since)",
            id=gateway_id,
            since=AT - timedelta(minutes=2),
        )
    _judge_reports()
    assert queries.standing(gateway_id).breaker.state is BreakerState.CLOSED


def test_the_same_hour_of_earlier_days_is_the_better_past(gateway_id: int) -> None:
    _minutes(gateway_id, since=AT - timedelta(days=1, minutes=20), count=10, submitted=100, delivered=30)
    _past_and_present(gateway_id, delivered=20)
    found = queries.deliveries(since=AT - timedelta(minutes=10))[gateway_id]
    assert found.usual == pytest.approx(0.3)


def test_a_gateway_slower_than_the_others_gets_half(gateway_id: int) -> None:
    _, other = make_gateway(operator_code="2000")
    for each in (gateway_id, other):
        _note(each, [OK] * 100, at=AT - timedelta(hours=2))
        _note(each, [OK._replace(seconds=8.0 if each == gateway_id else 0.1)] * 30)
    with transaction():
        judging.judge_latency(at=AT)

    slow, fast = queries.standing(gateway_id), queries.standing(other)
    assert (slow.brownout.factor, slow.is_slow, fast.brownout.factor, fast.is_slow) == (0.5, True, 1, False)
    assert slow.usual_ms == 75
    (event,) = queries.events(gateway_id=gateway_id, most=5)
    assert (event.kind, event.cause, event.figures["usual_ms"]) == ("slowed", "slow", 75)
    assert event.figures["p95_ms"] > 6_400


def test_low_credit_is_told_once_and_its_end_too(gateway_id: int) -> None:
    def judge(credit_mrial: int) -> None:
        with transaction():
            execute("UPDATE operators_gateway SET credit_mrial = :credit", credit=credit_mrial)
            judging.judge_conditions(at=AT)

    with transaction():
        staff.change_limits(gateway_id=gateway_id, per_second=None, credit_alert_mrial=1_000, by=PANEL, at=AT)
    for credit_mrial in (5_000, 900, 800, 5_000):
        judge(credit_mrial)
    assert _kinds(gateway_id) == ["limits", "credit_low", "credit_back"]
    low = queries.events(gateway_id=gateway_id, most=2)[1]
    assert low.figures == {"credit_mrial": 900, "least_mrial": 1_000}


@pytest.mark.parametrize("reason", ["credentials", "credit"])
def test_a_stop_and_its_end_stand_in_the_history(gateway_id: int, reason: str) -> None:
    for stopped in (reason, ""):
        with transaction():
            execute("UPDATE operators_gateway SET stopped_reason = :reason", reason=stopped)
            judging.judge_conditions(at=AT)
    assert [(event.kind, event.cause) for event in queries.events(gateway_id=gateway_id, most=5)] == [
        ("resumed", reason),
        ("stopped", reason),
    ]


def test_what_is_older_than_fifteen_days_is_forgotten(gateway_id: int) -> None:
    _note(gateway_id, [OK], at=AT - timedelta(days=16))
    _note(gateway_id, [OK])
    _minutes(gateway_id, since=AT - timedelta(days=14), count=1, submitted=1, delivered=1)
    with transaction():
        judging.note_deliveries([], at=AT)
    assert scalar("SELECT count(*) FROM operators_minute") == 1
    assert scalar("SELECT count(*) FROM operators_delivery") == 1


# Staff


def test_staff_hold_it_back_and_give_it_back(gateway_id: int) -> None:
    with transaction():
        staff.override(
            gateway_id=gateway_id, state=BreakerState.OPEN, minutes=60, reason=" night  work ", by=PANEL, at=AT
        )
    assert sendable_gateway(gateway_id, _later(60)) is None
    assert queries.is_open(gateway_id, at=_later(60))
    assert not queries.is_open(gateway_id, at=_later(3_601))
    (told,) = queries.alerts(at=AT)
    assert (told.alert, told.params["reason"]) == (Alert.HELD, "night work")

    with transaction():
        staff.release(gateway_id=gateway_id, by=PANEL, at=AT)
    assert sendable_gateway(gateway_id, AT) is not None
    assert _kinds(gateway_id) == ["held", "released"]
    with pytest.raises(Refusal), transaction():
        staff.release(gateway_id=gateway_id, by=PANEL, at=AT)


def test_staff_let_it_send_although_its_breaker_is_open(gateway_id: int) -> None:
    _note(gateway_id, [FAILED] * 5)
    with transaction():
        staff.override(gateway_id=gateway_id, state=BreakerState.CLOSED, minutes=5, reason="test", by=PANEL, at=AT)
    way = sendable_gateway(gateway_id, AT)
    assert way is not None
    assert not way.is_trial


def test_a_decision_ends_by_itself(gateway_id: int) -> None:
    with transaction():
        staff.override(gateway_id=gateway_id, state=BreakerState.OPEN, minutes=1, reason="test", by=PANEL, at=AT)
    with transaction():
        judging.judge_conditions(at=_later(61))
    assert (queries.standing(gateway_id).override.state, _kinds(gateway_id)) == (None, ["held", "time_over"])


@pytest.mark.parametrize(
    ("minutes", "reason", "field"), [(0, "x", "minutes"), (10_081, "x", "minutes"), (5, " ", "reason")]
)
def test_a_decision_needs_a_reason_and_an_end(gateway_id: int, minutes: int, reason: str, field: str) -> None:
    with pytest.raises(UnusableSetting) as refused, transaction():
        staff.override(gateway_id=gateway_id, state=BreakerState.OPEN, minutes=minutes, reason=reason, by=PANEL, at=AT)
    assert refused.value.field == field


@pytest.mark.parametrize("per_second", [0, -1, 10_001, float("nan")])
def test_a_rate_that_cannot_be_is_refused(gateway_id: int, per_second: float) -> None:
    with pytest.raises(UnusableSetting), transaction():
        staff.change_limits(gateway_id=gateway_id, per_second=per_second, credit_alert_mrial=None, by=PANEL, at=AT)


def test_there_is_no_health_of_nothing(app: Flask) -> None:
    with pytest.raises(NotFound), transaction():
        staff.release(gateway_id=987, by=PANEL, at=AT)


def test_history_is_only_appended(gateway_id: int, settings: Settings) -> None:
    _note(gateway_id, [FAILED] * 5)
    with psycopg.connect(settings.database_url) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("UPDATE operators_event SET kind = 'closed'")


def test_reading_makes_no_row(gateway_id: int) -> None:
    queries.standing(gateway_id)
    queries.alerts(at=AT)
    assert row("SELECT 1 FROM operators_health") is None
