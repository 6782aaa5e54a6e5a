"""A reseller at its profit."""

import pytest
from flask import Flask

from sms.core.db import rows, transaction
from sms.operators.contract import Report
from sms.operators.rules import Outcome
from sms.outbox.operations import reports
from tests.factories import AT, make_tree
from tests.ledger.people import signed_in
from tests.outbox.conftest import Steps
from tests.outbox.tree import Books


@pytest.fixture
def books(app: Flask) -> Books:
    return Books(make_tree())


def test_profit_is_pending_then_final_then_in_the_balance(app: Flask, books: Books):
    steps = Steps(books.tree.shop)
    campaign_id = books.send(4)
    steps.send()
    walker = signed_in(app, books.tree.payers[0]).go("/reseller/profit")
    assert "1,100 rial" in walker.text  # pending: four times 275
    assert "4,400 rial" in walker.text  # its own price
    assert "5,500 rial" not in walker.text  # nobody is told the other's price
    assert not walker.page("form", action="/reseller/profit/pay-out")
    with transaction():
        said = [Report(found.operator_ref, "1", Outcome.DELIVERED) for found in rows("TABLE outbox_submission")]
        reports.store(said, gateway_id=books.tree.shop.gateway_id, source="push", at=AT)
        reports.apply_waiting(most=10, at=AT)
    steps.settle(campaign_id)
    walker.go("/reseller/profit").submit("/profit/pay-out")
    assert "moved to your balance" in walker.text
    assert books.profits == (0, 4 * 100_000)
    steps.verify()


def test_an_account_without_sub_accounts_sees_an_empty_page(app: Flask, books: Books):
    walker = signed_in(app, books.tree.payers[1]).go("/reseller/profit")
    assert "Nothing was sent below you yet" in walker.text
    assert signed_in(app, books.tree.shop.account_id).browser.get("/reseller/profit").status_code == 403
