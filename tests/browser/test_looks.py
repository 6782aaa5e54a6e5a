"""In a real browser: signed in as a sub-account's user under a banner, the tree's pages, a brand on its own host."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from sms.accounts.rules import SAMPLE_PASSWORD
from tests.browser.conftest import DESKTOP, PHONE, Desk

pytestmark = pytest.mark.browser


def test_a_reseller_signs_in_as_its_customer_under_a_banner_and_ends_it(desk: Desk) -> None:
    page = desk.sign_in("reseller", language="en")
    page.goto("/reseller/accounts?search=subcustomer")
    page.click("main table a")
    account = page.url
    page.click("main a[href$='/look']")
    page.fill("[name=reason]", "they called")
    page.click("main button[type=submit]")
    page.wait_for_url(f"{desk.panel.url}/")
    banner = page.locator("[data-look]")
    for address in ("/", "/compose", "/statement", "/lines"):
        page.goto(address)
        expect(banner).to_be_visible()
    page.mouse.wheel(0, 4000)
    expect(banner).to_be_in_viewport()
    page.goto("/account")
    page.fill("[name=full_name]", "Somebody else")
    page.click("main form[action$='/account'] button[type=submit]")
    expect(page.get_by_role("heading", level=1)).to_have_text("You may not open this page")
    expect(banner).to_be_visible()
    banner.get_by_role("button", name="End").click()
    page.wait_for_url(account)
    expect(banner).to_have_count(0)
    assert [each for each in desk.complaints if "403" not in each] == []


def test_the_pages_of_the_tree_fit_a_phone_and_a_desk(desk: Desk) -> None:
    for language in ("fa", "en"):
        for size in (PHONE, DESKTOP):
            page = desk.sign_in("reseller", size=size, language=language)
            page.goto("/reseller/accounts")
            account = page.get_attribute("main table a", "href")
            for address in ("/reseller/accounts", "/reseller/accounts/new", account, f"{account}/money",
                            f"{account}/lines", "/reseller/brand", "/account/looks"):  # fmt: skip
                page.goto(str(address))
                assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"), address
    assert desk.complaints == []


def test_a_brand_is_shown_under_its_host_and_lets_its_own_tree_in(desk: Desk) -> None:
    port = urlsplit(desk.panel.url).port
    there = f"http://reseller.localhost:{port}"
    page = desk.open()
    page.goto(f"{there}/sign-in")
    expect(page.locator(".brand")).to_have_text(re.compile("پیامک نمونه"))
    colour = page.evaluate("getComputedStyle(document.querySelector('main button[type=submit]')).backgroundColor")
    assert colour == "rgb(15, 110, 86)"
    for username, comes_in in (("customer", False), ("subcustomer", True)):
        page.fill("[name=username]", username)
        page.fill("[name=password]", SAMPLE_PASSWORD)
        page.click("main button[type=submit]")
        if comes_in:
            page.wait_for_url(f"{there}/")
        else:
            expect(page.locator("main [role=alert]")).to_be_visible()
    expect(page.locator(".side .support")).to_contain_text("help@reseller.example")
    assert [each for each in desk.complaints if "422" not in each] == []
