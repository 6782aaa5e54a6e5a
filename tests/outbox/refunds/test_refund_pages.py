"""What comes back and what came back: sums, pages, the causes in the statement; and only one's own."""

from datetime import timedelta

import pytest
from flask import Flask

from sms.core.db import execute, rows, transaction
from sms.operators.rules import Outcome
from sms.outbox.operations import refunds
from sms.outbox.operations.outcomes import Final, apply
from sms.outbox.refunds import queries
from sms.outbox.refunds.queries import RefundFilter
from sms.outbox.refunds.views import PAGE
from tests.factories import AT, Shop, make_account, make_campaign, make_refund_rule
from tests.outbox.conftest import Steps
from tests.outbox.visits import signed_in, staff

NIGHT = timedelta(hours=48)


def _fail(steps: Steps, shop: Shop, outcome: Outcome, *, size: int = 3) -> int:
    """A send whose every message ended so."""
    campaign_id = make_campaign(shop, size=size, batch_size=size)
    steps.send()
    ids = [found.id for found in rows("SELECT id FROM outbox_message WHERE campaign_id = :id", id=campaign_id)]
    with transaction():
        apply([Final(message_id, outcome, "1") for message_id in ids], at=AT)
    return campaign_id


def _post(at: object = AT, most: int = 1000) -> None:
    with transaction():
        refunds.post_due(most=most, at=at)  # type: ignore[arg-type]


@pytest.fixture
def rule(shop: Shop) -> int:
    """Not in network comes back after two days."""
    return make_refund_rule(operator_id=shop.operator_id, outcome="not_in_network", percent=50, delay_seconds=172_800)


def test_what_is_due_is_shown_with_its_rule_and_its_moment(app: Flask, steps: Steps, shop: Shop, rule: int) -> None:
    campaign_id = _fail(steps, shop, Outcome.NOT_IN_NETWORK)
    (due,) = queries.due_sums(RefundFilter(shop.account_id))
    assert (due.rule_id, due.count, due.amount_mrial, due.first_at) == (rule, 3, 1_500_000, AT + NIGHT)
    walker = signed_in(app, shop.account_id).go("/wallet/refunds")
    assert "50 percent comes back" in walker.text
    assert "48 hours after sending" in walker.text
    assert "1,500 rial" in walker.text
    assert walker.page.find("a", href=f"/campaigns/{campaign_id}") is not None
    _post(AT + NIGHT)
    assert "No refund is due" in walker.go("/wallet/refunds").text


def test_pages_of_what_is_due_follow_each_other_without_a_gap(app: Flask, steps: Steps, shop: Shop) -> None:
    _fail(steps, shop, Outcome.BLOCKED, size=PAGE + 7)
    walker = signed_in(app, shop.account_id).go("/wallet/refunds")
    seen = [link["href"] for link in walker.page.select("td[data-label=Recipient] a")]
    walker.go(str(walker.page.find("a", rel="next")["href"]))  # type: ignore[index]
    rest = [link["href"] for link in walker.page.select("td[data-label=Recipient] a")]
    assert (len(seen), len(rest), len({*seen, *rest})) == (PAGE, 7, PAGE + 7)
    assert walker.page.find("a", rel="next") is None
    assert walker.page.find("a", rel="first") is not None


@pytest.mark.parametrize("place", ["x", "1-x", "99999999999999999999-1", "-1", "1-99999999999999999999"])
def test_a_place_nobody_can_read_is_the_first_page(app: Flask, shop: Shop, place: str) -> None:
    signed_in(app, shop.account_id).go(f"/wallet/refunds?from={place}").go(f"/wallet/refunds/posted?from={place}")


def test_what_was_posted_is_told_by_day_and_by_rule(app: Flask, steps: Steps, shop: Shop, rule: int) -> None:
    _fail(steps, shop, Outcome.BLOCKED)
    _fail(steps, shop, Outcome.NOT_IN_NETWORK)
    _post(AT, most=2)
    _post(AT)
    _post(AT + NIGHT)
    day = {"since": AT - timedelta(hours=4), "until": AT + timedelta(hours=4)}
    (first,) = queries.posted_sums(RefundFilter(shop.account_id), **day)  # type: ignore[arg-type]
    assert (first.count, first.amount_mrial, first.cost_mrial) == (3, 3_000_000, 1_800_000)
    assert len(queries.posted(RefundFilter(shop.account_id), **day)) == 2  # type: ignore[arg-type]
    walker = signed_in(app, shop.account_id)
    assert "3,000 rial" in walker.go("/wallet/refunds/posted?day=2026-11-23").text
    assert "50 percent comes back" in walker.go("/wallet/refunds/posted?day=2026-11-25").text
    assert "Nothing was paid back on this day" in walker.go("/wallet/refunds/posted?day=2026-11-24").text
    assert rule in {row.rule_id for row in rows("SELECT rule_id FROM outbox_refund_posted")}


def test_the_statement_tells_the_send_the_message_and_the_rule(app: Flask, steps: Steps, shop: Shop) -> None:
    campaign_id = _fail(steps, shop, Outcome.BLOCKED, size=1)
    _post()
    with transaction():
        execute("UPDATE outbox_campaign SET title = 'Autumn sale' WHERE id = :id", id=campaign_id)
    walker = signed_in(app, shop.account_id).go("/statement?kind=refund")
    assert f"Refunded by the operator’s rule, campaign {campaign_id}" in walker.text
    assert "Autumn sale" in walker.text
    assert "1 × Blocked advertising: the whole price comes back, as soon as the operator reports it" in walker.text
    (message,) = rows("SELECT id FROM outbox_message")
    for address in (f"/campaigns/{campaign_id}", f"/messages/{message.id}", "/prices"):
        assert walker.page.select(f'tbody a[href="{address}"]'), address
    exported = walker.browser.get("/statement/export.csv?kind=refund").get_data(as_text=True)
    assert "Autumn sale; Message to" in exported


def test_others_see_nothing_of_it(app: Flask, steps: Steps, shop: Shop) -> None:
    campaign_id = _fail(steps, shop, Outcome.BLOCKED)
    stranger, *_ = make_account()
    walker = signed_in(app, stranger)
    assert "No refund is due" in walker.go("/wallet/refunds").text
    _post()
    assert "Nothing was paid back" in walker.go("/wallet/refunds/posted?day=2026-11-23").text
    assert queries.named(account_id=stranger, campaign_ids=[campaign_id]) == {}
    assert walker.browser.get("/admin/refunds").status_code == 403


def test_staff_see_all_accounts_by_operator_and_rule(app: Flask, steps: Steps, shop: Shop, rule: int) -> None:
    _fail(steps, shop, Outcome.BLOCKED)
    _fail(steps, shop, Outcome.NOT_IN_NETWORK)
    walker = staff(app).go("/admin/refunds")
    assert "4,500 rial" in walker.text
    assert "1,500 rial" in walker.go(f"/admin/refunds?rule_id={rule}").text
    assert "No refund is due" in walker.go("/admin/refunds?account_id=999999").text
    _post(AT + NIGHT)
    walker.go(f"/admin/refunds/posted?day=2026-11-25&operator_id={shop.operator_id}")
    assert "4,500 rial" in walker.text
    (transfer,) = rows("SELECT min(transfer_id) AS id FROM outbox_refund_posted")
    assert walker.page.find("a", href=f"/admin/money/transfers/{transfer.id}") is not None
