"""The inventory: how numbers are written, that none is there twice, and who gets one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from sms.core.actor import PANEL
from sms.core.db import execute, scalar, transaction
from sms.core.errors import Refusal
from sms.lines.formats import operations as formats
from sms.lines.formats.queries import sellers
from sms.lines.formats.rules.offers import Format
from sms.lines.formats.rules.sheet import Known
from sms.lines.formats.rules.tiers import Tier
from sms.lines.rules import UnusableLine
from sms.lines.stock import operations, queries
from sms.lines.stock.queries import StockFilter
from sms.lines.stock.rules import MOVES, NumberState, read_item, read_numbers
from sms.operators.rules import SaleMode
from tests.factories import AT, make_account, make_gateway, make_line

KNOWN = (
    Known(
        3, "3000", (Format(digits=8), Format(digits=10), Format(digits=12, sale_mode=SaleMode.RANGE, range_digits=2))
    ),
    Known(5, "5000", (Format(digits=9),)),
    Known(51, "50001", (Format(digits=10),)),
    Known(21, "021", (Format(digits=8),)),
)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("30001404", (3, "single", "30001404", 8)),
        ("۳۰۰۰ ۱۴۰۴", (3, "single", "30001404", 8)),
        ("+98 3000 1404", (3, "single", "30001404", 8)),
        ("009830001404", (3, "single", "30001404", 8)),
        ("3000123456xx", (3, "range", "3000123456", 12)),
        ("3000123456**", (3, "range", "3000123456", 12)),
        ("300012345600-300012345699", (3, "range", "3000123456", 12)),
        ("300012345600 تا 300012345699", (3, "range", "3000123456", 12)),
        ("500023456", (5, "single", "500023456", 9)),
        ("5000112345", (51, "single", "5000112345", 10)),
        ("02112345", (21, "single", "02112345", 8)),
    ],
)
def test_a_number_or_a_range_is_read_in_any_spelling(text: str, found: tuple[int, str, str, int]) -> None:
    item = read_item(text, KNOWN)
    assert (item.operator_id, item.kind, item.number, item.digits) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("300014040", "Operator 3000 sells no 9-digit numbers, only those of 8, 10, 12 digits."),
        ("70001404", "No operator's prefix begins “70001404”."),
        ("hello", "“hello” is no number."),
        ("", "“” is no number."),
        ("3000123x", "8-digit 3000 numbers are sold one by one."),
        ("300012345678", "12-digit 3000 numbers are sold by the range of 100: write its end as xx."),
        ("3000123456x", "Operator 3000 sells no 11-digit numbers, only those of 8, 10, 12 digits."),
        ("300012345600-300012345650", "is no whole range"),
        ("30001234-3000123", "is no whole range"),
    ],
)
def test_what_cannot_be_sold_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(UnusableLine) as refused:
        read_item(text, KNOWN)
    assert why in str(refused.value)


def test_a_list_has_a_tier_and_a_note_beside_its_numbers() -> None:
    read = read_numbers(
        [
            (1, ["شماره", "رندی", "یادداشت"]),
            (2, ["30001404", "رند", "سال"]),
            (3, ["30007777", "", ""]),
            (4, ["30001404", "", ""]),
            (5, ["30001405", "shiny", ""]),
            (6, ["300014059", "", ""]),
        ],
        KNOWN,
    )
    assert [(item.number, item.tier, item.override, item.note) for item in read.items.values()] == [
        ("30001404", "plain", "round", "سال"),
        ("30007777", "very_round", None, ""),
    ]
    assert [problem.place for problem in read.problems] == ["A4", "B5", "A6"]


def test_a_list_without_a_header_is_numbers() -> None:
    assert len(read_numbers([(1, ["30001404"]), (2, ["30001405"])], KNOWN).items) == 2


# In the database


@pytest.fixture
def operator_id(app: Flask) -> int:
    operator_id, _ = make_gateway()
    for each in (
        Format(digits=8, gives_priority=True),
        Format(digits=10),
        Format(digits=12, sale_mode=SaleMode.RANGE, range_digits=2),
    ):
        with transaction():
            formats.set_format(operator_id=operator_id, wanted=each, valid_from=None, by=PANEL, at=AT)
    return operator_id


def _add(*texts: str) -> list[int]:
    known = [Known(each.id, each.code, each.formats) for each in sellers(AT)]
    with transaction():
        items = [read_item(text, known) for text in texts]
        return operations.add_numbers(items, by=PANEL, at=AT)


def test_a_number_is_there_once_and_never_beside_a_line_or_inside_a_range(operator_id: int) -> None:
    make_line(operator_id=operator_id, gateway_id=make_gateway()[1], number="30009999")
    assert len(_add("30001404", "30001405")) == 2
    assert _add("30001404", "30009999") == []
    assert len(_add("3000123456xx", "3000123457xx")) == 2
    assert len(_add("3000123456", "30001234")) == 2  # other lengths are other numbers
    with pytest.raises(Exception, match="no_number_is_sold_twice"), transaction():
        execute(
            """INSERT INTO lines_number (operator_id, kind, number, digits, score, scored_tier, state, created_at,
                   state_at) VALUES (:id, 'single', '300012345678', 12, 0, 'plain', 'free', now(), now())""",
            id=operator_id,
        )


def _reserve(number_id: int, account_id: int, *, days: int = 3) -> None:
    with transaction():
        operations.reserve(
            number_id=number_id, account_id=account_id, until=AT + days * DAY, reason="asked", by=PANEL, at=AT
        )


def _state(number_id: int) -> tuple[str, int | None]:
    found = queries.number(number_id)
    return found.state, found.account_id


def test_a_reservation_ends_by_itself_and_both_steps_are_kept(operator_id: int) -> None:
    (number_id,), (account_id, _, _) = _add("30001404"), make_account()
    _reserve(number_id, account_id)
    with transaction():
        assert operations.end_reservations(most=10, at=AT + 2 * DAY) == 0
    assert _state(number_id) == ("reserved", account_id)
    with transaction():
        assert operations.end_reservations(most=10, at=AT + 3 * DAY) == 1
    assert _state(number_id) == ("free", None)
    assert [(step.from_state, step.to_state) for step in queries.steps(number_id)] == [
        ("reserved", "free"),
        ("free", "reserved"),
    ]


def test_a_reservation_for_which_money_is_held_does_not_end(operator_id: int) -> None:
    (number_id,), (account_id, _, _) = _add("30001404"), make_account()
    _reserve(number_id, account_id)
    with transaction():
        execute(
            """INSERT INTO lines_order (account_id, key, body_hash, operator_id, number_id, number, digits, tier,
                   choice, audience, state, is_list_priced, price_mrial, created_at, state_at)
               VALUES (:account, 'k', 'x', :operator, :number, '30001404', 8, 'plain', 'assigned', 'customer',
                   'approved', true, 1, now(), now())""",
            account=account_id,
            operator=operator_id,
            number=number_id,
        )
    with transaction():
        assert operations.end_reservations(most=10, at=AT + 30 * DAY) == 0
    with pytest.raises(Refusal, match="cancel the order first"), transaction():
        operations.release(number_id=number_id, reason="", by=PANEL, at=AT)


def test_of_many_who_want_one_number_one_gets_it(app: Flask, operator_id: int) -> None:
    (number_id,) = _add("30001404")
    accounts = [make_account()[0] for _ in range(8)]

    def want(account_id: int) -> int | None:
        with app.app_context():
            try:
                _reserve(number_id, account_id)
            except Refusal:
                return None
            return account_id

    with ThreadPoolExecutor(8) as pool:
        winners = [account_id for account_id in pool.map(want, accounts) if account_id is not None]
    assert len(winners) == 1
    assert _state(number_id) == ("reserved", winners[0])


@pytest.mark.parametrize("days", [0, -1, 91])
def test_a_reservation_has_bounds(operator_id: int, days: int) -> None:
    (number_id,), (account_id, _, _) = _add("30001404"), make_account()
    with pytest.raises(UnusableLine):
        _reserve(number_id, account_id, days=days)


def test_a_reserved_number_becomes_its_owners_and_nobody_elses(operator_id: int) -> None:
    (number_id,), (account_id, _, _), (other_id, _, _) = _add("30001404"), make_account(), make_account()
    line_id = make_line(operator_id=operator_id, gateway_id=make_gateway()[1], account_id=account_id, number="30001404")
    _reserve(number_id, account_id)
    with pytest.raises(Refusal, match="somebody else"), transaction():
        operations.hand_over(number_id=number_id, account_id=other_id, line_id=line_id, reason="", by=PANEL, at=AT)
    with transaction():
        operations.hand_over(number_id=number_id, account_id=account_id, line_id=line_id, reason="", by=PANEL, at=AT)
    for to in (NumberState.SUSPENDED, NumberState.EXPIRED):
        with transaction():
            operations.move(number_id=number_id, to=to, reason="not renewed", by=PANEL, at=AT)
    assert _state(number_id) == ("expired", account_id)
    with transaction():
        operations.release(number_id=number_id, reason="gave it back", by=PANEL, at=AT)
    assert _state(number_id) == ("free", None)
    with pytest.raises(Refusal), transaction():
        operations.move(number_id=number_id, to=NumberState.ACTIVE, reason="", by=PANEL, at=AT)


def test_every_state_can_be_left_and_reached() -> None:
    assert set(MOVES) == set(NumberState)
    assert set().union(*MOVES.values()) == set(NumberState)


def test_a_tier_is_overridden_and_given_back(operator_id: int) -> None:
    (number_id,) = _add("30001404")
    for override, tier in ((Tier.ROUND, "round"), (None, "plain")):
        with transaction():
            operations.change_number(number_id=number_id, override=override, note="year", by=PANEL, at=AT)
        assert queries.number(number_id).tier == tier


def test_only_what_was_never_ordered_is_removed(operator_id: int) -> None:
    (number_id,), (account_id, _, _) = _add("30001404"), make_account()
    _reserve(number_id, account_id)
    with pytest.raises(Refusal), transaction():
        operations.remove(number_id=number_id, by=PANEL, at=AT)
    with transaction():
        operations.release(number_id=number_id, reason="", by=PANEL, at=AT)
    with transaction():
        operations.remove(number_id=number_id, by=PANEL, at=AT)
    assert scalar("SELECT count(*) FROM lines_number") == 0


def test_the_owner_of_a_shorter_number_comes_first(operator_id: int) -> None:
    account_id, _, _ = make_account()
    gateway_id = make_gateway()[1]
    make_line(operator_id=operator_id, gateway_id=gateway_id, account_id=account_id, number="30001404")
    make_line(operator_id=operator_id, gateway_id=gateway_id, number="30005050")
    found = queries.priority_owner(operator_id=operator_id, number="3000140455", at=AT)
    assert found is not None
    assert (found.account_id, found.number) == (account_id, "30001404")
    for number in ("3000150455", "3000505099", "30001404"):
        assert queries.priority_owner(operator_id=operator_id, number=number, at=AT) is None


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (StockFilter(), ["3000123456", "30007777", "30001404"]),
        (StockFilter(ends="404"), ["30001404"]),
        (StockFilter(begins="30001"), ["3000123456", "30001404"]),
        (StockFilter(digits=10), ["3000123456"]),
        (StockFilter(tier="very_round"), ["3000123456", "30007777"]),
        (StockFilter(state="reserved"), []),
    ],
)
def test_the_list_is_narrowed(operator_id: int, wanted: StockFilter, numbers: list[str]) -> None:
    _add("30001404", "30007777", "3000123456")
    assert [each.number for each in queries.numbers_page(wanted, before=None, most=9)] == numbers
