"""What a customer reads about prices and refunds."""

from flask import Flask

from sms.billing import operations
from sms.billing.operations import NewTariff
from sms.billing.rules import Language, Scope
from sms.core import clock
from sms.core.db import transaction
from tests.factories import make_account, make_gateway, make_line, make_shop
from tests.ledger.people import signed_in


def test_a_customer_reads_the_price_and_what_comes_back(app: Flask):
    shop = make_shop()
    with transaction():
        operations.add_default_refund_rules(
            operator_id=shop.operator_id, refunds_not_in_network=True, actor_id=None, at=clock.now()
        )
    walker = signed_in(app, shop.account_id).go("/prices")
    assert "All networks 1,000 rial 1,000 rial" in walker.text
    assert "Blocked advertising the whole price comes back as soon as the operator reports it" in walker.text
    assert "Not in network the whole price comes back 48 hours after sending" in walker.text
    assert "Not refunded by this operator: Undelivered, Filtered text, Out of hours, No report in time." in walker.text


def test_what_a_part_costs_us_is_not_told(app: Flask):
    shop = make_shop()
    assert "600" not in signed_in(app, shop.account_id).go("/prices").text


def test_networks_of_another_price_are_named(app: Flask):
    shop = make_shop()
    with transaction():
        tariff = NewTariff(Scope(operator_id=shop.operator_id, network_id=2), Language.PERSIAN, 1_100_000, 0)
        operations.add_tariff(tariff, actor_id=None, at=clock.now())
    walker = signed_in(app, shop.account_id).go("/prices")
    assert "Irancell 1,100 rial 1,000 rial" in walker.text
    persian = signed_in(app, shop.account_id, language="fa").go("/prices")
    assert "ایرانسل ۱٬۱۰۰ ریال ۱٬۰۰۰ ریال" in persian.text


def test_a_line_of_somebody_else_is_not_shown(app: Flask):
    shop = make_shop()
    other_id, *_ = make_account()
    operator_id, gateway_id = make_gateway(operator_code="5000")
    make_line(operator_id=operator_id, gateway_id=gateway_id, account_id=other_id, number="500012345")
    assert "500012345" not in signed_in(app, shop.account_id).go("/prices").text
    own = signed_in(app, other_id).go("/prices").text
    assert "500012345" in own
    assert "This line has no price yet" in own


def test_without_a_line_the_page_says_so(app: Flask):
    account_id, *_ = make_account()
    assert "You have no line yet" in signed_in(app, account_id).go("/prices").text
