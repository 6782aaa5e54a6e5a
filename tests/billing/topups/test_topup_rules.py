"""How an attempt to pay moves, and when the gateway is asked again."""

from datetime import UTC, datetime, timedelta

import pytest

from sms.billing.topups.rules import (
    MOVES,
    STATE_LABELS,
    STATE_SENTENCES,
    TopupState,
    Verdict,
    after,
    hash_of,
    new_token,
    next_look,
)

AT = datetime(2026, 11, 29, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
S, V = TopupState, Verdict


@pytest.mark.parametrize(
    ("state", "verdict", "hints", "minutes", "expected"),
    [
        (S.STARTED, V.PAID, (True, False), 1, S.PAID),
        (S.STARTED, V.ALREADY, (True, False), 1, S.PAID),
        (S.STARTED, V.PAID, (True, True), 1, S.PAID),  # the address says cancelled, the gateway says paid
        (S.STARTED, V.REFUSED, (True, True), 1, S.CANCELLED),
        (S.STARTED, V.REFUSED, (True, False), 1, S.FAILED),
        (S.STARTED, V.UNKNOWN, (True, False), 1, S.UNKNOWN),
        (S.STARTED, V.UNKNOWN, (False, False), 15, S.STARTED),  # nobody came back, nobody answers: nothing is known new
        (S.STARTED, V.UNKNOWN, (False, False), 24 * 60, S.UNKNOWN),
        (S.STARTED, V.OPEN, (False, False), 15, S.STARTED),
        (S.STARTED, V.OPEN, (False, False), 24 * 60, S.FAILED),
        (S.UNKNOWN, V.UNKNOWN, (False, False), 60, S.UNKNOWN),
        (S.UNKNOWN, V.OPEN, (False, False), 60, S.UNKNOWN),
        (S.UNKNOWN, V.ALREADY, (False, False), 60, S.PAID),
        (S.UNKNOWN, V.REFUSED, (False, False), 60, S.FAILED),
        (S.CANCELLED, V.PAID, (True, False), 5, S.PAID),
        (S.CANCELLED, V.REFUSED, (True, False), 5, S.CANCELLED),
        (S.CANCELLED, V.UNKNOWN, (True, False), 5, S.UNKNOWN),
        (S.FAILED, V.ALREADY, (False, False), 30, S.PAID),
        (S.PAID, V.REFUSED, (True, True), 5, S.PAID),
        (S.PAID, V.UNKNOWN, (True, False), 5, S.PAID),
    ],
)
def test_an_answer_moves_an_attempt(state, verdict, hints, minutes, expected):
    returned, cancelled = hints
    moved = after(state, verdict, is_returned=returned, is_cancelled=cancelled, age=minutes * MINUTE)
    assert moved is expected
    assert moved is state or moved in MOVES[state]


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("verdict", list(V))
@pytest.mark.parametrize("minutes", [0, 20, 24 * 60, 10**4])
@pytest.mark.parametrize("returned", [True, False])
def test_every_move_is_a_legal_one(state: TopupState, verdict: Verdict, minutes: int, returned: bool):
    moved = after(state, verdict, is_returned=returned, is_cancelled=returned, age=minutes * MINUTE)
    assert moved is state or moved in MOVES[state]


@pytest.mark.parametrize(
    ("state", "looks", "minutes", "expected"),
    [
        (S.PAID, 0, 0, None),
        (S.STARTED, 0, 0, 15),
        (S.STARTED, 1, 15, 30),
        (S.STARTED, 5, 13 * 60, 24 * 60),
        (S.STARTED, 6, 25 * 60, 31 * 60),
        (S.CANCELLED, 1, 2, 30),
        (S.FAILED, 1, 2, 30),
        (S.FAILED, 2, 30, None),
        (S.UNKNOWN, 0, 1, 1.5),
        (S.UNKNOWN, 3, 10, 14),
        (S.UNKNOWN, 50, 60, 7 * 60),
        (S.UNKNOWN, 50, 3 * 24 * 60, None),
    ],
)
def test_the_gateway_is_asked_again(state: TopupState, looks: int, minutes: int, expected: float | None):
    look = next_look(state, started_at=AT, look_count=looks, at=AT + minutes * MINUTE)
    assert look == (None if expected is None else AT + expected * MINUTE)


def test_every_state_has_its_words():
    assert set(STATE_LABELS) == set(STATE_SENTENCES) == set(S)


def test_tokens_are_long_and_never_kept():
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) >= 32
    assert hash_of("a") != hash_of("b")
