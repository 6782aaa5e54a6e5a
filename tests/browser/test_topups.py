"""In a real browser: to the payment page and back, which our own policy of content must let through."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Desk

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("language", "said"), [("fa", "پرداخت رسید"), ("en", "The payment arrived")])
def test_a_customer_pays_and_comes_back(desk: Desk, language: str, said: str) -> None:
    page = desk.sign_in("customer", language=language, size=PHONE)
    page.goto("/wallet/top-up")
    page.fill("[name=amount]", "1000000")
    page.click("form[action$='/wallet/top-up'] button[type=submit]")
    page.click("a[href$='/pay']")
    expect(page).to_have_url(re.compile(r"/pg/StartPay/"))
    page.click("button[value=pay]")
    expect(page).to_have_url(re.compile(r"/wallet/top-ups/\d+$"))
    expect(page.locator("main")).to_contain_text(said)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert desk.complaints == []
