"""The home pages and the health address."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from redis.exceptions import ConnectionError as RedisGone
from sqlalchemy.exc import OperationalError

from sms.core import clock
from sms.core.db import execute, transaction
from sms.core.queue import connection
from sms.dashboard import queries, views
from sms.operators.rules import Outcome
from sms.outbox.operations import campaigns
from tests.factories import Shop, make_account, make_campaign, make_shop
from tests.guards.world import World, make_world

HEALTH = "UPDATE operators_health SET"


@pytest.fixture
def world(app: Flask) -> World:
    return make_world(app)


def _text(browser: FlaskClient, address: str = "/") -> str:
    browser.set_cookie("language", "en")
    return " ".join(BeautifulSoup(browser.get(address).get_data(as_text=True), "html.parser").get_text(" ").split())


def _set(campaign_id: int, **columns: object) -> None:
    places = ", ".join(f"{name} = :{name}" for name in columns)
    with transaction():
        execute(f"UPDATE outbox_campaign SET {places} WHERE id = :id", id=campaign_id, **columns)  # noqa: S608 - names are our own


def _close_all() -> None:
    with transaction():
        execute("UPDATE outbox_campaign SET state = 'closed', closed_at = now()")


def test_a_stranger_is_sent_to_the_sign_in_page(world: World) -> None:
    answer = world.browser("anonymous").get("/")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in")


def test_a_newcomer_sees_the_first_steps(world: World) -> None:
    assert "First steps" in _text(world.browser("stranger"))
    assert "First steps" not in _text(world.browser("customer"))


def test_a_customer_sees_the_balance_and_todays_sends(world: World) -> None:
    _set(world.ids["campaign_id"], accepted_at=clock.now(), counts='{"delivered": 7, "blocked": 2, "waiting": 1}')
    text = _text(world.browser("customer"))
    assert "999,989,000 rial" in text
    assert "Sent today 10" in text
    assert "Delivered today 7" in text
    assert "Blocked today 2" in text


def test_nobody_sees_the_sends_of_others(world: World) -> None:
    _set(world.ids["campaign_id"], title="Spring sale")
    assert "Spring sale" in _text(world.browser("customer"))
    assert "Spring sale" not in _text(world.browser("stranger"))


@pytest.mark.parametrize(
    "trouble",
    [
        "UPDATE operators_gateway SET failing_since = now()",
        "UPDATE operators_gateway SET is_on = false",
        "UPDATE operators_gateway SET stopped_reason = 'credit'",
        f"{HEALTH} breaker = 'open'",
        f"{HEALTH} override = 'open', override_until = now() + interval '1 hour'",
    ],
)
def test_a_campaign_held_up_by_its_gateway_is_told(world: World, trouble: str) -> None:
    assert "goes on by itself" not in _text(world.browser("customer"))
    with transaction():
        execute("INSERT INTO operators_health (gateway_id) SELECT id FROM operators_gateway ON CONFLICT DO NOTHING")
        execute(trouble)
    assert "goes on by itself" in _text(world.browser("customer"))
    assert "goes on by itself" not in _text(world.browser("stranger"))
    _set(world.ids["campaign_id"], paused_at=clock.now())
    text = _text(world.browser("customer"))
    assert "goes on by itself" not in text
    assert "Paused" in text


def test_what_staff_force_is_not_held_up(world: World) -> None:
    with transaction():
        execute(
            "INSERT INTO operators_health (gateway_id, breaker, override, override_until)"
            " SELECT id, 'open', 'closed', now() + interval '1 hour' FROM operators_gateway"
        )
    assert "goes on by itself" not in _text(world.browser("customer"))


def test_the_staff_are_told_what_needs_a_look(world: World) -> None:
    alert = "sends nothing at the moment: its operator fails"
    assert alert not in _text(world.browser("admin"))
    with transaction():
        execute("INSERT INTO operators_health (gateway_id, breaker) SELECT id, 'open' FROM operators_gateway LIMIT 1")
    assert alert in _text(world.browser("admin"))
    assert alert not in _text(world.browser("customer"))


def test_the_live_part_is_polled_until_everything_is_closed(world: World) -> None:
    browser = world.browser("customer")
    asked = browser.get("/", headers={"HX-Request": "true"})
    assert (asked.status_code, "<html" in asked.get_data(as_text=True)) == (200, False)
    assert 'hx-get="/"' in asked.get_data(as_text=True)
    _close_all()
    ended = browser.get("/", headers={"HX-Request": "true"})
    assert ended.status_code == 286
    assert "hx-get" not in ended.get_data(as_text=True)


def test_the_staff_see_gateways_queues_and_everybodys_sends(world: World) -> None:
    _set(world.ids["campaign_id"], title="Spring sale")
    text = _text(world.browser("admin"))
    assert "Queued messages 10" in text
    assert "Money held for open sends 11,000 rial" in text
    assert "Unknown fate 1 1 wait for a decision" in text
    assert "Spring sale" in text
    assert "Working" in text


# What stands behind


def test_fourteen_days_are_counted_by_tehran_days(app: Flask) -> None:
    shop = make_shop()
    at = clock.now().replace(hour=20, minute=45)  # past midnight in Tehran
    for days, size in ((14, 11), (13, 7), (1, 5), (0, 3)):
        campaign_id = make_campaign(shop, size=size)
        _set(campaign_id, accepted_at=at - timedelta(days=days), counts=f'{{"delivered": {size}, "expired": 1}}')
    make_campaign(make_shop(), size=13)

    found = queries.fortnight(account_id=shop.account_id, at=at)
    assert [day.messages for day in found.days] == [7, *[0] * 11, 5, 3]
    assert found.messages == 15
    assert found.outcomes[Outcome.DELIVERED] == 15
    assert found.outcomes[Outcome.EXPIRED] == 3


def test_refunds_to_come_are_summed(app: Flask) -> None:
    shop = make_shop()
    campaign_id = make_campaign(shop)
    _set(campaign_id, accepted_at=clock.now(), refund_due_mrial=4_000, refund_due_count=2)
    found = queries.fortnight(account_id=shop.account_id, at=clock.now())
    assert (found.refund_due_mrial, found.refund_due_count) == (4_000, 2)


def test_the_backlog_adds_up(app: Flask) -> None:
    shop: Shop = make_shop()
    make_campaign(shop, size=10)
    done = make_campaign(shop, size=4)
    with transaction():
        campaigns.cancel(campaign_id=done, account_id=shop.account_id, at=clock.now())
        campaigns.finish_cancelled(most=10, at=clock.now())
    with transaction():
        campaigns.settle(campaign_id=done, at=clock.now())

    backlog = queries.backlog()
    assert (backlog.queued, backlog.open_campaigns, backlog.escrow_mrial) == (10, 1, 10_000_000)
    assert queries.queued_by_gateway() == {shop.gateway_id: 10}


def test_an_account_without_a_wallet_has_nothing_and_no_error(world: World) -> None:
    make_account(money_mrial=0)
    assert "0 rial" in _text(world.browser("admin"))


# Health


def test_health_says_that_all_is_well_and_nothing_more(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "database": "ok", "redis": "ok"}


def test_health_tells_a_database_that_is_away(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> bool:
        raise OperationalError("SELECT", {}, Exception("password in here"))

    monkeypatch.setattr(views.queries, "is_database_up", gone)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json == {"status": "down", "database": "down", "redis": "ok"}


def test_health_tells_a_redis_that_is_away(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> bool:
        raise RedisGone

    monkeypatch.setattr(connection(), "ping", gone)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json == {"status": "down", "database": "ok", "redis": "down"}
