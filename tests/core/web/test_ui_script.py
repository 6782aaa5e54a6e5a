"""What app.js does in a real browser: it counts parts as the server does, asks before it acts, posts once."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from sms.core.parts import GSM_BASIC, GSM_EXTENSION, measure, profile_of

pytestmark = pytest.mark.browser
SCRIPT = Path(__file__).parents[3] / "static" / "js" / "app.js"
PAGE = """<html lang="en"><body><form id="form">
<textarea id="body" data-count-parts></textarea>
<select name="line"><option value="1" data-joined="67" selected><option value="2" data-joined="66"></select></form>
<p data-count-of="body" hidden>
<b data-count="parts"></b><b data-count="units"></b><b data-count="left"></b>
<i data-count-encoding="gsm" hidden>gsm</i><i data-count-encoding="ucs2" hidden>ucs2</i></p>
<form id="end" method="post" action="/end" data-confirm="Really?"><button id="go" type="submit">End</button></form>
<dialog id="confirm"><p id="confirm-text"></p>
<button data-confirm-yes>Yes</button><button data-dialog-close>No</button></dialog>
</body></html>"""
COUNT = """([texts, joined]) => texts.map((text) => {
  const field = document.getElementById("body");
  document.querySelector("select").value = joined === 66 ? "2" : "1";
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  const places = [...document.querySelectorAll("[data-count]")];
  const counts = places.map((place) => Number(place.textContent.replaceAll(",", "")));
  return [...counts, document.querySelector("[data-count-encoding]:not([hidden])")?.textContent ?? ""];
})"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all tests of this file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with the script, at an address whose posts are answered here."""
    page = browser.new_page()
    page.route("http://panel/**", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.goto("http://panel/")
    page.add_script_tag(path=SCRIPT)
    yield page
    page.close()


def texts() -> list[str]:
    """Texts around every border, and texts of all kinds of characters put together at random."""
    at_borders = [
        character * count for character in "a€س😀" for count in (0, 1, 35, 36, 70, 71, 80, 81, 134, 135, 160, 161)
    ]
    draw = random.Random(1405)
    basic = GSM_BASIC.replace("\r", "")  # a text field knows one kind of line end
    kinds = [basic, basic + GSM_EXTENSION, "سلام لغو ۱۱\u200c\n", "ab😀س"]
    return at_borders + ["".join(draw.choices(draw.choice(kinds), k=draw.randrange(400))) for _ in range(300)]


@pytest.mark.parametrize("joined", [67, 66])
def test_the_browser_counts_parts_as_the_server_does(page: Page, joined: int) -> None:
    counted = page.evaluate(COUNT, [texts(), joined])
    for text, shown in zip(texts(), counted, strict=True):
        expected = measure(text, profile_of(joined))
        encoding = expected.encoding.value if text else ""
        assert shown == [expected.parts, expected.units, expected.left, encoding], repr(text)


def test_nothing_is_sent_before_it_is_confirmed(page: Page) -> None:
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.click("#go")
    assert page.inner_text("#confirm-text") == "Really?"
    page.click("[data-dialog-close]")
    assert page.evaluate("document.getElementById('confirm').open") is False
    assert sent == []
    page.click("#go")
    with page.expect_navigation():
        page.click("[data-confirm-yes]")
    assert sent[0] == "POST"
    assert sent.count("POST") == 1


def test_a_form_is_posted_once_however_often_its_button_is_pressed(page: Page) -> None:
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.route("http://panel/end", lambda route: route.fulfill(status=204))  # leaves the page where it is
    page.evaluate("delete document.getElementById('end').dataset.confirm")
    page.evaluate("document.getElementById('go').click()")
    page.wait_for_function("document.getElementById('go').disabled")
    page.evaluate("document.getElementById('go').click()")
    page.wait_for_timeout(100)
    assert sent == ["POST"]
