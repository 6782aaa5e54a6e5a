"""Three levels: one send charges all of them, and whatever comes back comes back to all of them, to the rial."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from sms.core.db import execute, rows, scalar, transaction
from sms.core.errors import Refusal
from sms.ledger.operations import adjust
from sms.ledger.rules import InsufficientBalance
from sms.operators.contract import Report
from sms.operators.rules import Outcome
from sms.outbox.operations import campaigns, failover, refunds, reports, unknown
from sms.outbox.operations.holding import ProviderShort
from sms.outbox.profits import queries as profits
from sms.outbox.queries import invariants
from sms.outbox.queries.preview import preview
from tests.factories import (
    AT,
    Tree,
    make_account,
    make_asked,
    make_gateway,
    make_line,
    make_refund_rule,
    make_shop,
    make_tariff,
    make_tree,
)
from tests.outbox.conftest import Steps, refused
from tests.outbox.test_accept import accept, listed, make_draft
from tests.outbox.tree import COST, SHARES, SUB, TARIFF, TOP, Books, add_up, recorded

MONEY = 10**12
MCI, IRANCELL = 1, 2
HOURS_48 = 48 * 3_600


@pytest.fixture
def tree(app: Flask) -> Tree:
    return make_tree()


@pytest.fixture
def books(tree: Tree) -> Books:
    return Books(tree)


@pytest.fixture
def steps(tree: Tree) -> Iterator[Steps]:
    made = Steps(tree.shop)
    yield made
    add_up(made)  # whatever a test did


def reported(books: Books, outcome: Outcome, *, most: int = 10**6) -> None:
    """The operator reports this of the first messages that were taken."""
    refs = rows("SELECT operator_ref FROM outbox_submission ORDER BY message_id LIMIT :most", most=most)
    said = [Report(found.operator_ref, "1", outcome) for found in refs]
    with transaction():
        reports.store(said, gateway_id=books.tree.shop.gateway_id, source="push", at=AT)
        reports.apply_waiting(most=10, at=AT)


def paid_back(*, later: timedelta = timedelta()) -> int:
    """Post the refunds that are due."""
    with transaction():
        return refunds.post_due(most=1_000, at=AT + later)


def test_a_preview_shows_each_level_its_own_price(books: Books, tree: Tree, steps: Steps):
    draft_id = make_draft(tree.shop, listed(3))
    seen = preview(account_id=tree.shop.account_id, draft_id=draft_id, at=AT)
    assert seen.total_mrial == 3 * SUB
    assert [network.price_mrial for network in seen.networks] == [SUB]


def test_a_send_charges_all_three_levels_in_one_posting_a_batch(books: Books, steps: Steps):
    campaign_id = books.send(10)
    assert books.balances == (MONEY - 10 * SUB, MONEY, MONEY)
    assert books.profits == (0, 0)  # nobody earns of what may still be cancelled
    steps.send()
    assert books.profits == (10 * SHARES[0], 10 * SHARES[1])
    assert recorded("revenue") == 10 * (TARIFF - COST)
    assert recorded("operator_cost") == 10 * COST
    assert scalar("SELECT count(*) FROM ledger_transfer WHERE kind = 'charge'") == 1
    found = [
        (level.account_id, level.paid_mrial, level.earned_mrial) for level in profits.levels(campaign_id=campaign_id)
    ]
    sub, top = books.tree.payers
    assert found == [
        (books.tree.shop.account_id, 10 * SUB, 0),
        (sub, 10 * TOP, 10 * SHARES[0]),
        (top, 10 * TARIFF, 10 * SHARES[1]),
    ]


def test_each_level_sees_its_own_price_and_margin_and_nobody_elses(books: Books, steps: Steps):
    campaign_id = books.send(10)
    steps.send()
    sub, top = books.tree.payers
    assert profits.level_of(campaign_id=campaign_id, account_id=top) == profits.Level(top, 10 * TARIFF, 10 * SHARES[1])
    assert profits.level_of(campaign_id=campaign_id, account_id=make_account(kind="reseller")[0]) is None
    for account_id, paid, earned in ((sub, TOP, SHARES[0]), (top, TARIFF, SHARES[1])):
        (line,) = profits.sold(account_id)
        assert (line.id, line.paid_mrial, line.earned_mrial) == (campaign_id, 10 * paid, 10 * earned)
    assert profits.sold(books.tree.shop.account_id) == []


def test_parts_multiply_every_share(books: Books, steps: Steps):
    books.send(2, body="a" * 161)
    steps.send()
    assert books.profits == (4 * SHARES[0], 4 * SHARES[1])


def test_a_refund_at_once_returns_to_all_three(books: Books, steps: Steps):
    campaign_id = books.send(10)
    steps.send()
    reported(books, Outcome.BLOCKED, most=4)
    assert paid_back() == 4
    assert books.balances[0] == MONEY - 6 * SUB
    assert books.profits == (6 * SHARES[0], 6 * SHARES[1])
    assert recorded("revenue") == 6 * (TARIFF - COST)
    assert scalar("SELECT count(*) FROM ledger_transfer WHERE kind = 'refund'") == 1
    assert [level.paid_mrial for level in profits.levels(campaign_id=campaign_id)] == [6 * SUB, 6 * TOP, 6 * TARIFF]


def test_a_refund_after_48_hours_returns_to_all_three_and_is_pending_until_then(books: Books, steps: Steps):
    make_refund_rule(
        operator_id=books.tree.shop.operator_id, outcome="not_in_network", percent=50, delay_seconds=HOURS_48
    )
    campaign_id = books.send(3)
    steps.send()
    reported(books, Outcome.NOT_IN_NETWORK)
    steps.settle(campaign_id)
    assert paid_back(later=timedelta(hours=47)) == 0
    for account_id, share in zip(books.tree.payers, SHARES, strict=True):
        profit = profits.profit_of(account_id)
        assert (profit.final_mrial, profit.pending_mrial, profit.payable_mrial) == (0, 3 * share, 0)
    assert paid_back(later=timedelta(hours=48)) == 3
    halves = [share * 50 // 100 for share in SHARES]
    assert books.profits == (3 * (SHARES[0] - halves[0]), 3 * (SHARES[1] - halves[1]))
    assert books.balances[0] == MONEY - 3 * (SUB - SUB // 2)
    assert all(not profits.profit_of(account_id).pending_mrial for account_id in books.tree.payers)


def test_shares_that_do_not_divide_are_frozen_to_the_milli_rial(books: Books, steps: Steps):
    shop = books.tree.shop
    make_asked(
        owner_id=books.tree.payers[0], operator_id=shop.operator_id, account_id=shop.account_id, price_mrial=1_100_007
    )
    make_refund_rule(operator_id=shop.operator_id, outcome="undelivered", percent=33)
    books.send(7)
    steps.send()
    reported(books, Outcome.UNDELIVERED)
    assert paid_back() == 7
    back = [tuple(found.shares_mrial) for found in rows("SELECT shares_mrial FROM outbox_refund")]
    assert back == [(7 * 33 // 100, 100_000 * 33 // 100)] * 7


def test_what_is_overruled_gives_back_nothing(books: Books, steps: Steps):
    books.send(5)
    steps.send()
    reported(books, Outcome.BLOCKED)
    reported(books, Outcome.DELIVERED)
    assert paid_back() == 0
    assert books.profits == (5 * SHARES[0], 5 * SHARES[1])


def test_refused_and_cancelled_messages_earn_nobody_anything(books: Books, steps: Steps):
    first, second = books.send(4), books.send(6)
    with transaction():
        campaigns.cancel(campaign_id=second, account_id=books.tree.shop.account_id, at=AT)
        campaigns.finish_cancelled(most=10, at=AT)
    steps.send(refused)
    for campaign_id in (first, second):
        steps.settle(campaign_id)
    assert books.balances == (MONEY, MONEY, MONEY)
    assert books.profits == (0, 0)


@pytest.mark.parametrize("decision", ["sent", "not_sent", "resend", "found"])
def test_an_unknown_fate_earns_when_it_is_known(books: Books, steps: Steps, decision: str):
    campaign_id = books.send(4)
    steps.send(lambda _recipient: None)
    assert books.profits == (0, 0)
    ids = [found.message_id for found in rows("SELECT message_id FROM outbox_unknown ORDER BY 1")]
    with transaction():
        if decision == "found":
            unknown.found({each: f"late{each}" for each in ids}, gateway_id=books.tree.shop.gateway_id, at=AT)
        else:
            unknown.decide(ids, decision=decision, at=AT)
    if decision == "resend":
        steps.send()
    steps.settle(campaign_id)
    count = 0 if decision == "not_sent" else 4
    assert books.profits == (count * SHARES[0], count * SHARES[1])
    assert books.balances[0] == MONEY - count * SUB


# Below cost


def at_a_loss(books: Books, *, price_mrial: int = 1_000_000, network_id: int | None = None) -> int:
    """The sub-reseller sells below its own price, and has said so twice; returns what it loses a message."""
    shop = books.tree.shop
    make_asked(
        owner_id=books.tree.payers[0],
        operator_id=shop.operator_id,
        account_id=shop.account_id,
        network_id=network_id,
        price_mrial=price_mrial,
        is_confirmed=True,
    )
    return TOP - price_mrial


def test_a_loss_is_set_aside_by_who_makes_it_and_charged_as_it_is_made(books: Books, steps: Steps):
    loss = at_a_loss(books)
    campaign_id = books.send(10)
    assert books.balances == (MONEY - 10 * TARIFF, MONEY - 10 * loss, MONEY)
    assert books.profits == (10 * loss, 0)
    steps.send(lambda recipient: None if recipient.message_id % 2 else refused(recipient))
    ids = [found.message_id for found in rows("SELECT message_id FROM outbox_unknown")]
    with transaction():
        unknown.decide(ids, decision="sent", at=AT)
    steps.settle(campaign_id)
    assert books.balances[0] == MONEY - 5 * TARIFF  # released in full
    assert books.profits == (5 * loss, 5 * SHARES[1])  # what was not lost after all is there to be paid out
    assert profits.profit_of(books.tree.payers[0]).payable_mrial == 5 * loss
    books.paid_out(books.tree.payers[0])
    assert books.balances[1] == MONEY - 5 * loss


def test_free_of_charge_for_the_customer_is_paid_by_the_reseller_alone(books: Books, steps: Steps):
    at_a_loss(books, price_mrial=0)
    books.send(3)
    steps.send()
    reported(books, Outcome.BLOCKED)
    assert paid_back() == 0  # nothing was paid
    assert books.balances == (MONEY, MONEY - 3 * TOP, MONEY)
    assert books.profits == (0, 3 * SHARES[1])


def test_a_loss_comes_back_with_its_refund(books: Books, steps: Steps):
    loss = at_a_loss(books)
    books.send(4)
    steps.send()
    reported(books, Outcome.BLOCKED)
    paid_back()
    assert books.balances == (MONEY, MONEY - 4 * loss, MONEY)
    assert books.profits == (4 * loss, 0)


def test_a_provider_who_cannot_pay_the_loss_stops_the_send_and_is_named(books: Books, steps: Steps):
    at_a_loss(books)
    leave(books.tree.payers[0], 9 * (TOP - 1_000_000))
    with pytest.raises(ProviderShort):
        books.send(10)
    assert scalar("SELECT count(*) FROM outbox_message") == 0
    assert books.balances[0] == MONEY
    books.send(9)
    steps.send()


def test_a_provider_who_gets_short_while_a_list_is_copied_stops_it_all_the_same(
    books: Books, steps: Steps, monkeypatch: pytest.MonkeyPatch
):
    at_a_loss(books)
    leave(books.tree.payers[0], 1)
    monkeypatch.setattr("sms.outbox.operations.accept.refuse_when_short", lambda **_: None)
    with pytest.raises(ProviderShort):
        books.send(10)
    assert scalar("SELECT count(*) FROM outbox_message") == 0


def leave(account_id: int, left_mrial: int) -> None:
    """Take all but so much of an account's money."""
    with transaction():
        adjust(
            account_id=account_id,
            amount_mrial=left_mrial - MONEY,
            key=f"leave:{account_id}",
            reason="test",
            actor_id=None,
            at=AT,
        )


def test_one_network_may_be_sold_at_a_loss_and_the_other_not(books: Books, steps: Steps):
    loss = at_a_loss(books, network_id=IRANCELL)
    books.accept(make_draft(books.tree.shop, "989120000001\n989120000002\n989350000001"))
    assert books.balances[1] == MONEY - loss
    steps.send()
    assert books.profits == (2 * SHARES[0], 3 * SHARES[1])


# Another line


def other_line(books: Books, *, tariff_mrial: int) -> tuple[int, Steps]:
    """A line of another operator, on which the sub-reseller asks its quarter and the top nothing more."""
    operator_id, gateway_id = make_gateway(operator_code="2000")
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    make_tariff(operator_id=operator_id, price_mrial=tariff_mrial, cost_mrial=500_000)
    return line_id, Steps(replace(books.tree.shop, operator_id=operator_id, gateway_id=gateway_id, line_id=line_id))


def switch(books: Books, campaign_id: int, line_id: int, *, cap_mrial: int = MONEY) -> int:
    shop = books.tree.shop
    with transaction():
        return failover.switch_line(
            campaign_id=campaign_id,
            account_id=shop.account_id,
            line_id=line_id,
            cap_mrial=cap_mrial,
            user_id=shop.user_id,
            at=AT,
        )


def test_another_line_is_priced_anew_at_every_level(books: Books, steps: Steps):
    line_id, there = other_line(books, tariff_mrial=2_000_000)
    make_asked(owner_id=books.tree.payers[0], operator_id=there.shop.operator_id, markup_permille=500)
    campaign_id = books.send(4)
    assert switch(books, campaign_id, line_id) == 4
    assert books.balances[0] == MONEY - 4 * 3_000_000
    there.send()
    assert books.profits == (4 * 1_000_000, 0)


def test_what_is_lost_more_over_another_line_is_set_aside_too_and_given_back_on_the_way_home(
    books: Books, steps: Steps
):
    line_id, there = other_line(books, tariff_mrial=2_000_000)
    make_asked(
        owner_id=books.tree.payers[0], operator_id=there.shop.operator_id, price_mrial=1_500_000, is_confirmed=True
    )
    campaign_id = books.send(4)
    switch(books, campaign_id, line_id)
    assert books.balances == (MONEY - 4 * 1_500_000, MONEY - 4 * 500_000, MONEY)
    assert books.profits == (4 * 500_000, 0)
    add_up(steps)
    switch(books, campaign_id, books.tree.shop.line_id)
    assert books.balances == (MONEY - 4 * SUB, MONEY, MONEY)
    add_up(steps)
    switch(books, campaign_id, line_id)
    there.send()
    assert books.profits == (0, 0)


# Paying out


def test_only_what_is_final_is_paid_out_once_a_key(books: Books, steps: Steps):
    sub, top = books.tree.payers
    with pytest.raises(Refusal, match="no profit"):
        books.paid_out(sub, "none")
    campaign_id = books.send(10)
    steps.send()
    reported(books, Outcome.DELIVERED)
    assert profits.profit_of(sub).payable_mrial == 0  # not settled, so not closed
    steps.settle(campaign_id)
    first = books.paid_out(sub)
    assert books.paid_out(sub) == first
    assert books.balances == (MONEY - 10 * SUB, MONEY + 10 * SHARES[0], MONEY)
    assert profits.profit_of(sub) == profits.Profit(0, 0)
    assert profits.profit_of(top) == profits.Profit(10 * SHARES[1], 0)
    with pytest.raises(Refusal, match="no profit"):
        books.paid_out(sub, "two")


def test_a_refund_after_the_payout_is_owed_until_it_is_earned_again(books: Books, steps: Steps):
    sub, _ = books.tree.payers
    campaign_id = books.send(2)
    steps.send()
    reported(books, Outcome.UNDELIVERED)
    steps.settle(campaign_id)
    books.paid_out(sub)
    reported(books, Outcome.BLOCKED)  # more is known later
    paid_back()
    profit = profits.profit_of(sub)
    assert (profit.final_mrial, profit.payable_mrial) == (-2 * SHARES[0], 0)
    with pytest.raises(Refusal, match="no profit"):
        books.paid_out(sub, "two")


def test_too_little_of_the_customers_own_money_says_so(books: Books, steps: Steps):
    draft_id = make_draft(books.tree.shop, listed(2))
    leave(books.tree.shop.account_id, 2 * SUB - 1)
    with pytest.raises(InsufficientBalance) as error:
        books.accept(draft_id)
    assert error.value.missing_mrial == 1


# What verify catches

PLANTED = {
    "a share changed on a message": "UPDATE outbox_message SET shares_mrial = shares_mrial[1:1] || 7::bigint"
    " WHERE id = (SELECT min(id) FROM outbox_message)",
    "a share lost": "UPDATE outbox_message SET shares_mrial = NULL WHERE id = (SELECT min(id) FROM outbox_message)",
    "a payee added": "UPDATE outbox_campaign SET payee_wallet_ids = payee_wallet_ids || payee_wallet_ids[1]",
    "a share of a refund changed": "UPDATE outbox_refund SET shares_mrial = ARRAY[1, 2]::bigint[]",
    "a refund without shares": "UPDATE outbox_refund SET shares_mrial = NULL",
    "a charge of profit that nobody earned": "WITH t AS (INSERT INTO ledger_transfer (kind, key, body_hash, subject,"
    " posted_at) SELECT 'charge', 'planted', '', 'campaign:' || min(id), now() FROM outbox_campaign RETURNING id)"
    " INSERT INTO ledger_entry (transfer_id, wallet_id, amount_mrial) SELECT t.id, w.id, 5 FROM t, ledger_wallet w"
    " WHERE w.kind = 'profit'",
    "a loss that was not set aside": "UPDATE outbox_message SET shares_mrial = ARRAY[-1, 1]::bigint[]"
    " WHERE id = (SELECT max(id) FROM outbox_message)",
    "a refund of profit that nobody gave back": "WITH t AS (INSERT INTO ledger_transfer (kind, key, body_hash, subject,"
    " posted_at) SELECT 'refund', 'planted', '', 'campaign:' || min(id), now() FROM outbox_campaign RETURNING id)"
    " INSERT INTO ledger_entry (transfer_id, wallet_id, amount_mrial) SELECT t.id, w.id, -5 FROM t, ledger_wallet w"
    " WHERE w.kind = 'profit'",
}


@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_found(books: Books, error: str):
    steps = Steps(books.tree.shop)
    books.send(3)
    steps.send()
    reported(books, Outcome.BLOCKED, most=2)
    paid_back()
    steps.verify()
    with transaction():
        execute(PLANTED[error])
    assert invariants.broken()["I13"]


def test_ordinary_accounts_have_no_shares(app: Flask):
    shop = make_shop()
    steps = Steps(shop)
    draft_id = make_draft(shop, listed(2))
    accept(shop, draft_id)
    steps.send()
    assert scalar("SELECT count(shares_mrial) FROM outbox_message") == 0
    assert scalar("SELECT count(payee_wallet_ids) FROM outbox_campaign") == 0
    assert scalar("SELECT count(*) FROM ledger_wallet WHERE kind = 'profit'") == 0
