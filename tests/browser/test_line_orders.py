"""In a real browser: a round number of 3000, from the question to the first text and its answer; two people and their
pages."""

import re
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Page, expect

from deploy.throwaway import ThrowAwayPanel
from tests.browser.conftest import PHONE, Desk
from tests.browser.test_inbox import write
from tests.lines.documents.test_document_rules import PNG_FILE

pytestmark = pytest.mark.browser

NUMBERS = {"fa": "30001221", "en": "30002112"}
ORDERS = {
    "customer": ("/orders", "/orders/new", "/documents"),
    "admin": ("/admin/orders?state=all", "/admin/documents"),
}


@pytest.fixture(scope="module")
def shop(panel: ThrowAwayPanel) -> ThrowAwayPanel:
    """8-digit numbers of 3000 by inquiry, to be renewed every year; nobody has to hand in more than a card."""
    panel.run("format-add", "--operator", "3000", "--digits", "8", "--tier", "plain", "--tier", "round",
              "--renewal-percent", "20")  # fmt: skip
    with psycopg.connect(panel.settings["DATABASE_URL"]) as owner:
        owner.execute("DELETE FROM lines_needed_document WHERE holder = 'person' AND kind <> 'national_card'")
    return panel


def _press(page: Page, action: str) -> None:
    """The button of the form that posts there."""
    page.locator(f"form[action$='{action}'] button[type=submit]").first.click()
    page.wait_for_load_state()


@pytest.mark.parametrize("language", ["fa", "en"])
def test_a_round_number_comes_from_a_question_to_its_first_text(
    desk: Desk, shop: ThrowAwayPanel, tmp_path: Path, language: str
) -> None:
    number = NUMBERS[language]
    card = tmp_path / "card.png"
    card.write_bytes(PNG_FILE)
    customer = desk.sign_in("customer", language=language)
    staff = desk.sign_in("admin", language=language)

    customer.goto("/orders/new")
    customer.select_option("[name=operator_id]", index=_of_3000(customer))
    customer.fill("[name=digits]", "8")
    customer.select_option("[name=tier]", "round")
    customer.fill("[name=number]", number)
    _press(customer, "/orders/new")
    customer.wait_for_url(re.compile(r"/orders/\d+$"))
    order = customer.url.rpartition("/")[2]

    staff.goto(f"/admin/orders/{order}")
    staff.fill("[name=price]", "200000000")
    _press(staff, "/quote")
    customer.goto("/")
    customer.click(f"main a[href$='/orders/{order}']")  # the news on the home page lead there
    _press(customer, "/approve")
    expect(customer.locator("[data-status=approved]").first).to_be_visible()

    customer.goto(f"/documents?kind=national_card&order={order}")
    customer.fill("[name=national_code]", "0012345679")
    customer.set_input_files("[name=file]", card)
    _press(customer, "/documents")
    staff.goto("/admin/documents")
    staff.click("main td a")
    _press(staff, "/accept")
    staff.goto(f"/admin/orders/{order}")
    staff.fill("[name=cost]", "150000000")
    _press(staff, "/purchase")
    _press(staff, "/hand-over")
    expect(staff.locator("[data-status=active]").first).to_be_visible()

    _send(customer, number)
    write(shop, "3000", number, f"thanks, {number}")
    customer.goto("/inbox")
    expect(customer.locator("tbody tr").filter(has_text=f"thanks, {number}").first).to_be_visible(timeout=60_000)
    assert desk.complaints == []


def _of_3000(page: Page) -> int:
    names = page.locator("[name=operator_id] option").all_inner_texts()
    return next(place for place, name in enumerate(names) if "3000" in name or "۳۰۰۰" in name)


def _send(page: Page, number: str) -> None:
    """One text from the new line, followed to its report."""
    page.goto("/compose")
    lines = page.locator("[name=line_id] option")
    digits = str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")
    names = [name.translate(digits) for name in lines.all_inner_texts()]
    page.select_option("[name=line_id]", index=next(i for i, name in enumerate(names) if number in name))
    page.fill("[name=body]", "hello")
    page.fill("[name=recipients]", "09120000001")
    page.click("main form button[type=submit]:not([form])")
    page.wait_for_url(re.compile(r"/drafts/\d+"))
    page.locator("form[action$='/confirm'] button").first.click()
    if page.locator("dialog[open]").count():
        page.locator("dialog[open] [data-confirm-yes]").click()
    page.wait_for_url(re.compile(r"/campaigns/\d+"))
    expect(page.locator("[data-status=closed]").first).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("person", ["customer", "admin"])
def test_pages_of_orders_fit_a_small_phone(desk: Desk, shop: ThrowAwayPanel, person: str) -> None:
    with psycopg.connect(shop.settings["DATABASE_URL"]) as owner:
        found = owner.execute("SELECT coalesce(max(id), 0) FROM lines_order").fetchone()
    page = desk.sign_in(person, size=PHONE)
    one = "/admin/orders" if person == "admin" else "/orders"
    more = [f"{one}/{found[0]}"] if found and found[0] else []
    for address in [*ORDERS[person], *more]:
        page.goto(address)
        assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"), address
    assert desk.complaints == []
