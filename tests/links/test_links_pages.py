"""Pages of links: the customer's own, the staff's lists; and the commands."""

import json

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import scalar, transaction
from sms.links import operations, queries
from sms.links.rules.clicks import AgentKind
from sms.links.rules.links import NewLink
from tests.factories import make_account
from tests.journeys.walker import Walker
from tests.outbox.visits import signed_in, staff


@pytest.fixture
def account_id(app: Flask) -> int:
    return make_account()[0]


@pytest.fixture
def customer(app: Flask, account_id: int) -> Walker:
    return signed_in(app, account_id)


def add(account_id: int, target: str = "https://example.ir/") -> int:
    with transaction():
        return operations.add_link(account_id=account_id, wanted=NewLink(target=target), by=PANEL, at=clock.now())


def test_an_address_is_shortened_shown_changed_and_switched(customer: Walker) -> None:
    customer.go("/links").submit(
        "/links", target="https://فروشگاه.ایران/جشنواره", title="Spring", last_day="2027-03-20", utm_source="sms"
    )
    assert customer.address.startswith("/links/")
    assert "Spring" in customer.text
    assert "http://localhost/l/" in customer.text
    assert "2027-03-21 00:00:00" in customer.text
    assert "Nobody has followed it yet." in customer.text
    customer.submit(customer.address, title="<img src=x onerror=alert(1)>", last_day="")
    assert "<img src=x onerror=alert(1)>" in customer.text
    assert not customer.page.select("main img")
    customer.submit("/off")
    assert "Switched off" in customer.text
    customer.submit("/on")
    assert "In use" in customer.text
    customer.go("/links")
    assert "xn--mgbtj4c7ad63e" in customer.text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"target": ""}, "must be filled in"),
        ({"target": "javascript:alert(1)"}, "begin with http"),
        ({"target": "http://192.168.1.1/"}, "open web"),
        ({"target": "https://example.ir/", "last_day": "2020-01-01"}, "still to come"),
        ({"target": "https://example.ir/", "utm_term": "x" * 101}, "100"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(customer: Walker, fields: dict[str, str], told: str) -> None:
    customer.go("/links").submit("/links", allowed=422, **fields)
    assert told in customer.text
    assert scalar("SELECT count(*) FROM links_link") == 0


def test_somebody_elses_link_is_not_there(app: Flask, customer: Walker) -> None:
    link_id = add(make_account()[0])
    for address in (f"/links/{link_id}", f"/links/{2**70}", "/links/999999"):
        assert customer.browser.get(address).status_code == 404
    customer.go("/links")
    assert "You have no link yet" in customer.text


def test_many_links_are_paged(customer: Walker, account_id: int) -> None:
    for place in range(27):
        add(account_id, f"https://example.ir/{place}")
    customer.go("/links")
    assert "https://example.ir/26" in customer.text
    assert "https://example.ir/1 " not in customer.text
    (older,) = customer.page.select("a[rel=next]")
    customer.go(str(older["href"]))
    assert "https://example.ir/0" in customer.text


def test_clicks_stand_on_the_links_page_with_programs_apart(customer: Walker, account_id: int) -> None:
    link_id = add(account_id)
    found = queries.by_link_code(queries.link(account_id, link_id, at=clock.now()).code)
    assert found is not None
    with transaction():
        for kind in (AgentKind.PERSON, AgentKind.PERSON, AgentKind.PREVIEW):
            operations.click(found=found, message_id=None, kind=kind, visitor="x", at=clock.now())
        operations.count_some(sent_at=lambda _ids: {})
    customer.go(f"/links/{link_id}")
    facts = {str(dt.get_text()): dt.find_next("dd").get_text(strip=True) for dt in customer.page.select("#clicks dt")}  # type: ignore[union-attr]
    assert facts == {"Clicks": "2", "Recipients who clicked": "0", "Of programs, not counted": "1"}
    assert customer.page.select(".chart-bars svg")


# The staff


def test_the_staff_deny_a_domain_and_take_it_back(app: Flask, account_id: int) -> None:
    add(account_id, "https://bad.example.ir/x")
    walker = staff(app).go("/admin/links")
    walker.submit("/domains", domain="https://Example.IR/", verdict="deny", note="phishing")
    assert "phishing" in walker.text
    newest = walker.page.select_one("#newest")
    assert newest is not None
    assert "Blocked by the staff" in newest.get_text()
    walker.go("/admin/links?host=other.ir")
    assert "There is no such link" in walker.text
    walker.go("/admin/links?host=example.ir")
    assert "bad.example.ir" in walker.text
    domain_id = scalar("SELECT id FROM links_domain WHERE domain = 'example.ir'")
    walker.submit(f"/domains/{domain_id}/end")
    assert "Ended" in walker.text
    walker.submit("/domains", allowed=422, domain="localhost")
    assert "open web" in walker.text


def test_the_staff_set_the_short_domain_and_what_is_shown_first(app: Flask) -> None:
    walker = staff(app).go("/admin/links")
    walker.submit(
        "/settings", short_base="https://s.example.ir", prefetch_seconds="5", preview_signs=["number", "port"]
    )
    found = queries.link_settings()
    assert (found.base, found.prefetch_seconds, found.preview_signs) == (
        "https://s.example.ir",
        5,
        {"number", "port"},
    )
    walker.submit("/settings", allowed=422, short_base="s.example.ir", prefetch_seconds="5")
    assert "begin with http" in walker.text


def test_the_staff_know_another_program(app: Flask) -> None:
    walker = staff(app).go("/admin/links")
    walker.submit("/agents", pattern="MyChecker", kind="tool")
    agent_id = scalar("SELECT id FROM links_agent WHERE pattern = 'mychecker'")
    walker.submit(f"/agents/{agent_id}/remove")
    assert scalar("SELECT count(*) FROM links_agent WHERE id = :id", id=agent_id) == 0
    walker.submit("/agents", allowed=422, pattern="ab")


@pytest.mark.parametrize("language", ["fa", "en"])
def test_every_page_speaks_both_languages(app: Flask, account_id: int, language: str) -> None:
    link_id = add(account_id)
    customer = signed_in(app, account_id, language=language)
    for address in ("/links", f"/links/{link_id}"):
        page = BeautifulSoup(customer.browser.get(address).get_data(as_text=True), "html.parser")
        assert {"fa": "لینک", "en": "Link"}[language] in page.get_text()


# Commands


def test_a_link_is_made_and_a_domain_denied_by_command(app: Flask) -> None:
    account_id, user_id, _ = make_account()
    username = str(scalar("SELECT username FROM accounts_user WHERE id = :id", id=user_id))
    runner = app.test_cli_runner()
    words = ["link-add", "--as", username, "--target", "https://example.ir", "--days", "3", "--utm", "source=sms"]
    made = runner.invoke(args=[*words, "--json"])
    told = json.loads(made.output)
    assert told["target"] == "https://example.ir/"
    assert told["address"] == f"http://localhost/l/{told['code']}"
    assert queries.link(account_id, told["link_id"], at=clock.now()).utm == {"utm_source": "sms"}
    assert runner.invoke(args=["link-domain", "example.ir", "--verdict", "deny"]).exit_code == 0
    refused = runner.invoke(args=words)
    assert refused.exit_code != 0
    assert "blocked" in refused.output
    assert runner.invoke(args=[*words[:-1], "colour=red"]).exit_code == 2
