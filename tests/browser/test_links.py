"""In a real browser: a link is made, counted in the text, sent, followed, and its clicks are seen; in both languages
and on a phone too."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Desk

pytestmark = pytest.mark.browser

BODY = "فروش ویژه تا جمعه: {link} منتظر شما هستیم. برای لغو عدد ۱۱ را بفرستید."
PLACE = "x" * 14


def _number(page: Page, selector: str) -> int:
    return int(re.sub(r"\D", "", page.locator(selector).first.inner_text()))


def _send(page: Page) -> str:
    """Make a link and send it; returns the address of the send."""
    page.goto("/links")
    page.fill("[name=target]", "https://bit.ly/autumn-sale?from=sms")
    page.fill("[name=title]", "Autumn")
    page.click("main form[action$='/links'] button[type=submit]")
    page.wait_for_url(re.compile(r"/links/\d+"))
    page.goto("/compose")
    page.select_option("[name=line_id]", label=page.locator("[name=line_id] option", has_text="30004505").inner_text())
    page.select_option("[name=link_id]", label="Autumn")
    page.fill("[name=body]", BODY)
    counted = _number(page, "[data-count=units]"), _number(page, "[data-count=parts]")
    page.fill("[name=recipients]", "09125550000 09125550001 09125550002")
    page.click("main form[action$='/compose'] button[type=submit]")
    page.wait_for_url(re.compile(r"/drafts/\d+"))
    shown = "".join(page.locator(".written").all_inner_texts())
    assert PLACE in shown
    assert counted == (len(shown), page.locator(".written").count())  # the page counted what is priced
    page.click("main form[action$='/confirm'] button[type=submit]")
    page.wait_for_url(re.compile(r"/campaigns/\d+"))
    return page.url


def _address(page: Page, campaign: str) -> str:
    """The address that the first recipient got."""
    page.goto(campaign)
    page.locator("#recipients a[href^='/messages/']").first.click()
    page.wait_for_url(re.compile(r"/messages/\d+"))
    found = re.search(r"https?://\S+/l/[0-9A-Za-z]{14}", page.locator("main").inner_text())
    assert found is not None
    return found.group(0)


def test_a_link_is_sent_followed_and_its_click_is_seen(desk: Desk) -> None:
    page = desk.sign_in("customer", language="en")
    campaign = _send(page)
    address = _address(page, campaign)
    own = page.url
    page.wait_for_timeout(2_500)  # sooner, it would be taken for a program

    visitor = desk.open(size=PHONE, language="en", user_agent="Mozilla/5.0 (Linux; Android 14) Chrome/126 Mobile")
    visitor.goto(address)
    expect(visitor.locator("h1")).to_have_text("Look before you go on")
    assert visitor.locator("main a.btn").get_attribute("href") == "https://bit.ly/autumn-sale?from=sms"
    assert [cookie["name"] for cookie in visitor.context.cookies()] == ["language"]  # ours, set before

    page.goto(campaign)
    card = page.locator("#clicks")
    for _ in range(40):
        page.goto(campaign)
        if card.locator(".chart-bar").count():
            break
        page.wait_for_timeout(1_000)
    assert card.locator("svg .chart-bar").count() == 1
    assert "Recipients who clicked" in card.inner_text()
    page.goto(own)
    expect(page.locator("main")).to_contain_text("Followed")

    link = page.locator("#clicks a[href^='/links/']")
    page.goto(campaign)
    pages = [campaign, own, "/links", str(link.get_attribute("href")), "/compose", address]
    _looks_fine_everywhere(desk, "customer", pages)
    _looks_fine_everywhere(desk, "admin", ["/admin/links", "/admin/link-permissions"])
    assert desk.complaints == []


def _looks_fine_everywhere(desk: Desk, username: str, addresses: list[str], folder: Path | None = None) -> None:
    for language in ("fa", "en"):
        for size in (PHONE, DESKTOP):
            seen = desk.sign_in(username, size=size, language=language)
            for place, address in enumerate(addresses):
                seen.goto(address)
                if folder is not None:
                    seen.screenshot(path=folder / f"{username}-{place}-{language}-{size['width']}.png", full_page=True)
                assert seen.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"), address
