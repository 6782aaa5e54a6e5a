"""What a line demands behind a text is counted and paid for in every place that measures it, and is what is sent."""

from dataclasses import replace

import pytest
from flask import Flask

from sms.core.db import execute, row, scalar, transaction
from sms.outbox.intake.operations.drafts import change_draft, draft_from_text
from sms.outbox.operations import failover
from sms.outbox.operations.accept import accept_draft
from sms.outbox.queries.messages import message
from sms.outbox.queries.preview import preview
from tests.factories import AT, Shop, make_gateway, make_line, make_shop, make_tariff
from tests.outbox.conftest import Steps
from tests.outbox.visits import signed_in

PRICE = 1_000_000
FITS = "س" * 70  # one part, with nothing to spare


def demand(line_id: int) -> None:
    """The line demands the words."""
    with transaction():
        execute("UPDATE lines_line SET demands_suffix = true WHERE id = :id", id=line_id)


def drafted(shop: Shop, body: str) -> int:
    """A draft to two people."""
    with transaction():
        return draft_from_text(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=shop.line_id,
            title="",
            body=body,
            recipients="09120000001 09120000002",
            at=AT,
        )


def accept(shop: Shop, draft_id: int) -> int:
    """The draft as a campaign."""
    with transaction():
        return accept_draft(draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, at=AT)


def other(shop: Shop) -> Shop:
    """A line of another operator at the same price."""
    operator_id, gateway_id = make_gateway(operator_code="2000")
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    make_tariff(operator_id=operator_id, price_mrial=PRICE, cost_mrial=500_000)
    return replace(shop, operator_id=operator_id, gateway_id=gateway_id, line_id=line_id)


@pytest.fixture
def shop(app: Flask) -> Shop:
    return make_shop()


@pytest.mark.parametrize(
    ("body", "sent", "parts", "is_unicode"),
    [
        (FITS, f"{FITS}\nلغو11", 2, True),
        ("سلام", "سلام\nلغو11", 1, True),
        ("hello " * 20, "hello " * 20 + "\nلغو11", 2, True),  # Persian words make the whole text Persian
        ("سلام لغو ۱۱", "سلام لغو ۱۱", 1, True),
    ],
)
def test_preview_price_and_what_is_sent_agree(  # noqa: PLR0917 - a table and two fixtures
    shop: Shop, steps: Steps, body: str, sent: str, parts: int, is_unicode: bool
) -> None:
    demand(shop.line_id)
    draft_id = drafted(shop, body)
    seen = preview(account_id=shop.account_id, draft_id=draft_id, at=AT)
    assert (seen.parts, seen.total_mrial, seen.ending) == (parts, 2 * parts * PRICE, sent.removeprefix(body))
    campaign_id = accept(shop, draft_id)
    found = row(
        "SELECT held_mrial, parts, is_unicode, body, suffix FROM outbox_campaign WHERE id = :id", id=campaign_id
    )
    assert found is not None
    assert (found.held_mrial, found.parts, found.is_unicode) == (2 * parts * PRICE, parts, is_unicode)
    assert (found.body, found.body + found.suffix) == (body, sent)
    (batch,) = steps.claim()
    assert (batch.body, batch.is_unicode) == (sent, is_unicode)
    assert scalar("SELECT DISTINCT parts FROM outbox_message") == parts


def test_a_line_that_demands_nothing_sends_what_was_written(shop: Shop, steps: Steps) -> None:
    accept(shop, drafted(shop, "hello"))
    assert [(batch.body, batch.is_unicode) for batch in steps.claim()] == [("hello", False)]


def test_what_is_accepted_goes_out_as_it_was_priced_whatever_is_demanded_later(shop: Shop, steps: Steps) -> None:
    accept(shop, drafted(shop, FITS))
    demand(shop.line_id)
    assert [batch.body for batch in steps.claim()] == [FITS]


@pytest.mark.parametrize("is_there", [True, False])
def test_over_another_line_the_words_come_or_go_with_their_price(shop: Shop, is_there: bool) -> None:
    away = other(shop)
    demand(away.line_id if is_there else shop.line_id)
    campaign_id = accept(shop, drafted(shop, FITS))
    before, after = (1, 2) if is_there else (2, 1)
    assert scalar("SELECT held_mrial FROM outbox_campaign") == 2 * before * PRICE
    with transaction():
        failover.switch_line(
            campaign_id=campaign_id,
            account_id=shop.account_id,
            line_id=away.line_id,
            cap_mrial=10 * PRICE,
            user_id=None,
            at=AT,
        )
    assert scalar("SELECT held_mrial FROM outbox_campaign") == 2 * after * PRICE
    assert scalar("SELECT DISTINCT parts FROM outbox_message") == after
    (batch,) = Steps(away).claim()
    assert batch.body == (f"{FITS}\nلغو11" if is_there else FITS)
    found = message(account_id=shop.account_id, message_id=batch.recipients[0].message_id)
    assert found is not None
    assert found.body == batch.body


def test_a_latin_text_is_latin_again_where_nothing_is_demanded(shop: Shop) -> None:
    away = other(shop)
    demand(shop.line_id)
    campaign_id = accept(shop, drafted(shop, "hello"))
    with transaction():
        failover.switch_line(
            campaign_id=campaign_id,
            account_id=shop.account_id,
            line_id=away.line_id,
            cap_mrial=10 * PRICE,
            user_id=None,
            at=AT,
        )
    assert [(batch.body, batch.is_unicode) for batch in Steps(away).claim()] == [("hello", False)]


def test_what_is_sent_again_in_a_batch_of_its_own_is_the_same_text(shop: Shop, steps: Steps) -> None:
    demand(shop.line_id)
    accept(shop, drafted(shop, "سلام"))
    batches = steps.mark(steps.claim())
    steps.record(batches, unsent=[batches[0].recipients[1].message_id])
    assert [batch.body for batch in steps.claim()] == ["سلام\nلغو11"]


def test_the_words_make_a_text_too_long_as_any_words_do(shop: Shop) -> None:
    demand(shop.line_id)
    draft_id = drafted(shop, "س")
    with transaction():
        change_draft(
            draft_id=draft_id, account_id=shop.account_id, line_id=shop.line_id, title="", body="س" * 67 * 265, at=AT
        )
    assert preview(account_id=shop.account_id, draft_id=draft_id, at=AT).problem is not None


def test_the_page_shows_the_words_and_says_that_they_are_counted(app: Flask, shop: Shop) -> None:
    demand(shop.line_id)
    walker = signed_in(app, shop.account_id).go("/compose")
    (option,) = walker.page.select("option[data-suffix]")
    assert option["data-suffix"] == "لغو11"
    walker.submit("/compose", line_id=str(shop.line_id), body="سلام", recipients="09120000001")
    assert "سلام لغو11" in walker.text
    assert "was added, and is counted" in walker.text
    walker.submit("/confirm")
    assert "سلام لغو11" in walker.text
