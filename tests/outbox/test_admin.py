"""Messages of unknown fate: shown to the staff, decided in sets, with a second look and a line in the audit."""

from typing import Any

import pytest
from flask import Flask

from sms.core.db import execute, row, rows, scalar, transaction
from sms.outbox.operations import unknown
from tests.factories import Shop, make_campaign
from tests.journeys.walker import Walker
from tests.outbox.conftest import Steps, accepted, balance
from tests.outbox.visits import staff


@pytest.fixture
def keeper(app: Flask) -> Walker:
    """Somebody of the staff, at the panel."""
    return staff(app)


@pytest.fixture
def lost(shop: Shop, steps: Steps) -> tuple[int, int]:
    """(campaign id, batch id) of four messages: one accepted, three of unknown fate that nobody looks up any more."""
    campaign_id = make_campaign(shop, size=4, batch_size=4)
    steps.send(lambda recipient: accepted(recipient) if recipient.number % 10 == 0 else None)
    with transaction():
        unknown.park([found.message_id for found in rows("SELECT message_id FROM outbox_unknown")])
    steps.settle(campaign_id)
    return campaign_id, int(scalar("SELECT id FROM outbox_batch"))


def posted(keeper: Walker, batch_id: int, message_ids: list[int], **fields: str) -> Any:
    """A decision, posted."""
    token = keeper.page.find("input", {"name": "csrf_token"})["value"]  # type: ignore[index]
    data = {"csrf_token": token, "message_id": [str(each) for each in message_ids], **fields}
    return keeper.browser.post(f"/admin/unknown/{batch_id}", data=data)


def parked() -> list[int]:
    """The messages that wait for a decision."""
    return [found.message_id for found in rows("SELECT message_id FROM outbox_unknown ORDER BY message_id")]


def test_what_waits_is_listed_with_its_account_and_its_money(shop: Shop, lost: tuple[int, int], keeper: Walker) -> None:
    (line,) = keeper.go("/admin/unknown").page("tbody")[0]("tr")
    texts = [cell.get_text(" ", strip=True) for cell in line("td")]
    assert texts[5:7] == ["3", "3,000 rial"]
    keeper.go(f"/admin/unknown/{lost[1]}")
    assert len(keeper.page("input", {"name": "message_id", "checked": True})) == 3


def test_what_is_still_looked_up_waits_for_nobody(lost: tuple[int, int], keeper: Walker) -> None:
    with transaction():
        execute("UPDATE outbox_unknown SET next_lookup_at = now()")
    assert "No message waits for a decision" in keeper.go("/admin/unknown").text
    assert keeper.browser.get(f"/admin/unknown/{lost[1]}").status_code == 404
    answer = posted(keeper.go("/"), lost[1], parked(), decision="sent", is_sure="1")
    assert answer.status_code == 303
    assert len(parked()) == 3
    assert "None of these messages waits for a decision any more." in keeper.go("/admin/unknown").text


@pytest.mark.parametrize(
    ("decision", "outcome", "back_mrial"), [("sent", "expired", 0), ("not_sent", "refused", 2_000_000)]
)
def test_a_decision_is_looked_at_twice_and_then_done_for_the_chosen_ones(  # noqa: PLR0917 - a table and its scene
    decision: str, outcome: str, back_mrial: int, shop: Shop, steps: Steps, lost: tuple[int, int], keeper: Walker
) -> None:
    campaign_id, batch_id = lost
    first, second, third = parked()
    before = balance(shop.wallet_id)
    keeper.go(f"/admin/unknown/{batch_id}")
    asked = posted(keeper, batch_id, [first, second], decision=decision)
    assert asked.status_code == 200
    assert "Are you sure?" in asked.get_data(as_text=True)
    assert parked() == [first, second, third]

    done = posted(keeper, batch_id, [first, second], decision=decision, is_sure="1")
    assert done.status_code == 303
    assert "Decided for 2 messages." in keeper.go("/admin/unknown").text
    assert parked() == [third]
    assert {
        found.outcome
        for found in rows(
            "SELECT outcome::text AS outcome FROM outbox_message WHERE id = ANY(:ids)", ids=[first, second]
        )
    } == {outcome}
    steps.settle(campaign_id)
    assert balance(shop.wallet_id) == before + back_mrial
    told = row("SELECT account_id, actor_id, subject, details FROM accounts_audit WHERE action = 'messages.decided'")
    assert told is not None
    assert (told.account_id, told.subject) == (shop.account_id, f"campaign:{campaign_id}")
    assert told.actor_id is not None
    assert told.details == {"decision": decision, "batch": batch_id, "messages": [first, second]}
    steps.verify()


def test_sent_again_they_are_queued_once_more(lost: tuple[int, int], keeper: Walker, steps: Steps) -> None:
    campaign_id, batch_id = lost
    messages = parked()
    keeper.go(f"/admin/unknown/{batch_id}")
    posted(keeper, batch_id, messages, decision="resend", is_sure="1")
    assert scalar("SELECT sum(size) FROM outbox_batch WHERE state = 'queued'") == 3
    assert posted(keeper, batch_id, messages, decision="resend", is_sure="1").status_code == 303
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'messages.decided'") == 1
    steps.settle(campaign_id)
    steps.verify()


def test_a_decision_needs_a_word_we_know_and_a_message(lost: tuple[int, int], keeper: Walker) -> None:
    keeper.go(f"/admin/unknown/{lost[1]}")
    assert posted(keeper, lost[1], parked(), decision="whatever").status_code == 400
    answer = posted(keeper, lost[1], [], decision="sent")
    assert answer.status_code == 422
    assert "Choose at least one message." in answer.get_data(as_text=True)


def test_messages_of_another_batch_are_not_decided_by_the_way(
    shop: Shop, lost: tuple[int, int], keeper: Walker, steps: Steps
) -> None:
    make_campaign(shop, size=2)
    steps.send(lambda _recipient: None)
    with transaction():
        unknown.park(parked())
    other = scalar("SELECT batch_id FROM outbox_unknown WHERE batch_id <> :id LIMIT 1", id=lost[1])
    keeper.go(f"/admin/unknown/{lost[1]}")
    posted(keeper, lost[1], parked(), decision="not_sent", is_sure="1")
    assert {found.batch_id for found in rows("SELECT batch_id FROM outbox_unknown")} == {other}
