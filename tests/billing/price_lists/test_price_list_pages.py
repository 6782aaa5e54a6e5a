"""A reseller at its prices."""

import pytest
from flask import Flask

from sms.core import clock
from sms.core.db import row, scalar
from tests.factories import Tree, make_tree
from tests.ledger.people import signed_in


@pytest.fixture
def tree(app: Flask) -> Tree:
    return make_tree()


def test_a_reseller_sees_what_it_pays_asks_and_keeps(app: Flask, tree: Tree):
    walker = signed_in(app, tree.payers[0]).go("/reseller/prices")
    assert "1,100 rial" in walker.text
    assert "1,375 rial" in walker.text
    assert "275 rial" in walker.text
    assert "your price and 25%" in walker.text


def test_a_price_at_a_loss_is_asked_about_once_more(app: Flask, tree: Tree):
    walker = signed_in(app, tree.payers[0]).go("/reseller/prices/new")
    fields = {"operator_id": str(tree.shop.operator_id), "account_id": str(tree.shop.account_id), "price": "1099"}
    walker.submit("/prices/new", allowed=422, **fields)
    assert "is less than the" in walker.text
    assert scalar("SELECT count(*) FROM billing_price_list") == 2
    walker.submit("/prices/new", confirm_below_cost="y", **fields)
    assert "The price was added." in walker.text
    assert "at a loss, confirmed" in walker.text
    walker.go(f"/reseller/prices?account={tree.shop.account_id}")
    assert "1,099 rial" in walker.text


def test_a_markup_is_typed_in_percent_and_ended_again(app: Flask, tree: Tree):
    walker = signed_in(app, tree.payers[0], language="fa").go("/reseller/prices/new")
    walker.submit("/prices/new", operator_id=str(tree.shop.operator_id), markup="۱۲٫۵", language="latin")
    found = row("SELECT id, markup_permille, language, created_by FROM billing_price_list ORDER BY id DESC LIMIT 1")
    assert found is not None
    assert (found.markup_permille, found.language) == (125, "latin")
    assert found.created_by
    walker.submit(f"/prices/{found.id}/end")
    assert scalar("SELECT valid_until <= :at FROM billing_price_list WHERE id = :id", id=found.id, at=clock.now())


def test_a_slip_of_the_finger_is_said(app: Flask, tree: Tree):
    walker = signed_in(app, tree.payers[0]).go("/reseller/prices/new")
    walker.submit("/prices/new", allowed=422, operator_id=str(tree.shop.operator_id), markup="a lot")
    assert "A markup is a percentage" in walker.text
    walker.submit("/prices/new", allowed=422, operator_id=str(tree.shop.operator_id), markup="")
    assert "either a markup or a fixed price" in walker.text


def test_customers_have_no_such_page_and_resellers_not_each_others_rows(app: Flask, tree: Tree):
    customer = signed_in(app, tree.shop.account_id)
    assert customer.browser.get("/reseller/prices").status_code == 403
    top = signed_in(app, tree.payers[1])
    assert top.browser.get(f"/reseller/prices?account={tree.shop.account_id}").status_code == 200
    assert "1,375 rial" not in top.go(f"/reseller/prices?account={tree.shop.account_id}").text
