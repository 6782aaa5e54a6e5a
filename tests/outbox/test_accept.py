"""Accepting a draft on a real PostgreSQL: everything or nothing, once however often asked."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms.contacts.operations import opt_out
from sms.core.db import db, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.queue import connection
from sms.ledger.rules import InsufficientBalance
from sms.outbox.intake.operations import drafts
from sms.outbox.operations.accept import accept_draft
from sms.outbox.operations.holding import DearerNow
from tests.factories import AT, Shop, make_account, make_line, make_shop
from tests.outbox.conftest import Steps, balance

PRICE = 1_000_000  # of the factories' tariff


def numbers(count: int, start: int = 989120000000) -> list[int]:
    """Different recipients of one network."""
    return list(range(start, start + count))


def make_draft(shop: Shop, recipients: str, body: str = "hello") -> int:
    """A ready draft of pasted recipients."""
    with transaction():
        return drafts.draft_from_text(
            account_id=shop.account_id,
            user_id=shop.user_id,
            line_id=shop.line_id,
            title="Spring",
            body=body,
            recipients=recipients,
            at=AT,
        )


def accept(shop: Shop, draft_id: int, **more: int) -> int:
    """Confirm it."""
    with transaction():
        return accept_draft(draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, at=AT, **more)


def listed(count: int) -> str:
    """So many numbers, one a line."""
    return "\n".join(map(str, numbers(count)))


def nothing_was_written(shop: Shop, money_mrial: int) -> bool:
    """No message, batch, campaign or transfer, and the balance as before."""
    written = scalar(
        "SELECT (SELECT count(*) FROM outbox_message) + (SELECT count(*) FROM outbox_batch)"
        " + (SELECT count(*) FROM outbox_campaign)"
    )
    holds = scalar("SELECT count(*) FROM ledger_transfer WHERE kind = 'hold'")
    return not written and not holds and balance(shop.wallet_id) == money_mrial


def test_each_row_is_there_once_with_its_fate_and_its_price(shop: Shop, steps: Steps) -> None:
    with transaction():
        opt_out(account_id=shop.account_id, recipients=[989120000002], line_id=None, reason="", at=AT)
    draft_id = make_draft(shop, "09120000001\n09120000002\nwho?\n9120000001\n09350000003")
    campaign_id = accept(shop, draft_id)
    found = rows(
        "SELECT row_number, recipient, given, outcome, batch_id IS NOT NULL AS is_sent, price_mrial, cost_mrial, parts,"
        " network_id FROM outbox_message WHERE campaign_id = :id ORDER BY row_number",
        id=campaign_id,
    )
    assert [tuple(message) for message in found] == [
        (1, 989120000001, None, None, True, PRICE, 600_000, 1, 1),
        (2, 989120000002, None, "opted_out", False, 0, 0, 0, 0),
        (3, None, "who?", "invalid", False, 0, 0, 0, 0),
        (4, 989120000001, None, "duplicate", False, 0, 0, 0, 0),
        (5, 989350000003, None, None, True, PRICE, 600_000, 1, 2),
    ]
    campaign = row("SELECT * FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    assert (campaign.total_count, campaign.sendable_count, campaign.held_mrial) == (5, 2, 2 * PRICE)
    assert campaign.skipped == {"opted_out": 1, "invalid": 1, "duplicate": 1}
    assert balance(shop.wallet_id) == 10**12 - 2 * PRICE
    assert balance(campaign.escrow_wallet_id) == 2 * PRICE
    steps.verify()


def test_what_was_given_is_kept_letter_by_letter(shop: Shop) -> None:
    campaign_id = accept(shop, make_draft(shop, "09120000001\nC:\\new\\tab\n\\N\n\\."))
    found = rows(
        "SELECT given FROM outbox_message WHERE campaign_id = :id AND given IS NOT NULL ORDER BY id", id=campaign_id
    )
    assert [message.given for message in found] == ["C:\\new\\tab", "\\N", "\\."]


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
def test_batches_are_filled_and_their_ids_are_the_ids_of_their_messages(
    shop: Shop, steps: Steps, count: int, sizes: list[int]
) -> None:
    campaign_id = accept(shop, make_draft(shop, listed(count)))
    batches = rows("SELECT * FROM outbox_batch WHERE campaign_id = :id ORDER BY first_id", id=campaign_id)
    assert [batch.size for batch in batches] == sizes
    assert [batch.turn for batch in batches] == list(range(len(sizes)))
    assert {batch.state for batch in batches} == {"queued"}
    for batch in batches:
        ids = [
            found.id for found in rows("SELECT id FROM outbox_message WHERE batch_id = :id ORDER BY id", id=batch.id)
        ]
        assert ids == list(range(batch.first_id, batch.last_id + 1))
    steps.verify()


def test_ids_of_a_campaign_are_contiguous_in_the_order_of_its_rows(shop: Shop) -> None:
    campaign_id = accept(shop, make_draft(shop, listed(30) + "\nbad\n" + listed(5)))
    campaign = row("SELECT first_id, last_id FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    found = rows("SELECT id, row_number FROM outbox_message WHERE campaign_id = :id ORDER BY id", id=campaign_id)
    assert [message.id for message in found] == list(range(campaign.first_id, campaign.last_id + 1))
    assert [message.row_number for message in found] == list(range(1, 37))


def test_too_little_money_says_how_much_is_missing_and_writes_nothing(app: Flask) -> None:
    shop = make_shop(money_mrial=4 * PRICE)
    draft_id = make_draft(shop, listed(10), body="سلام" * 30)  # two parts each
    with pytest.raises(InsufficientBalance) as refused:
        accept(shop, draft_id)
    assert refused.value.missing_mrial == 16 * PRICE
    assert nothing_was_written(shop, 4 * PRICE)


def test_the_last_rial_may_be_spent(app: Flask) -> None:
    shop = make_shop(money_mrial=10 * PRICE)
    accept(shop, make_draft(shop, listed(10)))
    assert balance(shop.wallet_id) == 0


def test_credit_may_be_spent_too(app: Flask) -> None:
    shop = make_shop(money_mrial=0)
    with transaction():
        scalar(
            "UPDATE ledger_wallet SET credit_limit_mrial = :n WHERE id = :id RETURNING id",
            n=3 * PRICE,
            id=shop.wallet_id,
        )
    accept(shop, make_draft(shop, listed(3)))
    assert balance(shop.wallet_id) == -3 * PRICE


def test_fifty_confirms_at_once_make_one_campaign(app: Flask, shop: Shop, steps: Steps) -> None:
    draft_id = make_draft(shop, listed(300))
    db.session.remove()

    def confirm(_time: int) -> int:
        with app.app_context():
            return accept(shop, draft_id)

    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(confirm, range(50)))
    assert len(answers) == 1
    assert scalar("SELECT count(*) FROM outbox_campaign") == 1
    assert scalar("SELECT count(*) FROM outbox_message") == 300
    assert balance(shop.wallet_id) == 10**12 - 300 * PRICE
    steps.verify()


def test_two_drafts_at_once_cannot_spend_the_same_money(app: Flask) -> None:
    shop = make_shop(money_mrial=150 * PRICE)
    drafts = [make_draft(shop, listed(100)) for _ in range(4)]
    db.session.remove()

    def confirm(draft_id: int) -> bool:
        with app.app_context():
            try:
                accept(shop, draft_id)
            except InsufficientBalance:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(confirm, drafts)) == [False, False, False, True]
    assert scalar("SELECT count(*) FROM outbox_message") == 100
    assert balance(shop.wallet_id) == 50 * PRICE
    Steps(shop).verify()


def test_a_confirm_whose_page_had_read_the_draft_before_sees_that_it_is_sent(shop: Shop) -> None:
    draft_id = make_draft(shop, listed(2))
    first = accept(shop, draft_id)
    assert accept(shop, draft_id) == first


def test_a_draft_that_was_tidied_away_still_leads_to_its_campaign(shop: Shop) -> None:
    draft_id = make_draft(shop, listed(2))
    campaign_id = accept(shop, draft_id)
    with transaction():
        scalar("DELETE FROM outbox_draft WHERE id = :id RETURNING id", id=draft_id)
    assert accept(shop, draft_id) == campaign_id


def test_another_account_s_draft_is_not_there(shop: Shop) -> None:
    draft_id = make_draft(shop, listed(2))
    other, user, _ = make_account()
    with pytest.raises(NotFound), transaction():
        accept_draft(draft_id=draft_id, account_id=other, user_id=user, at=AT)
    with pytest.raises(NotFound):
        accept(shop, draft_id + 1)


def test_a_list_without_anybody_to_send_to_is_refused_and_nothing_is_written(shop: Shop) -> None:
    with transaction():
        opt_out(account_id=shop.account_id, recipients=numbers(3), line_id=None, reason="", at=AT)
    draft_id = make_draft(shop, listed(3))
    with pytest.raises(Refusal, match="Nobody is left"):
        accept(shop, draft_id)
    assert nothing_was_written(shop, 10**12)


def test_who_opted_out_after_the_preview_is_not_written_to(shop: Shop, steps: Steps) -> None:
    draft_id = make_draft(shop, listed(5))
    with transaction():
        opt_out(account_id=shop.account_id, recipients=[989120000001], line_id=None, reason="", at=AT)
        opt_out(account_id=shop.account_id, recipients=[989120000002], line_id=shop.line_id, reason="", at=AT)
    campaign_id = accept(shop, draft_id)
    found = rows(
        "SELECT recipient FROM outbox_message WHERE campaign_id = :id AND batch_id IS NULL ORDER BY 1", id=campaign_id
    )
    assert [message.recipient for message in found] == [989120000001, 989120000002]
    assert balance(shop.wallet_id) == 10**12 - 3 * PRICE
    steps.verify()


def test_an_opt_out_of_another_line_or_account_changes_nothing(shop: Shop) -> None:
    other_line = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    other_account, *_ = make_account()
    with transaction():
        opt_out(account_id=shop.account_id, recipients=numbers(1), line_id=other_line, reason="", at=AT)
        opt_out(account_id=other_account, recipients=numbers(1), line_id=None, reason="", at=AT)
    campaign_id = accept(shop, make_draft(shop, listed(2)))
    assert scalar("SELECT sendable_count FROM outbox_campaign WHERE id = :id", id=campaign_id) == 2


def test_a_price_that_rises_later_does_not_change_what_was_accepted(shop: Shop) -> None:
    campaign_id = accept(shop, make_draft(shop, listed(2)))
    with transaction():
        scalar("UPDATE billing_tariff SET price_mrial = 9 * price_mrial RETURNING id")
    assert scalar("SELECT sum(price_mrial) FROM outbox_message WHERE campaign_id = :id", id=campaign_id) == 2 * PRICE


def test_who_agreed_to_less_is_asked_again(shop: Shop) -> None:
    draft_id = make_draft(shop, listed(2))
    with pytest.raises(DearerNow) as refused:
        accept(shop, draft_id, agreed_mrial=2 * PRICE - 1)
    assert refused.value.params == {"total_mrial": 2 * PRICE}
    assert nothing_was_written(shop, 10**12)
    assert accept(shop, draft_id, agreed_mrial=2 * PRICE)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("UPDATE outbox_draft SET line_id = NULL", "Choose a line"),
        ("UPDATE lines_line SET is_active = false", "Choose a line"),
        ("UPDATE outbox_draft SET body = ''", "text is empty"),
        ("UPDATE outbox_draft SET body = repeat('x', 200 * 300)", "operator takes 265"),
        ("UPDATE outbox_draft SET state = 'reading'", "still being read"),
        ("UPDATE outbox_draft SET state = 'failed', problem = 'The list is empty.'", "list is empty"),
        ("DELETE FROM billing_tariff", "no price"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_nothing_is_written(shop: Shop, spoil: str, sentence: str) -> None:
    draft_id = make_draft(shop, listed(2))
    with transaction():
        scalar(f"{spoil} RETURNING 1")
    with pytest.raises(Refusal) as refused:
        accept(shop, draft_id)
    assert sentence in str(refused.value)
    assert nothing_was_written(shop, 10**12)


def test_the_gateway_s_bell_rings_once_it_is_committed(shop: Shop) -> None:
    accept(shop, make_draft(shop, listed(1)))
    assert connection().llen(f"rq:queue:payamgah-send-{shop.gateway_id}") == 1


def test_a_used_draft_keeps_no_recipients(shop: Shop) -> None:
    accept(shop, make_draft(shop, listed(2)))
    assert scalar("SELECT count(*) FROM outbox_draft_chunk") == 0
    assert scalar("SELECT state FROM outbox_draft") == "used"


def test_a_single_message_goes_before_lists_and_one_account_s_batches_stand_in_one_row(shop: Shop) -> None:
    first = accept(shop, make_draft(shop, listed(250)))
    single = accept(shop, make_draft(shop, "09120000001"))
    second = accept(shop, make_draft(shop, listed(150)))
    found = {
        campaign: [
            (batch.priority, batch.turn)
            for batch in rows(
                "SELECT priority, turn FROM outbox_batch WHERE campaign_id = :id ORDER BY turn", id=campaign
            )
        ]
        for campaign in (first, single, second)
    }
    assert found == {first: [(2, 0), (2, 1), (2, 2)], single: [(1, 0)], second: [(2, 3), (2, 4)]}


def test_a_newcomer_need_not_wait_for_all_of_another_account(app: Flask, shop: Shop) -> None:
    accept(shop, make_draft(shop, listed(500)))
    account_id, user_id, wallet_id = make_account()
    newcomer = Shop(account_id, user_id, wallet_id, shop.operator_id, shop.gateway_id, shop.line_id, "3000")
    campaign_id = accept(newcomer, make_draft(newcomer, listed(100)))
    assert scalar("SELECT turn FROM outbox_batch WHERE campaign_id = :id", id=campaign_id) == 0


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(
        st.one_of(st.integers(989120000000, 989120000020).map(str), st.sampled_from(["bad", "0912", "?"])),
        min_size=1,
        max_size=60,
    ),
    opted_out=st.sets(st.integers(989120000000, 989120000020), max_size=8),
)
def test_every_entry_is_accounted_for(shop: Shop, entries: list[str], opted_out: set[int]) -> None:
    with transaction():
        scalar("DELETE FROM contacts_optout RETURNING 1")
        opt_out(account_id=shop.account_id, recipients=opted_out, line_id=None, reason="", at=AT)
    before = balance(shop.wallet_id)
    sendable = {int(entry) for entry in entries if entry.isdigit() and len(entry) == 12} - opted_out
    draft_id = make_draft(shop, "\n".join(entries))
    if not sendable:
        with pytest.raises(Refusal):
            accept(shop, draft_id)
        return
    campaign_id = accept(shop, draft_id)
    found = rows("SELECT recipient, batch_id FROM outbox_message WHERE campaign_id = :id", id=campaign_id)
    assert len(found) == len(entries)
    assert {message.recipient for message in found if message.batch_id} == sendable
    assert before - balance(shop.wallet_id) == len(sendable) * PRICE
    Steps(shop).verify()
