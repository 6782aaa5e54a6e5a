"""Pages of what is done about a send that is not through: when it begins, pause, another line; and what they say."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bs4 import Tag
from flask import Flask

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.calendar import TEHRAN, day_text
from sms.core.db import execute, row, rows, scalar, transaction
from sms.lines.own.operations import set_plan
from sms.lines.own.rules import PlanStep
from sms.outbox.operations import control
from tests.factories import AT, Shop, make_account, make_campaign, make_gateway, make_line, make_tariff
from tests.journeys.walker import Walker
from tests.outbox.conftest import Steps, balance
from tests.outbox.visits import composed, numbers, sent, signed_in

DEARER = 1_500_000


@pytest.fixture
def walker(app: Flask, shop: Shop) -> Walker:
    """The owner of the shop, at the panel."""
    return signed_in(app, shop.account_id)


@pytest.fixture
def away(shop: Shop) -> Shop:
    """The same customer with a line of another operator, which is dearer."""
    operator_id, gateway_id = make_gateway(operator_code="2000")
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    make_tariff(operator_id=operator_id, price_mrial=DEARER)
    return replace(shop, operator_id=operator_id, gateway_id=gateway_id, line_id=line_id, operator_code="2000")


def plan() -> list[tuple[int, int]]:
    """The plan of the only send: lines and caps, without its own line."""
    found = rows("SELECT line_id, cap_mrial FROM outbox_campaign_line WHERE place > 0 ORDER BY place")
    return [(each.line_id, each.cap_mrial) for each in found]


def buttons(walker: Walker) -> set[str]:
    """What the page of a send offers to do."""
    return {str(form["action"]).rsplit("/", 1)[1] for form in walker.page("form", method="post")} - {"language"}


# Composing


def test_a_send_is_scheduled_in_persian_with_a_plan_and_begins_at_that_moment(
    app: Flask, shop: Shop, away: Shop, steps: Steps
) -> None:
    third = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    walker = signed_in(app, shop.account_id, language="fa")
    composed(walker, shop.line_id, recipients=numbers(3))
    tomorrow = clock.now() + timedelta(days=1)
    walker.submit(
        "/confirm",
        **{"day": day_text(tomorrow.astimezone(TEHRAN).date(), "fa"), "clock": "۹:۳۰"},
        **{"plan_line-0": str(away.line_id), "plan_line-2": str(third), "plan_cap-2": "۷٬۰۰۰"},
    )
    campaign_id = int(walker.address.rsplit("/", 1)[1])
    found = scalar("SELECT scheduled_at FROM outbox_campaign WHERE id = :id", id=campaign_id).astimezone(TEHRAN)
    assert (found.date(), found.hour, found.minute) == (tomorrow.astimezone(TEHRAN).date(), 9, 30)
    assert plan() == [(away.line_id, 3 * DEARER), (third, 7_000_000)]
    assert "زمان‌بندی‌شده: در" in walker.text
    assert "زمان‌بندی‌شده" in walker.go("/campaigns").text
    assert steps.claim() == []
    with transaction():
        assert control.release_due(at=found) == 1
    assert len(steps.claim()) == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"day": "2020-01-01", "clock": "08:00"}, "Choose a moment that is still to come."),
        ({"day": "2028-01-01", "clock": ""}, "State both the day and the time."),
        ({"day": "", "clock": "8.30"}, "State both the day and the time."),
        ({"day": "2028-13-01", "clock": "08:00"}, "is not a day of the calendar"),
        ({"plan_cap-0": "much"}, "is not an amount"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(
    shop: Shop, away: Shop, walker: Walker, typed: dict[str, str], sentence: str
) -> None:
    composed(walker, shop.line_id, recipients=numbers(3))
    walker.submit("/confirm", allowed=422, **typed)
    assert sentence in walker.text
    shown = {field["name"]: field.get("value") for field in walker.page("input") if field.get("name") in typed}
    assert shown == typed
    assert scalar("SELECT count(*) FROM outbox_campaign") == 0


def test_hours_are_told_and_the_choice_is_kept(shop: Shop, walker: Walker) -> None:
    composed(walker, shop.line_id, recipients=numbers(3))
    assert "out_of_hours" not in {field.get("name") for field in walker.page("input")}
    with transaction():
        execute(
            "UPDATE lines_line SET opens_at = (now() AT TIME ZONE 'Asia/Tehran' - interval '1 hour')::time,"
            " closes_at = (now() AT TIME ZONE 'Asia/Tehran' + interval '1 hour')::time"
        )
    walker.go(walker.address)
    assert "This line sends from" in walker.text
    walker.submit("/confirm", out_of_hours="refuse")
    assert scalar("SELECT out_of_hours FROM outbox_campaign") == "refuse"


def test_a_plan_over_somebody_elses_line_is_left_out(shop: Shop, walker: Walker) -> None:
    stranger_id, _, _ = make_account()
    theirs = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=stranger_id)
    make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)  # so that there is a plan to make
    composed(walker, shop.line_id, recipients=numbers(3))
    walker.submit("/confirm", **{"plan_line-0": str(theirs), "plan_cap-0": "1"})
    assert plan() == []


def test_the_usual_way_on_is_filled_in_and_can_be_left(shop: Shop, away: Shop, walker: Walker) -> None:
    with transaction():
        steps = [PlanStep(away.line_id, 160), PlanStep(shop.line_id, None)]
        set_plan(account_id=shop.account_id, steps=steps, by=PANEL, at=AT)
    composed(walker, shop.line_id, recipients=numbers(3))
    walker.submit("/confirm")
    assert plan() == [(away.line_id, 3 * 1_000_000 * 160 // 100)]

    composed(walker, shop.line_id, recipients=numbers(2))
    walker.submit("/confirm", **{"plan_line-0": "", "plan_cap-0": ""})
    assert len(plan()) == 1


# A send that runs


def test_a_send_is_paused_goes_on_and_is_cancelled(shop: Shop, steps: Steps, walker: Walker) -> None:
    before = balance(shop.wallet_id)
    campaign_id = make_campaign(shop, size=10, batch_size=5)
    page = f"/campaigns/{campaign_id}"
    assert {"pause", "cancel"} <= buttons(walker.go(page))
    assert "Paused: 10 messages wait." in walker.submit("/pause").text
    assert {"resume", "cancel"} <= buttons(walker)
    assert "pause" not in buttons(walker)
    assert steps.claim() == []

    assert "The send goes on with 10 messages." in walker.submit("/resume").text
    steps.record(steps.mark(steps.claim(most=1)))
    steps.settle(campaign_id)
    assert "schedule" not in buttons(walker.go(page))
    assert "5 messages are not sent" in walker.submit("/cancel").text
    assert not {"pause", "resume", "cancel"} & buttons(walker)
    assert balance(shop.wallet_id) == before - 10_000_000  # until the cancelled ones have their outcome
    actors = rows("SELECT DISTINCT actor_id FROM accounts_audit WHERE subject = :s", s=f"campaign:{campaign_id}")
    assert len(actors) == 1
    assert actors[0].actor_id is not None


def test_a_button_of_a_page_that_is_out_of_date_is_refused_in_words(shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = make_campaign(shop, size=10, batch_size=5)
    walker.go(f"/campaigns/{campaign_id}")
    with transaction():
        control.pause(campaign_id=campaign_id, account_id=shop.account_id, user_id=None, at=AT)
    assert "This send is paused already." in walker.submit("/pause", allowed=422).text


def test_a_scheduled_send_is_moved_and_then_begun(shop: Shop, steps: Steps, walker: Walker) -> None:
    campaign_id = sent(walker, shop.line_id, recipients=numbers(3))
    later = clock.now() + timedelta(days=2)
    day = later.astimezone(TEHRAN).date()
    assert "State both" not in walker.submit("/schedule", day=day.isoformat(), clock="", allowed=422).text
    assert "This must be filled in." in walker.text
    walker.submit("/schedule", day=day.isoformat(), clock="10:15")
    assert f"The send begins at {day.isoformat()} 10:15:00." in walker.text
    assert steps.claim() == []
    assert "no longer waits for its time" in walker.submit("/begin").text
    assert len(steps.send()) == 1
    answer = walker.browser.post(f"/campaigns/{campaign_id}/begin", data={"csrf_token": token(walker)})
    assert answer.status_code == 422
    assert "This send has begun already" in answer.get_data(as_text=True)


def token(walker: Walker) -> str:
    """The token of the page."""
    found = walker.page.find("input", {"name": "csrf_token"})
    assert isinstance(found, Tag)
    return str(found["value"])


# Another line


def order(walker: Walker, line_id: int) -> dict[str, str]:
    """What the button of a line posts."""
    forms = [form for form in walker.page("form") if str(form.get("action")).endswith("/switch")]
    filled = [{str(field["name"]): str(field["value"]) for field in form("input")} for form in forms]
    (found,) = [fields for fields in filled if fields["line_id"] == str(line_id)]
    return found


def test_the_rest_goes_over_another_line_once_its_price_was_seen(
    shop: Shop, away: Shop, steps: Steps, walker: Walker
) -> None:
    campaign_id = make_campaign(shop, size=10, batch_size=5)
    steps.record(steps.mark(steps.claim(most=1)))
    steps.settle(campaign_id)
    page = f"/campaigns/{campaign_id}/switch"
    walker.go(page)
    assert "5 messages are not sent yet; over their line they cost 5,000 rial." in walker.text
    assert "2,500 rial more" in walker.text
    posted = order(walker, away.line_id)
    answers = [walker.browser.post(page, data=posted) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert scalar("SELECT held_mrial FROM outbox_campaign WHERE id = :id", id=campaign_id) == 12_500_000
    assert scalar("SELECT count(*) FROM outbox_move") == 1

    text = walker.go(f"/campaigns/{campaign_id}").text
    assert "5 messages have gone over to the other line." in text
    assert "Gone over to other lines" in text
    assert "2,500 rial more" in text
    moved = scalar("SELECT max(id) FROM outbox_message WHERE campaign_id = :id", id=campaign_id)
    assert "Gone over to another line" in walker.go(f"/messages/{moved}").text
    Steps(away).send()
    assert "Try 1" in walker.go(f"/messages/{moved}").text
    assert f"ref{moved}" in walker.text
    assert "Nothing is left that could go over another line." in walker.go(page).text
    steps.verify()


def test_a_line_that_became_dearer_since_it_was_shown_takes_nothing(shop: Shop, away: Shop, walker: Walker) -> None:
    campaign_id = make_campaign(shop, size=10)
    page = f"/campaigns/{campaign_id}/switch"
    posted = order(walker.go(page), away.line_id)
    with transaction():
        execute("UPDATE billing_tariff SET price_mrial = price_mrial + 1 WHERE operator_id = :id", id=away.operator_id)
    answer = walker.browser.post(page, data=posted)
    assert answer.status_code == 422
    assert "more than you agreed to" in answer.get_data(as_text=True)
    assert scalar("SELECT count(*) FROM outbox_move") == 0


@pytest.mark.parametrize("wild", [{"line_id": "9" * 30}, {"cap_mrial": "9" * 30}, {"line_id": "x", "cap_mrial": "y"}])
def test_what_no_page_offers_is_answered_in_words(shop: Shop, walker: Walker, wild: dict[str, Any]) -> None:
    campaign_id = make_campaign(shop, size=5)
    page = f"/campaigns/{campaign_id}/switch"
    data = {"csrf_token": token(walker.go(page)), "line_id": str(shop.line_id), "cap_mrial": "0"} | wild
    assert walker.browser.post(page, data=data).status_code == 422


def test_nobody_touches_anothers_send(app: Flask, shop: Shop, away: Shop, steps: Steps) -> None:
    stranger_id, _, _ = make_account()
    stranger = signed_in(app, stranger_id)
    campaign_id = make_campaign(shop, size=10)
    before = row("SELECT c.*, (SELECT array_agg(b.state) FROM outbox_batch b) AS states FROM outbox_campaign c")
    data = {"csrf_token": token(stranger.go("/account")), "line_id": str(away.line_id), "cap_mrial": str(10**9)}
    data |= {"day": "2028-01-01", "clock": "08:00"}
    for action in ("pause", "resume", "cancel", "schedule", "begin", "switch"):
        assert stranger.browser.post(f"/campaigns/{campaign_id}/{action}", data=data).status_code == 404, action
    assert stranger.browser.get(f"/campaigns/{campaign_id}/switch").status_code == 404
    after = row("SELECT c.*, (SELECT array_agg(b.state) FROM outbox_batch b) AS states FROM outbox_campaign c")
    assert after == before
    assert scalar("SELECT count(*) FROM outbox_move") == 0
    steps.verify()
