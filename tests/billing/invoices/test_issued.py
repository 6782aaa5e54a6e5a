"""What was issued in a reseller's name: its own list and files, and who may open each invoice."""

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from sms.billing.invoices import operations, queries
from sms.billing.invoices.queries import IssuedFilter
from sms.billing.invoices.rules import Line, LineKind, Month, Party
from sms.billing.invoices.views import issued as pages
from sms.core.db import execute, transaction
from sms.core.errors import NotFound
from tests.billing.invoices.test_invoices import pay as paid_in
from tests.factories import AT, make_account, make_root
from tests.ledger.people import signed_in, staff

ALL = IssuedFilter()
HOSTILE = '=HYPERLINK("http://e.example")<script>alert(1)</script>'
YEARS_EVE, NEW_YEAR = datetime(2026, 3, 20, 20, 29, tzinfo=UTC), datetime(2026, 3, 20, 20, 30, tzinfo=UTC)


def pay(account_id: int, number: int = 1, *, seller_id: int, at: datetime = AT) -> int:
    """By a bank slip, which the reseller approves."""
    return paid_in(account_id, number, seller_id=seller_id, at=at, kind=LineKind.SLIP)


def use(account_id: int, *, at: datetime = AT) -> int:
    lines = [Line(LineKind.MESSAGES, "30001", 7, 1_500), Line(LineKind.REFUNDS, "30001", 1, -250)]
    with transaction():
        return operations.issue_for_usage(
            account_id=account_id, month=Month(1405, 2), lines=lines, actor_id=None, at=at + timedelta(days=60)
        )


def take_back(invoice_id: int, reason: str = "another buyer") -> int:
    with transaction():
        return operations.correct(invoice_id=invoice_id, reason=reason, actor_id=None, at=AT)


def make_reseller(*, parent_id: int | None = None, customers: int = 2) -> tuple[int, ...]:
    reseller_id = make_account(kind="reseller", parent_id=parent_id)[0]
    return reseller_id, *(make_account(parent_id=reseller_id)[0] for _each in range(customers))


def ids(seller_id: int, narrowed: IssuedFilter = ALL, **page) -> list[int]:
    return [each.id for each in queries.issued(seller_id, narrowed, **page)]


def _csv(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


def _sheet(answer) -> str:
    return zipfile.ZipFile(io.BytesIO(answer.data)).read("xl/worksheets/sheet1.xml").decode()


# Whose they are


def test_a_seller_has_what_was_issued_in_its_name_and_nothing_else(app: Flask):
    top, first, second = make_reseller()
    below, theirs = make_reseller(parent_id=top, customers=1)
    mine = [pay(first, 1, seller_id=top), pay(second, 2, seller_id=top), use(first), pay(below, 3, seller_id=top)]
    lower, house = pay(theirs, 4, seller_id=below), pay(top, 5, seller_id=make_root())
    note = take_back(mine[0])
    assert ids(top) == [note, *reversed(mine)]
    assert ids(below) == [lower]
    assert ids(make_root()) == [house]
    assert ids(first) == []


def test_a_page_goes_on_below_the_one_before(app: Flask):
    top, first, _second = make_reseller()
    made = [pay(first, number, seller_id=top) for number in range(5)][::-1]
    assert ids(top, most=2) == made[:2]
    assert ids(top, before=made[1], most=2) == made[2:4]
    assert ids(top, before=made[3], most=2) == made[4:]
    assert ids(top, before=10**30) == made
    assert ids(top, before=-(10**30)) == []


def test_the_list_is_narrowed_to_a_buyer_a_kind_and_days(app: Flask):
    top, first, second = make_reseller()
    old, new = pay(first, 1, seller_id=top, at=YEARS_EVE), pay(second, 2, seller_id=top, at=NEW_YEAR)
    note = take_back(new)
    assert ids(top, IssuedFilter(account_id=first)) == [old]
    assert ids(top, IssuedFilter(account_id=make_account()[0])) == []
    assert ids(top, IssuedFilter(kind="credit_note")) == [note]
    assert ids(top, IssuedFilter(account_id=second, kind="payment")) == [new]
    assert ids(top, IssuedFilter(until=NEW_YEAR)) == [old]
    assert ids(top, IssuedFilter(since=NEW_YEAR)) == [note, new]


def test_a_seller_may_not_narrow_its_way_to_what_others_issued(app: Flask):
    top, first, _second = make_reseller()
    pay(first, seller_id=make_root())
    assert ids(top, IssuedFilter(account_id=first)) == []
    assert not queries.has_issued_more_than(0, top, IssuedFilter(account_id=first))


def test_a_download_has_all_of_them_slice_by_slice(app: Flask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queries, "_SLICE", 2)
    top, first, second = make_reseller()
    made = [pay(account, number, seller_id=top) for number, account in enumerate([first, second, first, second, first])]
    slices = [[each.id for each in some] for some in queries.every_issued(top, ALL)]
    assert slices == [[made[4], made[3]], [made[2], made[1]], [made[0]]]
    assert queries.has_issued_more_than(4, top, ALL)
    assert not queries.has_issued_more_than(5, top, ALL)


def test_buyers_are_those_right_below_and_the_chosen_one_is_among_them(app: Flask):
    top, first, second = make_reseller()
    make_account(parent_id=make_account(kind="reseller", parent_id=top)[0])
    assert {each.id for each in queries.buyers(top)} >= {first, second}
    assert len(queries.buyers(top)) == 3
    last = queries.buyers(top)[-1].id
    assert [each.id for each in queries.buyers(top, chosen=last, most=1)] == [last]
    assert {each.id for each in queries.buyers(top, chosen=10**30)} == {each.id for each in queries.buyers(top)}


def test_one_invoice_is_its_buyers_and_where_it_is_asked_its_sellers(app: Flask):
    top, first, second = make_reseller()
    above = make_root()
    invoice_id = pay(first, seller_id=top)
    assert queries.account_invoice(first, invoice_id).id == invoice_id
    assert queries.account_invoice(top, invoice_id, or_issued=True).id == invoice_id
    for account_id, or_issued in ((top, False), (second, True), (above, True)):
        with pytest.raises(NotFound):
            queries.account_invoice(account_id, invoice_id, or_issued=or_issued)


# Pages


def test_a_reseller_reads_its_list_and_opens_each_with_its_paper(app: Flask):
    top, first, _second = make_reseller()
    paid, used = pay(first, 41, seller_id=top), use(first)
    note = take_back(paid)
    walker = signed_in(app, top).go("/reseller/invoices")
    rows = [" ".join(row.get_text(" ").split()) for row in walker.page.select("tbody tr")]
    assert "Credit note Takes back invoice" in rows[0]
    assert "Usage of 1405/02" in rows[1]
    assert "1.25 rial" in rows[1]
    assert "Taken back Credit for sending messages, bank slip 41" in rows[2]
    assert "100,000,000 rial" in rows[2]
    assert "110,000,000 rial" in rows[2]
    for invoice_id in (paid, used, note):
        assert walker.page.find("a", href=f"/wallet/invoices/{invoice_id}")
        assert walker.browser.get(f"/wallet/invoices/{invoice_id}/pdf/en").data[:5] == b"%PDF-"
    walker.go(f"/wallet/invoices/{paid}")
    assert walker.page.select_one("main a[href='/reseller/invoices']")
    assert walker.page.select_one(f"main a[href='/reseller/accounts/{first}']")


def test_a_buyer_reads_the_same_page_without_the_sellers_ways(app: Flask):
    top, first, _second = make_reseller()
    walker = signed_in(app, first).go(f"/wallet/invoices/{pay(first, seller_id=top)}")
    assert walker.page.select_one("main a[href='/wallet/invoices']")
    assert not walker.page.find("a", href="/reseller/invoices")


def test_whoever_is_neither_seller_nor_buyer_finds_nothing(app: Flask):
    grand, _own = make_reseller(customers=1)
    top, first, second = make_reseller(parent_id=grand)
    sibling, theirs = make_reseller(parent_id=grand, customers=1)
    invoice_id = pay(first, seller_id=top)
    for account_id in (grand, second, sibling, theirs, make_root()):
        browser = signed_in(app, account_id).browser
        for address in (f"/wallet/invoices/{invoice_id}", f"/wallet/invoices/{invoice_id}/pdf/fa"):
            assert browser.get(address).status_code == 404, (account_id, address)
    for account_id in (grand, sibling):
        walker = signed_in(app, account_id)
        for narrowed in ("", f"?account_id={first}", f"?account_id={top}"):
            assert not walker.go(f"/reseller/invoices{narrowed}").page.select("tbody tr")
            assert _csv(walker.browser.get(f"/reseller/invoices/export.csv{narrowed}")) == []
            assert _sheet(walker.browser.get(f"/reseller/invoices/export.xlsx{narrowed}")).count("<row") == 1


def test_who_may_not_manage_sub_accounts_has_no_list_and_opens_none(app: Flask):
    top, first, _second = make_reseller()
    invoice_id = pay(first, seller_id=top)
    walker = signed_in(app, top)
    with transaction():
        execute("UPDATE accounts_user SET role = 'member' WHERE account_id = :id", id=top)
    assert walker.browser.get(f"/wallet/invoices/{invoice_id}").status_code == 404
    assert walker.browser.get("/reseller/invoices").status_code == 403
    assert not walker.go("/wallet/invoices").page.find("a", href="/reseller/invoices")
    assert staff(app).browser.get("/reseller/invoices").status_code == 403


def test_the_page_is_narrowed_in_either_calendar_and_its_files_as_it_is(app: Flask):
    top, first, second = make_reseller()
    pay(first, 1, seller_id=top, at=YEARS_EVE)
    pay(second, 2, seller_id=top, at=NEW_YEAR)
    walker = signed_in(app, top)
    for query, kept in (
        ("until=1404/12/29", ["1404/1"]),
        ("since=۱۴۰۵/۰۱/۰۱", ["1405/1"]),
        ("since=2026-03-21&until=9999-12-31", ["1405/1"]),
        (f"account_id={first}", ["1404/1"]),
        ("kind=payment", ["1405/1", "1404/1"]),
        ("kind=usage", []),
        ("before=99999999999999999999", ["1405/1", "1404/1"]),
    ):
        walker.go(f"/reseller/invoices?{query}")
        assert [link.get_text() for link in walker.page.select("tbody td:first-child a")] == kept, query
        if "before" not in query:
            assert [row["Number"] for row in _csv(walker.browser.get(f"/reseller/invoices/export.csv?{query}"))] == kept
    assert "No invoice found" in walker.go("/reseller/invoices?kind=usage").text


def test_what_cannot_be_read_is_marked(app: Flask):
    top, first, _second = make_reseller()
    pay(first, seller_id=top)
    walker = signed_in(app, top).go("/reseller/invoices?since=yesterday&account_id=1x")
    assert len(walker.page.select("tbody tr")) == 1
    assert walker.page.select_one("[name=since][aria-invalid=true]")


def test_pages_follow_each_other_and_keep_what_they_are_narrowed_to(app: Flask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "PAGE", 2)
    top, first, second = make_reseller()
    for number in range(3):
        pay(first, number, seller_id=top)
    pay(second, 9, seller_id=top)
    walker = signed_in(app, top).go(f"/reseller/invoices?account_id={first}")
    older = walker.page.select_one("a[rel=next]")["href"]
    assert f"account_id={first}" in older
    assert len(walker.go(older).page.select("tbody tr")) == 1
    assert walker.page.select_one("a[rel=first]")["href"] == f"/reseller/invoices?account_id={first}"


def test_a_sub_accounts_page_leads_to_its_invoices(app: Flask):
    top, first, _second = make_reseller()
    below, theirs = make_reseller(parent_id=top, customers=1)
    walker = signed_in(app, top).go(f"/reseller/accounts/{first}")
    walker.go(walker.page.find("a", href=f"/reseller/invoices?account_id={first}")["href"])
    assert walker.page.select_one("[name=account_id] option[selected]")["value"] == str(first)
    assert not walker.go(f"/reseller/accounts/{theirs}").page.select("a[href*='account_id=']")
    assert below


def test_the_menu_has_the_list_in_both_languages(app: Flask):
    top, first, _second = make_reseller()
    assert signed_in(app, top).go("/").page.select_one("nav a[href='/reseller/invoices']").get_text(strip=True) == (
        "Issued invoices"
    )
    walker = signed_in(app, top, language="fa").go("/reseller/invoices")
    assert walker.page.h1.get_text() == "صورت‌حساب‌های صادرشده"
    assert "هنوز صورت‌حسابی نیست" in walker.text
    assert not signed_in(app, first).go("/").page.find("a", href="/reseller/invoices")


# Files and names


def test_files_hold_each_figure_for_the_books(app: Flask):
    top, first, _second = make_reseller()
    with transaction():
        operations.set_party(account_id=first, party=Party("فروشگاه", economic_code="0411"), actor_id=None, at=AT)
    take_back(pay(first, 41, seller_id=top), "a wrong buyer")
    use(first)
    browser = signed_in(app, top).browser
    answer = browser.get("/reseller/invoices/export.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="issued-invoices.csv"'
    used, note, paid = _csv(answer)
    assert [each["Total (rial)"] for each in (used, note, paid)] == ["1.25", "-110000000", "110000000"]
    assert (paid["Without VAT (rial)"], paid["VAT (rial)"]) == ("100000000", "10000000")
    assert (paid["Buyer"], paid["Economic code"]) == ("فروشگاه", "0411")
    assert (note["Kind"], note["Description"], note["Reason"]) == (
        "Credit note",
        f"Takes back invoice {paid['Number']}",
        "a wrong buyer",
    )
    text = _sheet(browser.get("/reseller/invoices/export.xlsx"))
    assert "<v>-110000000</v>" in text
    assert "0411" in text


def test_a_workbook_that_would_be_too_long_is_refused_in_words(app: Flask, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "XLSX_MOST", 1)
    top, first, _second = make_reseller()
    for number in range(2):
        pay(first, number, seller_id=top)
    walker = signed_in(app, top).go("/reseller/invoices/export.xlsx?kind=payment")
    assert walker.address == "/reseller/invoices?kind=payment"
    assert "A workbook holds 1 lines at most" in walker.text


def test_names_are_only_shown(app: Flask):
    top, first, _second = make_reseller()
    with transaction():
        execute("UPDATE accounts_account SET name = :name WHERE id = :id", name=HOSTILE, id=first)
        operations.set_party(account_id=first, party=Party(f"{HOSTILE}2"), actor_id=None, at=AT)
    invoice_id = pay(first, seller_id=top)
    note = take_back(invoice_id, HOSTILE)
    walker = signed_in(app, top)
    for address in ("/reseller/invoices", f"/wallet/invoices/{invoice_id}", f"/wallet/invoices/{note}"):
        walker.go(address)
        assert HOSTILE in walker.text
        assert not [tag for tag in walker.page("script") if "alert" in tag.get_text()]
    row = _csv(walker.browser.get("/reseller/invoices/export.csv"))[0]
    assert (row["Sub-account"], row["Buyer"], row["Reason"]) == (f"'{HOSTILE}", f"'{HOSTILE}2", f"'{HOSTILE}")
    sheet = _sheet(walker.browser.get("/reseller/invoices/export.xlsx"))
    assert "=HYPERLINK" in sheet
    assert "<f>" not in sheet
