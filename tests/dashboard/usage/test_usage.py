"""What a month used, by line, agrees with the ledger to the last rial; its invoice is issued on demand, once."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from sms.billing.invoices import operations as invoices
from sms.billing.invoices import queries as invoice_queries
from sms.billing.invoices.rules import Line, LineKind, Month, net
from sms.core.db import rows, scalar, transaction
from sms.core.errors import Refusal
from sms.dashboard.usage import queries
from sms.ledger import queries as money
from sms.operators.contract import Report
from sms.operators.rules import Outcome
from sms.outbox.operations import refunds, reports
from tests.factories import Shop, make_account, make_campaign, make_shop
from tests.ledger.people import signed_in
from tests.outbox.conftest import Steps

SENT = datetime(2026, 11, 10, 9, tzinfo=UTC)  # in the month 1405-08
ABAN, AZAR = Month(1405, 8), Month(1405, 9)


@pytest.fixture
def shop(app: Flask) -> Shop:
    """A customer that sent ten messages in a month that is over; three were blocked and refunded."""
    shop = make_shop()
    make_campaign(shop)
    Steps(shop).send(at=SENT)
    refs = [each.operator_ref for each in rows("SELECT operator_ref FROM outbox_submission ORDER BY message_id")]
    told = [Report(ref, "x", Outcome.BLOCKED if place < 3 else Outcome.DELIVERED) for place, ref in enumerate(refs)]
    at = SENT + timedelta(seconds=2)
    with transaction():
        reports.store(told, gateway_id=shop.gateway_id, source="push", at=at)
    with transaction():
        reports.apply_waiting(most=100, at=at)
    with transaction():
        refunds.post_due(most=100, at=at)
    return shop


def _number(shop: Shop) -> str:
    return str(scalar("SELECT number FROM lines_line WHERE id = :id", id=shop.line_id))


def test_a_month_is_told_by_line_with_its_parts(shop: Shop):
    assert queries.usage(shop.account_id, ABAN) == [
        Line(LineKind.MESSAGES, _number(shop), 10, 10_000_000),
        Line(LineKind.REFUNDS, _number(shop), 3, -3_000_000),
    ]
    assert queries.usage(shop.account_id, AZAR) == []
    assert queries.usage(make_account()[0], ABAN) == []


def test_what_is_told_is_what_the_ledger_moved(shop: Shop):
    refunded = money.totals(account_id=shop.account_id)["refund"]
    charged = scalar(
        """SELECT -sum(e.amount_mrial) FROM ledger_entry e JOIN ledger_wallet w ON w.id = e.wallet_id
           JOIN ledger_transfer t ON t.id = e.transfer_id WHERE w.kind = 'escrow' AND t.kind = 'charge'"""
    )
    assert net(queries.usage(shop.account_id, ABAN)) == charged - refunded


def _issue(account_id: int, month: Month, at: datetime) -> int:
    lines = queries.usage(account_id, month)
    with transaction():
        return invoices.issue_for_usage(account_id=account_id, month=month, lines=lines, actor_id=None, at=at)


def test_the_invoice_of_a_month_is_issued_once(shop: Shop):
    at = SENT + timedelta(days=30)
    first, second = _issue(shop.account_id, ABAN, at), _issue(shop.account_id, ABAN, at + timedelta(days=9))
    assert first == second
    found = invoice_queries.account_invoice(shop.account_id, first)
    assert (found.kind, found.net_mrial, found.vat_mrial) == ("usage", 7_000_000, 0)
    assert (found.period_from, found.period_until) == (ABAN.first, AZAR.first)


def test_a_month_that_goes_on_or_is_empty_has_no_invoice(shop: Shop):
    with pytest.raises(Refusal, match="not over yet"):
        _issue(shop.account_id, ABAN, SENT + timedelta(days=1))
    with pytest.raises(Refusal, match="Nothing was used"):
        _issue(shop.account_id, AZAR, SENT + timedelta(days=90))


def test_a_customer_reads_a_month_and_issues_its_invoice(app: Flask, shop: Shop):
    walker = signed_in(app, shop.account_id).go("/wallet/usage")
    walker.go("/wallet/usage?month=1405-08")
    assert f"Messages sent over the line {_number(shop)} 10 10,000 rial" in walker.text
    walker.submit("/wallet/usage/invoice")
    assert "The invoice was issued." in walker.text
    assert "Usage of a month" in walker.text
    assert "Its invoice" in walker.go("/wallet/usage?month=1405-08").text
    assert walker.browser.get("/wallet/usage?month=nonsense").status_code == 404
