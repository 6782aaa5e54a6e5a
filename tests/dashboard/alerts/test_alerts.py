"""What is noticed of money: by the policy alone, once for each kind and subject, told to whom it concerns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from jobs import watching
from sms.core import clock
from sms.core.actor import Actor
from sms.core.db import execute, rows, scalar, transaction
from sms.core.errors import NotFound
from sms.dashboard.alerts import operations, queries
from sms.dashboard.alerts.rules import Kind, Noticed, last_full_hour
from tests.factories import AT, Shop, make_account, make_shop
from tests.outbox.visits import signed_in, staff

BY = Actor()
NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)  # the last full hour of Tehran ended at 08:30 of UTC
HOUR = timedelta(hours=1)
MILLION = 1_000_000_000  # of rial, in milli-rial


@pytest.fixture
def shop(app: Flask) -> Shop:
    """A customer that is here since long."""
    found = make_shop()
    with transaction():
        execute("UPDATE accounts_account SET created_at = '2026-01-01'")
    return found


def _spend(shop: Shop, amounts_mrial: Mapping[int, int], *, account_id: int | None = None) -> None:
    """What was spent in the hour before NOW's, by how many days ago."""
    with transaction():
        for days_ago, amount in amounts_mrial.items():
            execute(
                "INSERT INTO lines_hour (hour_at, line_id, network_id, account_id, gateway_id, submitted_count,"
                " price_mrial)"
                " VALUES (:at, :line, 1, :account, :gateway, 1, :amount)",
                at=last_full_hour(NOW) - HOUR - timedelta(days=days_ago),
                line=shop.line_id,
                account=account_id or shop.account_id,
                gateway=shop.gateway_id,
                amount=amount,
            )


def _unusual(at: datetime = NOW) -> list[tuple[Kind, int, object]]:
    found = queries.unusual_spends(queries.policy(), at=at)
    return [
        (kind, int(each.account_id or 0), each.details["usual_mrial"]) for kind, all_ in found.items() for each in all_
    ]


# Spending


def test_spending_like_on_other_days_is_no_news(shop: Shop) -> None:
    _spend(shop, {0: 12 * MILLION, **{day: (10 + day % 3) * MILLION for day in range(1, 29)}})
    assert _unusual() == []


def test_spending_far_above_its_habit_is_told_with_what_is_usual(shop: Shop) -> None:
    _spend(shop, {0: 90 * MILLION, **{day: (10 + day % 3) * MILLION for day in range(1, 29)}})
    assert _unusual() == [(Kind.SPEND_HIGH, shop.account_id, 11 * MILLION)]


def test_single_days_do_not_move_what_is_usual(shop: Shop) -> None:
    wild = {5: 900 * MILLION, 9: 800 * MILLION, 20: 0, 21: 0}
    _spend(shop, {0: 90 * MILLION, **{day: 10 * MILLION for day in range(1, 29)}, **wild})
    assert _unusual() == [(Kind.SPEND_HIGH, shop.account_id, 10 * MILLION)]


def test_an_account_that_stops_spending_is_told_too(shop: Shop) -> None:
    _spend(shop, {day: 50 * MILLION for day in range(1, 29)})
    assert _unusual() == [(Kind.SPEND_LOW, shop.account_id, 50 * MILLION)]


def test_days_without_spending_are_part_of_the_habit(shop: Shop) -> None:
    _spend(shop, {0: 50 * MILLION, 7: 50 * MILLION, 14: 50 * MILLION})
    assert _unusual() == [(Kind.SPEND_HIGH, shop.account_id, 0)]


def test_what_is_off_by_little_money_is_no_news(shop: Shop) -> None:
    _spend(shop, {0: 9 * MILLION})  # the policy speaks of ten millions
    assert _unusual() == []


def test_a_young_account_has_no_habit(shop: Shop) -> None:
    with transaction():
        execute("UPDATE accounts_account SET created_at = CAST(:at AS timestamptz)", at=NOW - timedelta(days=5))
    _spend(shop, {0: 900 * MILLION})
    assert _unusual() == []


def test_other_hours_of_the_day_are_not_looked_at(shop: Shop) -> None:
    _spend(shop, {0: 900 * MILLION, **{day: 5 * MILLION for day in range(1, 29)}})
    assert [kind for kind, *_ in _unusual()] == [Kind.SPEND_HIGH]
    with transaction():
        execute(
            "UPDATE lines_hour SET hour_at = hour_at - interval '4 hours'"
            " WHERE hour_at > CAST(:at AS timestamptz) - interval '1 day'",
            at=NOW,
        )
    assert _unusual() == []


def test_the_policy_decides(shop: Shop) -> None:
    _spend(shop, {0: 28 * MILLION, **{day: (10 + day % 9) * MILLION for day in range(1, 29)}})
    assert _unusual() == []
    shipped = queries.policy()
    with transaction():
        operations.set_policy(replace(shipped, spend_factor_percent=200), by=BY, at=NOW)
    assert [kind for kind, *_ in _unusual()] == [Kind.SPEND_HIGH]
    with transaction():
        operations.set_policy(replace(shipped, spend_factor_percent=200, spend_floor_mrial=10**15), by=BY, at=NOW)
    assert _unusual() == []


@pytest.mark.parametrize(
    ("minute", "expected"), [(29, (7, 30)), (30, (7, 30)), (34, (7, 30)), (35, (8, 30)), (59, (8, 30))]
)
def test_an_hour_is_looked_at_once_it_may_be_counted(minute: int, expected: tuple[int, int]) -> None:
    ended = last_full_hour(NOW.replace(minute=minute))
    assert (ended.hour, ended.minute) == expected


# Prices and credit


def test_prices_below_cost_are_told_by_key(shop: Shop) -> None:
    assert queries.prices_below_cost(queries.policy(), at=NOW) == []
    with transaction():
        execute("UPDATE billing_tariff SET price_mrial = 500000 WHERE language = 'latin'")
    (found,) = queries.prices_below_cost(queries.policy(), at=NOW)
    assert (found.details["language"], found.details["price_mrial"], found.details["cost_mrial"]) == (
        "latin",
        500_000,
        600_000,
    )
    with transaction():
        operations.set_policy(replace(queries.policy(), least_margin_percent=100), by=BY, at=NOW)
    assert len(queries.prices_below_cost(queries.policy(), at=NOW)) == 2
    with transaction():
        execute("UPDATE billing_tariff SET valid_until = '2026-01-01'")
    assert queries.prices_below_cost(queries.policy(), at=NOW) == []


def test_low_credit_is_judged_as_the_gateways_health_does(shop: Shop) -> None:
    with transaction():
        execute("UPDATE operators_gateway SET credit_mrial = 5, credit_alert_mrial = 6")
    (found,) = queries.low_credits()
    assert found.subject == f"gateway:{shop.gateway_id}"
    with transaction():
        execute("UPDATE operators_gateway SET is_on = false")
    assert queries.low_credits() == []


# One open alert


def _note(noticed: Sequence[Noticed], at: datetime) -> int:
    with transaction():
        return operations.note(Kind.CREDIT_LOW, noticed, at=at)


def test_one_alert_is_open_for_what_is_noticed_again_and_again(shop: Shop) -> None:
    _note([Noticed("gateway:1", None, {"n": 1})], NOW)
    _note([Noticed("gateway:1", None, {"n": 2})], NOW + HOUR)
    (alert,) = queries.open_alerts()
    assert (alert.since, alert.seen_at, alert.details) == (NOW, NOW + HOUR, {"n": 2})
    assert _note([], NOW + 2 * HOUR) == 1
    assert queries.open_alerts() == []
    _note([Noticed("gateway:1")], NOW + 3 * HOUR)
    assert scalar("SELECT count(*) FROM dashboard_alert") == 2


def test_the_job_notices_everything_and_closes_what_is_over(shop: Shop) -> None:
    with transaction():
        execute("UPDATE billing_tariff SET price_mrial = 1 WHERE language = 'latin'")
        execute("UPDATE operators_gateway SET credit_mrial = 5, credit_alert_mrial = 6")
    watching.watch()
    assert [alert.kind for alert in queries.open_alerts()] == ["credit_low", "price_below_cost"]
    watching.watch()
    assert len(queries.open_alerts()) == 2
    with transaction():
        execute("UPDATE billing_tariff SET price_mrial = 600000 WHERE language = 'latin'")
    watching.watch()
    assert [alert.kind for alert in queries.open_alerts()] == ["credit_low"]
    assert [alert.kind for alert in queries.ended_alerts()] == ["price_below_cost"]


# Pages


def _told(account_id: int, name: str = "Shop") -> None:
    details = {"account": name, "spent_mrial": 90 * MILLION, "usual_mrial": 10 * MILLION, "hours": 3}
    with transaction():
        operations.note(Kind.SPEND_HIGH, [Noticed(f"account:{account_id}", account_id, details)], at=clock.now())


def test_staff_see_it_at_home_until_somebody_acknowledges(app: Flask, shop: Shop) -> None:
    _told(shop.account_id, "Autumn")
    walker = staff(app).go("/")
    assert "spent 90,000,000 rial in 3 hours; at these hours 10,000,000 rial is usual." in walker.text
    (alert,) = queries.open_alerts()
    walker.go("/admin/alerts").submit(f"/admin/alerts/{alert.id}/acknowledge", note="a campaign of theirs")
    assert "a campaign of theirs" in walker.text
    assert "is usual" not in walker.go("/").text
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'alert.acknowledged'") == 1
    with pytest.raises(NotFound), transaction():
        operations.acknowledge(alert_id=10**9, note_text="", by=BY, at=AT)


def test_a_reseller_is_told_of_its_own_tree_only(app: Flask, shop: Shop) -> None:
    reseller, *_ = make_account(kind="reseller")
    below, *_ = make_account(parent_id=reseller)
    _told(below, "Below")
    _told_too = {"account": "Beside", "spent_mrial": 1, "usual_mrial": 2, "hours": 3}
    with transaction():
        operations.note(
            Kind.SPEND_LOW, [Noticed(f"account:{shop.account_id}", shop.account_id, _told_too)], at=clock.now()
        )
    walker = signed_in(app, reseller).go("/alerts")
    assert "Below" in walker.text
    assert "Beside" not in walker.text
    assert "Below" in walker.go("/").text
    own = signed_in(app, shop.account_id).go("/alerts")
    assert "Beside" in own.text
    assert "Below" not in own.text
    assert walker.browser.get("/admin/alerts").status_code == 403


def test_every_kind_is_said_in_both_languages(app: Flask, shop: Shop) -> None:
    with transaction():
        execute("UPDATE billing_tariff SET price_mrial = 1")
        execute("UPDATE operators_gateway SET credit_mrial = 5, credit_alert_mrial = 6")
    _told(shop.account_id)
    with transaction():
        operations.watch(at=NOW)
    for language in ("en", "fa"):
        walker = signed_in(
            app, int(scalar("SELECT id FROM accounts_account WHERE kind = 'installation'") or 0), language=language
        )
        walker.go("/admin/alerts")
        assert "%(" not in walker.text


def test_the_policy_is_a_form_and_what_cannot_be_is_refused(app: Flask, shop: Shop) -> None:
    walker = staff(app).go("/admin/alerts/policy")
    walker.submit("/admin/alerts/policy", allowed=422, spend_hours="25")
    assert "From 1 to 24." in walker.text
    walker.submit("/admin/alerts/policy", spend_hours="6", spend_floor="5000000", least_margin_percent="-5")
    found = queries.policy()
    assert (found.spend_hours, found.spend_floor_mrial, found.least_margin_percent) == (6, 5_000_000_000, -5)
    assert found.spend_factor_percent == 500
    assert (found.is_asked_told, found.asked_ahead_days) == (False, 30)
    walker.go("/admin/alerts/policy").submit("/admin/alerts/policy", allowed=422, asked_ahead_days="91")
    walker.submit("/admin/alerts/policy", is_asked_told="y", asked_ahead_days="0")
    assert (queries.policy().is_asked_told, queries.policy().asked_ahead_days) == (True, 0)
    assert len(rows("SELECT id FROM dashboard_alert_policy")) == 3
