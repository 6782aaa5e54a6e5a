"""Pages of sends, the outbox and one message at every stage; exports; whose they are."""

import csv
from collections.abc import Mapping
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from sms.core import clock
from sms.core.calendar import day_of
from sms.core.db import db, execute, rows, scalar, transaction
from sms.operators.contract import Answer
from sms.operators.rules import Outcome
from sms.outbox.operations import outcomes, refunds
from sms.outbox.operations.campaigns import finish_cancelled
from sms.outbox.operations.dispatch import Recipient
from sms.outbox.operations.outcomes import Final
from sms.outbox.queries import campaigns
from tests.factories import AT, Shop, make_campaign, make_refund_rule, make_shop
from tests.journeys.walker import Walker
from tests.outbox.conftest import Steps, accepted, balance, refused
from tests.outbox.visits import numbers, sent, signed_in

HTMX = {"HX-Request": "true"}
HEALTH = "INSERT INTO operators_health (gateway_id, breaker, since, override, override_until) SELECT id,"
# By the last digit of the recipient, as the simulator does it.
FATES: Mapping[int, Outcome] = {0: Outcome.BLOCKED, 1: Outcome.NOT_IN_NETWORK, 2: Outcome.UNDELIVERED}


@pytest.fixture
def walker(app: Flask, shop: Shop) -> Walker:
    """The owner of the shop, at the panel."""
    return signed_in(app, shop.account_id)


def answered(recipient: Recipient) -> Answer | None:
    """Numbers that end in 7 are refused, in 8 never answered for."""
    last = recipient.number % 10
    return None if last == 8 else refused(recipient) if last == 7 else accepted(recipient)


def reported(campaign_id: int) -> None:
    """Reports of all that was accepted: by the last digit, else delivered."""
    found = rows(
        "SELECT m.id, m.recipient FROM outbox_message m JOIN outbox_submission s ON s.message_id = m.id"
        " WHERE m.campaign_id = :id AND m.outcome IS NULL ORDER BY m.id",
        id=campaign_id,
    )
    with transaction():
        finals = [Final(each.id, FATES.get(each.recipient % 10, Outcome.DELIVERED), "c") for each in found]
        outcomes.apply(finals, at=clock.now())


def cells(walker: Walker, place: int = -1) -> list[list[str]]:
    """The texts of a table of the page."""
    return [[cell.get_text(" ", strip=True) for cell in line("td")] for line in walker.page("tbody")[place]("tr")]


def bar(walker: Walker) -> dict[str, str]:
    """The stacked bar's legend: label → count."""
    items = walker.page.select(".progress-box li")
    return {item.select_one(".share-label, .legend-label").text.strip(): item.select_one("bdi").text for item in items}  # type: ignore[union-attr]


# A send at every stage


def test_the_page_of_a_send_at_every_stage(shop: Shop, steps: Steps, walker: Walker) -> None:
    make_refund_rule(operator_id=shop.operator_id, outcome="not_in_network", delay_seconds=48 * 3600)
    campaign_id = sent(walker, shop.line_id, recipients=numbers(9) + "\n09120000000\nnobody")
    page = f"/campaigns/{campaign_id}"
    assert bar(walker) == {"Queued": "9", "Invalid number": "1", "Duplicate number": "1"}
    assert "still held: 9,000 rial" in walker.text
    assert "2 rows were skipped" in walker.text

    steps.mark(steps.claim())
    steps.settle(campaign_id)
    assert bar(walker.go(page))["Sending"] == "9"
    assert "Sending" in walker.text

    with transaction():
        execute("UPDATE outbox_batch SET state = 'queued', attempt = 0, wire_at = NULL, lease_until = NULL")
    steps.send(answered, at=clock.now())
    steps.settle(campaign_id)
    assert bar(walker.go(page)) == {
        **{"Sent, waiting for its report": "7", "Fate unknown": "1", "Refused by operator": "1"},
        **{"Invalid number": "1", "Duplicate number": "1"},
    }
    assert "the last outcome comes by" in walker.text
    assert "Delivered" not in bar(walker)
    polled = walker.browser.get(page, headers=HTMX)
    assert polled.status_code == 200
    assert "hx-get" in polled.get_data(as_text=True)

    reported(campaign_id)
    with transaction():
        execute("DELETE FROM outbox_unknown")
        execute("UPDATE outbox_batch SET unknown_count = 0, expired_count = 1")
        execute("UPDATE outbox_message SET outcome = 'expired' WHERE outcome IS NULL")
        refunds.post_due(most=10, at=clock.now())
    steps.settle(campaign_id)
    assert bar(walker.go(page)) == {
        **{"Delivered": "4", "Undelivered": "1", "Blocked advertising": "1", "Not in network": "1"},
        **{"Refused by operator": "1", "No report in time": "1", "Invalid number": "1", "Duplicate number": "1"},
    }
    assert "Every recipient has its outcome." in walker.text
    assert "Refund still due" in walker.text
    assert cells(walker, 0) == [
        ["Blocked advertising", "1", "100%", "1,000 rial", "Refunded"],
        ["Not in network", "1", "100%", "1,000 rial", cells(walker, 0)[1][4]],
    ]


def test_a_page_read_while_its_last_refund_is_posted_is_a_page(
    shop: Shop, steps: Steps, walker: Walker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_refund_rule(operator_id=shop.operator_id, outcome="not_in_network", delay_seconds=48 * 3600)
    campaign_id = sent(walker, shop.line_id, recipients=numbers(9))
    steps.send(answered, at=clock.now())
    reported(campaign_id)
    steps.settle(campaign_id)
    assert "Refund still due" in walker.go(f"/campaigns/{campaign_id}").text

    as_it_was = campaigns.campaign(account_id=shop.account_id, campaign_id=campaign_id)
    db.session.expunge_all()
    with transaction():
        refunds.post_due(most=10, at=clock.now() + timedelta(hours=49))
    monkeypatch.setattr("sms.outbox.views.sends.campaign_of", lambda _id: as_it_was)
    assert "Refund still due" not in walker.go(f"/campaigns/{campaign_id}").text


def test_polling_ends_by_itself_and_answers_with_the_block_alone(shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(2))
    page = f"/campaigns/{campaign_id}"
    whole = walker.browser.get(page)
    assert "<html" in whole.get_data(as_text=True)
    assert "HX-Request" in whole.headers["Vary"]
    steps.send(refused)
    steps.settle(campaign_id)
    done = walker.browser.get(page, headers=HTMX)
    block = BeautifulSoup(done.get_data(as_text=True), "html.parser").find(id="progress")
    assert done.status_code == 286
    assert block is not None
    assert not block.has_attr("hx-get")
    assert "<html" not in done.get_data(as_text=True)
    assert walker.browser.get(page).status_code == 200


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ("UPDATE operators_gateway SET is_on = false", "gateway is stopped at the moment"),
        ("UPDATE operators_gateway SET stopped_reason = 'credentials'", "gateway is stopped at the moment"),
        ("UPDATE operators_gateway SET stopped_reason = 'credit'", "is used up. Nothing is lost"),
        ("UPDATE operators_gateway SET failing_since = now()", "has not been answering since"),
        (f"{HEALTH} 'open', now(), '', NULL FROM operators_gateway", "has not been answering since"),
        (f"{HEALTH} 'closed', NULL, 'open', now() + interval '1 hour' FROM operators_gateway", "gateway is stopped"),
        ("UPDATE lines_line SET is_active = false", "is switched off."),
        (
            "UPDATE lines_line SET opens_at = (now() AT TIME ZONE 'Asia/Tehran' + interval '1 hour')::time,"
            " closes_at = (now() AT TIME ZONE 'Asia/Tehran' + interval '2 hours')::time",
            "is closed. What is left waits",
        ),
        ("UPDATE outbox_campaign SET paused_at = now()", "Paused since"),
        ("UPDATE outbox_campaign SET scheduled_at = now() + interval '1 hour'", "Scheduled: it begins at"),
    ],
)
def test_a_send_that_waits_says_why(trouble: str, sentence: str, shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(2))
    assert sentence not in walker.text
    with transaction():
        execute(trouble)
    assert sentence in walker.go(f"/campaigns/{campaign_id}").text
    (message_id, *_) = (each.id for each in rows("SELECT id FROM outbox_message"))
    assert sentence in walker.go(f"/messages/{message_id}").text


def test_the_rest_is_cancelled_and_its_money_comes_back(shop: Shop, steps: Steps, walker: Walker) -> None:
    before = balance(shop.wallet_id)
    campaign_id = sent(walker, shop.line_id, recipients=numbers(3))
    walker.submit("/cancel")
    assert "3 messages are not sent" in walker.text
    assert "Cancel the rest" not in walker.text
    with transaction():
        finish_cancelled(most=10, at=AT)
    steps.settle(campaign_id)
    assert bar(walker.go(f"/campaigns/{campaign_id}")) == {"Cancelled": "3"}
    assert balance(shop.wallet_id) == before
    steps.verify()


def test_nothing_left_to_cancel_is_said_on_the_page(shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(2))
    token = walker.page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    steps.send()
    answer = walker.browser.post(f"/campaigns/{campaign_id}/cancel", data={"csrf_token": token})
    assert answer.status_code == 422
    assert "Nothing is left to cancel" in answer.get_data(as_text=True)


def test_blocked_recipients_are_exactly_those_reported_so_with_what_each_gave_back(
    shop: Shop, steps: Steps, walker: Walker
) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(23))
    steps.send(answered)
    reported(campaign_id)
    with transaction():
        refunds.post_due(most=1, at=clock.now())
    steps.settle(campaign_id)
    walker.go(f"/campaigns/{campaign_id}/blocked")
    assert [(line[0], line[1], line[4], line[5].split()[0]) for line in cells(walker)] == [
        ("21", "09120000020", "1,000 rial", "Due"),
        ("11", "09120000010", "1,000 rial", "Due"),
        ("1", "09120000000", "1,000 rial", "Refunded"),
    ]
    assert "3 recipients of this send have had advertising blocked" in walker.text
    table = exported(walker, f"/campaigns/{campaign_id}/blocked.csv")
    assert [(line["Recipient"], line["Outcome"], line["Refund (rial)"], line["Refund state"]) for line in table] == [
        ("09120000000", "Blocked advertising", "1000", "Refunded"),
        ("09120000010", "Blocked advertising", "1000", "Due"),
        ("09120000020", "Blocked advertising", "1000", "Due"),
    ]


def test_networks_are_shown_once_a_send_is_closed(shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients="09120000003\n09120000004\n09350000000")
    assert "known once the send is closed" in walker.go(f"/campaigns/{campaign_id}/networks").text
    steps.send()
    reported(campaign_id)
    steps.settle(campaign_id)
    walker.go(f"/campaigns/{campaign_id}/networks")
    assert cells(walker) == [
        ["MCI", "2", "2", "100%", "0", "2,000 rial"],
        ["Irancell", "1", "0", "0%", "1", "1,000 rial"],
    ]
    fragment = walker.browser.get(f"/campaigns/{campaign_id}/networks", headers=HTMX).get_data(as_text=True)
    assert "<html" not in fragment
    assert "Irancell" in fragment


# The outbox


def test_the_outbox_is_narrowed_by_every_filter(shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(10) + "\nnobody", title="Mine")
    steps.send(answered)
    reported(campaign_id)
    steps.settle(campaign_id)
    today = day_of(clock.now()).isoformat()
    for query, count in {
        "": 11,
        "outcome=blocked": 1,
        "outcome=delivered": 5,
        "outcome=invalid": 1,
        "state=unknown": 1,
        "state=waiting": 0,
        f"day={today}": 11,
        f"day={today}&outcome=refused": 1,
        "day=1400/01/01": 0,
        "recipient=۰۹۱۲ ۰۰۰ ۰۰۰۳": 1,
        f"line_id={shop.line_id}": 11,
        "line_id=999": 11,  # not a line of this account: marked and otherwise ignored
        "outcome=nonsense&day=x&recipient=y&before=z": 11,
    }.items():
        walker.go(f"/outbox?{query}")
        assert (len(cells(walker)) if walker.page("tbody") else 0) == count, query
    assert "This is not an Iranian mobile number" in walker.text
    assert "No message fits this filter" in walker.go("/outbox?day=1400/01/01").text


def test_pages_of_the_outbox_follow_each_other_and_keep_the_filter(shop: Shop, steps: Steps, walker: Walker) -> None:
    sent(walker, shop.line_id, recipients=numbers(60))
    walker.go(f"/outbox?line_id={shop.line_id}")
    seen = []
    while True:
        seen += [line[0].split()[0] for line in cells(walker)]
        older = walker.page.find("a", rel="next")
        if older is None:
            break
        assert f"line_id={shop.line_id}" in older["href"]
        walker.go(str(older["href"]))
    assert seen == list(reversed(numbers(60).split()))
    assert len(cells(walker.go(str(walker.page.find("a", rel="first")["href"])))) == 25  # type: ignore[index]


def test_shortcuts_are_in_the_readers_calendar(app: Flask, shop: Shop) -> None:
    walker = signed_in(app, shop.account_id, language="fa").go("/outbox")
    (today,) = [link for link in walker.page("a") if link.get_text(strip=True) == "امروز"]
    assert "day=%DB%B1%DB%B4" in today["href"]  # ۱۴…
    assert "هنوز" in walker.go("/campaigns").text
    walker.go(str(today["href"]))


def test_a_message_tells_what_happened_and_what_became_of_its_price(shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(9))
    ids = [each.id for each in rows("SELECT id FROM outbox_message ORDER BY id")]
    assert "It waits for its turn." in walker.go(f"/messages/{ids[0]}").text
    assert "Still held" in walker.text
    steps.send(answered)
    waiting = walker.go(f"/messages/{ids[0]}").text
    assert f"ref{ids[0]}" in waiting
    assert "whether it reached the handset is not known yet" in waiting
    assert "Delivered" not in waiting
    assert "−1,000 rial" in waiting
    assert "Fate unknown" in walker.go(f"/messages/{ids[8]}").text
    assert "Released: it was not sent" in walker.go(f"/messages/{ids[7]}").text
    assert cells(walker)[-1] == ["What it costs in the end", "0 rial"]

    reported(campaign_id)
    blocked = walker.go(f"/messages/{ids[0]}").text
    assert "Refund by rule, due" in blocked
    assert "Rule: 100% of the price for “Blocked advertising”" in blocked
    assert cells(walker)[-1] == ["What it costs as things stand", "1,000 rial"]
    with transaction():
        refunds.post_due(most=10, at=clock.now())
    assert "Refunded by rule" in walker.go(f"/messages/{ids[0]}").text
    assert cells(walker)[-1] == ["What it costs in the end", "0 rial"]
    assert "give nothing back for this outcome" in walker.go(f"/messages/{ids[2]}").text


def test_a_row_that_is_no_number_has_its_page_too(shop: Shop, walker: Walker) -> None:
    sent(walker, shop.line_id, recipients="09120000000\n<b>nobody</b>")
    message_id = scalar("SELECT id FROM outbox_message WHERE outcome = 'invalid'")
    walker.go(f"/messages/{message_id}")
    assert "<b>nobody</b>" in walker.text
    assert "Costs nothing" in walker.text
    assert cells(walker)[-1] == ["What it costs in the end", "0 rial"]


# Exports


def exported(walker: Walker, address: str) -> list[dict[str, str]]:
    """A downloaded table."""
    answer = walker.browser.get(address)
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    text = answer.get_data(as_text=True)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(StringIO(text[1:])))


def test_an_export_is_exact_in_the_order_of_the_list(shop: Shop, steps: Steps, walker: Walker) -> None:
    listed = '09120000000\n"=HYPERLINK(""x"")"\n09120000003\n+1-2-3\n09120000000\n  @SUM\n09120000007\n'
    campaign_id = sent(walker, shop.line_id, recipients=listed)
    steps.send(answered)
    reported(campaign_id)
    steps.settle(campaign_id)
    table = exported(walker, f"/campaigns/{campaign_id}/export.csv")
    assert [(line["Row"], line["Recipient"], line["Outcome"], line["Price (rial)"]) for line in table] == [
        ("1", "09120000000", "Blocked advertising", "1000"),
        ("2", "", "Invalid number", "0"),
        ("3", "09120000003", "Delivered", "1000"),
        ("4", "", "Invalid number", "0"),
        ("5", "09120000000", "Duplicate number", "0"),
        ("6", "", "Invalid number", "0"),
        ("7", "09120000007", "Refused by operator", "1000"),
    ]
    assert [line["As given"][:3] for line in table if line["As given"]] == ["'\"=", "'+1", "'@S"]
    assert {line["Network"] for line in table if line["Parts"] == "1"} == {"MCI"}
    assert [line["Refund state"] for line in table][:2] == ["Due", ""]
    back = exported(walker, "/outbox/export.csv")
    assert back == list(reversed(table))
    assert [line["Row"] for line in exported(walker, "/outbox/export.csv?outcome=delivered")] == ["3"]


def test_an_export_speaks_the_readers_language(app: Flask, shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=1)
    steps.send()
    reported(campaign_id)
    (line,) = exported(signed_in(app, shop.account_id, language="fa"), f"/campaigns/{campaign_id}/export.csv")
    assert line["نتیجه"] == "مسدود (لیست سیاه مخابرات)"
    assert line["زمان ارسال"] == "1405/09/02 11:30:00"
    assert line["شبکهٔ مقصد"] == "همراه اول"


# Whose it is


def test_what_belongs_to_another_account_is_not_there(app: Flask, shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(3))
    message_id = scalar("SELECT min(id) FROM outbox_message")
    walker.go("/compose").submit("/compose", line_id=str(shop.line_id), body="x", recipients=numbers(2))
    draft = walker.address
    stranger = signed_in(app, make_shop(operator_code="2000").account_id)
    token = stranger.go("/compose").page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    own = [
        *(f"/campaigns/{campaign_id}{rest}" for rest in ("", "/networks", "/blocked", "/blocked.csv", "/export.csv")),
        *(f"/messages/{message_id}", draft, f"{draft}/skipped", f"{draft}/skipped.csv"),
    ]
    for address in own:
        assert walker.browser.get(address).status_code == 200, address
        assert stranger.browser.get(address).status_code == 404, address
        assert stranger.browser.get(address, headers=HTMX).status_code == 404, address
    for address in (draft, f"{draft}/confirm", f"{draft}/discard", f"/campaigns/{campaign_id}/cancel"):
        data = {"csrf_token": token, "body": "mine", "title": ""}
        assert stranger.browser.post(address, data=data).status_code == 404, address
    assert scalar("SELECT count(*) FROM outbox_campaign WHERE cancelled_at IS NULL") == 1
    assert "The outbox is empty" in stranger.go("/outbox").text
    assert "You have not sent anything yet" in stranger.go("/campaigns").text
    assert len(exported(stranger, "/outbox/export.csv")) == 0
    assert len(cells(stranger.go("/outbox?recipient=09120000000"))) == 0 if stranger.page("tbody") else True


@pytest.mark.parametrize("address", ["/campaigns", "/messages", "/drafts"])
@pytest.mark.parametrize("number", ["0", "999999999", "99999999999999999999999999"])
def test_what_was_never_there_is_not_found(address: str, number: str, walker: Walker) -> None:
    assert walker.browser.get(f"{address}/{number}").status_code == 404


def test_members_of_the_staff_only_decide_on_unknown_fates(walker: Walker) -> None:
    assert walker.browser.get("/admin/unknown").status_code == 403


def test_a_stranger_is_sent_to_the_door(app: Flask, shop: Shop) -> None:
    answer: Any = app.test_client().get("/outbox")
    assert answer.headers["Location"].startswith("/sign-in?next=")
