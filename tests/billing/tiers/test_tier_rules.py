"""Which steps top-ups reach, and until when."""

from datetime import UTC, datetime, timedelta

import pytest

from sms.billing.tiers.rules import Basis, PaidIn, Standing, Step, discounted, earned, next_step

AT = datetime(2026, 11, 29, tzinfo=UTC)
DAY = timedelta(days=1)
M = 10**9  # a million rial
SINGLE = Step(1, Basis.SINGLE, 30, 20 * M, 50)
SUM = Step(2, Basis.SUM, 90, 50 * M, 100)


def paid(*pairs: tuple[int, int]) -> list[PaidIn]:
    """(million rial, days ago), the newest first."""
    return [PaidIn(amount * M, AT - ago * DAY) for amount, ago in pairs]


@pytest.mark.parametrize(
    ("step", "payments", "counted", "days_left"),
    [
        (SINGLE, paid((19, 0)), None, None),
        (SINGLE, paid((20, 0)), 20, 30),
        (SINGLE, paid((5, 1), (25, 10)), 25, 20),  # a smaller one after it takes nothing away
        (SINGLE, paid((25, 3), (90, 10)), 25, 27),  # the newest that is large enough lasts longest
        (SINGLE, paid((25, 30)), None, None),
        (SUM, paid((30, 0), (19, 10)), None, None),
        (SUM, paid((30, 0), (20, 10)), 50, 80),
        (SUM, paid((30, 0), (20, 10), (40, 80)), 90, 80),  # without the oldest it is reached all the same
        (SUM, paid((10, 0), (20, 10), (40, 80)), 70, 10),
        (SUM, paid((30, 0), (40, 90)), None, None),
        (SUM, paid((60, -1)), None, None),  # of tomorrow
    ],
)
def test_steps_are_reached(step: Step, payments: list[PaidIn], counted: int | None, days_left: int | None):
    found = earned([step], payments, at=AT)
    if counted is None:
        assert found == []
    else:
        assert [(each.counted_mrial, each.valid_until) for each in found] == [(counted * M, AT + days_left * DAY)]


@pytest.mark.parametrize(
    ("above", "payments", "expected"),
    [
        (0, paid(), (SINGLE, 20 * M)),
        (0, paid((40, 1)), (SUM, 10 * M)),
        (50, paid((40, 1)), (SUM, 10 * M)),
        (100, paid(), None),
    ],
)
def test_the_next_step_is_the_nearest_that_gives_more(above: int, payments: list[PaidIn], expected):
    assert next_step([SINGLE, SUM], payments, above_permille=above, at=AT) == expected


@pytest.mark.parametrize(
    ("price", "permille", "left"), [(1_390_500, 50, 1_320_975), (1_000, 0, 1_000), (999, 1, 999), (7, 500, 4)]
)
def test_a_discount_never_takes_more_than_its_share(price: int, permille: int, left: int):
    assert discounted(price, permille=permille) == left


@pytest.mark.parametrize(
    ("standing", "beginning"),
    [
        (Standing(), "You pay the usual prices"),
        (Standing(50, SINGLE, 20 * M), "You pay %(percent)s percent less because of one top-up"),
        (Standing(100, SUM, 50 * M), "You pay %(percent)s percent less because you topped up"),
        (Standing(30, reason="a promise"), "Our staff set"),
    ],
)
def test_each_standing_says_why(standing: Standing, beginning: str):
    assert standing.why.startswith(beginning)
