"""VAT and levy: rates by day, rounding, the staff's page."""

from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from sms.billing import queries as billing
from sms.billing.taxes import operations, queries
from sms.billing.taxes.operations import NewTax
from sms.billing.taxes.rules import TaxKind, percent_text, vat_on, vat_within
from sms.core import clock
from sms.core.db import scalar, transaction
from sms.core.errors import Refusal
from tests.factories import AT, make_shop
from tests.ledger.people import signed_in, staff

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("net_mrial", "permille", "vat_mrial"),
    [(1_000_000, 100, 100_000), (15_000, 100, 2_000), (14_000, 100, 1_000), (999_000, 0, 0), (1_000, 90, 0)],
)
def test_vat_comes_on_top_in_whole_rial(net_mrial: int, permille: int, vat_mrial: int):
    assert vat_on(net_mrial, permille=permille) == vat_mrial


@given(st.integers(1, 10**9), st.integers(0, 1000))
def test_what_holds_vat_parts_into_net_and_vat(rial: int, permille: int):
    vat = vat_within(rial * 1000, permille=permille)
    net = rial * 1000 - vat
    assert vat % 1000 == 0
    assert 0 <= vat < rial * 1000
    assert abs(vat_on(net, permille=permille) - vat) <= 1000


@pytest.mark.parametrize(("permille", "text"), [(100, "10"), (125, "12.5"), (0, "0"), (5, "0.5")])
def test_thousandths_are_told_in_percent(permille: int, text: str):
    assert percent_text(permille) == text


def _add(kind: TaxKind, rate: int, at=AT, **changes):
    with transaction():
        return operations.add_tax(NewTax(kind, rate, **changes), actor_id=None, at=at)


def test_without_a_rate_nothing_is_taken(app: Flask):
    assert (queries.vat_permille(AT), billing.levy_mrial(AT)) == (0, 0)


def test_the_rate_of_the_day_holds(app: Flask):
    _add(TaxKind.VAT, 90)
    _add(TaxKind.VAT, 100, valid_from=AT + 10 * DAY)
    _add(TaxKind.LEVY, 10_000)
    assert queries.vat_permille(AT - DAY) == 0
    assert queries.vat_permille(AT + DAY) == 90
    assert queries.vat_permille(AT + 10 * DAY) == 100
    assert billing.levy_mrial(AT + DAY) == 10_000


def test_of_one_day_the_last_written_holds_and_zero_ends_a_tax(app: Flask):
    _add(TaxKind.LEVY, 10_000)
    _add(TaxKind.LEVY, 0)
    assert billing.levy_mrial(AT) == 0


@pytest.mark.parametrize("tax", [NewTax(TaxKind.VAT, 1001), NewTax(TaxKind.LEVY, 10**9), NewTax(TaxKind.VAT, -1)])
def test_impossible_rates_are_refused(app: Flask, tax: NewTax):
    with pytest.raises(Refusal), transaction():
        operations.add_tax(tax, actor_id=None, at=AT)


def test_the_past_keeps_its_tax(app: Flask):
    with pytest.raises(Refusal, match="not in the past"), transaction():
        operations.add_tax(NewTax(TaxKind.VAT, 90, valid_from=AT - DAY), actor_id=None, at=AT)


def test_staff_add_rates_and_read_which_holds(app: Flask):
    walker = staff(app).go("/admin/taxes")
    assert "No tax was ever stated" in walker.text
    walker.submit("/admin/taxes", kind="vat", percent="۱۰", note="law of 1403")
    assert "10 percent" in walker.text
    assert "In force" in walker.text
    walker.submit("/admin/taxes", kind="levy", part="12.5")
    assert queries.vat_permille(clock.now()) == 100
    assert billing.levy_mrial(clock.now()) == 12_500
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'tax.added' AND actor_id IS NOT NULL") == 2


def test_a_rate_must_be_stated(app: Flask):
    walker = staff(app).go("/admin/taxes").submit("/admin/taxes", kind="vat", part="10", allowed=422)
    assert "This must be filled in." in walker.text
    walker.submit("/admin/taxes", kind="vat", percent="9.25", allowed=422)
    assert "at most one digit" in walker.text


def test_the_levy_has_its_own_line_among_the_prices(app: Flask):
    shop = make_shop()
    walker = signed_in(app, shop.account_id).go("/prices")
    assert "Levy" not in walker.text
    with transaction():
        operations.add_tax(NewTax(TaxKind.LEVY, 10_000), actor_id=None, at=clock.now())
    assert "Levy a part, added to each of these prices 10 rial 10 rial" in walker.go("/prices").text


def test_a_send_pays_the_levy_of_every_part_and_nobody_earns_of_it(app: Flask):
    shop = make_shop()
    asked = {"account_id": shop.account_id, "line_id": shop.line_id, "operator_id": shop.operator_id}
    before = billing.price_list(**asked, at=AT)
    _add(TaxKind.LEVY, 10_000)
    after = billing.price_list(**asked, at=AT)
    assert after == {key: billing.Price(p.price_mrial + 10_000, p.cost_mrial + 10_000) for key, p in before.items()}
    one = next(iter(after.values()))
    assert one.of(3) == billing.Price(3 * one.price_mrial, 3 * one.cost_mrial)
