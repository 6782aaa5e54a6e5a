"""The statement in a browser: in words, in pages, as a file; and only one's own."""

import csv
import io
from datetime import timedelta
from urllib.parse import quote

import pytest
from bs4 import Tag
from flask import Flask

from sms.core.db import transaction
from sms.core.sheets.table import read_table
from sms.ledger import operations, views
from tests.factories import AT, make_account, make_campaign, make_shop
from tests.ledger.people import signed_in


def _adjust(account_id: int, amount_mrial: int, reason: str = "gift", key: str = "k", days: int = 0) -> None:
    with transaction():
        operations.adjust(
            account_id=account_id,
            amount_mrial=amount_mrial,
            key=key,
            reason=reason,
            actor_id=None,
            at=AT + timedelta(days=days),
        )


def _rows(walker: object) -> list[list[str]]:
    page = walker.page  # type: ignore[attr-defined]
    table = page.find("table")
    assert isinstance(table, Tag)
    return [[" ".join(cell.get_text(" ").split()) for cell in row("td")] for row in table.tbody("tr")]  # type: ignore[union-attr]


def test_a_line_says_how_much_why_and_what_is_left(app: Flask):
    shop = make_shop(money_mrial=10_000_000)
    campaign_id = make_campaign(shop, size=2, price_mrial=1_390_500)
    walker = signed_in(app, shop.account_id).go("/statement")
    newest, first = _rows(walker)
    assert newest[2] == f"Set aside for campaign {campaign_id} hello"
    assert newest[3].replace(" ", "") == "\u22122,781rial"
    assert newest[4] == "7,219 rial"
    assert first[2] == "Credited by our staff"
    assert walker.page.find("a", href=f"/campaigns/{campaign_id}") is not None


def test_the_reason_stands_in_the_line_and_is_never_markup(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    _adjust(account_id, 5_000, reason="<script>alert(1)</script> bonus")
    walker = signed_in(app, account_id).go("/statement")
    assert "<script>alert(1)</script> bonus" in _rows(walker)[0][2]
    assert "<script>alert(1)" not in walker.answer.get_data(as_text=True)


def test_the_statement_speaks_persian_with_persian_digits_and_days(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    _adjust(account_id, 1_390_500)
    walker = signed_in(app, account_id, language="fa").go("/statement")
    (row,) = _rows(walker)
    assert row[1].startswith("۱۴۰۵/۰۹/۰۲")
    assert row[2].startswith("افزایش موجودی")
    assert "۱٬۳۹۰٫۵" in row[3]


def test_pages_lead_to_older_lines_and_back_and_keep_the_filter(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    for number in range(30):
        _adjust(account_id, 1_000, key=f"k{number}")
    walker = signed_in(app, account_id).go("/statement?kind=adjustment")
    assert len(_rows(walker)) == 25
    older = walker.page.find("a", rel="next")
    walker.go(str(older["href"]))
    assert [row[0] for row in _rows(walker)] == ["5", "4", "3", "2", "1"]
    assert walker.page.find("a", rel="next") is None
    newest = walker.page.find("a", rel="first")
    assert "kind=adjustment" in str(newest["href"])


def test_a_day_narrows_the_statement_in_the_readers_calendar(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    for day in range(4):
        _adjust(account_id, 1_000, key=f"k{day}", days=day)
    english = signed_in(app, account_id)
    english.go("/statement?since=2026-11-24&until=2026-11-25")
    assert [row[0] for row in _rows(english)] == ["3", "2"]
    persian = signed_in(app, account_id, language="fa")
    persian.go(f"/statement?since={quote('۱۴۰۵/۰۹/۰۴')}")
    assert [row[0] for row in _rows(persian)] == ["۴", "۳"]


@pytest.mark.parametrize("query", ["since=yesterday", "kind=theft", "before=x", "before=-5", "until=0000-00-00"])
def test_a_filter_nobody_can_read_is_no_failure(app: Flask, query: str):
    account_id, *_ = make_account(money_mrial=5)
    signed_in(app, account_id).go(f"/statement?{query}")


def test_a_statement_shows_only_ones_own_money(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    other_id, *_ = make_account(money_mrial=0)
    _adjust(other_id, 77_000, reason="a secret of others")
    walker = signed_in(app, account_id).go("/statement")
    assert "Nothing has moved here" in walker.text
    for path in ("/statement", "/statement/export.csv"):
        assert "a secret of others" not in walker.browser.get(path).get_data(as_text=True)


def test_who_is_not_signed_in_sees_nothing(app: Flask):
    for path in ("/statement", "/statement/export.csv"):
        answer = app.test_client().get(path)
        assert answer.status_code == 303
        assert "/sign-in" in answer.headers["Location"]


def _export(walker: object, query: str = "") -> tuple[list[list[str]], object]:
    answer = walker.browser.get(f"/statement/export.csv{query}")  # type: ignore[attr-defined]
    text = answer.get_data(as_text=True)
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:]))), answer


def test_the_export_holds_every_line_with_plain_amounts(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    for number in range(30):
        _adjust(account_id, 1_390_500 if number % 2 else -1_000, key=f"k{number}") if number else _adjust(
            account_id, 100_000_000, key="first"
        )
    (heads, *lines), answer = _export(signed_in(app, account_id))
    assert heads[0] == "No."
    assert heads[-3:] == ["Amount (rial)", "Balance after (rial)", "About"]
    assert [line[0] for line in lines] == [str(number) for number in range(30, 0, -1)]
    assert lines[0][6] == "1390.5"
    assert lines[1][6] == "-1"
    assert lines[-1][7] == "100000"
    assert answer.mimetype == "text/csv"  # type: ignore[attr-defined]
    assert "attachment" in answer.headers["Content-Disposition"]  # type: ignore[attr-defined]


def test_the_export_guards_against_formulas_and_is_narrowed_like_the_page(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    _adjust(account_id, 5_000, reason='=HYPERLINK("http://evil")', key="a")
    _adjust(account_id, 6_000, reason="later", key="b", days=3)
    walker = signed_in(app, account_id)
    (_heads, *lines), _answer = _export(walker)
    assert [line[5] for line in lines] == ["later", '\'=HYPERLINK("http://evil")']
    (_heads, *narrowed), _answer = _export(walker, "?until=2026-11-23")
    assert [line[5] for line in narrowed] == ['\'=HYPERLINK("http://evil")']


def test_the_statement_is_narrowed_to_a_send_and_to_what_came_or_went(app: Flask):
    shop = make_shop(money_mrial=100_000_000)
    first, second = make_campaign(shop, size=2), make_campaign(shop, size=3)
    _adjust(shop.account_id, 5_000, key="gift")
    walker = signed_in(app, shop.account_id)
    assert [row[2] for row in _rows(walker.go(f"/statement?campaign={first}"))] == [
        f"Set aside for campaign {first} hello"
    ]
    went = [row[2] for row in _rows(walker.go("/statement?direction=out"))]
    assert went == [f"Set aside for campaign {second} hello", f"Set aside for campaign {first} hello"]
    assert [row[0] for row in _rows(walker.go("/statement?direction=in"))] == ["4", "1"]
    (_heads, *lines), _answer = _export(walker, f"?campaign={second}&direction=out")
    assert [line[0] for line in lines] == ["3"]


def test_the_workbook_holds_the_lines_with_amounts_as_numbers(app: Flask, monkeypatch: pytest.MonkeyPatch):
    shop = make_shop(money_mrial=10_000_000)
    make_campaign(shop, size=2, price_mrial=1_390_500)
    walker = signed_in(app, shop.account_id)
    answer = walker.browser.get("/statement/export.xlsx")
    assert answer.mimetype.endswith("spreadsheetml.sheet")
    (_, heads), (_, newest), (_, oldest) = read_table(io.BytesIO(answer.get_data()))
    assert heads[0] == "No."
    assert (newest[6], newest[7], oldest[6]) == ("-2781", "7219", "10000")
    assert newest[8].startswith("hello")
    monkeypatch.setattr(views, "MOST_SHEET_LINES", 1)
    assert walker.browser.get("/statement/export.xlsx").status_code == 303
    assert "A workbook holds 1 lines at most" in walker.go("/statement").text


@pytest.mark.parametrize("language", ["en", "fa"])
def test_the_paper_holds_the_statement_and_is_not_endless(
    app: Flask, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    shop = make_shop(money_mrial=10_000_000)
    make_campaign(shop, size=2, price_mrial=1_390_500)
    walker = signed_in(app, shop.account_id, language=language)
    answer = walker.browser.get("/statement/export.pdf?since=2026-11-01")
    assert answer.mimetype == "application/pdf"
    assert answer.get_data().startswith(b"%PDF-")
    assert "attachment" in answer.headers["Content-Disposition"]
    monkeypatch.setattr(views, "MOST_PAPER_LINES", 1)
    assert walker.browser.get("/statement/export.pdf").status_code == 303
