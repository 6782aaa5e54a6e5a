"""What is kept beside the campaigns is at every moment what reading all of them would bring."""

from datetime import timedelta

from sms.core.db import execute, rows, scalar, transaction
from sms.operators.rules import Outcome
from sms.outbox.operations import campaigns, days, outcomes, refunds
from sms.outbox.operations.outcomes import Final
from sms.outbox.queries.invariants import INVARIANTS
from tests.factories import AT, Shop, make_campaign, make_shop
from tests.outbox.conftest import Steps, accepted, refused

DAYS_DIFFER = INVARIANTS["I6"][-1]


def _kept(account_id: int) -> list[dict[str, int]]:
    """The kept totals of an account, day by day."""
    found = rows(
        "SELECT day, sum(messages)::int AS messages, sum(delivered_count)::int AS delivered,"
        " sum(blocked_count)::int AS blocked, sum(refused_count)::int AS refused,"
        " sum(cancelled_count)::int AS cancelled, sum(refund_due_mrial)::int AS due_mrial"
        " FROM outbox_day WHERE account_id = :id GROUP BY day ORDER BY day",
        id=account_id,
    )
    return [dict(day._mapping) for day in found]


def _life(shop: Shop, steps: Steps) -> None:
    """Sent, reported, paid back, cancelled: the totals are looked at after each step."""
    first = make_campaign(shop, size=20, batch_size=5)
    steps.send(lambda recipient: refused(recipient) if recipient.number % 10 == 3 else accepted(recipient))
    second = make_campaign(shop, size=7, batch_size=5)
    assert rows(DAYS_DIFFER) == []
    steps.settle(first)
    assert rows(DAYS_DIFFER) == []
    sent = rows("SELECT message_id AS id FROM outbox_submission ORDER BY 1")
    fates = [Outcome.BLOCKED if place % 3 else Outcome.DELIVERED for place in range(len(sent))]
    with transaction():
        outcomes.apply([Final(each.id, fate, "1") for each, fate in zip(sent, fates, strict=True)], at=AT)
    assert rows(DAYS_DIFFER) == []
    with transaction():
        campaigns.cancel(campaign_id=second, account_id=shop.account_id, at=AT)
        campaigns.finish_cancelled(most=10, at=AT)
    steps.settle(first)
    steps.settle(second)


def test_the_totals_of_a_day_follow_its_campaigns(shop: Shop, steps: Steps) -> None:
    _life(shop, steps)
    (day,) = _kept(shop.account_id)
    assert (day["messages"], day["delivered"], day["blocked"], day["refused"], day["cancelled"]) == (27, 6, 12, 2, 7)
    assert day["due_mrial"] == 12_000_000
    with transaction():
        refunds.post_due(most=100, at=AT + timedelta(days=3))
    assert [each["due_mrial"] for each in _kept(shop.account_id)] == [0]
    assert rows(DAYS_DIFFER) == []


def test_adding_up_makes_one_row_a_day_and_changes_no_total(shop: Shop, steps: Steps) -> None:
    _life(shop, steps)
    other = make_shop(operator_code="2000")
    late = make_campaign(other, size=3)
    with transaction():
        execute("UPDATE outbox_campaign SET accepted_at = :at WHERE id = :id", at=AT + timedelta(days=2), id=late)
    before = [_kept(shop.account_id), _kept(other.account_id)]
    with transaction():
        assert days.fold() == 3  # the day that a campaign has left is there too, with nothing in it
    assert [_kept(shop.account_id), _kept(other.account_id)] == before
    assert scalar("SELECT count(*) FROM outbox_day") == 3
    with transaction():
        assert days.fold() == 0
    steps.send(accepted)
    steps.settle(late)
    assert rows(DAYS_DIFFER) == []


def test_totals_that_went_astray_are_told(shop: Shop, steps: Steps) -> None:
    _life(shop, steps)
    with transaction():
        execute("UPDATE outbox_day SET blocked_count = blocked_count + 1 WHERE day = (SELECT min(day) FROM outbox_day)")
    assert [found.account_id for found in rows(DAYS_DIFFER)] == [shop.account_id]
    with transaction():
        execute("DELETE FROM outbox_day")
    assert [found.messages for found in rows(DAYS_DIFFER)] == [27]


def test_every_outcome_of_a_campaign_leads_to_it(shop: Shop, steps: Steps) -> None:
    _life(shop, steps)
    known = {(found.campaign_id, found.outcome) for found in rows("SELECT * FROM outbox_campaign_outcome")}
    counted = rows("SELECT c.id, k.key FROM outbox_campaign c, jsonb_each(c.counts) k")
    assert known == {(found.id, found.key) for found in counted if found.key in set(Outcome)}
