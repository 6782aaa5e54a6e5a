"""In a real browser: what people write appears in an open inbox by itself, as text, and is answered."""

import json
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from deploy.throwaway import ThrowAwayPanel
from tests.browser.conftest import DESKTOP, PHONE, Desk
from tests.browser.test_browser import _fits

pytestmark = pytest.mark.browser

LINES = {"fa": ("3000", "3000771201"), "en": ("1000", "1000771210")}
NASTY = '<img src=x onerror="document.title=1"> <b hx-get="/outbox" hx-trigger="load">{{7*7}}</b> \u202eevil'


def write(panel: ThrowAwayPanel, operator: str, line: str, body: str) -> None:
    """Somebody writes to a line."""
    wanted = {"from": "09121234567", "to": line, "body": body}
    address = f"{panel.settings['SIMULATOR_URL']}/control/{operator}/inbound"
    with urlopen(address, json.dumps(wanted).encode(), timeout=10) as answer:  # noqa: S310 - our own simulator
        assert answer.status == 200


@pytest.mark.parametrize("language", ["fa", "en"])
def test_a_text_appears_by_itself_is_only_text_and_is_answered(
    desk: Desk, panel: ThrowAwayPanel, language: str
) -> None:
    operator, line = LINES[language]
    page = desk.sign_in("customer", size=PHONE if language == "fa" else DESKTOP, language=language)
    page.goto("/inbox")
    rest = page.locator("main form[action$='/inbox/read']:not(:has([name=unread])) button")
    if rest.count():  # what others left unread
        rest.first.click()
        page.wait_for_load_state()
    body = f"{NASTY} {language} " + "long " * 40
    write(panel, operator, line, body)
    shown = page.locator("tbody tr").filter(has_text=f"evil {language}")
    expect(shown.first).to_be_visible(timeout=60_000)
    assert _fits(page)
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.url.endswith("/read")):
        shown.first.locator("a").first.click()
    expect(page.locator(".talk .written").first).to_contain_text(NASTY)
    assert page.locator("main img, main b[hx-get]").count() == 0
    assert _fits(page)
    expect(page.locator(".menu-count")).to_have_text("", timeout=10_000)  # it was read by being opened
    page.fill("#body", "پاسخ" if language == "fa" else "answer")
    page.click("form[action$='/compose'] button[type=submit]")
    page.wait_for_url("**/drafts/**")
    page.locator("form[action$='/confirm'] button[type=submit]").first.click()
    page.wait_for_url("**/campaigns/**")
    assert desk.complaints == []
