"""The rules of judgement: against its own past, beside the others, and what staff are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.operators.health.rules import judging
from sms.operators.health.rules.breaker import Breaker, BreakerState, Cause, Override
from sms.operators.health.rules.judging import Alert, Condition, Deliveries, Event
from sms.operators.health.rules.pace import Brownout, BrownoutCause

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("submitted", "delivered", "usual", "is_slow"),
    [
        (100, 90, 0.9, False),
        (100, 45, 0.9, False),
        (100, 44, 0.9, True),
        (100, 0, 0.9, True),
        (49, 0, 0.9, None),  # too few
        (100, 0, None, None),  # no past
        (100, 0, 0.1, None),  # hardly anything is ever reported in time
        (0, 0, 0.9, None),
    ],
)
def test_reports_are_slow_against_their_own_past(
    submitted: int, delivered: int, usual: float | None, is_slow: bool | None
) -> None:
    assert Deliveries(submitted, delivered, usual).is_slow is is_slow


@pytest.mark.parametrize(
    ("calls", "p95_ms", "usual_ms", "is_slow"),
    [
        (100, 3_001, 1_000, True),
        (100, 3_000, 1_000, False),
        (100, 900, 20, False),  # far above the usual, and still fast
        (19, 9_000, 100, None),
        (100, None, 100, None),
        (100, 9_000, None, None),
    ],
)
def test_answers_are_slow_beyond_thrice_the_usual(
    calls: int, p95_ms: int | None, usual_ms: int | None, is_slow: bool | None
) -> None:
    assert judging.is_slow_to_answer(calls=calls, p95_ms=p95_ms, usual_ms=usual_ms) is is_slow


@pytest.mark.parametrize(
    ("is_slow", "alone"),
    [
        ({1: True, 2: False, 3: False}, {1}),
        ({1: True, 2: True, 3: False}, set()),
        ({1: True, 2: True, 3: True}, set()),  # the country's network, or ours
        ({1: True}, set()),  # nothing to compare with
        ({1: True, 2: None}, set()),
        ({1: True, 2: True, 3: False, 4: False, 5: False}, {1, 2}),
        ({}, set()),
    ],
)
def test_nobody_is_punished_when_the_others_are_slow_too(is_slow: dict[int, bool | None], alone: set[int]) -> None:
    assert judging.slow_alone(is_slow) == alone


@given(st.dictionaries(st.integers(1, 9), st.sampled_from([True, None])))
def test_when_all_are_slow_nobody_is(is_slow: dict[int, bool | None]) -> None:
    assert judging.slow_alone(is_slow) == frozenset()


def _condition(**changes: Any) -> Condition:
    calm: dict[str, Any] = {
        "is_on": True,
        "stopped_reason": "",
        "breaker": Breaker(),
        "brownout": Brownout(),
        "is_slow": False,
        "are_reports_slow": False,
        "credit_mrial": 5_000,
        "credit_alert_mrial": 1_000,
    }
    return Condition(**calm | changes)


OPEN = Breaker(state=BreakerState.OPEN, cause=Cause.FAILURES, since=AT)


@pytest.mark.parametrize(
    ("changes", "alerts"),
    [
        ({}, []),
        ({"credit_mrial": 999}, [Alert.CREDIT_LOW]),
        ({"credit_mrial": 1_000}, []),
        ({"credit_mrial": None}, []),
        ({"credit_mrial": 0, "credit_alert_mrial": None}, []),
        ({"credit_mrial": 0, "stopped_reason": "credit"}, [Alert.CREDIT]),
        ({"stopped_reason": "credentials"}, [Alert.CREDENTIALS]),
        ({"breaker": OPEN}, [Alert.OPEN]),
        ({"breaker": OPEN, "override": Override(BreakerState.CLOSED, AT + timedelta(minutes=1))}, [Alert.FORCED]),
        ({"breaker": OPEN, "override": Override(BreakerState.CLOSED, AT)}, [Alert.OPEN]),
        ({"override": Override(BreakerState.OPEN, AT + timedelta(minutes=1))}, [Alert.HELD]),
        ({"brownout": Brownout(0.5, BrownoutCause.THROTTLED, AT), "is_slow": True}, [Alert.THROTTLED, Alert.SLOW]),
        ({"are_reports_slow": True}, [Alert.REPORTS_SLOW]),
        ({"is_on": False, "breaker": OPEN, "stopped_reason": "credentials"}, []),
    ],
)
def test_what_staff_are_told(changes: dict[str, Any], alerts: list[Alert]) -> None:
    assert judging.alerts_of(_condition(**changes), at=AT) == alerts


def test_every_alert_and_every_event_has_its_sentence() -> None:
    assert set(judging.ALERT_SENTENCES) == set(judging.ALERT_TONES) == set(Alert)
    for event in Event:
        causes = {cause for found, cause in judging.EVENT_SENTENCES if found is event}
        assert causes, event
        for cause in causes:
            assert judging.sentence_of(event, cause)
    assert {cause for event, cause in judging.EVENT_SENTENCES if event is Event.OPENED} == set(Cause)
