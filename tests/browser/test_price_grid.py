"""The price grid in a real browser: two hundred prices from the keyboard, a pasted block, undo, a file, no script."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Page, expect

from sms.core.sheets.table import read_table
from tests.browser.conftest import Desk

pytestmark = pytest.mark.browser


def _stored(desk: Desk, *, operator: str, audience: str) -> dict[tuple[int, str, str], int | None]:
    """Amounts in rial by (digits, tier, choice), as they hold now."""
    with psycopg.connect(desk.panel.settings["DATABASE_URL"]) as owner:
        found = owner.execute(
            """SELECT DISTINCT ON (digits, tier, choice) digits, tier, choice, amount_mrial / 1000
               FROM lines_price WHERE audience = %s
                 AND operator_id = (SELECT id FROM operators_operator WHERE code = %s)
               ORDER BY digits, tier, choice, valid_from DESC, id DESC""",
            [audience, operator],
        ).fetchall()
    return {(digits, tier, choice): amount for digits, tier, choice, amount in found}


def _names(page: Page) -> Iterator[str]:
    for cell in page.locator("[data-grid-cell]").all():
        yield cell.get_attribute("name") or ""


def _key(name: str) -> tuple[int, str, str]:
    _, digits, tier, choice = name.split("-")
    return int(digits), tier, choice


@pytest.mark.timeout(300)  # on a machine with nothing else to do it takes a tenth of that
def test_two_hundred_prices_are_set_from_the_keyboard_and_one_is_taken_back(desk: Desk) -> None:
    page = desk.sign_in("admin", language="en")
    written = 0
    for operator, audience in (
        *(("1000", each) for each in ("customer", "reseller", "special_reseller")),
        *(("2000", each) for each in ("customer", "reseller", "special_reseller")),
    ):
        page.goto(f"/admin/line-prices?operator={operator}&audience={audience}")
        columns = page.locator(".price-grid thead tr").nth(1).locator("th").count()
        names = list(_names(page))
        for column in range(columns):  # down each column, Enter after Enter
            page.locator("[data-grid-cell]").nth(column).focus()
            for row in range(len(names) // columns):
                page.keyboard.insert_text(f"{(row + 1) * 10 + column}k")
                page.keyboard.press("Enter")
        expect(page.locator(".grid-cell.is-saved")).to_have_count(len(names), timeout=60_000)
        written += len(names)
        stored = _stored(desk, operator=operator, audience=audience)
        wanted = {
            _key(name): ((place // columns + 1) * 10 + place % columns) * 1000 for place, name in enumerate(names)
        }
        assert {key: stored[key] for key in wanted} == wanted
    assert written >= 200

    last = page.locator("[data-grid-cell]").last
    before = last.input_value()
    last.focus()
    page.keyboard.type("7777777")
    page.keyboard.press("Enter")
    expect(page.locator("#price-bar")).to_contain_text("7,777,777")
    page.click("#price-bar [data-grid-undo]")
    expect(page.locator("[data-grid-cell]").last).to_have_value(before)
    page.locator("[data-grid-cell]").last.focus()
    page.click("#price-bar button:has-text('Redo')")
    expect(page.locator("[data-grid-cell]").last).to_have_value("7,777,777")
    page.locator("[data-grid-cell]").first.focus()
    page.keyboard.press("Control+z")
    expect(page.locator("[data-grid-cell]").last).to_have_value(before)
    assert desk.complaints == []


def test_a_mistake_is_told_in_its_cell_and_nothing_is_written(desk: Desk) -> None:
    page = desk.sign_in("admin", language="en")
    page.goto("/admin/line-prices?operator=3000&audience=reseller")
    before = _stored(desk, operator="3000", audience="reseller")
    cell = page.locator("[data-grid-cell]").first
    cell.focus()
    page.keyboard.type("cheap")
    page.keyboard.press("Enter")
    wrong = page.locator(".grid-cell.is-wrong")
    expect(wrong).to_contain_text("neither an amount nor")
    assert wrong.locator("input").input_value() == "cheap"
    assert _stored(desk, operator="3000", audience="reseller") == before
    wrong.locator("input").fill("?")
    wrong.locator("input").press("Tab")
    expect(page.locator(".grid-cell.is-wrong")).to_have_count(0)
    expect(page.locator("main")).to_contain_text(
        "Operator 3000 sells no 9-digit numbers, only those of 8, 10, 12, 14 digits."
    )


def test_a_block_of_a_spreadsheet_is_pasted_as_one_change(desk: Desk) -> None:
    page = desk.sign_in("admin", language="fa")
    page.goto("/admin/line-prices?operator=5000&audience=customer")
    page.locator("[data-grid-cell]").nth(2).focus()
    names = list(_names(page))
    page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            document.activeElement.dispatchEvent(
                new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        "۱۱۰۰۰\t؟\n22k\t33k\n",
    )
    expect(page.locator(f"#{names[2]}")).to_have_value("۱۱٬۰۰۰")
    expect(page.locator("#price-bar")).to_contain_text("قیمت در یک تغییر")
    stored = _stored(desk, operator="5000", audience="customer")
    assert stored[_key(names[2])] == 11_000
    assert 22_000 in stored.values()
    assert 33_000 in stored.values()


def test_without_scripts_the_grid_is_a_form(desk: Desk) -> None:
    page = desk.sign_in("admin", language="en", java_script_enabled=False)
    page.goto("/admin/line-prices?operator=3000&audience=special_reseller")
    page.locator("[data-grid-cell]").first.fill("5000")
    page.locator("[data-grid-cell]").nth(1).fill("nonsense")
    page.click("form[data-grid] button[type=submit]")
    expect(page.locator(".grid-cell.is-wrong")).to_have_count(1)
    expect(page.locator("[data-grid-cell]").first).to_have_value("5,000")
    page.locator("[data-grid-cell]").nth(1).fill("6000")
    page.click("form[data-grid] button[type=submit]")
    expect(page.locator(".grid-cell.is-wrong")).to_have_count(0)
    page.click("[data-grid-undo]")
    expect(page.locator("[data-grid-cell]").nth(1)).not_to_have_value("6,000")


@pytest.mark.parametrize("language", ["fa", "en"])
def test_the_exported_file_is_changed_and_imported(desk: Desk, tmp_path: Path, language: str) -> None:
    page = desk.sign_in("admin", language=language)
    page.goto("/admin/line-prices")
    with page.expect_download() as download:
        page.click("a[href$='/line-prices/export']")
    rows = list(read_table(io.BytesIO(Path(download.value.path()).read_bytes())))
    place = next(n for n, (_, cells) in enumerate(rows) if cells[0] == "2000" and cells[1] == "12")
    lines = [cells for _, cells in rows]
    amount = "4440000" if language == "fa" else "5550000"
    lines[place][3] = amount
    lines.append(["3000", "9", lines[place][2], "1000000"])
    file = tmp_path / "prices.csv"
    file.write_text("\n".join(";".join(cells) for cells in lines))

    page.goto("/admin/line-prices/import")
    page.set_input_files("[name=file]", file)
    page.click("main form button[type=submit]")
    page.wait_for_url(re.compile(r"/imports/\d+"))
    main = page.locator("main")
    expect(main).to_contain_text(f"D{len(lines)}")
    expect(main).to_contain_text("شمارهٔ ۹ رقمی ندارد" if language == "fa" else "sells no 9-digit numbers")
    page.click("main form.action button")
    page.wait_for_url(re.compile(r"/changes/\d+"))
    stored = _stored(desk, operator="2000", audience="customer")
    assert stored[12, "plain", "assigned"] == int(amount)
