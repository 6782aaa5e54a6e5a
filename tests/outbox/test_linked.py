"""Sends that carry a link: priced as everybody gets it, each with an address of his own, clicks on the pages."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from jobs.links import count_clicks
from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.parts import measure
from sms.lines.links import operations as line_links
from sms.lines.queries import usable_line
from sms.links import operations as links
from sms.links import queries as link_queries
from sms.links.rules.clicks import AgentKind
from sms.links.rules.codes import OWN_LENGTH
from sms.links.rules.domains import Verdict
from sms.links.rules.links import LinkState, NewLink
from sms.outbox.intake.operations import drafts
from sms.outbox.operations.accept import accept_draft
from sms.outbox.queries.control import prices_over
from sms.outbox.queries.linked import sent_at
from sms.outbox.queries.preview import preview
from sms.outbox.rules import Terms
from tests.factories import AT, Shop, make_account, make_line
from tests.outbox.conftest import Steps
from tests.outbox.visits import numbers, signed_in

BODY = "فروش ویژه: {link} تا جمعه"
ADDRESS = re.compile(r"http://localhost/l/[0-9A-Za-z]{14}(?![0-9A-Za-z])")
PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) Chrome/126 Mobile Safari/537.36"}


def make_link(account_id: int, target: str = "https://example.ir/sale", **more: Any) -> int:
    with transaction():
        return links.add_link(account_id=account_id, wanted=NewLink(target=target, **more), by=PANEL, at=AT)


def make_draft(shop: Shop, link_id: int | None, body: str = BODY, count: int = 12, line_id: int | None = None) -> int:
    with transaction():
        return drafts.draft_from_text(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=line_id or shop.line_id,
            title="",
            body=body,
            recipients=numbers(count),
            link_id=link_id,
            at=AT,
        )


def accept(shop: Shop, draft_id: int, **more: Any) -> int:
    with transaction():
        return accept_draft(draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, at=AT, **more)


def campaign(campaign_id: int) -> Any:
    return row("SELECT * FROM outbox_campaign WHERE id = :id", id=campaign_id)


def say(domain: str, verdict: Verdict) -> None:
    with transaction():
        links.list_domain(domain=domain, verdict=verdict, note="", by=PANEL, at=AT)


# Composed and accepted


@pytest.mark.parametrize(
    ("body", "has_link", "told"),
    [("hello", True, "where the link should stand"), (BODY, False, "choose the link too")],
)
def test_a_link_and_its_place_come_together(shop: Shop, body: str, has_link: bool, told: str) -> None:
    link_id = make_link(shop.account_id) if has_link else None
    with pytest.raises(Refusal, match=told):
        make_draft(shop, link_id, body)
    assert scalar("SELECT count(*) FROM outbox_draft") == 0


def test_somebody_elses_link_is_not_there(shop: Shop) -> None:
    link_id = make_link(make_account()[0])
    with pytest.raises(NotFound):
        make_draft(shop, link_id)


@pytest.mark.parametrize("filler", ["", "س" * 30, "س" * 60, "x" * 100])
def test_what_is_priced_is_what_everybody_gets(shop: Shop, steps: Steps, filler: str) -> None:
    body = f"{filler} {{link}}"
    draft_id = make_draft(shop, make_link(shop.account_id), body)
    seen = preview(account_id=shop.account_id, draft_id=draft_id, at=AT)
    made = campaign(accept(shop, draft_id, agreed_mrial=seen.total_mrial))
    (batch,) = steps.claim()
    texts = [envelope.body for envelope in batch.envelopes()]
    assert {measure(text).parts for text in texts} == {seen.parts} == {made.parts}
    assert {measure(text).units for text in texts} == {seen.units}
    assert made.held_mrial == seen.total_mrial


def test_each_recipient_has_an_address_of_his_own_that_leads_back_to_him(app: Flask, shop: Shop, steps: Steps) -> None:
    campaign_id = accept(shop, make_draft(shop, make_link(shop.account_id)))
    (batch,) = steps.claim()
    envelopes = batch.envelopes()
    addresses = [ADDRESS.findall(envelope.body) for envelope in envelopes]
    assert all(len(found) == 1 for found in addresses)
    assert len({found[0] for found in addresses}) == 12
    for envelope, (address,) in zip(envelopes, addresses, strict=True):
        assert envelope.body == BODY.replace("{link}", address)
        answer = app.test_client().get(address.removeprefix("http://localhost"), headers=PHONE)
        assert answer.headers["Location"] == "https://example.ir/sale"
        assert scalar("SELECT max(message_id) FROM links_click") == envelope.message_id
    assert scalar("SELECT count(*) FROM links_use") == 1
    assert campaign(campaign_id).body == BODY.replace("{link}", f"http://localhost/l/{batch.use.code}{'x' * 9}")  # type: ignore[union-attr]
    assert [envelope.body for envelope in batch.envelopes(3)] == [envelope.body for envelope in envelopes[:3]]


def test_a_text_that_is_sent_once_more_is_the_same_text(shop: Shop, steps: Steps) -> None:
    accept(shop, make_draft(shop, make_link(shop.account_id)))
    batches = steps.claim()
    first = [batch.envelopes() for batch in batches]
    steps.record(steps.mark(batches), is_unsent=True, retry_seconds=0.0)
    with transaction():
        links.set_settings(short_base="https://s.example.ir", prefetch_seconds=2, preview_signs=[], by=PANEL, at=AT)
    assert [batch.envelopes() for batch in steps.claim()] == first


def test_a_send_without_a_link_is_handed_over_as_ever(shop: Shop, steps: Steps) -> None:
    accept(shop, make_draft(shop, None, "hello"))
    (batch,) = steps.claim()
    assert batch.use is None
    assert {envelope.body for envelope in batch.envelopes()} == {""}


def test_two_sends_of_one_link_are_told_apart(shop: Shop) -> None:
    link_id = make_link(shop.account_id)
    made = [campaign(accept(shop, make_draft(shop, link_id))) for _ in range(2)]
    uses = [link_queries.use(each.link_use_id) for each in made]
    assert uses[0].code != uses[1].code
    assert [use.first_id for use in uses] == [each.first_id for each in made]


def test_confirmed_twice_it_is_given_once(shop: Shop) -> None:
    draft_id = make_draft(shop, make_link(shop.account_id))
    assert accept(shop, draft_id) == accept(shop, draft_id)
    assert scalar("SELECT count(*) FROM links_use") == 1


@pytest.mark.parametrize("ends_in_days", [1, 3])
def test_a_link_must_last_until_its_send_begins(shop: Shop, ends_in_days: int) -> None:
    link_id = make_link(shop.account_id, expires_at=AT + timedelta(days=ends_in_days))
    draft_id = make_draft(shop, link_id)
    terms = Terms(scheduled_at=AT + timedelta(days=2))
    if ends_in_days > 2:
        assert accept(shop, draft_id, terms=terms)
    else:
        with pytest.raises(Refusal, match="expired by then"):
            accept(shop, draft_id, terms=terms)
        assert scalar("SELECT count(*) FROM outbox_campaign") == 0


def test_what_happened_to_a_link_since_it_was_composed_is_told_before_it_is_sent(shop: Shop) -> None:
    link_id = make_link(shop.account_id)
    draft_id = make_draft(shop, link_id)
    say("example.ir", Verdict.DENY)
    seen = preview(account_id=shop.account_id, draft_id=draft_id, at=AT)
    assert seen.problem is not None
    assert "staff have blocked" in seen.problem.message
    with pytest.raises(Refusal, match="staff have blocked"):
        accept(shop, draft_id)
    say("example.ir", Verdict.ALLOW)
    with transaction():
        links.switch_link(link_id=link_id, account_id=shop.account_id, state=LinkState.OFF, by=PANEL, at=AT)
    with pytest.raises(Refusal, match="switched off"):
        accept(shop, draft_id)


# Lines that ask for a permission


def strict(line_id: int, policy: str = "permission") -> None:
    with transaction():
        execute("UPDATE lines_line SET links = :policy WHERE id = :id", policy=policy, id=line_id)


@pytest.mark.parametrize("body", ["ببین shop.ir", "https://shop.ir/x", BODY])
def test_a_line_that_asks_for_a_permission_takes_no_link_without_one(shop: Shop, body: str) -> None:
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    strict(shop.line_id)
    draft_id = make_draft(shop, make_link(shop.account_id) if body == BODY else None, body)
    seen = preview(account_id=shop.account_id, draft_id=draft_id, at=AT)
    problems = {each.line.id: each.problem for each in seen.lines}
    assert "need a permission" in str(problems[shop.line_id])
    assert problems[other] is None
    with pytest.raises(Refusal, match="need a permission"):
        accept(shop, draft_id)

    with transaction():
        line_links.permit(
            account_id=shop.account_id, line_number="", reason="letter 12", expires_at=None, by=PANEL, at=AT
        )
    assert preview(account_id=shop.account_id, draft_id=draft_id, at=AT).problem is None
    assert accept(shop, draft_id)


def test_a_text_without_a_link_goes_over_a_strict_line(shop: Shop) -> None:
    strict(shop.line_id, "forbidden")
    assert accept(shop, make_draft(shop, None, "سلام. ساعت 8.30 باز است"))


def test_the_rest_of_a_send_with_a_link_does_not_go_over_a_strict_line(shop: Shop) -> None:
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    made = campaign(accept(shop, make_draft(shop, make_link(shop.account_id))))
    strict(other, "forbidden")
    line = usable_line(shop.account_id, other, at=AT)
    assert line is not None
    with pytest.raises(Refusal, match="cannot go over line"):
        prices_over(line, made.body, account_id=shop.account_id, at=AT)


# Pages


def follow(app: Flask, address: str, **headers: str) -> None:
    assert app.test_client().get(address.removeprefix("http://localhost"), headers=PHONE | headers).status_code == 302


def test_a_link_is_chosen_or_made_where_the_text_is_written(app: Flask, shop: Shop) -> None:
    link_id = make_link(shop.account_id, title="Spring")
    walker = signed_in(app, shop.account_id).go("/compose")
    (area,) = walker.page.select("textarea[name=body]")
    assert (area["data-place"], area["data-place-length"]) == (
        "{link}",
        str(len("http://localhost/l/") + OWN_LENGTH),
    )
    common = {"line_id": str(shop.line_id), "body": BODY, "recipients": numbers(3)}
    walker.submit("/compose", allowed=422, **common)
    assert "choose the link too" in walker.text
    walker.submit("/compose", allowed=422, **common, link_id=str(link_id), target="https://example.com/")
    assert "not both" in walker.text
    walker.submit("/compose", allowed=422, **common, link_id="", target="http://localhost/")
    assert "open web" in walker.text
    walker.submit("/compose", **common, link_id="", target="https://example.com/")
    assert f"http://localhost/l/{'x' * OWN_LENGTH}" in walker.text
    walker.submit(walker.address, body="other {link}", link_id=str(link_id))
    draft = row("SELECT link_id, body FROM outbox_draft")
    assert draft is not None
    assert tuple(draft) == (link_id, "other {link}")
    walker.submit(walker.address, allowed=422, body="no place any more")
    assert "where the link should stand" in walker.text
    walker.go(walker.address).submit(walker.address, body="no link", link_id="")
    walker.submit("/confirm")
    assert walker.page.select_one("#clicks") is None


def facts(page: BeautifulSoup) -> dict[str, str]:
    found: dict[str, str] = {}
    for dt in page.select("#clicks dt"):
        dd = dt.find_next("dd")
        assert dd is not None
        found[dt.get_text(strip=True)] = dd.get_text(strip=True)
    return found


def delivered(campaign_id: int, count: int) -> None:
    with transaction():
        execute(
            "UPDATE outbox_campaign SET counts = jsonb_build_object('delivered', CAST(:count AS int)) WHERE id = :id",
            count=count,
            id=campaign_id,
        )


def test_clicks_show_on_the_send_and_on_the_message_and_in_the_file(app: Flask, shop: Shop, steps: Steps) -> None:
    link_id = make_link(shop.account_id)
    walker = signed_in(app, shop.account_id)
    campaign_id = accept(shop, make_draft(shop, link_id, count=4))
    envelopes = steps.claim()[0].envelopes()
    found = [ADDRESS.findall(envelope.body)[0] for envelope in envelopes]
    walker.go(f"/campaigns/{campaign_id}")
    assert "Nobody has followed it yet." in walker.text
    for address in (found[0], found[0], found[1]):
        follow(app, address)
    follow(app, found[2], **{"User-Agent": "TelegramBot (like TwitterBot)"})
    count_clicks()
    delivered(campaign_id, 4)

    walker.go(f"/campaigns/{campaign_id}")
    assert facts(walker.page) == {
        "Link": "example.ir",
        "Recipients who clicked": "2",
        "Share of the delivered": "50%",
        "Clicks": "3",
        "Of programs, not counted": "1",
    }
    assert len(walker.page.select("#clicks .chart-bars svg")) == 1
    walker.go(f"/messages/{envelopes[0].message_id}")
    assert found[0] in walker.text
    assert envelopes[0].body in walker.text
    assert walker.text.count("Followed") == 2
    assert "A messenger's preview" in walker.go(f"/messages/{envelopes[2].message_id}").text
    assert "Not followed yet." in walker.go(f"/messages/{envelopes[3].message_id}").text

    told = walker.browser.get(f"/campaigns/{campaign_id}/export.csv").get_data(as_text=True)
    lines = list(csv.DictReader(io.StringIO(told.removeprefix("\ufeff"))))
    assert [line["Clicks"] for line in lines] == ["2", "1", "", ""]
    assert [bool(line["Link followed at"]) for line in lines] == [True, True, False, False]


def test_a_look_sooner_than_anybody_could_read_is_no_click(app: Flask, shop: Shop, steps: Steps) -> None:
    campaign_id = accept(shop, make_draft(shop, make_link(shop.account_id), count=2))
    batches = steps.send(at=clock.now())
    envelopes = batches[0].envelopes()
    follow(app, ADDRESS.findall(envelopes[0].body)[0])
    clock.set_offset(30)
    follow(app, ADDRESS.findall(envelopes[1].body)[0])
    count_clicks()
    delivered(campaign_id, 2)
    walker = signed_in(app, shop.account_id).go(f"/campaigns/{campaign_id}")
    assert facts(walker.page)["Recipients who clicked"] == "1"
    assert facts(walker.page)["Of programs, not counted"] == "1"
    assert "Too early for a person" in walker.go(f"/messages/{envelopes[0].message_id}").text
    assert "Followed" in walker.go(f"/messages/{envelopes[1].message_id}").text


def test_when_messages_were_sent_is_told_for_those_that_were(shop: Shop, steps: Steps) -> None:
    made = campaign(accept(shop, make_draft(shop, None, "hello", count=3)))
    assert sent_at([made.first_id]) == {}
    steps.send()
    found: Mapping[int, datetime] = sent_at([made.first_id, made.last_id, made.last_id + 1])
    assert found == {made.first_id: AT, made.last_id: AT}
    nothing: Sequence[int] = ()
    assert sent_at(nothing) == {}


def test_a_stranger_sees_no_clicks(app: Flask, shop: Shop) -> None:
    campaign_id = accept(shop, make_draft(shop, make_link(shop.account_id)))
    stranger = signed_in(app, make_account()[0])
    assert stranger.browser.get(f"/campaigns/{campaign_id}").status_code == 404


def test_an_old_click_of_a_tool_is_not_a_recipient(shop: Shop, steps: Steps) -> None:
    made = campaign(accept(shop, make_draft(shop, make_link(shop.account_id))))
    found = link_queries.by_use_code(link_queries.use(made.link_use_id).code)
    assert found is not None
    with transaction():
        links.click(found=found, message_id=made.first_id, kind=AgentKind.TOOL, visitor="x", at=AT)
    count_clicks()
    assert rows("SELECT * FROM links_recipient") == []


# Commands


def test_a_link_goes_with_a_send_by_command(app: Flask, shop: Shop, tmp_path: Any) -> None:
    link_id = make_link(shop.account_id)
    code = link_queries.link(shop.account_id, link_id, at=AT).code
    (tmp_path / "text.txt").write_text(BODY, encoding="utf-8")
    (tmp_path / "list.txt").write_text(numbers(3))
    username = str(scalar("SELECT username FROM accounts_user WHERE id = :id", id=shop.user_id))
    number = str(scalar("SELECT number FROM lines_line WHERE id = :id", id=shop.line_id))
    words = ["send", "--as", username, "--line", number, "--text-file", str(tmp_path / "text.txt")]
    words += ["--recipients-file", str(tmp_path / "list.txt")]
    runner = app.test_cli_runner()
    assert runner.invoke(args=words).exit_code != 0
    told = runner.invoke(args=[*words, "--link", code])
    assert told.exit_code == 0, told.output
    assert scalar("SELECT count(*) FROM outbox_campaign WHERE link_use_id IS NOT NULL") == 1
    assert runner.invoke(args=[*words, "--link", "nothing"]).exit_code != 0
