"""Tiers on the database: earned by top-ups, set by hand, shown with their reason."""

from datetime import timedelta
from itertools import count

import pytest
from flask import Flask

from sms.billing import queries as billing
from sms.billing.tiers import operations, queries
from sms.billing.tiers.operations import NewStep
from sms.billing.tiers.rules import Basis, TierAudience
from sms.core import clock
from sms.core.db import scalar, transaction
from sms.core.errors import Refusal
from sms.ledger import operations as ledger
from sms.ledger.rules import Posting, TransferKind, WalletKind
from tests.factories import AT, make_account, make_shop
from tests.ledger.people import signed_in, staff

DAY = timedelta(days=1)
M = 10**9
_numbers = count(1)


def add_step(
    from_mrial: int, permille: int | None, *, basis=Basis.SINGLE, days=30, audience=TierAudience.CUSTOMER, at=AT
):
    with transaction():
        return operations.add_step(NewStep(audience, basis, days, from_mrial, permille), actor_id=None, at=at)


def top_up(account_id: int, amount_mrial: int, *, at=AT) -> int:
    """As a gateway's payment would be posted."""
    with transaction():
        wallet = ledger.customer_wallet_id(account_id=account_id, at=at)
        gateway = ledger.open_wallet(code="payment:test", kind=WalletKind.GATEWAY, at=at)
        key = f"topup:test{next(_numbers)}"
        made = ledger.post(
            [
                Posting(
                    TransferKind.TOPUP,
                    key=key,
                    subject="",
                    amounts_mrial={wallet: amount_mrial, gateway: -amount_mrial},
                )
            ],
            at=at,
        )
        operations.note_paid_in(account_id=account_id, at=at)
    return made[key]


def test_a_top_up_earns_a_tier_until_its_day(app: Flask):
    account_id, *_ = make_account()
    add_step(20 * M, 50)
    top_up(account_id, 20 * M)
    assert billing.tier_of(account_id, AT) == 50
    assert billing.tier_of(account_id, AT - DAY) == 0
    assert billing.tier_of(account_id, AT + 30 * DAY - timedelta(seconds=1)) == 50
    assert billing.tier_of(account_id, AT + 30 * DAY) == 0


def test_the_greatest_discount_in_force_counts(app: Flask):
    account_id, *_ = make_account()
    add_step(20 * M, 50)
    add_step(50 * M, 100, basis=Basis.SUM, days=10)
    top_up(account_id, 20 * M)
    top_up(account_id, 30 * M, at=AT + DAY)
    assert billing.tier_of(account_id, AT + 2 * DAY) == 100
    assert billing.tier_of(account_id, AT + 11 * DAY) == 50  # the first has dropped out of the sum


def test_what_was_given_by_hand_or_taken_back_is_no_top_up(app: Flask):
    account_id, *_ = make_account(money_mrial=100 * M)
    add_step(20 * M, 50)
    transfer_id = top_up(account_id, 19 * M)
    with transaction():
        ledger.reverse(transfer_id=transfer_id, reason="a mistake", actor_id=None, at=AT)
    assert queries.paid_in(account_id, at=AT) == []
    assert billing.tier_of(account_id, AT) == 0


def test_a_step_taken_away_stays_with_who_has_reached_it(app: Flask):
    first, second = make_account()[0], make_account()[0]
    tier_id = add_step(20 * M, 50)
    top_up(first, 20 * M)
    with transaction():
        operations.end_step(tier_id=tier_id, actor_id=None, at=AT + DAY)
    top_up(second, 20 * M, at=AT + 2 * DAY)
    assert billing.tier_of(first, AT + 2 * DAY) == 50
    assert billing.tier_of(second, AT + 2 * DAY) == 0
    with pytest.raises(Refusal, match="not in force"), transaction():
        operations.end_step(tier_id=tier_id, actor_id=None, at=AT + 3 * DAY)


def test_below_a_reseller_its_prices_hold(app: Flask):
    reseller_id, *_ = make_account(kind="reseller")
    below, *_ = make_account(parent_id=reseller_id)
    add_step(20 * M, 50)
    add_step(20 * M, 70, audience=TierAudience.RESELLER)
    for account_id in (reseller_id, below):
        top_up(account_id, 20 * M)
    assert billing.tier_of(below, AT) == 0
    assert billing.tier_of(reseller_id, AT) == 70


def _by_hand(account_id: int, permille: int | None, *, until=None, at=AT):
    with transaction():
        operations.set_by_hand(
            account_id=account_id,
            discount_permille=permille,
            reason="a promise",
            valid_until=until,
            actor_id=None,
            at=at,
        )


def test_staff_go_before_what_was_earned_until_they_let_it_count_again(app: Flask):
    account_id, *_ = make_account()
    add_step(20 * M, 50)
    top_up(account_id, 20 * M)
    _by_hand(account_id, 30, until=AT + 2 * DAY)
    assert billing.tier_of(account_id, AT + DAY) == 30
    assert billing.tier_of(account_id, AT + 2 * DAY) == 50
    _by_hand(account_id, 0, at=AT + 3 * DAY)
    assert billing.tier_of(account_id, AT + 3 * DAY) == 0
    _by_hand(account_id, None, at=AT + 4 * DAY)
    assert billing.tier_of(account_id, AT + 4 * DAY) == 50


@pytest.mark.parametrize(
    "step",
    [
        NewStep(TierAudience.CUSTOMER, Basis.SUM, 30, M, 1000),
        NewStep(TierAudience.CUSTOMER, Basis.SUM, 0, M, 10),
        NewStep(TierAudience.CUSTOMER, Basis.SUM, 30, 0, 10),
        NewStep(TierAudience.CUSTOMER, Basis.SUM, 30, M, 10, AT - DAY),
    ],
)
def test_impossible_steps_are_refused(app: Flask, step: NewStep):
    with pytest.raises(Refusal), transaction():
        operations.add_step(step, actor_id=None, at=AT)


def test_staff_add_a_tier_and_a_customer_reads_why(app: Flask):
    shop = make_shop()
    walker = staff(app).go("/admin/tiers")
    assert "There is no tier" in walker.text
    walker.submit("/admin/tiers", audience="customer", basis="sum", days="90", from_amount="50000000", discount="7.5")
    assert "50,000,000 rial 7.5 percent" in walker.text
    top_up(shop.account_id, 60 * M, at=clock.now())
    customer = signed_in(app, shop.account_id).go("/prices")
    assert "You pay 7.5 percent less because you topped up 60,000,000 rial within 90 days" in customer.text
    tier_id = scalar("SELECT max(id) FROM billing_tier")
    walker.submit(f"/admin/tiers/{tier_id}/end")
    assert "There is no tier" in walker.text


def test_staff_set_a_discount_with_a_reason(app: Flask):
    shop = make_shop()
    walker = staff(app).go(f"/admin/accounts/{shop.account_id}/tier")
    action = f"/accounts/{shop.account_id}/tier"
    walker.submit(action, discount="5", reason="", allowed=422)
    walker.submit(action, discount="5", reason="moved to us with all lines")
    assert "Our staff set 5 percent off for you: moved to us with all lines" in walker.text
    assert billing.tier_of(shop.account_id, clock.now()) == 50
    walker.submit(action, discount="", reason="the promise is over")
    assert "no tier is reached yet" in walker.text
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'tier.set_by_hand'") == 2


def _price(shop, account_id: int) -> billing.Price:
    listed = billing.price_list(line_id=shop.line_id, operator_id=shop.operator_id, account_id=account_id, at=AT)
    return next(iter(listed.values()))


def test_a_part_costs_the_tariff_less_the_tier(app: Flask):
    shop = make_shop()
    other, *_ = make_account()
    add_step(20 * M, 125)
    top_up(shop.account_id, 20 * M)
    tariff = _price(shop, other)
    assert _price(shop, shop.account_id) == billing.Price(tariff.price_mrial * 875 // 1000, tariff.cost_mrial)
    assert (tariff.price_mrial, tariff.cost_mrial) == (1_000_000, 600_000)


def test_a_tier_is_for_accounts_right_under_the_installation(app: Flask):
    shop = make_shop()
    reseller_id, *_ = make_account(kind="reseller")
    below, *_ = make_account(parent_id=reseller_id)
    _by_hand(below, 500)
    other, *_ = make_account()
    assert _price(shop, below).price_mrial == _price(shop, other).price_mrial


def test_the_customers_price_page_shows_what_is_paid(app: Flask):
    shop = make_shop()
    _by_hand(shop.account_id, 100, at=clock.now())
    assert "All networks 900 rial 900 rial" in signed_in(app, shop.account_id).go("/prices").text
