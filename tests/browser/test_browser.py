"""In a real browser: a send from the file to the statement; pages that fit, can be read by everybody and complain of
nothing."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from deploy.throwaway import ThrowAwayPanel
from sms.core.calendar import TEHRAN, day_text
from sms.dashboard.rules import demo_recipients
from tests.browser.conftest import DESKTOP, PHONE, Desk

pytestmark = pytest.mark.browser

SILENT = ("98",)  # never reported: it would take the whole horizon
CUSTOMER_PAGES = ("/", "/compose", "/campaigns", "/outbox", "/inbox", "/statement", "/lines", "/lines/plan",
                  "/comparison", "/orders", "/documents", "/shop", "/shop/prices", "/prices", "/account",
                  "/account/sessions")  # fmt: skip
STAFF_PAGES = ("/", "/admin/gateways", "/admin/operators", "/admin/lines", "/admin/public-lines", "/admin/orders",
               "/admin/line-formats", "/admin/line-prices", "/admin/line-prices/history", "/admin/line-prices/import",
               "/admin/line-prices/preview", "/admin/numbers", "/admin/numbers/add", "/admin/tariffs",
               "/admin/refund-rules", "/admin/accounts", "/admin/audit", "/admin/unknown", "/admin/money",
               "/admin/health", "/admin/health/1", "/admin/texts", "/admin/lines/1/texts")  # fmt: skip
OPEN_PAGES = ("/sign-in", "/sign-up", "/there-is-no-such-page")
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
LATIN = str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")
GRAVE = {"serious", "critical"}


def _one_of_each(panel: ThrowAwayPanel) -> list[str]:
    """A page of one send and of one of its messages."""
    with psycopg.connect(panel.settings["DATABASE_URL"]) as owner:
        found = owner.execute("SELECT max(id), max(first_id) FROM outbox_campaign").fetchone()
    assert found is not None
    pages = (f"/campaigns/{found[0]}", f"/campaigns/{found[0]}/blocked", f"/campaigns/{found[0]}/switch")
    return [*pages, f"/messages/{found[1]}"]


@pytest.mark.parametrize("language", ["fa", "en"])
def test_a_file_is_sent_watched_and_found_in_the_statement(desk: Desk, tmp_path: Path, language: str) -> None:
    numbers = [number for number in demo_recipients(300) if not number.endswith(SILENT)]
    file = tmp_path / "customers.csv"
    file.write_text("\n".join(["mobile", *numbers]))
    page = desk.sign_in("customer", language=language)

    page.goto("/compose")
    page.fill("[name=body]", "جشنواره آغاز شد." if language == "fa" else "The sale begins today.")
    page.set_input_files("[name=file]", file)
    page.click("main form button[type=submit]:not([form])")
    page.wait_for_url(re.compile(r"/drafts/\d+"))
    confirm = page.locator("form[action$='/confirm'] button")
    confirm.first.click()
    if page.locator("dialog[open]").count():
        page.locator("dialog[open] [data-confirm-yes]").click()
    page.wait_for_url(re.compile(r"/campaigns/\d+"))

    # The page is not loaded again: htmx brings the end, and then asks no more.
    expect(page.locator("[data-status=closed]").first).to_be_visible(timeout=60_000)
    expect(page.locator("main [hx-trigger]")).to_have_count(0)
    page.goto("/statement")
    expect(page.locator("main")).to_contain_text("بازگشت" if language == "fa" else "Refund")
    assert desk.complaints == []


@pytest.fixture
def slow_line(panel: ThrowAwayPanel) -> Iterator[str]:
    """A public line with a rate, so that a send has a middle."""
    with psycopg.connect(panel.settings["DATABASE_URL"], autocommit=True) as owner:
        owner.execute("UPDATE lines_line SET per_second = 10 WHERE number = '30004505'")
        yield "30004505"
        owner.execute("UPDATE lines_line SET per_second = NULL WHERE number = '30004505'")


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_send_is_scheduled_begun_paused_and_its_rest_goes_over_another_line(
    desk: Desk, slow_line: str, has_scripts: bool
) -> None:
    numbers = [number for number in demo_recipients(200) if not number.endswith((*SILENT, "97", "99"))]
    page = desk.sign_in("customer", java_script_enabled=has_scripts)
    _compose(page, line=slow_line, recipients="\n".join(numbers))
    page.locator("details.terms summary").first.click()
    day = day_text(datetime.now(TEHRAN).date() + timedelta(days=90), "fa")
    page.fill("[name=day]", day if has_scripts else day.translate(LATIN).replace("/", "-"))
    page.fill("[name=clock]", "۹:۳۰")
    page.click("form[action$='/confirm'] button")
    page.wait_for_url(re.compile(r"/campaigns/\d+"))
    send = page.url
    expect(page.locator("[data-status=scheduled]")).to_be_visible()

    page.click("form[action$='/begin'] button")
    expect(page.locator("[data-status=scheduled]")).to_have_count(0)
    page.click("form[action$='/pause'] button")
    expect(page.locator("[data-status=paused]")).to_be_visible()
    page.click("form[action$='/resume'] button")
    expect(page.locator("[data-status=paused]")).to_have_count(0)
    page.click("a[href$='/switch']")
    expect(page.locator("main")).to_contain_text("کمتر")
    page.locator("form[action$='/switch']", has_text="۵۰۰۰۴۵۰۵").locator("button").click()
    page.wait_for_url(send)
    expect(page.locator("main")).to_contain_text("روی خط دیگر رفت")
    handed_over = page.locator("[data-status=reporting], [data-status=closed]")
    for _ in range(60):
        if handed_over.count():
            break
        page.wait_for_timeout(500)
        if not has_scripts:
            page.reload()
    expect(handed_over.first).to_be_visible()
    _nobody_twice(desk.panel, len(numbers))
    assert desk.complaints == []


def _compose(page: Page, *, line: str, recipients: str) -> None:
    """A draft over a line, read and priced."""
    page.goto("/compose")
    chosen = page.locator("[name=line_id] option", has_text=line.translate(PERSIAN)).get_attribute("value")
    page.select_option("[name=line_id]", chosen)
    page.fill("[name=body]", "جشنواره آغاز شد.")
    page.fill("[name=recipients]", recipients)
    page.click("main form button[type=submit]:not([form])")
    page.wait_for_url(re.compile(r"/drafts/\d+"))


def _nobody_twice(panel: ThrowAwayPanel, wanted: int) -> None:
    with psycopg.connect(panel.settings["DATABASE_URL"]) as owner:
        found = owner.execute(
            "SELECT count(*), count(DISTINCT s.message_id), count(DISTINCT s.gateway_id) FROM outbox_submission s"
            " JOIN outbox_message m ON m.id = s.message_id"
            " WHERE m.campaign_id = (SELECT max(id) FROM outbox_campaign)"
        ).fetchone()
    assert found is not None
    assert found[:2] == (wanted, wanted)
    assert found[2] == 2, "none went over"


def _fits(page: Page) -> bool:
    fits: bool = page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")
    return fits


@pytest.mark.parametrize("language", ["fa", "en"])
@pytest.mark.parametrize(
    ("person", "pages"), [("customer", CUSTOMER_PAGES), ("admin", STAFF_PAGES)], ids=["customer", "staff"]
)
def test_pages_fit_a_small_phone(
    desk: Desk, sent: Callable[[], None], person: str, pages: tuple[str, ...], language: str
) -> None:
    sent()
    page = desk.sign_in(person, size=PHONE, language=language)
    more = _one_of_each(desk.panel) if person == "customer" else []
    too_wide = []
    for address in [*pages, *more]:
        answer = page.goto(address)
        assert answer is not None
        assert answer.ok, address
        if not _fits(page):
            too_wide.append(address)
    assert too_wide == []
    assert desk.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("person", "pages"),
    [("customer", CUSTOMER_PAGES), ("admin", STAFF_PAGES), ("", OPEN_PAGES)],
    ids=["customer", "staff", "anybody"],
)
def test_pages_can_be_used_by_everybody(
    desk: Desk, sent: Callable[[], None], person: str, pages: tuple[str, ...], scheme: str
) -> None:
    sent()
    size = PHONE if scheme == "dark" else DESKTOP
    page = desk.sign_in(person, size=size, color_scheme=scheme) if person else desk.open(size=size, color_scheme=scheme)
    more = _one_of_each(desk.panel) if person == "customer" else []
    found = {}
    for address in [*pages, *more]:
        page.goto(address)
        violations = Axe().run(page).response["violations"]
        grave = [
            f"{violation['id']}: {node['target']}"
            for violation in violations
            if violation["impact"] in GRAVE
            for node in violation["nodes"][:3]
        ]
        if grave:
            found[address] = grave
    assert found == {}


def test_the_font_travels_once(desk: Desk) -> None:
    page = desk.open()
    fonts: list[str] = []
    page.on("request", lambda request: fonts.append(request.url) if ".woff2" in request.url else None)
    page.goto("/sign-in", wait_until="networkidle")
    assert len(fonts) == 1, fonts


def test_without_scripts_a_send_is_composed_priced_and_confirmed(desk: Desk) -> None:
    page = desk.sign_in("customer", language="en", java_script_enabled=False)
    page.goto("/compose")
    page.fill("[name=body]", "hello")
    page.fill("[name=recipients]", "09120000001\n09120000002")
    page.click("main form button[type=submit]:not([form])")
    page.wait_for_url(re.compile(r"/drafts/\d+"))
    for _ in range(50):
        if page.locator("form[action$='/confirm'] button").count():
            break
        page.wait_for_timeout(100)
        page.reload()
    page.click("form[action$='/confirm'] button")
    page.wait_for_url(re.compile(r"/campaigns/\d+"))
    expect(page.locator("h1")).to_be_visible()


def test_signing_out_ends_the_session(desk: Desk) -> None:
    page = desk.sign_in("customer", language="en")
    cookies = page.context.cookies()
    page.locator("details.drop summary").click()
    page.click("form[action$='/sign-out'] button")
    page.wait_for_url(re.compile(r"/sign-in"))
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.goto("/statement")
    assert "/sign-in" in page.url
