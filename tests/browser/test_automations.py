"""In a real browser: a poll's chart moves while votes come, and a word is answered by itself."""

import json
import re
from urllib.request import urlopen

import psycopg
import pytest
from playwright.sync_api import expect

from deploy.throwaway import ThrowAwayPanel
from tests.browser.conftest import DESKTOP, PHONE, Desk
from tests.browser.test_browser import _fits
from tests.browser.test_inbox import write

pytestmark = pytest.mark.browser

LINE = ("5000", "5000771205")


def _line_id(panel: ThrowAwayPanel) -> int:
    with psycopg.connect(panel.settings["DATABASE_URL"]) as owner:
        found = owner.execute("SELECT id FROM lines_line WHERE number = %s", [LINE[1]]).fetchone()
    assert found is not None
    return int(found[0])


def _vote(panel: ThrowAwayPanel, bodies: list[str], *, first: int) -> None:
    """One number after another votes."""
    for place, body in enumerate(bodies, start=first):
        wanted = {"from": f"0912000{place:04}", "to": LINE[1], "body": body}
        address = f"{panel.settings['SIMULATOR_URL']}/control/{LINE[0]}/inbound"
        with urlopen(address, json.dumps(wanted).encode(), timeout=10) as answer:  # noqa: S310 - our own simulator
            assert answer.status == 200


@pytest.mark.parametrize("language", ["fa", "en"])
def test_a_polls_chart_moves_while_votes_come(desk: Desk, panel: ThrowAwayPanel, language: str) -> None:
    page = desk.sign_in("customer", size=PHONE if language == "fa" else DESKTOP, language=language)
    page.goto(f"/lines/{_line_id(panel)}/automations/new/poll")
    page.fill("#name", f"poll {language}")
    page.select_option("#way", "starts")
    page.fill("#keywords", f"رای {language}")
    page.fill("#options", "آبی = blue\nسبز = green")
    page.fill("#reply_vote", "ممنون")
    assert _fits(page)
    page.click("main form[action*='/automations/new/'] button[type=submit]")
    page.wait_for_url(re.compile(r".*/automations/\d+$"))
    votes = page.locator("#stands tbody tr")
    expect(votes.nth(0).locator("td").nth(1)).to_have_text(re.compile("^[0۰]$"))
    heights = page.locator("#stands .chart-bar")
    _vote(panel, [f"رای {language} آبی", f"رای {language} ۱", f"رای‌ {language} GREEN"], first=0)
    expect(votes.nth(0).locator("td").nth(1)).to_have_text(re.compile("^[2۲]$"), timeout=60_000)
    assert (heights.nth(0).get_attribute("height"), heights.nth(1).get_attribute("height")) == ("100.0", "50.0")
    _vote(panel, [f"رای {language} سبز"] * 3, first=10)
    expect(votes.nth(1).locator("td").nth(1)).to_have_text(re.compile("^[4۴]$"), timeout=60_000)
    assert (heights.nth(0).get_attribute("height"), heights.nth(1).get_attribute("height")) == ("50.0", "100.0")
    assert _fits(page)
    page.goto(f"/lines/{_line_id(panel)}/automations/log")
    expect(page.locator("tbody tr a[href*='/campaigns/']").first).to_be_visible()
    assert _fits(page)
    assert desk.complaints == []


def test_the_sample_word_is_answered_by_itself(desk: Desk, panel: ThrowAwayPanel) -> None:
    write(panel, "1000", "1000771210", "ساعت كار")
    page = desk.sign_in("customer")
    answer = page.locator("tbody tr").filter(has_text="ساعت کار").first
    for _ in range(30):
        page.goto("/campaigns")
        if answer.is_visible():
            break
        page.wait_for_timeout(1_000)
    expect(answer).to_be_visible()
