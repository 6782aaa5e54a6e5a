"""The rules of the breaker: when it opens, when it tries, when it closes, and what does not count."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.core.errors import SmsError
from sms.operators.contract import (
    NOTHING_LEFT,
    UNKNOWN_FATE,
    BadCredentials,
    OutOfCredit,
    Refused,
    Unanswered,
    Unreachable,
)
from sms.operators.health.rules import breaker as rules
from sms.operators.health.rules.breaker import Breaker, BreakerState, Cause, Override, Permit, Silence
from sms.operators.health.rules.talks import Talk, Verdict, verdict_of

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
OK, FAILED, THROTTLED = (Talk(verdict, 0.1) for verdict in (Verdict.ANSWERED, Verdict.FAILED, Verdict.THROTTLED))


def _later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def _opened() -> Breaker:
    return rules.after_talks(Breaker(), [FAILED] * 5, at=AT)


def _on_trial() -> Breaker:
    found = rules.begin_trial(_opened(), seconds=30, at=_later(5))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (None, Verdict.ANSWERED),
        (Unreachable(NOTHING_LEFT), Verdict.FAILED),
        (Unanswered(UNKNOWN_FATE), Verdict.FAILED),
        (SmsError("the adapter failed"), Verdict.FAILED),
        (Refused("no", code="9"), Verdict.ANSWERED),
        (Refused("busy", code="15", retry_after_seconds=5), Verdict.THROTTLED),
        (OutOfCredit("empty", code="14"), Verdict.ANSWERED),
        (BadCredentials("who", code="18"), Verdict.ANSWERED),
    ],
)
def test_only_what_did_not_answer_is_a_failure(error: SmsError | None, verdict: Verdict) -> None:
    assert verdict_of(error) is verdict


@pytest.mark.parametrize(
    ("talks", "cause"),
    [
        ([FAILED] * 4, None),
        ([FAILED] * 5, Cause.FAILURES),
        ([FAILED] * 4 + [OK] + [FAILED] * 4, None),
        ([FAILED] * 4 + [THROTTLED] + [FAILED] * 4, None),  # throttled, so it is there
        ([OK, FAILED] * 9, None),  # 18 calls are too few
        ([OK, FAILED] * 10, Cause.SHARE),
        ([OK, OK, FAILED] * 20, None),
        ([THROTTLED] * 100, None),
    ],
)
def test_it_opens_on_five_failures_in_a_row_or_half_of_twenty(talks: list[Talk], cause: Cause | None) -> None:
    found = rules.after_talks(Breaker(), talks, at=AT)
    assert found.cause is cause
    assert (found.state is BreakerState.OPEN) == (cause is not None)


def test_what_is_older_than_thirty_seconds_is_forgotten() -> None:
    before = rules.after_talks(Breaker(), [OK, FAILED] * 9, at=AT)
    assert rules.after_talks(before, [OK, FAILED], at=_later(31)).state is BreakerState.CLOSED
    assert rules.after_talks(before, [OK, FAILED], at=_later(29)).state is BreakerState.OPEN


@pytest.mark.parametrize(
    ("waiting", "hands", "row", "opens"),
    [(0, 4, 4, False), (3, 4, 0, False), (4, 4, 0, True), (5, 64, 0, True), (1, 64, 4, True), (1, 1, 0, True)],
)
def test_silence_opens_it_when_every_hand_is_stuck(waiting: int, hands: int, row: int, opens: bool) -> None:
    before = Breaker(failures_in_row=row)
    found = rules.after_silence(before, Silence(waiting, 16.0, hands), at=AT)
    assert (found.state is BreakerState.OPEN) is opens
    assert (found.cause is Cause.SILENCE) is opens


@pytest.mark.parametrize(("p95_ms", "seconds"), [(None, 15), (200, 15), (6_000, 18), (20_000, 25)])
def test_a_hang_is_seen_within_twenty_five_seconds(p95_ms: int | None, seconds: float) -> None:
    assert rules.silence_seconds(p95_ms) == seconds


def test_an_operator_that_was_only_slow_closes_it_by_answering() -> None:
    silent = rules.after_silence(Breaker(), Silence(4, 16.0, 4), at=AT)
    assert rules.after_talks(silent, [OK], at=_later(1)).state is BreakerState.CLOSED
    assert rules.after_talks(silent, [FAILED] * 4, at=_later(15)) == silent


def test_what_was_on_the_wire_neither_opens_nor_closes_an_open_one() -> None:
    opened = _opened()
    assert rules.after_talks(opened, [OK, FAILED, OK], at=_later(1)) == opened


def test_there_is_one_trial_at_a_time() -> None:
    assert rules.begin_trial(Breaker(), seconds=30, at=AT) is None
    assert rules.begin_trial(_opened(), seconds=30, at=_later(4)) is None
    trial = _on_trial()
    assert trial.state is BreakerState.HALF_OPEN
    assert rules.begin_trial(trial, seconds=30, at=_later(6)) is None
    assert rules.begin_trial(trial, seconds=30, at=_later(36)) is not None  # whoever tried it died


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.ANSWERED, BreakerState.CLOSED),
        (Verdict.THROTTLED, BreakerState.CLOSED),
        (Verdict.FAILED, BreakerState.OPEN),
    ],
)
def test_only_the_trial_decides_while_it_is_half_open(verdict: Verdict, state: BreakerState) -> None:
    trial = _on_trial()
    assert rules.after_talks(trial, [Talk(verdict, 0.1)], at=_later(6)) == trial
    assert rules.after_talks(trial, [Talk(verdict, 0.1, is_trial=True)], at=_later(6)).state is state


def test_it_is_tried_again_at_least_every_fifteen_seconds() -> None:
    found, waits = _opened(), []
    at = AT
    for _ in range(6):
        assert found.trial_at is not None
        waits.append((found.trial_at - at).total_seconds())
        at = found.trial_at
        begun = rules.begin_trial(found, seconds=30, at=at)
        assert begun is not None
        found = rules.opened_again(begun, at=at)
    assert waits == [5, 10, 15, 15, 15, 15]
    assert found.since == AT  # it has stood still since then


def test_slow_reports_give_it_five_minutes() -> None:
    found = rules.after_reports(Breaker(), {"delivered": 1}, at=AT)
    assert (found.cause, found.trial_at) == (Cause.REPORTS, _later(300))


@pytest.mark.parametrize(
    ("state", "until", "permit", "is_open"),
    [
        (BreakerState.CLOSED, 60, Permit.ALL, False),
        (BreakerState.OPEN, 60, Permit.NOTHING, True),
        (BreakerState.CLOSED, -1, Permit.NOTHING, True),
        (BreakerState.OPEN, -1, Permit.NOTHING, True),
    ],
)
def test_the_word_of_staff_goes_first_while_it_holds(
    state: BreakerState, until: float, permit: Permit, is_open: bool
) -> None:
    opened, decided = _opened(), Override(state, _later(until))
    assert rules.permit(opened, decided, at=AT) is permit
    assert rules.is_open(opened, decided, at=AT) is is_open


STEPS = st.one_of(
    st.lists(st.sampled_from([OK, FAILED, THROTTLED, OK._replace(is_trial=True), FAILED._replace(is_trial=True)])),
    st.sampled_from(["trial", "put off", "silence", "reports"]),
)


@given(st.lists(st.tuples(STEPS, st.floats(0, 40)), max_size=40))
def test_no_sequence_leaves_it_without_a_way_back(steps: list[tuple[object, float]]) -> None:
    found, seconds = Breaker(), 0.0
    for step, gap in steps:
        seconds += gap
        at = _later(seconds)
        match step:
            case "trial":
                found = rules.begin_trial(found, seconds=30, at=at) or found
            case "put off":
                found = rules.put_off_trial(found)
            case "silence":
                found = rules.after_silence(found, Silence(5, 16.0, 8), at=at)
            case "reports":
                found = rules.after_reports(found, {}, at=at)
            case list(talks):
                found = rules.after_talks(found, talks, at=at)
        assert found.failures_in_row < rules.FAILURES_IN_ROW
        assert sum(second.calls for second in found.lately) >= sum(second.failures for second in found.lately)
        assert all(second.unix > at.timestamp() - 100_000 for second in found.lately)
        if found.state is BreakerState.OPEN:
            assert found.cause is not None
            assert found.trial_at is not None
    end = _later(seconds + 301)
    if found.state is not BreakerState.CLOSED:
        trial = rules.begin_trial(found, seconds=30, at=end)
        assert trial is not None
        assert rules.after_talks(trial, [OK._replace(is_trial=True)], at=end).state is BreakerState.CLOSED


@given(st.lists(st.sampled_from([OK, THROTTLED]), max_size=200))
def test_an_operator_that_answers_never_opens_it(talks: list[Talk]) -> None:
    assert rules.after_talks(Breaker(), talks, at=AT).state is BreakerState.CLOSED
