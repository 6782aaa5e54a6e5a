"""Ours against theirs: every message is matched, only ours, only theirs or different; and what is explained stays so
while its figures do."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest

from jobs import watching
from sms.core import clock
from sms.core.actor import Actor
from sms.core.calendar import day_of, start_of_day
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import Refusal
from sms.dashboard.reconciliation import queries
from sms.dashboard.reconciliation.operations import comparing, credit, statements
from sms.dashboard.reconciliation.rules import Kind, Reason
from sms.operators.operations import Checked, note_checked
from tests.factories import AT, Shop, make_account, make_campaign, make_gateway
from tests.outbox.conftest import Steps

DAY = day_of(AT)
HEADS = ["ref", "our id", "parts", "cost"]
BY = Actor()


def _keep(shop: Shop, cells: Sequence[Sequence[object]], *, day: date = DAY, at: datetime = AT) -> int:
    table = [HEADS, *[[str(cell) for cell in line] for line in cells]]
    with transaction():
        statement_id = statements.keep_statement(
            enumerate(table, start=1), gateway_id=shop.gateway_id, day=day, file_name="s.csv", by=BY, at=at
        )
    _compare(statement_id)
    return statement_id


def _compare(statement_id: int) -> None:
    with transaction():
        comparing.compare(statement_id=statement_id, at=clock.now())


def _fair(ids: Sequence[int]) -> list[list[object]]:
    return [[f"ref{each}", "", 1, 600] for each in ids]


def _kinds(shop: Shop) -> list[tuple[str, int | None, int | None]]:
    found = queries.differences(gateway_id=shop.gateway_id, day=DAY)
    return sorted((each.kind, each.message_id, each.row_number) for each in found)


def test_a_statement_that_says_the_same_leaves_nothing_open(shop: Shop, sent: list[int]) -> None:
    _keep(shop, _fair(sent))
    found = queries.day_of_gateway(gateway_id=shop.gateway_id, day=DAY)
    assert (found.count, found.their_count, found.matched_count, found.open_count) == (10, 10, 10, 0)
    assert found.credit.cost_mrial == 10 * 600_000
    assert not found.is_open


def test_every_difference_is_of_its_kind(shop: Shop, sent: list[int]) -> None:
    lines = _fair(sent[2:])  # two are missing
    lines[0][3] = 700  # dearer
    lines[1][2] = 2  # more parts
    lines.append([f"ref{sent[4]}", "", 1, 600])  # one is stated twice
    lines.append(["nobody", "", 1, 600])
    lines.append(["", sent[5] + 10**9, 1, 600])  # an id that is none of ours
    _keep(shop, lines)
    assert _kinds(shop) == [
        *(("differs", each, 2 + place) for place, each in enumerate(sent[2:5])),
        ("only_ours", sent[0], None),
        ("only_ours", sent[1], None),
        ("only_theirs", None, 11),
        ("only_theirs", None, 12),
    ]
    found = queries.comparison(gateway_id=shop.gateway_id, day=DAY)
    assert found is not None
    assert (found.our_count, found.their_count, found.matched_count) == (10, 11, 5)
    assert (found.only_ours_count, found.only_ours_mrial) == (2, 1_200_000)
    assert (found.only_theirs_count, found.only_theirs_mrial) == (2, 1_200_000)
    assert (found.differs_count, found.differs_mrial) == (3, 100_000 + 0 + 600_000)


def test_a_message_is_found_by_our_id_where_the_operator_has_none(shop: Shop, sent: list[int]) -> None:
    _keep(shop, [["", each, 1, 600] for each in sent])
    assert _kinds(shop) == []


def test_what_the_statement_does_not_say_is_not_compared(shop: Shop, sent: list[int]) -> None:
    _keep(shop, [[f"ref{each}", "", "", ""] for each in sent])
    assert _kinds(shop) == []


def test_parts_reported_one_by_one_are_added_up(shop: Shop, steps: Steps) -> None:
    make_campaign(shop, size=1)
    with transaction():
        execute("UPDATE outbox_message SET parts = 2")
    (batch,) = steps.send()
    message_id = batch.recipients[0].message_id
    with transaction():
        execute(
            "INSERT INTO outbox_part (message_id, attempt, part, total, gateway_id, operator_ref)"
            " SELECT :id, 1, n, 2, :gateway, 'p' || n FROM generate_series(1, 2) AS n",
            id=message_id,
            gateway=shop.gateway_id,
        )
    _keep(shop, [["p1", "", 1, 300], ["p2", "", 1, 300]])
    assert _kinds(shop) == []


def test_the_other_gateway_and_the_other_day_are_not_mixed_in(shop: Shop, steps: Steps, sent: list[int]) -> None:
    make_campaign(shop, size=3)
    later = [each.message_id for batch in steps.send(at=AT + timedelta(days=1)) for each in batch.recipients]
    _keep(shop, [*_fair(sent), *_fair(later)])
    found = queries.comparison(gateway_id=shop.gateway_id, day=DAY)
    assert found is not None
    assert (found.our_count, found.elsewhere_count, found.only_theirs_count) == (10, 3, 0)
    assert _kinds(shop) == []
    _, other = make_gateway(operator_code="1000")
    with transaction():
        statements.keep_statement(
            enumerate([HEADS, *_text(_fair(sent))], start=1), gateway_id=other, day=DAY, file_name="x", by=BY, at=AT
        )
    watching.watch()
    theirs = queries.comparison(gateway_id=other, day=DAY)
    assert theirs is not None
    assert (theirs.our_count, theirs.only_theirs_count) == (0, 10)


def _text(cells: Sequence[Sequence[object]]) -> list[list[str]]:
    return [[str(cell) for cell in line] for line in cells]


def test_a_second_file_of_the_day_fills_what_the_first_left_out(shop: Shop, sent: list[int]) -> None:
    first = _keep(shop, _fair(sent[:6]))
    assert len(_kinds(shop)) == 4
    _keep(shop, _fair(sent[6:]))
    assert _kinds(shop) == []
    with transaction():
        statements.void_statement(statement_id=first, by=BY, at=AT)
    watching.watch()
    assert [kind for kind, *_ in _kinds(shop)] == ["only_ours"] * 6


def test_an_explanation_stays_while_the_figures_stay(shop: Shop, sent: list[int]) -> None:
    _, user_id, _ = make_account()
    lines = _fair(sent)
    lines[0][3] = lines[1][3] = 700
    first = _keep(shop, lines)
    with transaction():
        count = statements.explain_all(
            gateway_id=shop.gateway_id,
            day=DAY,
            kind=Kind.DIFFERS,
            reason=Reason.OTHER_PRICE,
            note="since Monday",
            by=Actor(id=user_id),
            at=AT,
        )
    assert count == 2
    _compare(first)
    explained = queries.differences(gateway_id=shop.gateway_id, day=DAY, is_open=False)
    assert {(each.reason, each.note) for each in explained} == {("other_price", "since Monday")}
    assert not queries.day_of_gateway(gateway_id=shop.gateway_id, day=DAY).is_open
    with transaction():
        execute("UPDATE dashboard_statement_row SET cost_mrial = 800000 WHERE number = 2")
    _compare(first)
    (again,) = queries.differences(gateway_id=shop.gateway_id, day=DAY, is_open=True)
    assert (again.message_id, again.their_cost_mrial, again.note) == (sent[0], 800_000, "")


def test_a_file_without_one_readable_row_leaves_nothing_behind(shop: Shop, sent: list[int]) -> None:
    with pytest.raises(Refusal):
        _keep(shop, [["", "", 1, 1]])
    assert scalar("SELECT count(*) FROM dashboard_statement") == 0
    assert scalar("SELECT count(*) FROM dashboard_statement_row") == 0


# Credit


def _read(shop: Shop, credit_mrial: int, at: datetime) -> None:
    with transaction():
        note_checked(Checked(shop.gateway_id, balance_mrial=credit_mrial), at=at)


def test_readings_are_kept_when_they_change_and_each_hour(shop: Shop) -> None:
    for minutes, amount in ((0, 100), (1, 100), (2, 90), (30, 90), (62, 90), (63, 90)):
        _read(shop, amount, AT + timedelta(minutes=minutes))
    found = rows("SELECT credit_mrial FROM operators_credit_reading ORDER BY at")
    assert [each.credit_mrial for each in found] == [100, 90, 90]


def test_the_drop_of_the_credit_is_our_cost_and_what_is_not_is_open_until_explained(
    shop: Shop, sent: list[int]
) -> None:
    begins = start_of_day(DAY)
    _read(shop, 50_000_000, begins - timedelta(minutes=5))
    _read(shop, 46_000_000, AT + timedelta(minutes=1))
    with transaction():
        credit.buy_credit(
            gateway_id=shop.gateway_id, amount_mrial=2_000_000, bought_at=AT, note="invoice 7", by=BY, at=AT
        )
    found = queries.day_of_gateway(gateway_id=shop.gateway_id, day=DAY)
    assert (found.credit.drop_mrial, found.credit.expected_mrial) == (6_000_000, 6_000_000)
    assert not found.is_open
    _read(shop, 45_000_000, AT + timedelta(hours=1))
    assert queries.day_of_gateway(gateway_id=shop.gateway_id, day=DAY).is_open
    with transaction():
        statements.explain_credit(
            gateway_id=shop.gateway_id, day=DAY, reason=Reason.BY_HAND, note="a test of theirs", by=BY, at=AT
        )
    found = queries.day_of_gateway(gateway_id=shop.gateway_id, day=DAY)
    assert (found.credit.difference_mrial, found.is_open) == (1_000_000, False)
    _read(shop, 44_000_000, AT + timedelta(hours=2))
    assert queries.day_of_gateway(gateway_id=shop.gateway_id, day=DAY).is_open  # other figures, another difference


def test_a_purchase_that_was_entered_wrongly_counts_no_more(shop: Shop) -> None:
    with transaction():
        purchase = credit.buy_credit(gateway_id=shop.gateway_id, amount_mrial=5, bought_at=AT, by=BY, at=AT)
    assert queries.credit_day(gateway_id=shop.gateway_id, day=DAY).bought_mrial == 5
    with transaction():
        credit.void_purchase(purchase_id=purchase, by=BY, at=AT)
    assert queries.credit_day(gateway_id=shop.gateway_id, day=DAY).bought_mrial == 0
    found = row("SELECT amount_mrial FROM dashboard_credit_purchase")
    assert found is not None
    assert found.amount_mrial == 5


def test_credit_without_a_difference_is_not_explained(shop: Shop) -> None:
    with pytest.raises(Refusal), transaction():
        statements.explain_credit(gateway_id=shop.gateway_id, day=DAY, reason=Reason.OTHER, note="", by=BY, at=AT)
