"""The moves of an order as a table, and what may be asked for."""

from itertools import product

import pytest

from sms.lines.orders.rules import (
    FOR_STAFF,
    HOLDING,
    NEXT,
    OPEN,
    ORDER_LABELS,
    OrderState,
    Side,
    WrongMove,
    check_move,
    check_number,
    lines_of,
    moves_of,
    quote_end,
    shares,
)
from sms.lines.rules import UnusableLine
from tests.factories import AT

S = OrderState
STAFF, CUSTOMER, PANEL = Side.STAFF, Side.CUSTOMER, Side.PANEL

# Rows: from; columns: to. Whose move it is, or nobody's.
TABLE = {
    #            inquiry quoted   approved   purchased  active  rejected expired cancelled
    S.INQUIRY: (None, STAFF, None, None, None, STAFF, None, CUSTOMER),
    S.QUOTED: (None, STAFF, CUSTOMER, None, None, STAFF, PANEL, CUSTOMER),
    S.APPROVED: (None, None, None, STAFF, None, STAFF, None, CUSTOMER),
    S.PURCHASED: (None, None, None, None, STAFF, STAFF, None, None),
    S.ACTIVE: (None,) * 8,
    S.REJECTED: (None,) * 8,
    S.EXPIRED: (None,) * 8,
    S.CANCELLED: (None,) * 8,
}


@pytest.mark.parametrize(("before", "after"), list(product(S, S)), ids=str)
def test_every_move(before: OrderState, after: OrderState) -> None:
    whose = TABLE[before][list(S).index(after)]
    if whose is None:
        with pytest.raises(WrongMove):
            check_move(before, after)
        assert not any(after in moves_of(side, before) for side in Side)
    else:
        assert check_move(before, after) is whose
        assert [side for side in Side if after in moves_of(side, before)] == [whose]


def test_states_are_told_apart() -> None:
    assert {state for state in S if any(TABLE[state])} == OPEN
    assert set(FOR_STAFF) | HOLDING <= OPEN
    assert set(ORDER_LABELS) == set(NEXT) == set(S)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("  ", ""), ("30001404", "30001404"), ("+98 3000 1404", "30001404"), ("۳۰۰۰۱۴۰۴", "30001404")],
)
def test_a_wanted_number_is_read_in_any_spelling(text: str, expected: str) -> None:
    assert check_number(text, operator_code="3000", digits=8) == expected


@pytest.mark.parametrize("text", ["300014", "3000140455", "20001404", "abc"])
def test_a_number_that_cannot_be_the_one_is_refused(text: str) -> None:
    with pytest.raises(UnusableLine) as caught:
        check_number(text, operator_code="3000", digits=8)
    assert caught.value.field == "number"


@pytest.mark.parametrize("days", [0, -1, 61, 10**9])
def test_a_quote_holds_for_a_while_and_not_for_ever(days: int) -> None:
    with pytest.raises(UnusableLine):
        quote_end(days, at=AT)


@pytest.mark.parametrize(
    ("number", "digits", "count", "last"),
    [("30001404", 8, 1, "30001404"), ("3000140", 8, 10, "30001409"), ("300014", 8, 100, "30001499"),
     ("30001", 8, 100, "30001099")],
)  # fmt: skip
def test_a_range_stands_for_its_numbers(number: str, digits: int, count: int, last: str) -> None:
    found = lines_of(number, digits)
    assert (len(set(found)), found[-1]) == (count, last)


@pytest.mark.parametrize(("amount", "count"), [(0, 1), (7, 3), (1_000_000_007, 100)])
def test_nothing_is_lost_when_a_price_is_parted(amount: int, count: int) -> None:
    assert sum(shares(amount, count)) == amount
