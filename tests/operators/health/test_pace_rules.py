"""The rules of speed: brownout, retry budget, requests a second; latencies in a coarse histogram."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.operators.health.rules import pace, talks
from sms.operators.health.rules.pace import Brownout, BrownoutCause, Bucket
from sms.operators.health.rules.talks import BOUNDS_MS, TalkKind

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def _later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def test_throttling_halves_once_however_many_threads_met_it() -> None:
    once = pace.after_throttle(Brownout(), at=AT)
    assert once == Brownout(0.5, BrownoutCause.THROTTLED, AT)
    assert pace.after_throttle(once, at=_later(4)) == once
    assert pace.after_throttle(once, at=_later(5)).factor == 0.25


def test_it_never_falls_to_nothing() -> None:
    found = Brownout()
    for step in range(20):
        found = pace.after_throttle(found, at=_later(10 * step))
    assert found.factor == pace.LEAST_FACTOR
    assert pace.hands_of(8, found.factor) == 1


def test_slowness_is_halved_once() -> None:
    once = pace.after_slowness(Brownout(), at=AT)
    assert once.factor == 0.5
    assert pace.after_slowness(once, at=_later(60)) == once


def test_it_comes_back_a_step_at_a_time() -> None:
    found = Brownout(0.5, BrownoutCause.THROTTLED, AT)
    factors = []
    for second in range(1, 61):
        found = pace.recovering(found, at=_later(second))
        factors.append(found.factor)
    assert [factors[second - 1] for second in (9, 10, 20, 30, 40, 50)] == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert found.cause is None


@pytest.mark.parametrize(("concurrency", "factor", "hands"), [(8, 1, 8), (8, 0.5, 4), (8, 0.55, 4), (1, 0.0625, 1)])
def test_hands_that_are_left(concurrency: int, factor: float, hands: int) -> None:
    assert pace.hands_of(concurrency, factor) == hands


@pytest.mark.parametrize(
    ("calls", "retries", "left"), [(0, 0, 20), (0, 25, 0), (200, 20, 0), (1_000, 40, 60), (1_000, 100, 0)]
)
def test_a_tenth_of_the_requests_may_be_retries_while_any_fail(calls: int, retries: int, left: int) -> None:
    assert pace.retries_left(calls=calls, retries=retries, failures=1) == left
    assert pace.retries_left(calls=calls, retries=retries, failures=0) == pace.UNLIMITED


def test_a_bucket_holds_one_second() -> None:
    first = pace.take(Bucket(AT), wanted=100, per_second=10, kind=TalkKind.SEND, at=AT)
    assert first.granted == 10
    assert pace.take(first.bucket, wanted=1, per_second=10, kind=TalkKind.SEND, at=_later(0.05)).granted == 0
    assert pace.take(first.bucket, wanted=9, per_second=10, kind=TalkKind.SEND, at=_later(0.5)).granted == 5


def test_a_rate_below_one_still_lets_one_go() -> None:
    first = pace.take(Bucket(AT), wanted=5, per_second=0.5, kind=TalkKind.SEND, at=AT)
    assert first.granted == 1
    assert pace.take(first.bucket, wanted=5, per_second=0.5, kind=TalkKind.SEND, at=_later(1)).granted == 0
    assert pace.take(first.bucket, wanted=5, per_second=0.5, kind=TalkKind.SEND, at=_later(2)).granted == 1


def test_questions_get_what_sends_leave() -> None:
    just_asked = Bucket(AT, asked_at=AT)
    assert pace.take(just_asked, wanted=10, per_second=10, kind=TalkKind.ASK, at=AT).granted == 5
    half_empty = Bucket(_later(0.5), asked_at=AT)
    assert pace.take(half_empty, wanted=10, per_second=10, kind=TalkKind.ASK, at=AT).granted == 0
    assert pace.take(half_empty, wanted=10, per_second=10, kind=TalkKind.SEND, at=AT).granted == 5


def _busy_seconds(seconds: int) -> dict[TalkKind, int]:
    """Both want more than there is, all the time; how much each got."""
    bucket, got = Bucket(AT), dict.fromkeys(TalkKind, 0)
    for step in range(seconds * 20):
        for kind in (TalkKind.ASK, TalkKind.SEND):
            grant = pace.take(bucket, wanted=50, per_second=10, kind=kind, at=_later(step / 20))
            bucket, got[kind] = grant.bucket, got[kind] + grant.granted
    return got


def test_questions_are_never_starved_and_the_rate_is_kept() -> None:
    got = _busy_seconds(60)
    assert 590 <= sum(got.values()) <= 622
    assert 50 <= got[TalkKind.ASK] <= 80


def test_what_was_not_used_comes_back() -> None:
    grant = pace.take(Bucket(AT), wanted=10, per_second=10, kind=TalkKind.SEND, at=AT)
    back = pace.give_back(grant.bucket, count=4, per_second=10)
    assert pace.take(back, wanted=10, per_second=10, kind=TalkKind.SEND, at=AT).granted == 4


def test_a_clock_that_was_set_back_costs_seconds() -> None:
    bucket = Bucket(_later(86_400))
    first = pace.take(bucket, wanted=1, per_second=10, kind=TalkKind.SEND, at=AT)
    assert first.granted == 0
    assert pace.take(first.bucket, wanted=1, per_second=10, kind=TalkKind.SEND, at=_later(3)).granted == 1


@given(
    st.floats(0.1, 500),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 50), st.sampled_from(TalkKind)), max_size=60),
)
def test_no_sequence_takes_more_than_the_rate_and_one_bucket(
    per_second: float, asked: list[tuple[float, int, TalkKind]]
) -> None:
    bucket, seconds, taken = Bucket(AT), 0.0, 0
    for gap, wanted, kind in asked:
        seconds += gap
        grant = pace.take(bucket, wanted=wanted, per_second=per_second, kind=kind, at=_later(seconds))
        bucket, taken = grant.bucket, taken + grant.granted
        assert 0 <= grant.granted <= wanted
    # A question that has waited is granted in advance, and paid back by what comes after it.
    assert taken <= per_second * seconds + max(per_second, 1) + 2


# Latencies


@pytest.mark.parametrize(("seconds", "place"), [(0, 0), (0.05, 0), (0.051, 1), (1, 5), (29, 10), (10_000, 11)])
def test_a_latency_falls_into_its_bucket(seconds: float, place: int) -> None:
    assert talks.bucket_of(seconds) == place


def test_percentiles_of_a_histogram() -> None:
    assert talks.percentile_ms([0] * len(BOUNDS_MS), 0.5) is None
    assert talks.percentile_ms([100] + [0] * 11, 0.5) == 25
    assert talks.percentile_ms([90, 0, 0, 0, 0, 10] + [0] * 6, 0.95) == 1_200


@given(st.lists(st.floats(0, 200), min_size=1, max_size=200))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(seconds: list[float]) -> None:
    histogram = talks.tally([talks.Talk(talks.Verdict.ANSWERED, each) for each in seconds]).histogram
    true = sorted(seconds)[-(-len(seconds) * 95 // 100) - 1]
    told = talks.percentile_ms(histogram, 0.95)
    assert told is not None
    assert abs(talks.bucket_of(told / 1000) - talks.bucket_of(true)) <= 1
