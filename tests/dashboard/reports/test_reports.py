"""Reports are the sums of the messages, grouped as one likes; and everybody sees only what is theirs."""

import csv
import io
from dataclasses import replace
from datetime import date, timedelta

import pytest
from flask import Flask

from sms.core.calendar import day_of
from sms.core.db import row, rows, transaction
from sms.core.sheets.table import read_table
from sms.dashboard.reports import queries
from sms.dashboard.reports.queries import ReportFilter
from sms.dashboard.reports.rules import Group, Scope, Sums, Whose, period
from sms.operators.rules import Outcome
from sms.outbox.operations import campaigns, refunds
from sms.outbox.operations.outcomes import Final, apply, overrule
from sms.outbox.rules import COUNT_COLUMNS
from tests.dashboard.reports.conftest import count_hours
from tests.factories import AT, Shop, make_account, make_campaign
from tests.outbox.conftest import Steps, accepted, refused
from tests.outbox.visits import signed_in, staff

HOUSE = Scope(Whose.HOUSE, None, Whose.HOUSE)
EVER = ReportFilter(day_of(AT) - timedelta(days=5), day_of(AT) + timedelta(days=40))
TODAY = ReportFilter(day_of(AT), day_of(AT))


def _ids(campaign_id: int) -> list[int]:
    sql = "SELECT s.message_id AS id FROM outbox_submission s JOIN outbox_message m ON m.id = s.message_id"
    return [found.id for found in rows(f"{sql} WHERE m.campaign_id = :id ORDER BY 1", id=campaign_id)]


def _report(ids: list[int], outcome: Outcome, after: timedelta = timedelta(minutes=1)) -> None:
    finals = [Final(message_id, outcome, "1") for message_id in ids]
    with transaction():
        ended = set(apply(finals, at=AT + after))
        overrule([final for final in finals if final.message_id not in ended], at=AT + after)


def _history(steps: Steps, shop: Shop) -> None:
    """Sends of two days: delivered, blocked and paid back, refused, cancelled, waiting; and a report that comes late
    and says more."""
    first = make_campaign(shop, size=20)
    steps.send(accepted, at=AT)
    _report(_ids(first)[:10], Outcome.DELIVERED)
    _report(_ids(first)[10:15], Outcome.UNDELIVERED)
    make_campaign(shop, size=5)
    steps.send(refused, at=AT)
    cancelled = make_campaign(shop, size=10)
    steps.record(steps.mark(steps.claim(most=1)), accepted, at=AT)
    with transaction():
        campaigns.cancel(account_id=shop.account_id, campaign_id=cancelled, at=AT)
    with transaction():
        campaigns.finish_cancelled(most=10, at=AT)
    count_hours()
    second = make_campaign(shop, size=8, price_mrial=2_000_000, cost_mrial=2_500_000)
    steps.send(accepted, at=AT + timedelta(days=1))
    _report(_ids(second)[:3], Outcome.BLOCKED, timedelta(days=1, minutes=1))
    _report(_ids(first)[10:12], Outcome.DELIVERED, timedelta(days=9))
    with transaction():
        refunds.post_due(most=2, at=AT + timedelta(days=2))
    with transaction():
        refunds.post_due(most=100, at=AT + timedelta(days=3))
    count_hours()


_OF_MESSAGES = f"""
SELECT count(s.message_id) AS submitted, count(*) FILTER (WHERE s.message_id IS NULL) AS unsent,
       count(*) FILTER (WHERE s.message_id IS NOT NULL AND m.outcome = 'delivered') AS delivered,
       count(*) FILTER (WHERE s.message_id IS NOT NULL AND m.outcome <> 'delivered') AS failed,
       coalesce(sum(m.parts) FILTER (WHERE s.message_id IS NOT NULL), 0)::bigint AS parts,
       coalesce(sum(m.price_mrial) FILTER (WHERE s.message_id IS NOT NULL), 0)::bigint AS price_mrial,
       coalesce(sum(m.cost_mrial) FILTER (WHERE s.message_id IS NOT NULL), 0)::bigint AS cost_mrial,
       count(r.transfer_id) AS refund_count,
       coalesce(sum(r.amount_mrial) FILTER (WHERE r.transfer_id IS NOT NULL), 0)::bigint AS refund_mrial,
       coalesce(sum(r.cost_mrial) FILTER (WHERE r.transfer_id IS NOT NULL), 0)::bigint AS refund_cost_mrial,
       {", ".join(f"count(*) FILTER (WHERE m.outcome = '{code}') AS {name}" for code, name in COUNT_COLUMNS.items())}
FROM outbox_message m LEFT JOIN outbox_submission s ON s.message_id = m.id
LEFT JOIN outbox_refund r ON r.message_id = m.id
WHERE m.batch_id IS NOT NULL AND (s.message_id IS NOT NULL OR m.outcome IS NOT NULL)
"""  # noqa: S608 - the words put in are our own


def test_a_report_is_the_sum_of_the_messages_after_sends_refunds_late_reports_and_cancels(
    steps: Steps, shop: Shop
) -> None:
    _history(steps, shop)
    other, user_id, wallet_id = make_account()
    theirs = replace(shop, account_id=other, user_id=user_id, wallet_id=wallet_id)
    make_campaign(theirs, size=6)
    steps.send(accepted, at=AT)
    count_hours()
    found = queries.total(HOUSE, EVER)
    summed = row(_OF_MESSAGES)
    assert summed is not None
    expected = dict(summed._mapping)
    assert {name: getattr(found.sums, name) for name in queries._NAMES} == {n: expected[n] for n in queries._NAMES}
    assert {COUNT_COLUMNS[code]: count for code, count in found.outcomes.items()} == {
        name: expected[name] for name in COUNT_COLUMNS.values()
    }
    assert found.sums.refund_count == 3  # blocked ones only; each of them once
    for group in Group:
        together = [each.sums for each in queries.report(HOUSE, EVER, group)]
        assert sum(each.price_mrial for each in together) == found.sums.price_mrial, group
        assert sum(each.messages for each in together) == found.sums.messages, group
        assert sum(each.profit_mrial for each in together) == found.sums.profit_mrial, group


def test_profit_is_what_the_ledger_keeps(steps: Steps, shop: Shop) -> None:
    _history(steps, shop)
    kept = row(
        """SELECT -sum(e.amount_mrial) FILTER (WHERE w.kind = 'customer' AND t.kind = 'refund')::bigint AS refunded,
                  sum(e.amount_mrial) FILTER (WHERE w.kind = 'revenue')::bigint AS profit,
                  sum(e.amount_mrial) FILTER (WHERE w.kind = 'operator_cost')::bigint AS cost
           FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id
           JOIN ledger_transfer t ON t.id = e.transfer_id"""
    )
    assert kept is not None
    sums = queries.total(HOUSE, EVER).sums
    assert (-sums.refund_mrial, sums.profit_mrial, sums.net_cost_mrial) == (kept.refunded, kept.profit, kept.cost)


def test_a_refund_stands_on_the_day_on_which_it_was_paid_back(steps: Steps, shop: Shop) -> None:
    _history(steps, shop)
    by_day = {each.key: each.sums for each in queries.report(HOUSE, EVER, Group.DAY)}
    day = day_of(AT)
    assert by_day[day].refund_count == 0
    assert by_day[day].unsent == 10  # refused or cancelled
    assert [by_day[day + timedelta(days=after)].refund_count for after in (2, 3)] == [2, 1]
    assert by_day[day + timedelta(days=3)].messages == 0


def test_a_day_is_tehrans(steps: Steps, shop: Shop) -> None:
    make_campaign(shop, size=2)
    steps.send(accepted, at=AT.replace(hour=20, minute=29))
    make_campaign(shop, size=3)
    steps.send(accepted, at=AT.replace(hour=20, minute=30))  # midnight in Tehran
    count_hours()
    found = [(each.key, each.sums.submitted) for each in queries.report(HOUSE, EVER, Group.DAY)]
    assert found == [(day_of(AT), 2), (day_of(AT) + timedelta(days=1), 3)]
    assert queries.total(HOUSE, TODAY).sums.submitted == 2


@pytest.fixture
def tree(steps: Steps, shop: Shop) -> tuple[int, int, int, int]:
    """A reseller with a customer and a sub-reseller that has a customer itself, each with sends; the shop beside."""
    reseller, *_ = own = make_account(kind="reseller")
    customer, *_ = direct = make_account(parent_id=reseller)
    below, *_ = make_account(kind="reseller", parent_id=reseller)
    deep, *_ = deepest = make_account(parent_id=below)
    for size, (account_id, user_id, wallet_id) in ((1, own), (2, direct), (4, deepest)):
        make_campaign(replace(shop, account_id=account_id, user_id=user_id, wallet_id=wallet_id), size=size)
    make_campaign(shop, size=8)
    steps.send(accepted, at=AT)
    count_hours()
    return reseller, customer, below, deep


def test_a_reseller_sees_its_own_tree_by_sub_account(tree: tuple[int, int, int, int]) -> None:
    reseller, customer, below, deep = tree
    scope = Scope(Whose.TREE, reseller, Whose.TREE)
    found = {each.key: each.sums.submitted for each in queries.report(scope, TODAY, Group.ACCOUNT)}
    assert found == {reseller: 1, customer: 2, below: 4}
    assert queries.total(scope, TODAY).sums.submitted == 7
    deeper = Scope(Whose.TREE, below, Whose.TREE)
    assert {each.key: each.sums.submitted for each in queries.report(deeper, TODAY, Group.ACCOUNT)} == {deep: 4}


def test_the_page_shows_each_what_is_theirs(app: Flask, tree: tuple[int, int, int, int], shop: Shop) -> None:
    reseller, customer, _below, deep = tree
    days = "since=2026-11-23&until=2026-11-23"
    walker = signed_in(app, reseller)
    walker.go(f"/reports?{days}&group=account")
    assert "7,000 rial" in walker.text
    assert "Profit" in walker.text
    assert f"Shop {shop.account_id}" not in walker.text
    assert "2,000 rial" in walker.go(f"/reports?{days}&account_id={customer}").text
    assert walker.browser.get(f"/reports?{days}&account_id={shop.account_id}").status_code == 200
    assert "8,000 rial" not in walker.go(f"/reports?{days}&account_id={shop.account_id}").text
    own = signed_in(app, deep).go(f"/reports?{days}")
    assert "Profit" not in own.text
    assert "4,000 rial" in own.text
    assert own.page.find("select", {"name": "account_id"}) is None
    everything = staff(app).go(f"/reports?{days}")
    assert "15,000 rial" in everything.text
    assert "6,000 rial" in everything.text  # profit: 15 × 400


def test_files_hold_what_the_page_shows(app: Flask, steps: Steps, shop: Shop) -> None:
    _history(steps, shop)
    walker = staff(app)
    text = walker.browser.get("/reports/export.csv?since=2026-11-20&until=2026-12-20").get_data(as_text=True)
    heads, *lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    sums = queries.total(HOUSE, EVER).sums
    price = heads.index("Price (rial)")
    assert sum(int(line[price]) for line in lines) * 1000 == sums.price_mrial
    profit = heads.index("Profit (rial)")
    assert sum(float(line[profit]) for line in lines) * 1000 == sums.profit_mrial
    book = walker.browser.get("/reports/export.xlsx?since=2026-11-20&until=2026-12-20").get_data()
    assert [cells[:2] for _, cells in read_table(io.BytesIO(book))][1:] == [line[:2] for line in lines]
    own = signed_in(app, shop.account_id).browser.get("/reports/export.csv").get_data(as_text=True)
    assert "Profit" not in own


@pytest.mark.parametrize(
    "query",
    ["since=x", "group=theft", "line=1", "operator_id=zero", "network_id=99", "account_id=1", "until=0000-00-00"],
)
def test_a_filter_nobody_can_read_is_no_failure(app: Flask, shop: Shop, query: str) -> None:
    signed_in(app, shop.account_id).go(f"/reports?{query}")


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, (date(2026, 10, 25), date(2026, 11, 23))),
        (date(2026, 11, 1), None, (date(2026, 11, 1), date(2026, 11, 23))),
        (None, date(2026, 3, 30), (date(2026, 3, 1), date(2026, 3, 30))),
        (date(2026, 11, 9), date(2026, 11, 1), (date(2026, 11, 1), date(2026, 11, 9))),
        (date(2020, 1, 1), date(2026, 11, 1), (date(2025, 11, 1), date(2026, 11, 1))),
    ],
)
def test_a_period_is_in_order_and_a_year_at_most(
    since: date | None, until: date | None, expected: tuple[date, date]
) -> None:
    assert period(since, until, today=date(2026, 11, 23)) == expected


def test_what_is_known_is_told_in_shares() -> None:
    sums = Sums(
        submitted=10, delivered=6, failed=2, price_mrial=100, cost_mrial=70, refund_mrial=20, refund_cost_mrial=10
    )
    assert (sums.waiting, sums.delivered_share, sums.revenue_mrial, sums.profit_mrial) == (2, 0.75, 80, 20)
    assert Sums().delivered_share is None
