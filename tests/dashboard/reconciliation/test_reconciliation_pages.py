"""Reconciliation in a browser: credit entered, a statement read, its differences explained; for staff only."""

import io

import pytest
from flask import Flask

from jobs import watching
from sms.core.calendar import day_of
from sms.core.db import execute, scalar, transaction
from sms.core.sheets.table import read_table
from sms.dashboard.reconciliation.rules import day_number
from tests.factories import AT, Shop
from tests.guards.world import csrf_token
from tests.outbox.visits import signed_in, staff

NUMBER = day_number(day_of(AT))


def _upload(walker: object, shop: Shop, text: str) -> int:
    browser = walker.browser  # type: ignore[attr-defined]
    answer = browser.post(
        f"/admin/reconciliation/{shop.gateway_id}/{NUMBER}/statement",
        data={"csrf_token": csrf_token(browser), "file": (io.BytesIO(text.encode()), "statement.csv")},
        content_type="multipart/form-data",
    )
    return int(answer.status_code)


def test_a_day_is_reconciled_from_the_list_to_the_last_explanation(app: Flask, shop: Shop, sent: list[int]) -> None:
    walker = staff(app).go("/admin/reconciliation?until=2026-11-24")
    place = f"/admin/reconciliation/{shop.gateway_id}/{NUMBER}"
    assert walker.page.find("a", href=place) is not None
    assert "No statement" in walker.text
    walker.go(place)
    assert "6,000 rial" in walker.text
    walker.submit(f"{place}/credit", amount="5000", clock="10:30", note="invoice 7")
    assert "invoice 7" in walker.text
    lines = ["ref,parts,cost", *(f"ref{each},1,600" for each in sent[1:]), "nobody,1,600", ",1,1"]
    assert _upload(walker, shop, "\n".join(lines)) == 303
    watching.watch()
    walker.go(place)
    assert "Neither the operator's reference nor our id stands in this row." in walker.text
    assert "Only theirs" in walker.text
    book = walker.browser.get(f"{place}/export.xlsx").get_data()
    assert [cells[0] for _, cells in read_table(io.BytesIO(book))] == ["Kind", "Only ours", "Only theirs"]
    walker.submit(f"{place}/explain", kind="only_theirs", reason="their_fault", note="claimed by mail")
    assert "1 differences were explained." in walker.text
    difference_id = scalar("SELECT id FROM dashboard_difference WHERE explained_at IS NULL")
    walker.go(f"/admin/reconciliation/differences/{difference_id}")
    walker.submit(f"/admin/reconciliation/differences/{difference_id}", reason="other_day", note="near midnight")
    assert "near midnight" in walker.text
    assert "near midnight" in walker.go(f"{place}?state=explained").text
    assert "Nothing differs" in walker.go(f"{place}?state=open").text
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action LIKE '%explained'") == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The list is empty."),
        ("a,b\n1,2", "No row of the file names its columns"),
        ("ref,parts\n,1", "Not one row of the file could be read."),
        ("%PDF-1.4", "This file is no list"),
    ],
)
def test_rubbish_is_refused_in_words(app: Flask, shop: Shop, sent: list[int], text: str, sentence: str) -> None:
    walker = staff(app)
    browser = walker.browser
    answer = browser.post(
        f"/admin/reconciliation/{shop.gateway_id}/{NUMBER}/statement",
        data={"csrf_token": csrf_token(browser), "file": (io.BytesIO(text.encode()), "statement.csv")},
    )
    assert answer.status_code == 422
    assert sentence in answer.get_data(as_text=True)
    assert scalar("SELECT count(*) FROM dashboard_statement") == 0


def test_credit_that_fell_too_much_is_explained_on_the_page(app: Flask, shop: Shop, sent: list[int]) -> None:
    with transaction():
        for credit, moment in ((9_000_000, "2026-11-22 20:00+00"), (2_000_000, "2026-11-23 12:00+00")):
            execute(
                "INSERT INTO operators_credit_reading (gateway_id, at, credit_mrial)"
                " VALUES (:gateway, CAST(:at AS timestamptz), :credit)",
                gateway=shop.gateway_id,
                at=moment,
                credit=credit,
            )
    place = f"/admin/reconciliation/{shop.gateway_id}/{NUMBER}"
    walker = staff(app).go(place)
    assert "1,000 rial more" in walker.text
    walker.submit(f"{place}/explain-credit", reason="by_hand", note="tests of theirs")
    assert "tests of theirs" in walker.text
    assert "Explained" in walker.go("/admin/reconciliation?until=2026-11-23").text


@pytest.mark.parametrize("address", ["/admin/reconciliation", f"/admin/reconciliation/1/{NUMBER}"])
def test_it_is_for_staff_only(app: Flask, shop: Shop, address: str) -> None:
    assert signed_in(app, shop.account_id).browser.get(address).status_code == 403


def test_what_is_not_there_is_not_found(app: Flask, shop: Shop) -> None:
    browser = staff(app).browser
    for address in (
        f"/admin/reconciliation/99999/{NUMBER}",
        f"/admin/reconciliation/{shop.gateway_id}/20261399",
        "/admin/reconciliation/differences/99999",
    ):
        assert browser.get(address).status_code == 404, address
