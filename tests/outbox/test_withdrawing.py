"""Who opts out while a send is held back is not written to when it goes, and his price comes back."""

from datetime import timedelta

import pytest
from flask import Flask

from jobs import outbox as jobs
from sms.contacts.operations import opt_out
from sms.contacts.queries import has_news
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.queue import Job
from sms.outbox.intake.operations.drafts import draft_from_text
from sms.outbox.operations import campaigns, control, withdrawing
from sms.outbox.operations import sweep as sweeping
from sms.outbox.operations.accept import accept_draft
from sms.outbox.rules import Terms
from tests.factories import AT, Shop, make_line, make_shop
from tests.outbox.conftest import Steps, balance
from tests.outbox.visits import signed_in

PRICE = 1_000_000
LATER = AT + timedelta(hours=2)
FIRST = 989120000001


@pytest.fixture
def shop(app: Flask) -> Shop:
    return make_shop(batch_size=2)


def accept(shop: Shop, count: int = 5, *, scheduled: bool = True) -> int:
    """A send to so many, in batches of two."""
    with transaction():
        draft_id = draft_from_text(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=shop.line_id,
            title="",
            body="hello",
            recipients=" ".join(f"0912{place + 1:07}" for place in range(count)),
            at=AT,
        )
        return accept_draft(
            draft_id=draft_id,
            account_id=shop.account_id,
            user_id=shop.user_id,
            terms=Terms(scheduled_at=LATER if scheduled else None),
            at=AT,
        )


def leave(shop: Shop, *recipients: int, line_id: int | None = None, account_id: int | None = 0) -> None:
    """They opt out half an hour after the send was accepted."""
    with transaction():
        opt_out(
            account_id=shop.account_id if account_id == 0 else account_id,
            recipients=recipients,
            line_id=line_id,
            reason="11",
            at=AT + timedelta(minutes=30),
        )
        execute("UPDATE contacts_optout SET noted_at = created_at")


def look_through(most: int = 1_000) -> int:
    """Opt-outs are looked for in the sends that wait."""
    with transaction():
        return withdrawing.withdraw_news(most=most, at=LATER)


def release() -> None:
    """The moment has come."""
    with transaction():
        assert control.release_due(at=LATER) == 1


def settle(campaign_id: int) -> None:
    """Take the totals anew."""
    with transaction():
        campaigns.settle(campaign_id=campaign_id, at=LATER)


def written_to(steps: Steps) -> list[int]:
    """Who is written to now."""
    return sorted(each.number for batch in steps.send(at=LATER) for each in batch.recipients)


def test_a_scheduled_send_leaves_out_who_has_opted_out_meanwhile(shop: Shop, steps: Steps) -> None:
    campaign_id = accept(shop)
    before = balance(shop.wallet_id)
    leave(shop, FIRST, line_id=shop.line_id)
    leave(shop, FIRST + 2, FIRST + 3)
    release()
    assert written_to(steps) == [FIRST + 1, FIRST + 4]
    settle(campaign_id)
    assert balance(shop.wallet_id) == before + 3 * PRICE
    found = rows("SELECT recipient, outcome::text FROM outbox_message WHERE outcome IS NOT NULL ORDER BY id")
    assert [tuple(each) for each in found] == [(FIRST + place, "opted_out") for place in (0, 2, 3)]
    counts = scalar("SELECT counts FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert (counts["opted_out"], counts["submitted"], counts["waiting"]) == (3, 2, 2)
    steps.verify()


def test_when_all_have_opted_out_the_send_is_over_and_all_paid_back(shop: Shop, steps: Steps) -> None:
    before = balance(shop.wallet_id)
    campaign_id = accept(shop, 3)
    leave(shop, FIRST, FIRST + 1, FIRST + 2)
    release()
    settle(campaign_id)
    assert (written_to(steps), balance(shop.wallet_id)) == ([], before)
    assert scalar("SELECT state FROM outbox_campaign") == "closed"
    steps.verify()


def test_an_opt_out_of_another_line_or_account_keeps_nobody_out(shop: Shop, steps: Steps) -> None:
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    accept(shop, 3)
    leave(shop, FIRST, line_id=other)
    leave(make_shop(operator_code="2000"), FIRST)
    release()
    assert len(written_to(steps)) == 3


def test_an_opt_out_of_a_public_line_holds_for_everybody(shop: Shop, steps: Steps) -> None:
    accept(shop, 3)
    leave(shop, FIRST, line_id=shop.line_id, account_id=None)
    release()
    assert written_to(steps) == [FIRST + 1, FIRST + 2]


def test_a_paused_send_is_looked_through_when_it_goes_on(shop: Shop, steps: Steps) -> None:
    campaign_id = accept(shop, scheduled=False)
    of = {"campaign_id": campaign_id, "account_id": shop.account_id, "user_id": shop.user_id, "at": AT}
    with transaction():
        control.pause(**of)
    leave(shop, FIRST)
    with transaction():
        control.resume(**of)
    assert written_to(steps) == [FIRST + place for place in range(1, 5)]
    steps.verify()


def test_who_opted_out_before_or_comes_back_is_as_he_last_said(shop: Shop, steps: Steps) -> None:
    accept(shop, 2)
    leave(shop, FIRST)
    with transaction():
        execute("DELETE FROM contacts_optout")
    release()
    assert len(written_to(steps)) == 2


def test_what_was_tried_before_is_not_touched(shop: Shop, steps: Steps) -> None:
    campaign_id = accept(shop, 2, scheduled=False)
    batches = steps.mark(steps.claim())
    steps.record(batches, is_unsent=True)
    of = {"campaign_id": campaign_id, "account_id": shop.account_id, "user_id": shop.user_id, "at": AT}
    with transaction():
        control.pause(**of)
    leave(shop, FIRST)
    with transaction():
        control.resume(**of)
    assert len(written_to(steps)) == 2
    steps.verify()


def test_who_opts_out_while_a_send_waits_in_a_queue_is_left_out(shop: Shop, steps: Steps) -> None:
    campaign_id = accept(shop, scheduled=False)
    before = balance(shop.wallet_id)
    leave(shop, FIRST, line_id=shop.line_id)
    leave(shop, FIRST + 2, FIRST + 3)
    assert look_through() == 3
    assert look_through() == 0
    assert written_to(steps) == [FIRST + 1, FIRST + 4]
    settle(campaign_id)
    assert balance(shop.wallet_id) == before + 3 * PRICE
    counts = scalar("SELECT counts FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert (counts["opted_out"], counts["submitted"]) == (3, 2)
    steps.verify()


def test_opting_out_of_a_public_line_is_looked_for_in_the_sends_of_everybody(shop: Shop, steps: Steps) -> None:
    accept(shop, 3, scheduled=False)
    leave(shop, FIRST, line_id=shop.line_id, account_id=None)
    assert look_through() == 1
    assert written_to(steps) == [FIRST + 1, FIRST + 2]
    steps.verify()


def test_an_opt_out_elsewhere_takes_nobody_out_of_a_queue(shop: Shop, steps: Steps) -> None:
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    accept(shop, 3, scheduled=False)
    leave(shop, FIRST, line_id=other)
    leave(make_shop(operator_code="2000"), FIRST)
    assert look_through() == 2
    assert len(written_to(steps)) == 3
    steps.verify()


def test_what_is_on_its_way_or_may_have_been_is_not_taken_out(shop: Shop, steps: Steps) -> None:
    accept(shop, 4, scheduled=False)
    (sent, tried) = steps.mark(steps.claim())
    steps.record([tried], is_unsent=True)
    leave(shop, *range(FIRST, FIRST + 4))
    assert look_through() == 4
    assert not scalar("SELECT count(*) FROM outbox_message WHERE outcome IS NOT NULL")
    steps.record([sent])
    steps.verify()


def test_a_sweep_rings_for_new_opt_outs_a_moment_after_they_came(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[Job] = []
    monkeypatch.setattr(sweeping, "ring", lambda job, **_: rung.append(job))
    assert not has_news()
    with transaction():
        opt_out(account_id=shop.account_id, recipients=[FIRST], line_id=None, reason="11", at=AT)
    assert (has_news(), look_through()) == (False, 0)  # a send that is being accepted just now is not there yet
    with transaction():
        execute("UPDATE contacts_optout SET noted_at = noted_at - interval '31 seconds'")
    with transaction():
        sweeping.sweep(at=AT)
    assert Job.LEAVE_OUT in rung
    jobs.leave_out()
    assert not has_news()


def test_the_page_of_such_a_message_and_of_its_send_tell_it(app: Flask, shop: Shop, steps: Steps) -> None:
    campaign_id = accept(shop, 2)
    leave(shop, FIRST)
    release()
    steps.send(at=LATER)
    settle(campaign_id)
    walker = signed_in(app, shop.account_id)
    found = row("SELECT id FROM outbox_message WHERE outcome = 'opted_out'")
    assert found is not None
    assert "Opted out" in walker.go(f"/messages/{found.id}").text
    assert "Opted out" in walker.go(f"/campaigns/{campaign_id}").text
