"""The pace of a link, by a clock of the test's own."""

import pytest

from sms.operators.protocols.smpp.pace import Pace


def sent(pace: Pace, *, seconds: float, takes: float = float("inf"), start: float = 100.0) -> tuple[int, int]:
    """(accepted, throttled) when the operator takes so many a second."""
    accepted = throttled = 0
    bucket, now = takes, start
    for step in range(int(seconds * 1000)):
        now = start + step / 1000
        bucket = min(takes, bucket + takes / 1000)
        count = min(pace.allowance(now), 200)
        pace.spent(count)
        for _ in range(count):
            if bucket >= 1:
                bucket -= 1
                accepted += 1
                pace.accepted()
            else:
                throttled += 1
                pace.busy(now, 0.25)
    return accepted, throttled


@pytest.mark.parametrize("per_second", [5, 100, 2000])
def test_the_agreed_pace_is_kept(per_second: int) -> None:
    accepted, _ = sent(Pace(per_second=per_second, now=100.0), seconds=3)
    assert per_second * 3 * 0.9 <= accepted <= per_second * 3 * 1.05 + 1


def test_without_a_limit_nothing_waits() -> None:
    pace = Pace(per_second=None, now=100.0)
    assert pace.allowance(100.0) > 10**6
    assert pace.wait_seconds(100.0) == 0


def test_a_busy_operator_is_left_alone_for_a_moment() -> None:
    pace = Pace(per_second=None, now=100.0)
    pace.busy(100.0, 0.25)
    assert pace.allowance(100.1) == 0
    assert pace.is_paused(100.1)
    assert pace.wait_seconds(100.1) == pytest.approx(0.15)
    assert pace.allowance(101.5) > 0


@pytest.mark.parametrize("takes", [20, 300])
def test_what_an_operator_takes_is_found_out(takes: int) -> None:
    accepted, throttled = sent(Pace(per_second=None, now=100.0), seconds=60, takes=takes)
    assert accepted >= takes * 60 * 0.6
    assert throttled <= accepted * 0.35


def test_an_operator_that_is_no_longer_busy_is_used_fully_again() -> None:
    pace = Pace(per_second=None, now=100.0)
    sent(pace, seconds=5, takes=100)
    accepted, _ = sent(pace, seconds=90, start=105.0)
    assert accepted > 20_000
