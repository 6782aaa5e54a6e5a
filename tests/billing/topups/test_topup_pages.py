"""Paying in through the pages, at the simulated payment page: once, twice, not at all, and by whom."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from jobs import payments
from sms.billing.tiers import operations as tiers
from sms.billing.tiers.rules import Basis, TierAudience
from sms.billing.topups import queries
from sms.core import clock
from sms.core.db import execute, scalar, transaction
from sms.ledger import queries as money
from tests.billing.topups.conftest import M, begin, make_payment_gateway, path_of, press, state_of, told
from tests.factories import make_account
from tests.journeys.walker import Walker
from tests.ledger.people import signed_in, staff
from tests.simulator.running import RunningSimulator

DAY = timedelta(days=1)
Go = Callable[..., tuple[Walker, str]]


@pytest.fixture
def gateway_id(app: Flask, simulator: RunningSimulator) -> int:
    return make_payment_gateway(simulator.url)


@pytest.fixture
def payer(app: Flask, gateway_id: int) -> tuple[int, Walker]:
    """(account id, browser) of somebody without money."""
    account_id, *_ = make_account(money_mrial=0)
    return account_id, signed_in(app, account_id)


def _to_gateway(walker: Walker, amount: str = "100000000") -> str:
    """Fill in the form and go on; returns the gateway's address."""
    walker.go("/wallet/top-up").submit("/wallet/top-up", amount=amount)
    answer = walker.browser.get(f"{walker.address}/pay")
    assert answer.status_code == 303
    return answer.headers["Location"]


def test_paid_and_back_is_in_the_balance(payer, simulator: RunningSimulator):
    account_id, walker = payer
    with transaction():
        step = tiers.NewStep(TierAudience.CUSTOMER, Basis.SUM, 30, 50 * M, 50)
        tiers.add_step(step, actor_id=None, at=clock.now())
    assert "no tier is reached yet" in walker.go("/wallet/top-up").text
    back = press(_to_gateway(walker), "pay")
    walker.go(path_of(back))
    assert "The payment arrived and was added to the balance." in walker.text
    assert "You pay 5 percent less because you topped up 100,000,000 rial" in walker.text
    assert money.balance(account_id) == 100 * M
    assert "100,000,000 rial" in walker.go("/wallet/top-ups").text
    assert "Paid in online, payment" in walker.go("/statement").text


def test_the_way_back_taken_a_hundred_times_and_at_once_credits_once(app: Flask, payer):
    account_id, walker = payer
    back = path_of(press(_to_gateway(walker), "twice"))

    def come_back(_number: int) -> int:
        with app.app_context():
            return app.test_client().get(back).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(come_back, range(100)))
    assert set(statuses) == {200}
    assert money.balance(account_id) == 100 * M
    assert scalar("SELECT count(*) FROM ledger_transfer WHERE kind = 'topup'") == 1


def test_the_way_back_needs_no_session(app: Flask, payer, simulator: RunningSimulator):
    account_id, walker = payer
    back = path_of(press(_to_gateway(walker), "pay"))
    stranger = Walker(app.test_client()).go(back)
    assert "The payment arrived and was added to the balance." in stranger.text
    assert "Back to the panel" in stranger.text
    assert money.balance(account_id) == 100 * M


def test_somebody_else_who_is_signed_in_credits_the_one_who_paid(app: Flask, payer):
    account_id, walker = payer
    other_id, *_ = make_account(money_mrial=0)
    back = path_of(press(_to_gateway(walker), "pay"))
    signed_in(app, other_id).go(back)
    assert (money.balance(account_id), money.balance(other_id)) == (100 * M, 0)


def test_cancelled_is_told_and_may_be_paid_after_all(payer, simulator: RunningSimulator):
    account_id, walker = payer
    address = _to_gateway(walker)
    back = path_of(press(address, "cancel"))
    assert "The payment was cancelled" in walker.go(back).text
    assert money.balance(account_id) == 0
    walker.go(path_of(press(address, "pay")))
    assert money.balance(account_id) == 100 * M
    walker.go(back)  # the old address once more
    assert money.balance(account_id) == 100 * M


def test_an_address_that_says_paid_does_not_make_it_so(payer):
    account_id, walker = payer
    address = _to_gateway(walker)
    authority = address.rpartition("/")[2]
    back = path_of(press(address, "cancel")).replace("Status=NOK", "Status=OK")
    assert "Nothing was paid." in walker.go(back).text
    assert money.balance(account_id) == 0
    for wrong in (back.replace(authority, "S" + "0" * 35), back.replace("/payments/", "/payments/x")):
        assert walker.browser.get(wrong).status_code == 404


def test_an_answer_that_times_out_is_looked_up_until_it_is_known(
    app: Flask, payer, simulator: RunningSimulator, gateway_id: int
):
    account_id, walker = payer
    back = path_of(press(_to_gateway(walker), "pay"))
    simulator.control("payments", verify="lost", inquiry="garbage")
    assert "do not pay a second time" in walker.go(back).text
    topup_id = scalar("SELECT max(id) FROM billing_topup")
    _make_due(topup_id)
    payments.look_up_topups()
    assert queries.topup(topup_id).state == "unknown"
    simulator.control("payments", verify="answer", inquiry="answer")
    _make_due(topup_id)
    payments.look_up_topups()
    assert queries.topup(topup_id).state == "paid"
    assert money.balance(account_id) == 100 * M
    _make_due(topup_id)
    payments.look_up_topups()
    assert money.balance(account_id) == 100 * M


def _make_due(topup_id: int) -> None:
    with transaction():
        execute("UPDATE billing_topup SET next_look_at = now() - interval '1 minute' WHERE id = :id", id=topup_id)


def test_whoever_pays_and_never_comes_back_is_credited_by_the_job(app: Flask, payer):
    account_id, walker = payer
    assert press(_to_gateway(walker), "lose") == ""
    topup_id = scalar("SELECT max(id) FROM billing_topup")
    payments.look_up_topups()  # not due yet
    assert money.balance(account_id) == 0
    _make_due(topup_id)
    payments.look_up_topups()
    assert money.balance(account_id) == 100 * M


def test_who_is_still_paying_is_left_alone(app: Flask, payer):
    _account_id, walker = payer
    _to_gateway(walker)
    topup_id = scalar("SELECT max(id) FROM billing_topup")
    _make_due(topup_id)
    payments.look_up_topups()
    assert queries.topup(topup_id).state == "started"


def test_a_gateway_that_is_away_begins_nothing(payer, simulator: RunningSimulator):
    _account_id, walker = payer
    simulator.control("payments", request="refuse")
    walker.go("/wallet/top-up").submit("/wallet/top-up", amount="100000000", allowed=422)
    assert "did not begin a payment (-11)" in walker.text
    assert "Not paid" in walker.text


def test_amounts_that_cannot_be_are_told_beside_the_form(payer):
    _account_id, walker = payer
    walker.go("/wallet/top-up").submit("/wallet/top-up", amount="10", allowed=422)
    assert "The least that can be paid in is 10,000 rial." in walker.text
    walker.submit("/wallet/top-up", amount="", allowed=422)
    assert "This must be filled in." in walker.text


def test_without_a_gateway_the_page_says_so(app: Flask):
    account_id, *_ = make_account()
    assert "Nothing can be paid online at the moment." in signed_in(app, account_id).go("/wallet/top-up").text


def test_somebody_elses_attempt_is_not_there(app: Flask):
    attempt = begin()
    other_id, *_ = make_account()
    browser = signed_in(app, other_id).browser
    for address in (f"/wallet/top-ups/{attempt.id}", f"/wallet/top-ups/{attempt.id}/pay"):
        assert browser.get(address).status_code == 404


def test_an_old_attempt_leads_no_more_to_the_gateway(app: Flask):
    attempt = begin(at=clock.now() - DAY)
    walker = signed_in(app, attempt.account_id)
    answer = walker.browser.get(f"/wallet/top-ups/{attempt.id}/pay")
    assert answer.headers["Location"].endswith(f"/wallet/top-ups/{attempt.id}")
    assert "Try again" in walker.go(f"/wallet/top-ups/{attempt.id}").text


def test_persian_pages_say_it_in_persian(app: Flask):
    attempt = begin()
    told(attempt)
    walker = signed_in(app, attempt.account_id, language="fa").go(f"/wallet/top-ups/{attempt.id}")
    assert "پرداخت رسید و به موجودی افزوده شد." in walker.text
    assert "۱۰۰٬۰۰۰٬۰۰۰ ریال" in walker.text


# Staff


def test_staff_narrow_the_list_and_read_one(app: Flask):
    paid, open_one = begin(authority="A1"), begin(authority="A2")
    told(paid)
    walker = staff(app).go("/admin/topups?state=paid")
    assert f"/admin/topups/{paid.id}" in str(walker.page)
    assert f"/admin/topups/{open_one.id}" not in str(walker.page)
    walker.go(f"/admin/topups/{paid.id}")
    assert "502229******5995" in walker.text
    walker.go("/admin/topups?account=nobody+is+called+so")
    assert "No payment is like this" in walker.text


def test_staff_ask_the_gateway_now(app: Flask, payer):
    account_id, walker = payer
    press(_to_gateway(walker), "lose")
    topup_id = scalar("SELECT max(id) FROM billing_topup")
    admin = staff(app).go(f"/admin/topups/{topup_id}").submit(f"/topups/{topup_id}/ask")
    assert "The gateway was asked." in admin.text
    assert money.balance(account_id) == 100 * M


def test_staff_add_a_gateway_and_change_it_without_seeing_its_id(app: Flask):
    walker = staff(app).go("/admin/payment-gateways")
    assert "There is no payment gateway" in walker.text
    walker.go("/admin/payment-gateways/new")
    walker.submit("/new", name="Zarinpal, main", merchant_id="x" * 36, least="10000", most="5000000", is_active="y")
    assert "Zarinpal, main" in walker.text
    gateway_id = scalar("SELECT max(id) FROM billing_payment_gateway")
    walker.go(f"/admin/payment-gateways/{gateway_id}")
    assert "x" * 36 not in str(walker.page)
    walker.submit(f"/payment-gateways/{gateway_id}", least="", allowed=422)
    assert "x" * 36 not in str(walker.page)
    walker.submit(f"/payment-gateways/{gateway_id}", least="20000")
    assert queries.gateway(gateway_id).least_mrial == 20_000_000
    assert not queries.gateway(gateway_id).is_active  # the box was left empty


def test_staff_change_what_new_accounts_may_pay_in(app: Flask):
    walker = staff(app).go("/admin/payment-gateways")
    walker.submit("/policy", tries="0", allowed=422)
    walker.submit("/policy", tries="5", new_days="7", new_most="1000000")
    policy = queries.policy(clock.now())
    assert (policy.tries_an_hour, policy.new_days, policy.new_day_most_mrial) == (5, 7, M)


def test_what_is_waiting_is_told_by_its_state(app: Flask):
    assert state_of(begin()) == "started"
