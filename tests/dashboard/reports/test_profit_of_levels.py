"""Each level of the tree reads its own money: what it is paid, what it pays, and what is left, to the milli-rial."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from sms.core.calendar import day_of
from sms.core.db import execute, rows, scalar, transaction
from sms.dashboard.reports import queries
from sms.dashboard.reports.queries import ReportFilter
from sms.dashboard.reports.rules import Group, Scope, Sums, Whose
from sms.operators.rules import Outcome
from sms.outbox.operations import hours, refunds
from sms.outbox.operations.outcomes import Final, apply
from tests.dashboard.reports.conftest import count_hours
from tests.factories import AT, Tree, make_tree
from tests.outbox.conftest import Steps
from tests.outbox.tree import COST, SUB, TARIFF, TOP, Books, recorded
from tests.outbox.visits import signed_in

EVER = ReportFilter(day_of(AT) - timedelta(days=5), day_of(AT) + timedelta(days=40))


@pytest.fixture
def tree(app: Flask) -> Tree:
    """A reseller, its sub-reseller, and that one's customer."""
    return make_tree()


@pytest.fixture
def books(tree: Tree) -> Iterator[Books]:
    """The tree with ten messages sent, three of them blocked and paid back."""
    found = Books(tree)
    found.send(10)
    Steps(tree.shop).send()
    sent = [row.message_id for row in rows("SELECT message_id FROM outbox_submission ORDER BY 1")]
    with transaction():
        apply([Final(message_id, Outcome.BLOCKED, "1") for message_id in sent[:3]], at=AT)
    with transaction():
        refunds.post_due(most=2, at=AT + timedelta(days=1))
    with transaction():
        refunds.post_due(most=100, at=AT + timedelta(days=2))
    count_hours()
    yield found
    Steps(tree.shop).verify()


def _total(whose: Whose, account_id: int | None) -> Sums:
    return queries.total(Scope(whose, account_id, whose, account_id or 0), EVER).sums


def test_each_level_is_paid_by_the_one_below_and_pays_the_one_above(books: Books, tree: Tree) -> None:
    sub_id, top_id = tree.payers
    own = _total(Whose.OWN, tree.shop.account_id)
    sub = _total(Whose.TREE, sub_id)
    top = _total(Whose.TREE, top_id)
    house = _total(Whose.HOUSE, None)
    assert own.revenue_mrial == sub.revenue_mrial == 7 * SUB
    assert sub.net_cost_mrial == top.revenue_mrial == 7 * TOP
    assert top.net_cost_mrial == house.revenue_mrial == 7 * TARIFF
    assert house.net_cost_mrial == 7 * COST
    assert (sub.profit_mrial, top.profit_mrial) == books.profits
    assert house.profit_mrial == recorded("revenue")
    assert own.net_cost_mrial == 0  # what the others pay is nothing to the customer


def test_a_day_of_refunds_gives_the_profit_back(books: Books, tree: Tree) -> None:
    sub_id, _ = tree.payers
    days = queries.report(Scope(Whose.TREE, sub_id, Whose.TREE, sub_id), EVER, Group.DAY)
    assert [each.sums.profit_mrial // (SUB - TOP) for each in days] == [10, -2, -1]


def test_shares_are_counted_by_the_difference_and_forgotten_with_their_batches(books: Books, tree: Tree) -> None:
    before = [tuple(row) for row in rows("SELECT * FROM lines_share_hour ORDER BY 1, 2, 3, 4, 5, 6")]
    with transaction():
        execute("UPDATE outbox_batch SET uncounted_at = now()")
    count_hours()
    assert [tuple(row) for row in rows("SELECT * FROM lines_share_hour ORDER BY 1, 2, 3, 4, 5, 6")] == before
    left = [row.id for row in rows("SELECT id FROM outbox_message WHERE outcome IS NULL")]
    with transaction():
        apply([Final(message_id, Outcome.DELIVERED, "1") for message_id in left], at=AT)
    count_hours()
    with transaction():
        assert hours.prune(at=AT + timedelta(days=400)) == 1
    assert scalar("SELECT count(*) FROM outbox_batch_share") == 0
    assert [tuple(row) for row in rows("SELECT * FROM lines_share_hour ORDER BY 1, 2, 3, 4, 5, 6")] == before


def test_a_reseller_reads_its_profit_on_the_page_and_not_its_neighbours(app: Flask, books: Books, tree: Tree) -> None:
    sub_id, top_id = tree.payers
    days = "since=2026-11-01&until=2026-12-01"
    sub = signed_in(app, sub_id).go(f"/reports?{days}")
    assert "+1,925 rial" in sub.text  # 7 × 275
    assert "+700 rial" not in sub.text
    top = signed_in(app, top_id).go(f"/reports?{days}&group=account")
    assert "+700 rial" in top.text  # 7 × 100
    assert "9,625 rial" not in top.text  # what the customer paid its own reseller
    book = signed_in(app, tree.shop.account_id).browser.get(f"/reports/export.csv?{days}").get_data(as_text=True)
    assert "Profit" not in book
