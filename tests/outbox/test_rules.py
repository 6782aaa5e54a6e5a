"""The outbox's rules as tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms.operators.rules import Capability, Outcome
from sms.outbox.rules import (
    OVERRULABLE,
    REPORTED,
    Fate,
    IdRun,
    TryEnd,
    expected_end,
    fate_of_absent,
    next_poll,
    refund_due_at,
    runs,
    stands_over,
    tries,
)

SENT = datetime(2026, 11, 23, tzinfo=UTC)
PLAN = [60, 180, 600]


@pytest.mark.parametrize(
    ("age_seconds", "step", "next_age_seconds", "is_last"),
    [
        (0, 0, 60, False),
        (61, 0, 180, False),
        (200, 1, 600, False),
        (601, 2, 1200, False),  # after the plan, at doubling ages
        (1201, 3, 2400, False),
        (2401, 4, 3600, True),  # and at last at the operator's horizon
        (9999, 0, 3600, True),  # a worker that slept through the plan still looks a last time
    ],
)
def test_looks_grow_rarer_and_end_at_the_horizon(
    age_seconds: int, step: int, next_age_seconds: int, is_last: bool
) -> None:
    coming = next_poll(
        submitted_at=SENT,
        after_step=step,
        plan_seconds=PLAN,
        horizon_seconds=3600,
        at=SENT + timedelta(seconds=age_seconds),
    )

    assert (SENT + timedelta(seconds=next_age_seconds), is_last) == (coming.at, coming.is_last)


@pytest.mark.parametrize(
    ("capability", "on_absent", "absent_count", "fate"),
    [
        (Capability.DEDUPES, "park", 1, Fate.RESEND),
        (Capability.LOOKS_UP, "resend", 1, Fate.ASK_AGAIN),
        (Capability.LOOKS_UP, "resend", 2, Fate.RESEND),
        (Capability.LOOKS_UP, "park", 2, Fate.PARK),
        (Capability.LISTS, "resend", 2, Fate.PARK),
        (Capability.NOTHING, "resend", 5, Fate.PARK),
    ],
)
def test_silence_proves_nothing(capability: Capability, on_absent: str, absent_count: int, fate: Fate) -> None:
    assert fate == fate_of_absent(
        capability=capability, on_absent=on_absent, absent_count=absent_count, is_forgotten=False
    )


@pytest.mark.parametrize("capability", list(Capability))
@pytest.mark.parametrize("absent_count", [1, 2])
def test_what_the_operator_may_have_forgotten_is_never_sent_again(capability: Capability, absent_count: int) -> None:
    assert (
        fate_of_absent(capability=capability, on_absent="resend", absent_count=absent_count, is_forgotten=True)
        == Fate.PARK
    )


def test_a_delayed_refund_counts_from_the_sending() -> None:
    reported = SENT + timedelta(hours=1)

    assert refund_due_at(sent_at=SENT, delay_seconds=48 * 3600, at=reported) == SENT + timedelta(hours=48)
    assert refund_due_at(sent_at=SENT, delay_seconds=0, at=reported) == reported
    assert refund_due_at(sent_at=SENT, delay_seconds=60, at=reported) == reported


def test_neighbouring_batches_are_read_as_one_range() -> None:
    assert runs([(2, 100, 199), (1, 0, 99), (9, 50_000, 50_099)]) == [
        IdRun(0, 199, (1, 2)),
        IdRun(50_000, 50_099, (9,)),
    ]
    assert runs([]) == []


@pytest.mark.parametrize(
    ("later", "earlier", "holds"),
    [
        (Outcome.DELIVERED, Outcome.BLOCKED, True),
        (Outcome.DELIVERED, Outcome.EXPIRED, True),
        (Outcome.BLOCKED, Outcome.DELIVERED, False),
        (Outcome.BLOCKED, Outcome.UNDELIVERED, True),
        (Outcome.UNDELIVERED, Outcome.BLOCKED, False),
        (Outcome.UNDELIVERED, Outcome.UNDELIVERED, False),
        (Outcome.UNDELIVERED, Outcome.EXPIRED, True),
        (Outcome.EXPIRED, Outcome.UNDELIVERED, False),
        (Outcome.DELIVERED, Outcome.REFUSED, False),  # what was never charged stays so
        (Outcome.DELIVERED, Outcome.CANCELLED, False),
        (Outcome.REFUSED, Outcome.EXPIRED, False),
    ],
)
def test_of_two_reports_the_one_that_says_more_holds(later: Outcome, earlier: Outcome, holds: bool) -> None:
    assert stands_over(later, earlier) == holds


def test_every_outcome_a_report_may_state_has_its_strength() -> None:
    assert OVERRULABLE | {Outcome.DELIVERED} == REPORTED


@pytest.mark.parametrize(
    ("facts", "ends"),
    [
        ({"attempt": 0, "batch_state": "queued"}, []),
        ({"attempt": 1, "batch_state": "queued"}, [TryEnd.NOT_SENT]),
        ({"attempt": 2, "batch_state": "submitting"}, [TryEnd.NOT_SENT, TryEnd.UNDER_WAY]),
        ({"attempt": 2, "batch_state": "submitted", "accepted": [2]}, [TryEnd.NOT_SENT, TryEnd.ACCEPTED]),
        ({"attempt": 1, "batch_state": "submitted", "accepted": [1], "outcome": "delivered"}, [TryEnd.ACCEPTED]),
        ({"attempt": 1, "batch_state": "submitted", "outcome": "refused"}, [TryEnd.REFUSED]),
        ({"attempt": 1, "batch_state": "submitted", "unknown": 1}, [TryEnd.UNKNOWN]),
        ({"attempt": 1, "batch_state": "queued", "is_pinned": True}, [TryEnd.LOST]),
        (
            {"attempt": 2, "batch_state": "submitted", "accepted": [2], "is_pinned": True},
            [TryEnd.LOST, TryEnd.ACCEPTED],
        ),
        ({"attempt": 1, "batch_state": "cancelled", "outcome": "cancelled"}, [TryEnd.NOT_SENT]),
    ],
)
def test_each_try_of_a_message_is_told(facts: dict[str, Any], ends: list[TryEnd]) -> None:
    usual: dict[str, Any] = {"accepted": [], "unknown": None, "outcome": None, "is_pinned": False}
    assert [each.end for each in tries(**(usual | facts))] == ends


def test_the_end_is_told_by_the_pace_since_the_beginning() -> None:
    an_hour, at = timedelta(hours=1), SENT + timedelta(hours=1)
    assert expected_end(sendable_count=100, unsent_count=50, begun_at=SENT, at=at) == at + an_hour
    assert expected_end(sendable_count=100, unsent_count=50, begun_at=at, at=at) is None
    assert expected_end(sendable_count=100, unsent_count=100, begun_at=SENT, at=at) is None
