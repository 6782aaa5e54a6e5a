"""Reports and refunds: forward only, idempotent, in any order; each rial once and by rule."""

from datetime import timedelta

import pytest

from sms.core.db import execute, row, rows, scalar, transaction
from sms.operators.contract import Report
from sms.operators.rules import Outcome
from sms.outbox.operations import campaigns, refunds, reports
from sms.outbox.operations.reports import PollPlan
from tests.factories import AT, Shop, make_campaign, make_refund_rule
from tests.outbox.conftest import Steps, balance

PLAN = PollPlan([1, 2, 5], 60)
SOON = AT + timedelta(seconds=2)


def _refs() -> list[str]:
    return [found.operator_ref for found in rows("SELECT operator_ref FROM outbox_submission ORDER BY message_id")]


def _report(ref: str, outcome: Outcome | None) -> Report:
    return Report(operator_ref=ref, code="x", outcome=outcome)


def _push(shop: Shop, *said: Report) -> None:
    with transaction():
        reports.store(said, gateway_id=shop.gateway_id, source="push", at=SOON)
    with transaction():
        reports.apply_waiting(most=100, at=SOON)


def _poll(
    shop: Shop, say: dict[str, Outcome | None], *, at: object = SOON, unasked: frozenset[str] = frozenset()
) -> int:
    with transaction():
        poll = reports.claim_polls(gateway_id=shop.gateway_id, most=100, lease_seconds=60, at=at)  # type: ignore[arg-type]
    with transaction():
        answered = [_report(message.operator_ref, say.get(message.operator_ref)) for message in poll.pending]
        reports.record_poll(
            poll,
            reports=answered,
            unasked=unasked,
            gateway_id=shop.gateway_id,
            plan=PLAN,
            at=at,  # type: ignore[arg-type]
        )
    return len(poll.pending)


def _outcomes(campaign_id: int) -> list[str | None]:
    found = rows(
        "SELECT outcome::text AS outcome FROM outbox_message WHERE campaign_id = :id ORDER BY id", id=campaign_id
    )
    return [message.outcome for message in found]


def test_a_campaign_closes_when_every_recipient_has_an_outcome(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    assert _poll(shop, dict.fromkeys(_refs(), Outcome.DELIVERED)) == 10
    steps.settle(campaign_id)

    campaign = row("SELECT state, counts FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    assert (campaign.state, campaign.counts["delivered"]) == ("closed", 10)
    assert _poll(shop, {}, at=AT + timedelta(hours=1)) == 0
    steps.verify()


def test_what_has_no_report_by_the_horizon_expires_without_a_refund(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    _poll(shop, {})
    _poll(shop, {}, at=AT + timedelta(seconds=61))
    steps.settle(campaign_id)

    assert _outcomes(campaign_id) == ["expired"] * 10
    assert scalar("SELECT count(*) FROM outbox_refund") == 0
    steps.verify()


def test_what_could_not_be_asked_never_expires(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    _poll(shop, {}, at=AT + timedelta(seconds=61), unasked=frozenset(_refs()))

    assert _outcomes(campaign_id) == [None] * 10
    _poll(shop, dict.fromkeys(_refs(), Outcome.DELIVERED), at=AT + timedelta(seconds=90))
    assert _outcomes(campaign_id) == ["delivered"] * 10
    steps.verify()


def test_blocked_is_refunded_at_once_and_once(shop: Shop, steps: Steps) -> None:
    before = balance(shop.wallet_id)
    campaign_id = make_campaign(shop)
    steps.send()
    refs = _refs()
    _poll(shop, {ref: Outcome.BLOCKED if ref == refs[3] else Outcome.DELIVERED for ref in refs})
    for _ in range(3):
        with transaction():
            refunds.post_due(most=100, at=SOON)
    steps.settle(campaign_id)

    campaign = row("SELECT * FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    assert before - 9_000_000 == balance(shop.wallet_id)
    assert (
        campaign.refunded_mrial,
        campaign.refunded_count,
        campaign.refund_due_mrial,
        campaign.refund_due_count,
    ) == (1_000_000, 1, 0, 0)
    steps.verify()


def test_a_delayed_refund_waits_for_its_day_and_keeps_no_campaign_open(shop: Shop, steps: Steps) -> None:
    make_refund_rule(operator_id=shop.operator_id, outcome="not_in_network", delay_seconds=48 * 3600)
    before = balance(shop.wallet_id)
    campaign_id = make_campaign(shop)
    steps.send()
    _poll(shop, dict.fromkeys(_refs(), Outcome.NOT_IN_NETWORK))
    steps.settle(campaign_id)

    assert scalar("SELECT state FROM outbox_campaign WHERE id = :id", id=campaign_id) == "closed"
    with transaction():
        assert refunds.post_due(most=100, at=AT + timedelta(hours=47, minutes=59)) == 0
    with transaction():
        assert refunds.post_due(most=100, at=AT + timedelta(hours=48)) == 10
    assert before == balance(shop.wallet_id)
    steps.verify()


def test_duplicates_shuffles_and_strangers_change_nothing(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    refs = _refs()
    delivered = [_report(ref, Outcome.DELIVERED) for ref in refs]
    _push(shop, *delivered, *reversed(delivered), _report("stranger", Outcome.BLOCKED))
    _push(shop, *[_report(ref, Outcome.UNDELIVERED) for ref in refs], _report(refs[0], None))

    assert _outcomes(campaign_id) == ["delivered"] * 10
    assert scalar("SELECT count(*) FROM outbox_report_unmatched") == 1
    assert scalar("SELECT count(*) FROM outbox_refund") == 0
    steps.verify()


def test_what_is_said_twice_counts_for_the_set_that_said_it_first(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    delivered, blocked, *_ = _refs()
    said = [_report(delivered, Outcome.DELIVERED), _report(blocked, Outcome.BLOCKED)]
    for told in ([*said, said[0]], said):
        with transaction():
            reports.store(told, gateway_id=shop.gateway_id, source="push", at=SOON)
    with transaction():
        assert reports.apply_waiting(most=100, at=SOON) == 2

    sets = rows("SELECT report_count, applied_count, conflict_count FROM outbox_report_set ORDER BY id")
    assert [tuple(each) for each in sets] == [(3, 2, 0), (2, 0, 0)]
    steps.settle(campaign_id)
    steps.verify()


def test_codes_are_kept_as_the_operator_wrote_them(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    codes = ["", "NULL", '{"a", b}', "a\\tb\tc\n", "رد شد", "'", ":at", "%s", "1", "1"]
    outcomes = [Outcome.DELIVERED, Outcome.BLOCKED] * 5
    _push(shop, *(Report(*each) for each in zip(_refs(), codes, outcomes, strict=True)))

    kept = rows("SELECT outcome::text, code FROM outbox_message WHERE campaign_id = :id ORDER BY id", id=campaign_id)
    assert [(each.outcome, each.code or "") for each in kept] == list(zip(outcomes, codes, strict=True))
    assert {each.code for each in rows("SELECT code FROM outbox_report")} == set(codes)
    steps.settle(campaign_id)
    steps.verify()


def test_messages_of_one_batch_are_refunded_each_by_its_own_network_and_price(shop: Shop, steps: Steps) -> None:
    make_campaign(shop)
    steps.send()
    with transaction():
        network = scalar("SELECT max(id) FROM operators_network")
        execute(
            "INSERT INTO billing_refund_rule (operator_id, network_id, outcome, percent, valid_from)"
            " VALUES (:operator, :network, 'blocked', 50, '2020-01-01')",
            operator=shop.operator_id,
            network=network,
        )
        execute(
            """UPDATE outbox_message SET network_id = CASE WHEN id % 2 = 0 THEN :network ELSE network_id END,
               price_mrial = price_mrial - row_number, cost_mrial = cost_mrial - 2 * row_number""",
            network=network,
        )
    _push(shop, *(_report(ref, Outcome.BLOCKED) for ref in _refs()))

    for each in rows(
        """SELECT m.id, m.row_number, r.amount_mrial, r.cost_mrial, r.account_id, r.campaign_id = m.campaign_id AS own
           FROM outbox_message m JOIN outbox_refund r ON r.message_id = m.id"""
    ):
        percent = 50 if each.id % 2 == 0 else 100
        price, cost = 1_000_000 - each.row_number, 600_000 - 2 * each.row_number
        assert (each.amount_mrial, each.cost_mrial) == (price * percent // 100, cost * percent // 100)
        assert (each.account_id, each.own) == (shop.account_id, True)
    assert scalar("SELECT count(*) FROM outbox_refund") == 10
    assert scalar("SELECT refund_due_count FROM outbox_campaign") == 10


def test_delivered_overrules_a_failure_until_the_refund_is_posted(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    refs = _refs()
    _push(shop, _report(refs[0], Outcome.BLOCKED), _report(refs[1], Outcome.BLOCKED))
    with transaction():
        execute(
            "UPDATE outbox_refund SET due_at = :late WHERE message_id = (SELECT max(message_id) FROM outbox_refund)",
            late=SOON + timedelta(hours=1),
        )
    with transaction():
        assert refunds.post_due(most=100, at=SOON) == 1
    _push(shop, _report(refs[0], Outcome.DELIVERED), _report(refs[1], Outcome.DELIVERED))

    assert _outcomes(campaign_id)[:2] == ["blocked", "delivered"]
    assert scalar("SELECT refund_due_count FROM outbox_campaign WHERE id = :id", id=campaign_id) == 0
    steps.verify()


def test_what_says_more_about_a_failure_holds_whatever_came_first(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    refs = _refs()
    _push(shop, _report(refs[0], Outcome.UNDELIVERED), _report(refs[1], Outcome.BLOCKED))
    _push(shop, _report(refs[0], Outcome.BLOCKED), _report(refs[1], Outcome.UNDELIVERED))
    _push(shop, _report(refs[2], Outcome.UNDELIVERED), _report(refs[2], Outcome.BLOCKED))

    assert _outcomes(campaign_id)[:4] == ["blocked", "blocked", "blocked", None]
    assert scalar("SELECT refund_due_count FROM outbox_campaign WHERE id = :id", id=campaign_id) == 3
    with transaction():
        assert refunds.post_due(most=100, at=SOON) == 3
    steps.settle(campaign_id)
    steps.verify()


def test_a_report_after_the_horizon_still_counts(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    _poll(shop, {}, at=AT + timedelta(seconds=61))
    refs = _refs()
    _push(shop, _report(refs[0], Outcome.BLOCKED), _report(refs[1], Outcome.UNDELIVERED))

    assert _outcomes(campaign_id)[:3] == ["blocked", "undelivered", "expired"]
    assert scalar("SELECT count(*) FROM outbox_refund") == 1
    steps.settle(campaign_id)
    steps.verify()


def test_strangers_are_looked_for_ever_more_rarely_and_keep_nobody_waiting(shop: Shop, steps: Steps) -> None:
    make_campaign(shop)
    batches = steps.mark(steps.claim())
    _push(shop, *[_report(f"stranger{number}", Outcome.BLOCKED) for number in range(20)])
    own = _report(f"ref{batches[0].recipients[0].message_id}", Outcome.DELIVERED)
    looks = []
    for seconds in range(0, 40):
        if seconds == 20:
            _push(shop, own)
            steps.record(batches)
        with transaction():
            looks.append(reports.match_again(most=100, at=SOON + timedelta(seconds=seconds)))

    assert [second for second, count in enumerate(looks) if count >= 20] == [0, 1, 2, 4, 8, 16, 32]
    assert scalar("SELECT count(outcome) FROM outbox_message") == 1
    with transaction():
        reports.match_again(most=100, at=SOON + timedelta(hours=73))
    assert scalar("SELECT count(*) FROM outbox_report_unmatched") == 0


def test_a_report_that_decides_nothing_waits_for_nothing(shop: Shop, steps: Steps) -> None:
    _push(shop, _report("stranger", None))

    assert scalar("SELECT count(*) FROM outbox_report_unmatched") == 0
    assert scalar("SELECT count(*) FROM outbox_report") == 1


def test_a_report_may_overtake_the_answer_to_its_submit(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    batches = steps.mark(steps.claim())
    first = batches[0].recipients[0]
    _push(shop, _report(f"ref{first.message_id}", Outcome.DELIVERED))
    assert _outcomes(campaign_id)[0] is None
    steps.record(batches)
    with transaction():
        assert reports.match_again(most=100, at=SOON) == 1

    assert _outcomes(campaign_id)[0] == "delivered"
    steps.verify()


def test_an_unknown_code_is_kept_and_changes_nothing(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop)
    steps.send()
    _push(shop, Report(operator_ref=_refs()[0], code="4711", outcome=None, is_known=False))

    assert _outcomes(campaign_id) == [None] * 10
    assert scalar("SELECT code FROM outbox_report") == "4711"
    steps.verify()


def test_cancelling_gives_the_unsent_part_back(shop: Shop, steps: Steps) -> None:
    before = balance(shop.wallet_id)
    campaign_id = make_campaign(shop, size=20)
    steps.record(steps.mark(steps.claim(1)))
    with transaction():
        assert campaigns.cancel(campaign_id=campaign_id, account_id=shop.account_id, at=AT) == 15
    with transaction():
        campaigns.finish_cancelled(most=100, at=AT)
    _poll(shop, dict.fromkeys(_refs(), Outcome.DELIVERED))
    steps.settle(campaign_id)

    campaign = row("SELECT state, counts FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert campaign is not None
    assert (campaign.state, campaign.counts["cancelled"], campaign.counts["delivered"]) == ("closed", 15, 5)
    assert before - 5_000_000 == balance(shop.wallet_id)
    steps.verify()


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE outbox_batch SET charged_mrial = charged_mrial + 1",
        "UPDATE outbox_batch SET delivered_count = delivered_count + 1",
        "DELETE FROM outbox_submission WHERE message_id = (SELECT min(message_id) FROM outbox_submission)",
        "UPDATE outbox_message SET batch_id = NULL WHERE row_number = 1",
        "UPDATE ledger_wallet SET balance_mrial = balance_mrial + 1 WHERE kind = 'customer'",
    ],
)
def test_verify_sees_what_is_broken(shop: Shop, steps: Steps, broken: str) -> None:
    make_campaign(shop)
    steps.send()
    steps.verify()
    with transaction():
        execute(broken)

    with pytest.raises(AssertionError):
        steps.verify()
