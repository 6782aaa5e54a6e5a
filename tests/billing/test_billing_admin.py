"""The staff's pages of prices and refund rules: listed with their past and future, added, ended."""

import pytest
from flask import Flask

from sms.billing import queries
from sms.billing.queries import Price
from sms.core import clock
from sms.core.calendar import day_of
from sms.core.db import row, scalar
from tests.factories import Shop, make_account, make_gateway, make_shop
from tests.ledger.people import signed_in, staff

MCI = 1


@pytest.fixture
def shop(app: Flask) -> Shop:
    """An operator with a line and prices."""
    return make_shop()


def _number(shop: Shop) -> str:
    return str(scalar("SELECT number FROM lines_line WHERE id = :id", id=shop.line_id))


def _price(shop: Shop, language: str = "persian") -> Price:
    return queries.price_list(
        account_id=shop.account_id, line_id=shop.line_id, operator_id=shop.operator_id, at=clock.now()
    )[MCI, language]


def test_prices_are_typed_in_rial_with_fractions_for_both_languages(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/tariffs/new")
    walker.submit(
        "/tariffs/new",
        operator_id=str(shop.operator_id),
        price_persian="۱٬۳۹۰٫۵",
        cost_persian="1,100",
        price_latin="3475.125",
        cost_latin="2800",
    )
    assert "The price was added." in walker.text
    assert _price(shop) == Price(1_390_500, 1_100_000)
    assert _price(shop, "latin") == Price(3_475_125, 2_800_000)
    assert "3,475.125 rial" in walker.text
    assert "20%" in walker.text  # the margin of the Persian part
    assert "Ended" in walker.text


def test_a_price_for_one_line_and_one_network_is_listed_as_such(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/tariffs/new")
    walker.submit(
        "/tariffs/new", line=_number(shop), network_id=str(MCI), price_persian="5", cost_persian="4", operator_id=""
    )
    found = row("SELECT line_id, operator_id, network_id, created_by FROM billing_tariff ORDER BY id DESC LIMIT 1")
    assert (found.line_id, found.operator_id, found.network_id) == (shop.line_id, None, MCI)
    assert found.created_by
    walker.go(f"/admin/tariffs?line={_number(shop)}")
    assert "MCI" in walker.text
    assert _price(shop) == Price(5_000, 4_000)


def test_a_price_may_begin_on_a_later_day_and_be_withdrawn(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/tariffs/new")
    fields = {"operator_id": str(shop.operator_id), "price_persian": "5", "cost_persian": "4"}
    walker.submit("/tariffs/new", valid_from="2099-01-01", **fields)
    assert "Coming" in walker.text
    assert _price(shop).price_mrial == 1_000_000
    tariff_id = scalar("SELECT max(id) FROM billing_tariff")
    walker.submit(f"/tariffs/{tariff_id}/end")
    assert "withdrawn before it began" in walker.text
    walker.go("/admin/tariffs/new").submit("/tariffs/new", valid_from=day_of(clock.now()).isoformat(), **fields)
    assert _price(shop).price_mrial == 5_000


def test_ending_a_price_is_once_and_leaves_a_warning_where_none_is_left(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/tariffs")
    assert "cannot be sent" not in walker.text
    tariff_id = scalar("SELECT id FROM billing_tariff WHERE language = 'latin'")
    page = walker.page
    walker.submit(f"/tariffs/{tariff_id}/end")
    assert "Latin texts cannot be sent over 3000" in walker.text
    walker.page = page
    walker.submit(f"/tariffs/{tariff_id}/end")
    assert "It has ended already." in walker.text


def test_a_change_begins_from_the_price_in_force(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/tariffs")
    link = walker.page.find("a", href=lambda value: value and "tariffs/new?" in value)
    walker.go(str(link["href"]))
    assert walker.page.find("input", {"name": "price_persian"})["value"] == "1000"
    assert walker.page.find("input", {"name": "cost_latin"})["value"] == "600"
    walker.go("/admin/tariffs/new?operator_id=99999&network_id=x")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "State the price"),
        ({"price_persian": "5"}, "State both"),
        ({"cost_persian": "5"}, "State the price"),
        ({"price_persian": "5", "cost_persian": "4", "price_latin": "9"}, "State both"),
        ({"price_persian": "much", "cost_persian": "4"}, "not an amount"),
        ({"price_persian": "1.2345", "cost_persian": "4"}, "three digits"),
        ({"price_persian": "-5", "cost_persian": "4"}, "zero to a million"),
        ({"price_persian": "5", "cost_persian": "4", "operator_id": ""}, "Choose an operator"),
        ({"price_persian": "5", "cost_persian": "4", "line": "300012"}, "Choose an operator"),
        ({"price_persian": "5", "cost_persian": "4", "operator_id": "", "line": "123456"}, "There is no line 123456."),
        ({"price_persian": "5", "cost_persian": "4", "valid_from": "2020-01-01"}, "not in the past"),
        ({"price_persian": "5", "cost_persian": "4", "valid_from": "soon"}, "is not a day"),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_a_sentence(app: Flask, shop: Shop, fields: dict[str, str], said: str):
    walker = staff(app).go("/admin/tariffs/new")
    walker.submit("/tariffs/new", allowed=422, **({"operator_id": str(shop.operator_id)} | fields))
    assert said in walker.text
    assert scalar("SELECT count(*) FROM billing_tariff") == 2


# Refund rules


def test_a_rule_is_added_and_read_in_words(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/refund-rules/new")
    walker.submit(
        "/refund-rules/new",
        operator_id=str(shop.operator_id),
        outcome="not_in_network",
        percent="100",
        delay_hours="48",
        note="as the operator does",
    )
    assert "The refund rule was added." in walker.text
    assert "the whole price comes back, 48 hours after sending" in walker.text
    assert "as the operator does" in walker.text
    found = row("SELECT outcome, percent, delay_seconds, created_by FROM billing_refund_rule ORDER BY id DESC LIMIT 1")
    assert (found.outcome, found.percent, found.delay_seconds) == ("not_in_network", 100, 172_800)
    assert found.created_by


def test_a_rule_is_ended_once(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/refund-rules")
    rule_id = scalar("SELECT id FROM billing_refund_rule")
    page = walker.page
    walker.submit(f"/refund-rules/{rule_id}/end")
    assert "There is no refund rule yet" in walker.text
    walker.page = page
    walker.submit(f"/refund-rules/{rule_id}/end")
    assert "It has ended already." in walker.text


def test_an_operator_without_the_common_rule_gets_the_usual_ones_by_one_click(app: Flask, shop: Shop):
    operator_id, _ = make_gateway(operator_code="5000")
    walker = staff(app).go("/admin/refund-rules")
    assert "Operator 5000 has no rule" in walker.text
    walker.submit("/refund-rules/usual")
    assert "has no rule" not in walker.text
    found = [rule.outcome for rule in queries.rules_of_operators(at=clock.now()) if rule.operator_id == operator_id]
    assert found == ["blocked", "opted_out"]


def test_nothing_can_be_paid_back_for_what_was_delivered_or_never_charged(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/refund-rules/new")
    offered = {str(option["value"]) for option in walker.page.find("select", {"name": "outcome"})("option")}
    assert not offered & {"delivered", "refused", "cancelled", "invalid", "duplicate"}
    walker.submit("/refund-rules/new", allowed=422, operator_id=str(shop.operator_id), outcome="delivered")
    walker.submit("/refund-rules/new", allowed=422, operator_id=str(shop.operator_id), percent="101")
    walker.submit("/refund-rules/new", allowed=422, operator_id=str(shop.operator_id), delay_hours="9999")
    assert scalar("SELECT count(*) FROM billing_refund_rule") == 1


PATHS = [
    ("get", "/admin/tariffs"),
    ("get", "/admin/tariffs/new"),
    ("post", "/admin/tariffs/new"),
    ("post", "/admin/tariffs/1/end"),
    ("get", "/admin/refund-rules"),
    ("get", "/admin/refund-rules/new"),
    ("post", "/admin/refund-rules/new"),
    ("post", "/admin/refund-rules/usual"),
    ("post", "/admin/refund-rules/1/end"),
]


def test_only_the_staff_get_there(app: Flask):
    for kind in ("customer", "reseller"):
        account_id, *_ = make_account(kind=kind)
        walker = signed_in(app, account_id).go("/prices")
        token = walker.page.find("input", {"name": "csrf_token"})["value"]
        for method, path in PATHS:
            assert getattr(walker.browser, method)(path, data={"csrf_token": token}).status_code == 403
    for method, path in PATHS:
        assert getattr(app.test_client(), method)(path).status_code in {303, 400}


def test_a_form_without_its_token_changes_nothing_and_an_unknown_row_is_not_found(app: Flask, shop: Shop):
    walker = staff(app).go("/admin/tariffs")
    token = walker.page.find("input", {"name": "csrf_token"})["value"]
    for path in [path for method, path in PATHS if method == "post"]:
        assert walker.browser.post(path, data={"operator_id": shop.operator_id}).status_code == 400
    for path in ("/admin/tariffs/999999/end", "/admin/refund-rules/999999/end"):
        assert walker.browser.post(path, data={"csrf_token": token}).status_code == 404
    usual = walker.browser.post("/admin/refund-rules/usual", data={"csrf_token": token, "operator_id": 99})
    assert usual.status_code == 404
    assert scalar("SELECT count(*) FROM billing_refund_rule WHERE valid_until IS NOT NULL") == 0


@pytest.mark.parametrize("path", ["/admin/tariffs", "/admin/refund-rules"])
@pytest.mark.parametrize("query", ["phase=never", "operator_id=x", "line=%F0%9F%98%80", "before=x", "before=-1"])
def test_a_filter_nobody_can_read_is_no_failure(app: Flask, shop: Shop, path: str, query: str):
    staff(app).go(f"{path}?{query}")
