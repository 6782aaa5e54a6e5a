"""In a real browser: a customer compares the lines of all operators and sees who reports in seconds and who late."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Desk

pytestmark = pytest.mark.browser

QUICK, LATE = ("1000", "3000"), ("2000", "5000")


def _report(page: Page, operator: str) -> float | None:
    """After how many seconds an operator's report came; None while it is awaited."""
    text = page.get_attribute(f"tr[data-operator='{operator}'] [data-report]", "data-report")
    return float(text) if text else None


def test_a_customer_compares_all_lines_and_sees_who_reports_late(desk: Desk) -> None:
    page = desk.sign_in("customer", language="en")
    page.goto("/comparison")
    page.click("main form[action$='/comparison'] button[type=submit]")
    page.wait_for_url(re.compile(r"/comparison/\d+"))

    # htmx alone brings what comes; the page is not loaded again.
    page.evaluate("window.isTheSame = true")
    for operator in QUICK:
        expect(page.locator(f"tr[data-operator='{operator}'] [data-status=delivered]")).to_be_visible(timeout=30_000)
    assert [_report(page, operator) for operator in LATE] == [None, None]
    expect(page.locator("[data-finished=yes]")).to_have_count(4, timeout=90_000)
    expect(page.locator("main [hx-trigger^=every]")).to_have_count(0)
    assert page.evaluate("window.isTheSame") is True

    quick = [_report(page, operator) or 0 for operator in QUICK]
    late = [_report(page, operator) or 0 for operator in LATE]
    assert 0 < max(quick) < min(late)
    assert min(late) >= 15  # as the simulated ones are
    expect(page.locator("[data-recommended]")).to_be_visible()
    for language in ("fa", "en"):
        for size in (PHONE, DESKTOP):
            seen = desk.sign_in("customer", size=size, language=language)
            for address in (page.url, "/comparison", "/lines", "/lines/plan"):
                seen.goto(address)
                assert seen.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"), address
    assert desk.complaints == []
