"""Invoices: one a payment, numbered without gaps, never changed, taken back once; their pages and their papers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy.exc import DBAPIError, ProgrammingError

from sms.billing.invoices import operations, queries
from sms.billing.invoices.operations import PaidIn
from sms.billing.invoices.rules import (
    KIND_LABELS,
    LINE_LABELS,
    InvoiceKind,
    Line,
    LineKind,
    Month,
    Party,
    last_months,
    month_called,
    month_of,
    net,
    reversed_lines,
)
from sms.billing.invoices.views import paper
from sms.billing.taxes import operations as taxes
from sms.billing.taxes.rules import TaxKind
from sms.core import clock
from sms.core.db import execute, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from tests.billing.slips.test_slips import approve, hand_in
from tests.billing.topups.conftest import M, begin, told
from tests.factories import AT, make_account, make_root
from tests.ledger.people import signed_in, staff


@pytest.mark.parametrize(
    ("day", "month", "first", "following"),
    [
        (date(2026, 11, 29), Month(1405, 9), date(2026, 11, 22), Month(1405, 10)),
        (date(2026, 3, 20), Month(1404, 12), date(2026, 2, 20), Month(1405, 1)),
        (date(2026, 3, 21), Month(1405, 1), date(2026, 3, 21), Month(1405, 2)),
    ],
)
def test_months_are_jalali(day: date, month: Month, first: date, following: Month):
    assert month_of(day) == month
    assert (month.first, month.following, month.following.preceding) == (first, following, month)


@pytest.mark.parametrize(
    ("code", "month"),
    [
        ("1405-09", Month(1405, 9)),
        ("1405-13", None),
        ("1405", None),
        ("x-1", None),
        ("۱۴۰۵-۰۹", None),
        ("0000-01", None),
    ],
)
def test_months_have_codes(code: str, month: Month | None):
    assert month_called(code) == month
    assert month is None or month.code == code


def test_months_that_are_over_come_last_first():
    assert last_months(date(2026, 4, 1), 2) == [Month(1404, 12), Month(1404, 11)]


def test_a_credit_note_turns_amounts_round():
    lines = [Line(LineKind.MESSAGES, "3000", 5, 700), Line(LineKind.REFUNDS, "3000", 1, -100)]
    assert net(lines) + net(reversed_lines(lines)) == 0


def test_everything_has_its_words():
    assert set(KIND_LABELS) == set(InvoiceKind)
    assert set(LINE_LABELS) == set(LineKind)


def pay(
    account_id: int,
    number: int = 1,
    *,
    seller_id: int | None = None,
    at: datetime = AT,
    kind: LineKind = LineKind.TOPUP,
) -> int:
    paid = PaidIn(
        kind=kind,
        id=number,
        seller_id=seller_id or make_root(),
        account_id=account_id,
        amount_mrial=100 * M,
        vat_permille=100,
        vat_mrial=10 * M,
    )
    with transaction():
        return operations.issue_for_payment(paid, actor_id=None, at=at)


def test_what_is_paid_has_an_invoice_with_its_vat(app: Flask):
    with transaction():
        taxes.add_tax(taxes.NewTax(TaxKind.VAT, 100), actor_id=None, at=clock.now())
    attempt = begin()
    for _time in range(3):
        told(attempt, is_returned=True)
    found = queries.account_invoices(attempt.account_id)
    assert [(each.kind, each.subject, each.number) for each in found] == [("payment", f"topup:{attempt.id}", 1)]
    assert (found[0].net_mrial, found[0].vat_mrial, found[0].total_mrial) == (100 * M, 10 * M, 110 * M)


def test_an_approved_slip_has_an_invoice_of_whoever_was_paid(app: Flask):
    reseller_id, *_ = make_account(kind="reseller")
    below, user_id, _ = make_account(parent_id=reseller_id)
    approve(reseller_id, hand_in(below, user_id=user_id))
    found = queries.account_invoices(below)[0]
    assert (found.seller_id, found.vat_mrial, found.called) == (reseller_id, 0, f"{found.year}/1")


def test_numbers_begin_anew_with_the_year_and_are_each_sellers_own(app: Flask):
    account_id, reseller_id = make_account()[0], make_account(kind="reseller")[0]
    eve, new_year = datetime(2026, 3, 20, 12, tzinfo=UTC), datetime(2026, 3, 21, 12, tzinfo=UTC)
    ids = [pay(account_id, 1, at=eve), pay(account_id, 2, at=eve), pay(account_id, 3, at=new_year)]
    ids.append(pay(account_id, 4, seller_id=reseller_id, at=new_year))
    assert [queries.invoice(each).called for each in ids] == ["1404/1", "1404/2", "1405/1", "1405/1"]


def test_numbers_have_no_gaps_whoever_comes_at_once_and_whatever_fails(app: Flask):
    account_id, root = make_account()[0], make_root()

    def issue(number: int) -> None:
        with app.app_context():
            if number % 3:
                pay(account_id, number // 2, seller_id=root)
                return
            with pytest.raises(ZeroDivisionError), transaction():
                _issue_and_fail(account_id, root, number)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(issue, range(60)))
    found = [each.number for each in rows("SELECT number FROM billing_invoice ORDER BY number")]
    assert found == list(range(1, len(found) + 1))
    assert len(found) == 30  # of each pair only one, under one number


def _issue_and_fail(account_id: int, seller_id: int, number: int) -> None:
    paid = PaidIn(
        kind=LineKind.SLIP,
        id=number,
        seller_id=seller_id,
        account_id=account_id,
        amount_mrial=M,
        vat_permille=0,
        vat_mrial=0,
    )
    operations.issue_for_payment(paid, actor_id=None, at=AT)
    raise ZeroDivisionError


@pytest.mark.parametrize("change", ["UPDATE billing_invoice SET net_mrial = 0", "DELETE FROM billing_invoice"])
def test_an_issued_invoice_is_never_changed(app: Flask, change: str):
    pay(make_account()[0])
    with pytest.raises((ProgrammingError, DBAPIError)), transaction():
        execute(change)


def test_data_of_later_stand_on_later_invoices_only(app: Flask):
    account_id, root = make_account()[0], make_root()
    first = pay(account_id, 1)
    with transaction():
        operations.set_party(account_id=account_id, party=Party("فروشگاه"), actor_id=None, at=AT)
        operations.set_party(account_id=root, party=Party("شرکت", economic_code="411"), actor_id=None, at=AT)
    second = pay(account_id, 2)
    assert queries.invoice(first).buyer.legal_name.startswith("Shop")
    assert (queries.invoice(second).buyer.legal_name, queries.invoice(second).seller.economic_code) == (
        "فروشگاه",
        "411",
    )
    with pytest.raises(Refusal, match="State the name"), transaction():
        operations.set_party(account_id=root, party=Party(" "), actor_id=None, at=AT)


def _correct(invoice_id: int, reason: str = "another buyer") -> int:
    with transaction():
        return operations.correct(invoice_id=invoice_id, reason=reason, actor_id=None, at=AT)


def test_an_invoice_is_taken_back_once_by_a_credit_note(app: Flask):
    account_id, *_ = make_account()
    invoice_id = pay(account_id)
    with pytest.raises(Refusal, match="Say why"):
        _correct(invoice_id, " ")
    note = queries.invoice(_correct(invoice_id))
    assert (note.kind, note.number, note.total_mrial, note.corrects) == ("credit_note", 2, -110 * M, f"{note.year}/1")
    assert note.buyer == queries.invoice(invoice_id).buyer
    assert queries.invoice(invoice_id).corrected_by == note.id
    with pytest.raises(Refusal, match="taken back already"):
        _correct(invoice_id)
    with pytest.raises(Refusal, match="not taken back"):
        _correct(note.id)


def test_invoices_of_others_are_not_there(app: Flask):
    account_id, other = make_account()[0], make_account()[0]
    invoice_id = pay(account_id)
    with pytest.raises(NotFound):
        queries.account_invoice(other, invoice_id)
    browser = signed_in(app, other).browser
    for address in (f"/wallet/invoices/{invoice_id}", f"/wallet/invoices/{invoice_id}/pdf/fa"):
        assert browser.get(address).status_code == 404


# Papers


@pytest.mark.parametrize("chosen", ["fa", "en"])
def test_a_paper_is_a_pdf_with_our_font_in_it_and_always_the_same(app: Flask, chosen: str):
    found = queries.invoice(pay(make_account()[0]))
    first, second = (paper.pdf(found, chosen=chosen) for _time in range(2))
    assert first == second
    assert first.startswith(b"%PDF-")
    assert first.rstrip().endswith(b"%%EOF")
    assert b"Vazirmatn" in first
    assert paper.pdf(found, chosen="en" if chosen == "fa" else "fa") != first


def test_a_long_invoice_goes_on_over_pages(app: Flask):
    found = queries.invoice(pay(make_account()[0]))
    lines = tuple(Line(LineKind.MESSAGES, f"3000{number}", number, number * 1_390_500) for number in range(200))
    contents = paper.pdf(replace(found, lines=lines), chosen="fa")
    assert contents.count(b"/Type /Page\n") > 3


@pytest.mark.parametrize(
    ("amount_mrial", "persian", "english"),
    [(1_390_500, "۱٬۳۹۰٫۵", "1,390.5"), (-110 * M, "−۱۱۰٬۰۰۰٬۰۰۰", "−110,000,000"), (0, "۰", "0")],
)
def test_amounts_on_paper_are_exact_rial(app: Flask, amount_mrial: int, persian: str, english: str):
    with paper.speaking("fa"):
        assert paper.rial_text(amount_mrial) == persian
    with paper.speaking("en"):
        assert paper.rial_text(amount_mrial) == english


# Pages


def test_a_customer_reads_and_downloads_invoices(app: Flask):
    account_id, *_ = make_account()
    invoice_id = pay(account_id)
    walker = signed_in(app, account_id).go("/wallet/invoices")
    assert "carry the name of your account only" in walker.text
    walker.go(f"/wallet/invoices/{invoice_id}")
    assert "Credit for sending messages, online payment 1" in walker.text
    assert "110,000,000 rial" in walker.text
    answer = walker.browser.get(f"/wallet/invoices/{invoice_id}/pdf/en")
    assert (answer.mimetype, answer.data[:5]) == ("application/pdf", b"%PDF-")
    assert walker.browser.get(f"/wallet/invoices/{invoice_id}/pdf/de").status_code == 404
    walker.go("/account/invoice-data").submit("/invoice-data", legal_name="فروشگاه", economic_code="۴۱۱۱")
    assert queries.party(account_id).economic_code == "4111"
    assert "carry the name of your account only" not in walker.text


def test_staff_take_an_invoice_back_and_state_our_data(app: Flask):
    account_id, *_ = make_account()
    invoice_id = pay(account_id)
    walker = staff(app).go("/admin/invoices")
    assert "until then only its name" in walker.text
    walker.go("/admin/seller").submit("/admin/seller", legal_name="شرکت پیامگاه", economic_code="411")
    assert "until then only its name" not in walker.text
    walker.go(f"/admin/invoices/{invoice_id}").submit("/correct", reason="", allowed=422)
    walker.submit("/correct", reason="the wrong company")
    assert "Credit note" in walker.text
    assert "the wrong company" in walker.text
    assert "Taken back" in walker.go("/admin/invoices?kind=payment").text
    assert walker.browser.get(f"/admin/invoices/{invoice_id}/pdf/fa").data[:5] == b"%PDF-"
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'invoice.issued'") == 2
