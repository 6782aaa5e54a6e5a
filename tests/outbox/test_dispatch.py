"""Claim, wire, record: nothing lost, nothing twice, and the money follows."""

from datetime import timedelta

from sms.core.db import execute, row, rows, scalar, transaction
from sms.operators.contract import Answer
from sms.operators.rules import Capability
from sms.outbox.operations import unknown
from sms.outbox.operations.dispatch import Recipient
from tests.factories import AT, Shop, make_campaign
from tests.outbox.conftest import Steps, accepted, balance, refused


def _batches(campaign_id: int) -> list[str]:
    found = rows("SELECT state FROM outbox_batch WHERE campaign_id = :id ORDER BY id", id=campaign_id)
    return [batch.state for batch in found]


def test_what_is_accepted_is_charged_once(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    batches = steps.send()
    steps.record(batches)  # the same answers once more
    steps.settle(campaign_id)

    campaign = row("SELECT state, charged_mrial, counts FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    assert (campaign.state, campaign.charged_mrial) == ("reporting", 10_000_000)
    assert campaign.counts["waiting"] == 10
    assert scalar("SELECT count(*) FROM outbox_submission") == 10
    steps.verify()


def test_two_claims_never_share_a_batch(shop: Shop, steps: Steps) -> None:
    make_campaign(shop, size=20)

    assert len({batch.id for batch in steps.claim(2)} | {batch.id for batch in steps.claim(2)}) == 4
    assert steps.claim() == []


def test_what_is_refused_is_given_back(shop: Shop, steps: Steps) -> None:
    before = balance(shop.wallet_id)
    campaign_id = make_campaign(shop)
    steps.send(refused)
    steps.settle(campaign_id)

    campaign = row("SELECT state, charged_mrial, released_mrial FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    assert (campaign.state, campaign.charged_mrial, campaign.released_mrial) == ("closed", 0, 10_000_000)
    assert before == balance(shop.wallet_id)
    steps.verify()


def test_settling_again_gives_nothing_back_again(shop: Shop, steps: Steps) -> None:
    before = balance(shop.wallet_id)
    campaign_id = make_campaign(shop)
    steps.send(refused)
    for _ in range(3):
        steps.settle(campaign_id)
        with transaction():
            execute("UPDATE outbox_campaign SET is_dirty = true")

    assert before == balance(shop.wallet_id)
    steps.verify()


def test_an_unsent_batch_waits_again(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.record(steps.mark(steps.claim()), is_unsent=True, retry_seconds=0.0)

    assert _batches(campaign_id) == ["queued", "queued"]
    assert len(steps.send()) == 2
    steps.verify()


def test_a_missing_answer_is_unknown_and_its_money_stays_held(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)

    def first_only(recipient: Recipient) -> Answer | None:
        return accepted(recipient) if recipient.number % 2 else None

    steps.send(first_only)
    steps.settle(campaign_id)

    campaign = row("SELECT state, charged_mrial, counts FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    assert (campaign.state, campaign.charged_mrial, campaign.counts["unknown"]) == ("reporting", 5_000_000, 5)
    steps.verify()


def test_a_lease_that_ends_before_the_wire_sends_again(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    late = steps.claim()
    _end_leases()

    assert _batches(campaign_id) == ["queued", "queued"]
    assert steps.mark(late) == []  # the late one may not write to the wire any more
    assert len(steps.send()) == 2
    steps.verify()


def test_a_lease_that_ends_after_the_wire_is_unknown_and_never_sent_again(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.mark(steps.claim())
    _end_leases()
    steps.settle(campaign_id)

    assert _batches(campaign_id) == ["submitted", "submitted"]
    assert scalar("SELECT count(*) FROM outbox_unknown") == 10
    assert steps.claim() == []
    steps.verify()


def test_a_late_answer_still_counts(shop: Shop, steps: Steps) -> None:
    make_campaign(shop)
    batches = steps.mark(steps.claim())
    _end_leases()
    steps.record(batches)  # fenced: the lease was lost
    assert scalar("SELECT count(*) FROM outbox_submission") == 0
    ids = [recipient.message_id for batch in batches for recipient in batch.recipients]

    with transaction():
        assert unknown.found({number: f"ref{number}" for number in ids}, gateway_id=shop.gateway_id, at=AT) == 10
        assert unknown.found({number: f"ref{number}" for number in ids}, gateway_id=shop.gateway_id, at=AT) == 0

    assert scalar("SELECT count(*) FROM outbox_submission") == 10
    steps.verify()


def test_twice_absent_is_sent_again_where_that_is_safe(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send(lambda _recipient: None)
    for _ in range(2):
        _absent(shop, on_absent="resend")
    steps.settle(campaign_id)

    assert scalar("SELECT count(*) FROM outbox_unknown") == 0
    assert len(steps.send()) == 2
    steps.settle(campaign_id)
    assert scalar("SELECT count(*) FROM outbox_submission") == 10
    steps.verify()


def test_twice_absent_is_parked_elsewhere(shop: Shop, steps: Steps) -> None:
    make_campaign(shop)
    steps.send(lambda _recipient: None)
    for _ in range(2):
        _absent(shop, on_absent="park")

    assert scalar("SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NULL") == 10
    assert steps.claim() == []
    steps.verify()


def test_a_person_decides_what_is_parked(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=9)
    steps.send(lambda _recipient: None)
    ids = [found.message_id for found in rows("SELECT message_id FROM outbox_unknown ORDER BY 1")]
    with transaction():
        unknown.decide(ids[:3], decision="sent", at=AT)
        unknown.decide(ids[3:6], decision="not_sent", at=AT)
        unknown.decide(ids[6:], decision="resend", at=AT)
    steps.send()
    steps.settle(campaign_id)

    campaign = row("SELECT counts, charged_mrial, released_mrial FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    assert (campaign.charged_mrial, campaign.released_mrial) == (6_000_000, 3_000_000)
    assert (campaign.counts["expired"], campaign.counts["refused"], campaign.counts["waiting"]) == (3, 3, 3)
    steps.verify()


def test_accounts_take_turns(shop: Shop, steps: Steps) -> None:
    make_campaign(shop, size=50)
    other = make_campaign(shop, size=5)
    with transaction():
        execute("UPDATE outbox_batch SET turn = 1 WHERE campaign_id = :id", id=other)

    assert other in {batch.campaign_id for batch in steps.claim(3)}


def test_a_line_switched_off_sends_nothing_more(shop: Shop, steps: Steps) -> None:
    make_campaign(shop)
    with transaction():
        execute("UPDATE lines_line SET is_active = false")

    assert steps.claim() == []


def test_a_suspended_account_sends_nothing_more(shop: Shop, steps: Steps) -> None:
    make_campaign(shop)
    with transaction():
        execute("UPDATE accounts_account SET state = 'suspended' WHERE id = :id", id=shop.account_id)

    assert steps.claim() == []


def _end_leases() -> None:
    with transaction():
        execute("UPDATE outbox_batch SET lease_until = now() - interval '1 second' WHERE state = 'submitting'")
        unknown.end_leases(at=AT + timedelta(minutes=1))


def _absent(shop: Shop, *, on_absent: str) -> None:
    with transaction():
        ids = unknown.claim_lookups(gateway_id=shop.gateway_id, most=100, lease_seconds=60)
        assert len(ids) == 10
        unknown.absent(
            ids,
            capability=Capability.LOOKS_UP,
            on_absent=on_absent,
            ask_again_seconds=0,
            remembers_seconds=82_800,
        )
