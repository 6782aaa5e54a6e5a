"""The statement: every movement of an account's money, in order, in pages, and in words."""

from datetime import timedelta
from itertools import product

import pytest

from sms.core.db import transaction
from sms.ledger import operations, queries
from sms.ledger.queries import StatementFilter
from sms.ledger.rules import Posting, Subject, TransferKind, WalletKind
from tests.factories import AT, make_account, make_campaign, make_root, make_shop

pytestmark = pytest.mark.usefixtures("app")

ALL = StatementFilter()


def _adjust(account_id: int, amount_mrial: int, key: str, days: float = 0) -> int:
    with transaction():
        return operations.adjust(
            account_id=account_id,
            amount_mrial=amount_mrial,
            key=key,
            reason=f"reason {key}",
            actor_id=None,
            at=AT + timedelta(days=days),
        )[key]


def test_an_account_without_a_wallet_has_an_empty_statement():
    root_id = make_root()
    assert queries.statement(account_id=root_id, narrowed=ALL) == []
    assert queries.totals(account_id=root_id) == {}
    assert queries.wallet_of(root_id).balance_mrial == 0


def test_lines_stand_newest_first_with_the_balance_after_each():
    account_id, *_ = make_account(money_mrial=0)
    for number, amount in enumerate((100, -30, 5)):
        _adjust(account_id, amount, f"k{number}")
    lines = queries.statement(account_id=account_id, narrowed=ALL)
    assert [(line.number, line.amount_mrial, line.balance_after_mrial) for line in lines] == [
        (3, 5, 75),
        (2, -30, 70),
        (1, 100, 100),
    ]
    assert [line.reason for line in lines] == ["reason k2", "reason k1", "reason k0"]


def test_pages_follow_each_other_without_a_gap_or_a_repeat():
    account_id, *_ = make_account(money_mrial=0)
    for number in range(7):
        _adjust(account_id, 1, f"k{number}")
    seen: list[int] = []
    before = None
    while page := queries.statement(account_id=account_id, narrowed=ALL, before=before, most=3):
        seen += [line.number for line in page]
        before = page[-1].number
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert [line.number for line in queries.whole_statement(account_id=account_id, narrowed=ALL, page=2)] == seen


def test_a_statement_shows_nothing_of_another_account():
    account_id, *_ = make_account(money_mrial=50)
    other_id, *_ = make_account(money_mrial=60)
    assert [line.amount_mrial for line in queries.statement(account_id=account_id, narrowed=ALL)] == [50]
    assert [line.amount_mrial for line in queries.statement(account_id=other_id, narrowed=ALL)] == [60]


def test_a_filter_keeps_one_kind_or_a_period():
    account_id, *_ = make_account(money_mrial=0)
    days = [0, 0, 1, 2, 2, 2, 5, 9]
    for number, day in enumerate(days):
        _adjust(account_id, 1, f"k{number}", days=day)
    shop = StatementFilter(kind="hold")
    assert queries.statement(account_id=account_id, narrowed=shop) == []

    def numbers(since: float | None, until: float | None) -> list[int]:
        period = StatementFilter(
            kind="adjustment",
            since=AT + timedelta(days=since) if since is not None else None,
            until=AT + timedelta(days=until) if until is not None else None,
        )
        return [line.number for line in queries.statement(account_id=account_id, narrowed=period)]

    assert numbers(0, 1) == [2, 1]
    assert numbers(1, 3) == [6, 5, 4, 3]
    assert numbers(2.5, None) == [8, 7]
    assert numbers(None, 2) == [3, 2, 1]
    assert numbers(6, 7) == []
    assert numbers(20, 30) == []


def test_a_line_posted_a_little_out_of_order_is_still_found_by_its_day():
    account_id, *_ = make_account(money_mrial=0)
    for number, minutes in enumerate((0, 30, 20, 40, 90)):
        _adjust(account_id, 1, f"k{number}", days=minutes / 1440)
    period = StatementFilter(since=AT, until=AT + timedelta(minutes=25))
    assert [line.number for line in queries.statement(account_id=account_id, narrowed=period)] == [3, 1]


def test_every_period_brings_what_reading_all_lines_would():
    account_id, *_ = make_account(money_mrial=0)
    hours = [0, 2, 1.5, 9, 30, 29.2, 31, 55, 80, 80, 79.5, 140]
    for number, hour in enumerate(hours):
        _adjust(account_id, number + 1, f"k{number}", days=hour / 24)
    everything = queries.statement(account_id=account_id, narrowed=ALL)
    ends = [None, *(AT + timedelta(hours=hour) for hour in (-5, 0, 1.6, 2, 9.5, 30, 30.5, 60, 80, 140, 200))]
    for since, until in product(ends, ends):
        wanted = [
            line
            for line in everything
            if (since is None or line.posted_at >= since) and (until is None or line.posted_at < until)
        ]
        period = StatementFilter(since=since, until=until)
        assert queries.statement(account_id=account_id, narrowed=period) == wanted
        assert list(queries.whole_statement(account_id=account_id, narrowed=period, page=2)) == wanted
        came = queries.totals(account_id=account_id, since=since, until=until)
        assert came.get(TransferKind.ADJUSTMENT, 0) == sum(line.amount_mrial for line in wanted)


def test_totals_add_up_what_came_and_went_by_kind():
    shop = make_shop(money_mrial=10_000)
    make_campaign(shop, size=2, price_mrial=1_500)
    _adjust(shop.account_id, -400, "k", days=3)
    assert queries.totals(account_id=shop.account_id) == {TransferKind.ADJUSTMENT: 9_600, TransferKind.HOLD: -3_000}
    since = AT + timedelta(days=2)
    assert queries.totals(account_id=shop.account_id, since=since) == {TransferKind.ADJUSTMENT: -400}
    assert queries.totals(account_id=shop.account_id, until=since)[TransferKind.ADJUSTMENT] == 10_000


def test_what_is_set_aside_is_what_lies_in_the_accounts_escrows():
    shop = make_shop(money_mrial=10_000)
    assert queries.set_aside(shop.account_id) == 0
    make_campaign(shop, size=2, price_mrial=1_500)
    make_campaign(shop, size=1, price_mrial=1_000)
    assert queries.set_aside(shop.account_id) == 4_000
    assert queries.balance(shop.account_id) == 6_000


def test_the_line_of_a_send_says_which_campaign_it_was():
    shop = make_shop(money_mrial=10_000)
    campaign_id = make_campaign(shop, size=2, price_mrial=1_500)
    hold, gift = queries.statement(account_id=shop.account_id, narrowed=ALL)
    assert hold.subject == Subject("campaign", campaign_id)
    assert hold.why == "Set aside for campaign %(number)s"
    assert gift.why == "Credited by our staff"


def test_a_line_knows_whether_it_can_be_taken_back():
    account_id, *_ = make_account(money_mrial=0)
    transfer_id = _adjust(account_id, 5, "k")
    (line,) = queries.statement(account_id=account_id, narrowed=ALL)
    assert line.is_reversible
    with transaction():
        reversal_id = operations.reverse(transfer_id=transfer_id, reason="typo", actor_id=None, at=AT)
    reversal, line = queries.statement(account_id=account_id, narrowed=ALL)
    assert line.reversed_by == reversal_id
    assert reversal.reverses_id == transfer_id
    assert not line.is_reversible
    assert not reversal.is_reversible


def test_the_wallets_of_an_installation_make_zero_together():
    shop = make_shop(money_mrial=10_000)
    make_campaign(shop, size=2, price_mrial=1_500)
    revenue = operations.open_wallet(code="revenue:3000", kind=WalletKind.REVENUE, at=AT)
    escrow = queries.rows("SELECT id FROM ledger_wallet WHERE kind = 'escrow'")[0].id
    with transaction():
        charge = Posting(TransferKind.CHARGE, "c", "campaign:1", {escrow: -1_000, revenue: 1_000})
        operations.post([charge], at=AT)
    sums = {total.kind: total.balance_mrial for total in queries.overview()}
    assert sums == {
        WalletKind.CUSTOMER: 7_000,
        WalletKind.ESCROW: 2_000,
        WalletKind.REVENUE: 1_000,
        WalletKind.OPERATOR_COST: 0,
        WalletKind.GATEWAY: 0,
        WalletKind.ADJUSTMENT: -10_000,
        WalletKind.PROFIT: 0,
        WalletKind.GUARANTEE: 0,
        WalletKind.TAX: 0,
    }
    assert sum(sums.values()) == 0
    assert [(wallet.code, wallet.balance_mrial) for wallet in queries.recording_wallets()] == [
        ("adjustment", -10_000),
        ("revenue:3000", 1_000),
    ]


def test_the_list_of_transfers_names_the_account_and_the_amount():
    shop = make_shop(money_mrial=10_000)
    make_campaign(shop, size=2, price_mrial=1_500)
    hold, credit = queries.transfers()
    assert (hold.kind, hold.amount_mrial, hold.account_id) == ("hold", 3_000, shop.account_id)
    assert (credit.kind, credit.amount_mrial, credit.account_id) == ("adjustment", 10_000, shop.account_id)
    assert queries.transfers(before=hold.id) == [credit]
    assert [found.id for found in queries.transfers(kind="hold", most=1)] == [hold.id]
    assert queries.transfer(10**9) is None
