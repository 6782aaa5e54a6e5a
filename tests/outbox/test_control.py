"""Sends held back and let go: pause, resume, cancel, schedule, the hours and rates of lines, and whose turn it is."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from flask import Flask

from sms.core.calendar import TEHRAN
from sms.core.db import db, execute, row, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.outbox.intake.operations import drafts, reading
from sms.outbox.models import Campaign
from sms.outbox.operations import campaigns, claiming, control, dispatch
from sms.outbox.operations.accept import accept_draft
from sms.outbox.operations.sweep import sweep
from sms.outbox.queries.messages import MessageFilter, messages, progress_of
from sms.outbox.queries.waiting import why_waiting
from sms.outbox.rules import OutOfHours, Terms, Wait
from tests.factories import AT, Shop, make_account, make_campaign, make_line, make_shop
from tests.outbox.conftest import Steps, balance
from tests.outbox.visits import numbers

LATER = AT + timedelta(hours=2)


def tehran(clock: str, day: int = 24) -> datetime:
    """A moment in Tehran."""
    return datetime.combine(date(2026, 11, day), time.fromisoformat(clock), tzinfo=TEHRAN)


def act(function: Any, campaign_id: int, shop: Shop, **more: Any) -> Any:
    """One of the operations, by the owner."""
    with transaction():
        return function(
            campaign_id=campaign_id,
            account_id=shop.account_id,
            user_id=shop.user_id,
            **({"at": AT} | more),
        )


def accepted(shop: Shop, count: int, *, at: datetime = AT, terms: Terms | None = None) -> int:
    """A send as its confirmation leaves it."""
    with transaction():
        draft_id = drafts.draft_from_text(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=shop.line_id,
            title="",
            body="hello",
            recipients=numbers(count),
            at=at,
        )
    with transaction():
        reading.read_draft(draft_id=draft_id, at=at)
    with transaction():
        return accept_draft(
            draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, terms=terms or Terms(), at=at
        )


def hours(opens_at: str | None, closes_at: str | None, **more: Any) -> None:
    """Give every line these hours."""
    columns = {"opens_at": opens_at, "closes_at": closes_at, **more}
    with transaction():
        execute(f"UPDATE lines_line SET {', '.join(f'{name} = :{name}' for name in columns)}", **columns)  # noqa: S608


def swept(at: datetime) -> None:
    """The sweeper comes by."""
    with transaction():
        sweep(at=at)


# Pause and resume


def test_a_pause_stops_the_claims_at_once_and_a_resume_goes_on(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=20, batch_size=5)
    steps.record(steps.mark(steps.claim(most=1)))

    assert act(control.pause, campaign_id, shop) == 15
    assert steps.claim() == []
    steps.settle(campaign_id)
    assert scalar("SELECT counts->>'queued' FROM outbox_campaign WHERE id = :id", id=campaign_id) == "15"
    assert scalar("SELECT state FROM outbox_campaign WHERE id = :id", id=campaign_id) == "sending"

    assert act(control.resume, campaign_id, shop) == 15
    assert len(steps.send()) == 3
    steps.settle(campaign_id)
    steps.verify()


def test_what_comes_back_unsent_to_a_paused_send_waits_with_it(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=5, batch_size=5)
    batches = steps.mark(steps.claim())
    act(control.pause, campaign_id, shop)
    steps.record(batches, is_unsent=True)

    assert steps.claim() == []
    act(control.resume, campaign_id, shop)
    assert len(steps.send()) == 1
    steps.verify()


def test_what_comes_back_unsent_to_a_cancelled_send_is_cancelled_too(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=10, batch_size=5)
    before = balance(shop.wallet_id)
    batches = steps.mark(steps.claim(most=1))
    with transaction():
        campaigns.cancel(campaign_id=campaign_id, account_id=shop.account_id, at=AT)
    steps.record(batches, is_unsent=True)

    assert steps.claim() == []
    ended(campaign_id, steps)
    assert balance(shop.wallet_id) == before + 10_000_000


def ended(campaign_id: int, steps: Steps) -> None:
    """What was cancelled gets its outcome, and its money goes back."""
    with transaction():
        campaigns.finish_cancelled(most=100, at=AT)
    steps.settle(campaign_id)
    assert scalar("SELECT state FROM outbox_campaign WHERE id = :id", id=campaign_id) == "closed"
    steps.verify()


def test_a_paused_send_that_is_cancelled_gives_its_money_back(shop: Shop, steps: Steps) -> None:
    before = balance(shop.wallet_id)
    campaign_id = make_campaign(shop, size=20, batch_size=5)
    act(control.pause, campaign_id, shop)
    with transaction():
        assert campaigns.cancel(campaign_id=campaign_id, account_id=shop.account_id, at=AT) == 20
    ended(campaign_id, steps)
    assert balance(shop.wallet_id) == before
    assert scalar("SELECT paused_at FROM outbox_campaign WHERE id = :id", id=campaign_id) is None


@pytest.mark.parametrize("operation", [control.pause, control.resume, control.schedule])
def test_what_cannot_be_is_refused_and_what_is_not_yours_is_not_there(shop: Shop, steps: Steps, operation: Any) -> None:
    campaign_id = make_campaign(shop, size=5)
    more = {"scheduled_at": LATER} if operation is control.schedule else {}
    stranger, _, _ = make_account()
    with pytest.raises(NotFound), transaction():
        operation(campaign_id=campaign_id, account_id=stranger, user_id=None, at=AT, **more)
    steps.send()
    with pytest.raises(Refusal):
        act(operation, campaign_id, shop, **more)


def test_a_paused_message_is_queued_for_whoever_looks(shop: Shop) -> None:
    campaign_id = make_campaign(shop, size=5)
    act(control.pause, campaign_id, shop)
    narrowed = MessageFilter(campaign_id=campaign_id, state="queued")
    found = messages(account_id=shop.account_id, narrowed=narrowed)
    assert [progress_of(message) for message in found] == ["queued"] * 5


def test_each_of_them_is_in_the_audit(shop: Shop) -> None:
    campaign_id = make_campaign(shop, size=5)
    act(control.pause, campaign_id, shop)
    act(control.resume, campaign_id, shop)
    act(control.schedule, campaign_id, shop, scheduled_at=LATER)
    act(campaigns.cancel, campaign_id, shop)
    found = row(
        "SELECT array_agg(action ORDER BY id) AS actions, min(actor_id) AS actor FROM accounts_audit"
        " WHERE subject = :s",
        s=f"campaign:{campaign_id}",
    )
    assert found is not None
    assert found.actions == ["campaign.paused", "campaign.resumed", "campaign.scheduled", "campaign.cancelled"]
    assert found.actor == shop.user_id


# Schedule


def test_a_scheduled_send_is_held_at_once_and_goes_out_when_its_moment_has_come(shop: Shop, steps: Steps) -> None:
    before = balance(shop.wallet_id)
    campaign_id = accepted(shop, 10, terms=Terms(scheduled_at=LATER))
    assert balance(shop.wallet_id) == before - 10_000_000
    swept(LATER - timedelta(seconds=1))
    assert steps.claim() == []

    swept(LATER)
    assert len(steps.send()) == 1
    steps.settle(campaign_id)
    steps.verify()


@pytest.mark.parametrize("moment", [AT - timedelta(seconds=1), AT + timedelta(days=400)])
def test_a_moment_that_is_over_or_too_far_off_is_refused(shop: Shop, moment: datetime) -> None:
    with pytest.raises(Refusal):
        accepted(shop, 1, terms=Terms(scheduled_at=moment))
    assert scalar("SELECT count(*) FROM outbox_campaign") == 0


def test_a_scheduled_send_can_be_moved_and_begun_now_and_cancelled(shop: Shop, steps: Steps) -> None:
    before = balance(shop.wallet_id)
    campaign_id = accepted(shop, 10, terms=Terms(scheduled_at=LATER))
    act(control.schedule, campaign_id, shop, scheduled_at=LATER + timedelta(days=1))
    swept(LATER)
    assert steps.claim() == []

    act(control.schedule, campaign_id, shop, scheduled_at=None)
    assert len(steps.claim()) == 1

    other = accepted(shop, 10, terms=Terms(scheduled_at=LATER))
    with transaction():
        campaigns.cancel(campaign_id=other, account_id=shop.account_id, at=AT)
    ended(other, steps)
    assert balance(shop.wallet_id) == before - 10_000_000


def test_a_send_of_which_something_was_sent_cannot_be_moved(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=10, batch_size=5)
    steps.record(steps.mark(steps.claim(most=1)))
    with pytest.raises(Refusal, match="has begun already"):
        act(control.schedule, campaign_id, shop, scheduled_at=LATER)


def test_a_scheduled_send_of_who_is_shut_out_from_above_does_not_begin_and_says_why(shop: Shop, steps: Steps) -> None:
    campaign_id = accepted(shop, 3, terms=Terms(scheduled_at=LATER))
    with transaction():
        execute("UPDATE accounts_account SET state = 'suspended' WHERE parent_id IS NULL")
    swept(LATER)
    assert steps.claim() == []
    assert scalar("SELECT count(*) FROM outbox_batch WHERE state = 'paused'") == 1
    campaign = db.session.get(Campaign, campaign_id)
    assert campaign is not None
    assert [each.reason for each in why_waiting(campaign, at=LATER)] == [Wait.SUSPENDED]
    db.session.rollback()
    with transaction():
        execute("UPDATE accounts_account SET state = 'active' WHERE parent_id IS NULL")
    swept(LATER)
    assert len(steps.claim()) == 1


def test_a_scheduled_send_that_is_paused_does_not_begin_and_a_resumed_one_waits_again(shop: Shop, steps: Steps) -> None:
    campaign_id = accepted(shop, 10, terms=Terms(scheduled_at=LATER))
    act(control.pause, campaign_id, shop)
    swept(LATER)
    assert steps.claim() == []

    act(control.resume, campaign_id, shop)
    assert steps.claim() == []
    swept(LATER)
    assert len(steps.claim()) == 1


# Hours


@pytest.mark.parametrize(
    ("opens_at", "closes_at", "clock", "is_claimed"),
    [
        (None, None, "03:00", True),
        ("08:00", "22:00", "07:59", False),
        ("08:00", "22:00", "08:00", True),
        ("08:00", "22:00", "22:00", False),
        ("20:00", "06:00", "23:59", True),
        ("20:00", "06:00", "00:00", True),
        ("20:00", "06:00", "06:00", False),
        ("20:00", "06:00", "19:59", False),
    ],
)
def test_nothing_is_claimed_of_a_closed_line(
    shop: Shop, opens_at: str | None, closes_at: str | None, clock: str, is_claimed: bool
) -> None:
    make_campaign(shop, size=5)
    hours(opens_at, closes_at)
    assert bool(claimed(shop, at=tehran(clock))) is is_claimed


def claimed(shop: Shop, *, at: datetime, most: int = 100) -> list[dispatch.Claimed]:
    """What is claimed at a moment."""
    with transaction():
        return dispatch.claim(gateway_id=shop.gateway_id, most=most, lease_seconds=15, at=at)


def test_a_running_send_stops_when_its_line_closes_and_goes_on_at_the_next_opening(shop: Shop) -> None:
    make_campaign(shop, size=10, batch_size=5)
    hours("08:00", "22:00")
    assert len(claimed(shop, at=tehran("21:59"), most=1)) == 1
    assert claimed(shop, at=tehran("22:00")) == []
    assert len(claimed(shop, at=tehran("08:00", day=25))) == 1


@pytest.mark.parametrize(("service_class", "is_claimed"), [("service", True), ("advertising", False)])
def test_a_single_text_of_a_service_line_does_not_wait_for_the_hours(
    shop: Shop, service_class: str, is_claimed: bool
) -> None:
    accepted(shop, 1)
    accepted(shop, 5)
    hours("08:00", "22:00", service_class=service_class)
    found = claimed(shop, at=tehran("23:00"))
    assert [len(batch.recipients) for batch in found] == ([1] if is_claimed else [])


def test_who_does_not_want_to_wait_is_refused_while_the_line_is_closed(shop: Shop) -> None:
    hours("08:00", "22:00")
    refuse = Terms(out_of_hours=OutOfHours.REFUSE)
    with pytest.raises(Refusal, match="it sends from 08:00 to 22:00"):
        accepted(shop, 5, at=tehran("23:00"), terms=refuse)
    with pytest.raises(Refusal):
        accepted(shop, 5, at=tehran("12:00"), terms=Terms(scheduled_at=tehran("23:00"), out_of_hours=OutOfHours.REFUSE))
    assert scalar("SELECT count(*) FROM outbox_campaign") == 0
    assert accepted(shop, 5, at=tehran("12:00"), terms=refuse)
    assert accepted(shop, 5, at=tehran("23:00"))


def test_the_rest_of_who_does_not_want_to_wait_is_cancelled_when_the_line_closes(shop: Shop, steps: Steps) -> None:
    hours("08:00", "22:00")
    refused = accepted(shop, 150, at=tehran("21:00"), terms=Terms(out_of_hours=OutOfHours.REFUSE))
    waiting = accepted(shop, 150, at=tehran("21:00"))
    batches = claimed(shop, at=tehran("21:59"), most=1)
    steps.record(steps.mark(batches))
    swept(tehran("21:59"))
    assert scalar("SELECT count(*) FROM outbox_batch WHERE state = 'cancelled'") == 0

    swept(tehran("22:00"))
    with transaction():
        campaigns.finish_cancelled(most=100, at=AT)
    steps.settle(refused)
    steps.settle(waiting)
    counts = scalar("SELECT counts FROM outbox_campaign WHERE id = :id", id=refused)
    assert (counts["cancelled"], counts["queued"]) == (50, 0)
    assert scalar("SELECT counts->>'queued' FROM outbox_campaign WHERE id = :id", id=waiting) == "150"
    steps.verify()


def test_who_does_not_want_to_wait_is_not_let_go_on_into_closed_hours(shop: Shop, steps: Steps) -> None:
    hours("08:00", "22:00")
    refuse = Terms(out_of_hours=OutOfHours.REFUSE)
    campaign_id = accepted(shop, 150, at=tehran("21:00"), terms=refuse)
    batches = steps.mark(claimed(shop, at=tehran("21:30"), most=1))
    act(control.pause, campaign_id, shop, at=tehran("21:30"))
    steps.record(batches, is_unsent=True)

    swept(tehran("22:30"))
    assert scalar("SELECT count(*) FROM outbox_batch WHERE state = 'cancelled'") == 0, "a pause outlasts the hours"
    with pytest.raises(Refusal, match="it sends from 08:00 to 22:00"):
        act(control.resume, campaign_id, shop, at=tehran("22:30"))
    assert act(control.resume, campaign_id, shop, at=tehran("08:00", day=25)) == 150


# Rate


def test_a_line_with_a_rate_sends_no_more_than_a_seconds_worth_at_once_over_all_workers(shop: Shop) -> None:
    make_campaign(shop, size=100, batch_size=10)
    hours(None, None, per_second=20)
    first, second = claimed(shop, at=AT), claimed(shop, at=AT)
    assert len(first) == 2
    assert second == []
    assert 0 < (wait_of(shop) or 0) <= 1

    with transaction():
        execute("UPDATE outbox_line_pace SET free_at = free_at - interval '0.6 seconds'")
    assert len(claimed(shop, at=AT)) == 1
    assert claimed(shop, at=AT) == []


def wait_of(shop: Shop) -> float | None:
    """How long the sender would wait."""
    return claiming.seconds_to_next(gateway_id=shop.gateway_id)


def test_a_batch_larger_than_the_rate_goes_out_and_the_line_then_rests_for_it(shop: Shop) -> None:
    make_campaign(shop, size=200, batch_size=100)
    hours(None, None, per_second=10)
    assert len(claimed(shop, at=AT)) == 1
    assert (wait_of(shop) or 0) > 8
    assert claimed(shop, at=AT) == []


def test_a_line_without_a_rate_waits_for_nothing(shop: Shop) -> None:
    make_campaign(shop, size=100, batch_size=10)
    assert wait_of(shop) is None
    assert len(claimed(shop, at=AT)) == 10
    assert scalar("SELECT count(*) FROM outbox_line_pace") == 0


def test_a_line_with_a_rate_keeps_nobody_waiting_and_waits_for_nobody(app: Flask, shop: Shop) -> None:
    """Its rate is above what the gateway takes: so it would always have enough to fill a claim."""
    make_campaign(shop, size=400, batch_size=1)
    hours(None, None, per_second=100)
    rival = on_another_line(shop)
    single, many = accepted(rival, 1), make_campaign(rival, size=400, batch_size=1)
    assert [batch.campaign_id for batch in claimed(shop, at=AT, most=1)] == [single]
    found = [batch.campaign_id for batch in claimed(shop, at=AT, most=10)]
    assert 4 <= found.count(many) <= 6


def on_another_line(shop: Shop) -> Shop:
    """Another customer of the same gateway, on a line without a rate."""
    line_id = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    return replace(make_shop_at(shop), line_id=line_id)


# Whose turn it is


def test_a_single_text_goes_before_another_customers_million(app: Flask, shop: Shop) -> None:
    """The million is as many batches; only their order counts. Of a gateway that is busy with them, the next claim is
    the newcomer's, and no sender claims more than twice its threads before it claims anew."""
    make_campaign(shop, size=400, batch_size=1)
    assert len(claimed(shop, at=AT, most=8)) == 8
    account_id, user_id, wallet_id = make_account()
    other = Shop(account_id, user_id, wallet_id, shop.operator_id, shop.gateway_id, shop.line_id, shop.operator_code)
    single = accepted(other, 1)
    assert [batch.campaign_id for batch in claimed(shop, at=AT, most=1)] == [single]


def test_a_list_shares_its_turns_with_another_customers_million(app: Flask, shop: Shop) -> None:
    make_campaign(shop, size=400, batch_size=1)
    claimed(shop, at=AT, most=8)
    account_id, user_id, wallet_id = make_account()
    other = Shop(account_id, user_id, wallet_id, shop.operator_id, shop.gateway_id, shop.line_id, shop.operator_code)
    list_id = accepted(other, 300)
    assert list_id in {batch.campaign_id for batch in claimed(shop, at=AT, most=2)}


def test_a_resumed_send_stands_behind_nobody_and_before_nobody(app: Flask, shop: Shop) -> None:
    paused = make_campaign(shop, size=4, batch_size=1)
    act(control.pause, paused, shop)
    rival = make_shop_at(shop)
    running = make_campaign(rival, size=40, batch_size=1)
    claimed(shop, at=AT, most=20)
    act(control.resume, paused, shop)
    found = [batch.campaign_id for batch in claimed(shop, at=AT, most=8)]
    assert found.count(paused) == 4
    assert found.count(running) == 4


def make_shop_at(shop: Shop) -> Shop:
    """Another customer of the same line."""
    account_id, user_id, wallet_id = make_account()
    return Shop(account_id, user_id, wallet_id, shop.operator_id, shop.gateway_id, shop.line_id, shop.operator_code)


def test_two_shops_do_not_share_a_pause(app: Flask, shop: Shop, steps: Steps) -> None:
    rival = make_shop(operator_code="2000")
    theirs = make_campaign(rival, size=5)
    act(control.pause, make_campaign(shop, size=5), shop)
    assert [batch.campaign_id for batch in claimed(rival, at=AT)] == [theirs]
