"""Which fixed prices lose, from when on, and for what."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms.billing.price_lists.rules import Asked, Key, Market, Place
from sms.billing.rules import Language, Rate, Scope

AT = datetime(2026, 11, 29, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = AT - 30 * DAY
OPERATOR, LINE, MCI, IRANCELL = 3, 30, 1, 2
TOP, SUB, CUSTOMER = 10, 11, 12
HERE = Scope(operator_id=OPERATOR)


def rate(price_mrial: int, **changes: Any) -> Rate:
    """A tariff of Persian texts over the operator, for long."""
    plain = Rate(1, HERE, BEFORE, None, Language.PERSIAN, price_mrial, 0)
    return replace(plain, **changes)


def raised(price_mrial: int, *, at: datetime) -> list[Rate]:
    """A tariff of a thousand that becomes another at a moment."""
    return [rate(1_000, valid_until=at), rate(price_mrial, id=2, valid_from=at)]


def fixed(price_mrial: int, owner_id: int = TOP, **changes: Any) -> Asked:
    """A price for all over the operator, for long."""
    plain = Asked(1, owner_id, None, HERE, None, None, price_mrial, False, BEFORE, None)
    return replace(plain, **changes)


def marked_up(permille: int, owner_id: int = TOP, **changes: Any) -> Asked:
    return replace(fixed(0, owner_id, id=2, **changes), price_mrial=None, markup_permille=permille)


def confirmed(price_mrial: int, **changes: Any) -> Asked:
    return fixed(price_mrial, is_below_cost_confirmed=True, **changes)


def market(rates: Sequence[Rate], *asked: Asked, places: Sequence[Place] = (), **discounts: int) -> Market:
    """All that is known of two resellers, one below the other, for a month."""
    return Market(
        rates=rates,
        asked={owner_id: [row for row in asked if row.owner_id == owner_id] for owner_id in (TOP, SUB)},
        above={TOP: (), SUB: (TOP,)},
        discounts={(TOP, {"now": AT, "before": BEFORE}[when]): permille for when, permille in discounts.items()},
        places=places,
        network_ids=[MCI, IRANCELL],
        at=AT,
        until=AT + 30 * DAY,
    )


def told(found: Market) -> list[tuple[int, int, int | None, int]]:
    """Of each loss the row, its owner, in how many days it begins (None: now), and the highest cost."""
    return [
        (
            loss.row.id,
            loss.row.owner_id,
            (loss.begins_at - AT).days if loss.begins_at else None,
            max(loss.costs_mrial.values()),
        )
        for loss in found.losses()
    ]


NOW = [(1, TOP, None, 1_000)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (market([rate(1_000)], fixed(1_000)), []),
        (market([rate(1_000)], fixed(999)), NOW),
        (market([rate(1_000)], marked_up(-500)), []),  # a markup moves along
        (market([rate(1_000)], marked_up(-500, is_below_cost_confirmed=True)), []),
        (market([], fixed(999)), []),  # nothing is sold
        (market([rate(1_000)], fixed(999, language=Language.LATIN)), []),  # of that nothing is sold
        (market([rate(1_000)], fixed(999, valid_until=AT)), []),
        (market([rate(1_000)], fixed(999, valid_from=AT + DAY)), [(1, TOP, 1, 1_000)]),
        (market([rate(1_000)], fixed(999, valid_from=AT + 31 * DAY)), []),
        (market([rate(1_000)], fixed(999, valid_from=AT + DAY, valid_until=AT + DAY)), []),  # withdrawn
        # tiers
        (market([rate(1_000)], fixed(900), now=100), []),
        (market([rate(1_000)], fixed(899), now=100), [(1, TOP, None, 900)]),
        # what begins later
        (market(raised(1_100, at=AT + 3 * DAY), fixed(1_050)), [(1, TOP, 3, 1_100)]),
        (market(raised(1_100, at=AT + 31 * DAY), fixed(1_050)), []),
        (market(raised(1_100, at=AT + 3 * DAY), fixed(1_050, valid_until=AT + 3 * DAY)), []),
        (market(raised(1_100, at=AT + 3 * DAY), fixed(1_000), now=100), []),  # its discount is taken to go on
        (
            market([rate(900, valid_until=AT + DAY), rate(800, id=2, valid_from=AT + DAY)], fixed(850)),
            [(1, TOP, None, 900)],
        ),
        # what is asked above
        (market([rate(1_000)], marked_up(500), fixed(1_499, SUB)), [(1, SUB, None, 1_500)]),
        (market([rate(1_000)], marked_up(500), fixed(1_500, SUB)), []),
        (market([rate(1_000)], fixed(1_200, id=2), fixed(1_100, SUB)), [(1, SUB, None, 1_200)]),
        (market([rate(1_300)], fixed(1_200, id=2), fixed(1_250, SUB)), [(2, TOP, None, 1_300), (1, SUB, None, 1_300)]),
        (market([rate(1_000)], marked_up(500, account_id=CUSTOMER), fixed(1_100, SUB)), []),  # not of it
        (market([rate(1_000)], marked_up(500, valid_from=AT + 2 * DAY), fixed(1_100, SUB)), [(1, SUB, 2, 1_500)]),
        # what was said twice
        (market([rate(1_000)], confirmed(500)), []),
        (market([rate(1_000, valid_from=BEFORE + DAY)], confirmed(500)), NOW),  # of what was not sold then
        (market(raised(1_001, at=AT - DAY), confirmed(500)), [(1, TOP, None, 1_001)]),
        (market(raised(999, at=AT - DAY), confirmed(500)), []),
        (market(raised(1_001, at=AT + DAY), confirmed(500)), [(1, TOP, 1, 1_001)]),
        (market(raised(1_001, at=AT - DAY), confirmed(500, valid_from=AT - DAY)), []),
        (market([rate(1_000)], confirmed(500), before=100), NOW),  # its discount is gone
        (market([rate(1_000)], confirmed(500), before=100, now=200), []),
    ],
)
def test_a_fixed_price_below_what_its_owner_pays_is_a_loss(given: Market, expected: object) -> None:
    assert told(given) == expected


@pytest.mark.parametrize(
    ("beside", "networks"),
    [
        (fixed(2_000, id=2, scope=Scope(OPERATOR, None, MCI)), {IRANCELL}),
        (fixed(2_000, id=2, language=Language.PERSIAN), set()),
        (fixed(2_000, id=2, valid_until=AT), {MCI, IRANCELL}),
        (fixed(2_000, id=2, account_id=CUSTOMER), {MCI, IRANCELL}),  # it still holds for all others
        (marked_up(100, scope=Scope(OPERATOR, None, MCI)), {IRANCELL}),
    ],
)
def test_what_a_more_specific_price_is_meant_for_is_no_loss(beside: Asked, networks: set[int]) -> None:
    found = list(market([rate(1_000)], fixed(999), beside).losses())
    assert {key.network_id for loss in found for key in loss.costs_mrial} == networks


@pytest.mark.parametrize(
    ("account_id", "place", "is_told"),
    [
        (None, Place(LINE, OPERATOR), True),  # public
        (None, Place(LINE, OPERATOR, frozenset({CUSTOMER}), frozenset({SUB, TOP})), True),
        (None, Place(LINE, OPERATOR, frozenset({TOP})), False),  # its own, which nobody below has
        (SUB, Place(LINE, OPERATOR, frozenset({CUSTOMER}), frozenset({SUB, TOP})), True),
        (SUB, Place(LINE, OPERATOR, frozenset({SUB}), frozenset({TOP})), True),
        (SUB, Place(LINE, OPERATOR, frozenset({99}), frozenset({TOP})), False),
        (SUB, Place(LINE, OPERATOR + 1), False),
    ],
)
def test_lines_count_as_far_as_who_pays_the_price_has_them(
    account_id: int | None, place: Place, *, is_told: bool
) -> None:
    dearer = rate(2_000, id=2, scope=Scope(line_id=LINE))
    found = list(market([rate(1_000), dearer], fixed(1_500, account_id=account_id), places=[place]).losses())
    assert [list(loss.costs_mrial) for loss in found] == (
        [[Key(LINE, OPERATOR, network_id, Language.PERSIAN) for network_id in (MCI, IRANCELL)]] if is_told else []
    )
    named = fixed(1_500, account_id=account_id, scope=Scope(line_id=LINE))
    assert bool(told(market([dearer], named, places=[place]))) == (is_told or place.operator_id != OPERATOR)


def test_a_price_of_a_line_that_is_nobodys_any_more_is_no_loss() -> None:
    assert told(market([rate(2_000, scope=Scope(line_id=LINE))], fixed(1_500, scope=Scope(line_id=LINE)))) == []
