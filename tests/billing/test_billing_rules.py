"""Which price and which rule is meant: a line before its operator, one network before any, the later before the
earlier; and rows that follow each other without a gap or an overlap."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.billing.rules import (
    NEVER_CHARGED,
    REFUNDABLE,
    Ending,
    Language,
    Phase,
    Rate,
    Refund,
    RefundResolver,
    Rule,
    Scope,
    make_room,
    margin_percent,
    most_specific,
    phase,
    refund_of,
    together,
)
from sms.operators.rules import Outcome

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
LINE, OTHER_LINE, OPERATOR, OTHER_OPERATOR, MCI, IRANCELL = 7, 8, 3, 4, 1, 2


def day(number: float) -> datetime:
    """So many days after AT."""
    return AT + timedelta(days=number)


def rate(row_id: int, scope: Scope, begins: float = -10, ends: float | None = None) -> Rate:
    """A price row; its id tells which one was chosen."""
    until = day(ends) if ends is not None else None
    return Rate(row_id, scope, day(begins), until, Language.PERSIAN, 1_000, 600)


OF_OPERATOR = Scope(operator_id=OPERATOR)
OF_OPERATOR_TO_MCI = Scope(operator_id=OPERATOR, network_id=MCI)
OF_LINE = Scope(line_id=LINE)
OF_LINE_TO_MCI = Scope(line_id=LINE, network_id=MCI)


@pytest.mark.parametrize(
    ("rows", "network_id", "chosen"),
    [
        ([], MCI, None),
        ([rate(1, OF_OPERATOR)], MCI, 1),
        ([rate(1, Scope(operator_id=OTHER_OPERATOR))], MCI, None),
        ([rate(1, Scope(line_id=OTHER_LINE))], MCI, None),
        ([rate(1, OF_OPERATOR_TO_MCI)], IRANCELL, None),
        ([rate(1, OF_OPERATOR), rate(2, OF_OPERATOR_TO_MCI)], MCI, 2),
        ([rate(1, OF_OPERATOR), rate(2, OF_OPERATOR_TO_MCI)], IRANCELL, 1),
        ([rate(1, OF_OPERATOR), rate(2, OF_LINE)], MCI, 2),
        ([rate(1, OF_OPERATOR_TO_MCI), rate(2, OF_LINE)], MCI, 2),
        ([rate(1, OF_LINE), rate(2, OF_LINE_TO_MCI), rate(3, OF_OPERATOR_TO_MCI)], MCI, 2),
        ([rate(1, OF_LINE), rate(2, OF_LINE_TO_MCI), rate(3, OF_OPERATOR_TO_MCI)], IRANCELL, 1),
        ([rate(1, OF_OPERATOR, -5), rate(2, OF_OPERATOR, -9)], MCI, 1),
        ([rate(1, OF_OPERATOR, -5), rate(2, OF_OPERATOR, -5)], MCI, 2),
        ([rate(1, OF_OPERATOR, -5, ends=-1)], MCI, None),
        ([rate(1, OF_OPERATOR, -5, ends=0)], MCI, None),
        ([rate(1, OF_OPERATOR, -5, ends=0.001)], MCI, 1),
        ([rate(1, OF_OPERATOR, 0)], MCI, 1),
        ([rate(1, OF_OPERATOR, 0.001)], MCI, None),
        ([rate(1, OF_OPERATOR), rate(2, OF_LINE, 1)], MCI, 1),
        ([rate(1, OF_OPERATOR), rate(2, OF_LINE, -2, ends=-1)], MCI, 1),
    ],
)
def test_the_most_specific_row_in_force_is_meant(rows, network_id, chosen):
    for order in (rows, rows[::-1]):
        found = most_specific(order, line_id=LINE, operator_id=OPERATOR, network_id=network_id, at=AT)
        assert (found.id if found else None) == chosen


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [
        (-1, None, Phase.CURRENT),
        (0, None, Phase.CURRENT),
        (-1, 1, Phase.CURRENT),
        (1, None, Phase.COMING),
        (1, 2, Phase.COMING),
        (-2, -1, Phase.ENDED),
        (-1, 0, Phase.ENDED),
        (1, 1, Phase.ENDED),
        (-1, -1, Phase.ENDED),
    ],
)
def test_a_row_holds_from_its_first_moment_until_before_its_last(begins, ends, expected):
    until = day(ends) if ends is not None else None
    assert phase(valid_from=day(begins), valid_until=until, at=AT) is expected


@pytest.mark.parametrize(
    ("existing", "begins", "expected"),
    [
        ([], 0, Ending((), None)),
        ([(1, -5, None)], 0, Ending(((1, 0),), None)),
        ([(1, -5, 3)], 0, Ending(((1, 0),), None)),
        ([(1, -5, -2)], 0, Ending((), None)),
        ([(1, -5, 0)], 0, Ending((), None)),
        ([(1, 0, None)], 0, Ending(((1, 0),), None)),
        ([(1, 4, None)], 0, Ending((), 4)),
        ([(1, -5, 4), (2, 4, None)], 0, Ending(((1, 0),), 4)),
        ([(1, 4, None), (2, 9, None)], 0, Ending((), 4)),
        ([(1, 4, 4), (2, 9, None)], 0, Ending((), 9)),
        ([(1, -5, None)], 7, Ending(((1, 7),), None)),
    ],
)
def test_a_new_row_makes_room_for_itself(existing, begins, expected):
    rows = [(row_id, day(first), day(last) if last is not None else None) for row_id, first, last in existing]
    ends = tuple((row_id, day(when)) for row_id, when in expected.ends)
    until = day(expected.valid_until) if expected.valid_until is not None else None
    assert make_room(rows, valid_from=day(begins)) == Ending(ends, until)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_rows_added_in_any_order_never_overlap_and_leave_no_gap(beginnings):
    rows: dict[int, tuple[datetime, datetime | None]] = {}
    for row_id, begins in enumerate(beginnings):
        room = make_room([(each, *dates) for each, dates in rows.items()], valid_from=day(begins))
        for ended, when in room.ends:
            rows[ended] = (rows[ended][0], when)
        rows[row_id] = (day(begins), room.valid_until)
    for number in range(-1, 32):
        in_force = [
            row_id
            for row_id, (first, last) in rows.items()
            if phase(valid_from=first, valid_until=last, at=day(number)) is Phase.CURRENT
        ]
        latest = max((begins for begins in beginnings if begins <= number), default=None)
        assert len(in_force) == (latest is not None)
        if in_force:
            assert rows[in_force[0]][0] == day(latest)


def _rule(row_id: int, scope: Scope, outcome: Outcome = Outcome.BLOCKED, percent: int = 100) -> Rule:
    return Rule(row_id, scope, day(-10), None, outcome, percent, 0, "")


@pytest.mark.parametrize(
    ("rules", "network_id", "outcome", "chosen"),
    [
        ([_rule(1, OF_OPERATOR)], MCI, Outcome.BLOCKED, 1),
        ([_rule(1, OF_OPERATOR)], MCI, Outcome.UNDELIVERED, None),
        ([_rule(1, OF_OPERATOR), _rule(2, OF_LINE, percent=0)], MCI, Outcome.BLOCKED, 2),
        ([_rule(1, OF_OPERATOR), _rule(2, OF_OPERATOR_TO_MCI)], MCI, Outcome.BLOCKED, 2),
        ([_rule(1, OF_OPERATOR), _rule(2, OF_OPERATOR_TO_MCI)], IRANCELL, Outcome.BLOCKED, 1),
        ([_rule(1, OF_OPERATOR, Outcome.DELIVERED)], MCI, Outcome.DELIVERED, None),
        ([_rule(1, OF_OPERATOR)], MCI, Outcome.EXPIRED, None),
        ([_rule(1, OF_OPERATOR, Outcome.EXPIRED)], MCI, Outcome.EXPIRED, 1),
        ([_rule(1, Scope(operator_id=OTHER_OPERATOR))], MCI, Outcome.BLOCKED, None),
    ],
)
def test_the_resolver_finds_the_rule_of_a_message(rules, network_id, outcome, chosen):
    resolver = RefundResolver(rules, {LINE: OPERATOR}, AT)
    for _ in range(2):
        found = resolver.rule(line_id=LINE, network_id=network_id, outcome=outcome)
        assert (found.id if found else None) == chosen


def test_a_line_the_resolver_was_not_made_for_has_no_rule():
    resolver = RefundResolver([_rule(1, OF_OPERATOR)], {LINE: OPERATOR}, AT)
    assert resolver.rule(line_id=OTHER_LINE, network_id=MCI, outcome=Outcome.BLOCKED) is None


def test_nothing_comes_back_for_what_was_delivered_or_never_charged():
    assert Outcome.DELIVERED not in REFUNDABLE
    assert not NEVER_CHARGED & set(REFUNDABLE)
    assert {*REFUNDABLE, *NEVER_CHARGED, Outcome.DELIVERED} == set(Outcome)


@pytest.mark.parametrize(
    ("refund", "words", "when"),
    [
        (Refund(100, 0, ""), "the whole price comes back", "as soon as the operator reports it"),
        (Refund(50, 0, ""), "50 percent comes back", "as soon as the operator reports it"),
        (Refund(100, 48 * 3600, ""), "the whole price comes back", "48 hours after sending"),
        (Refund(100, 90, ""), "the whole price comes back", "90 seconds after sending"),
        (Refund(100, 300, ""), "the whole price comes back", "5 minutes after sending"),
        (Refund(0, 0, ""), "nothing comes back", "as soon as the operator reports it"),
    ],
)
def test_a_refund_is_said_in_words(refund, words, when):
    said, places = refund.words
    assert said % places == words
    said, places = refund.when
    assert said % places == when


def test_no_rule_and_a_rule_of_nothing_both_give_nothing_back():
    assert refund_of(None) == Refund(0, 0, "")
    assert refund_of(_rule(1, OF_LINE, percent=0)) == Refund(0, 0, "")
    assert refund_of(_rule(1, OF_LINE, percent=30)) == Refund(30, 0, "")


@pytest.mark.parametrize(
    ("price", "cost", "percent"), [(1_000, 600, 40), (1_000, 1_000, 0), (1_000, 1_500, -50), (3, 1, 66), (0, 5, None)]
)
def test_the_margin_is_what_a_price_leaves(price, cost, percent):
    assert margin_percent(price_mrial=price, cost_mrial=cost) == percent


def test_networks_of_one_value_stand_together():
    assert together({1: "a", 2: "b", 3: "a", 0: "b"}) == [((1, 3), "a"), ((2, 0), "b")]
