"""Traffic by the hour is the sum of the messages, however often it is counted and wherever it is cut off."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sms.core.db import execute, rows, scalar, transaction
from sms.lines.traffic.queries import own_traffic, traffic_of_all
from sms.operators.contract import Answer, AnswerKind
from sms.operators.rules import Outcome
from sms.outbox.operations import campaigns, hours, refunds
from sms.outbox.operations.outcomes import Final, apply, overrule
from sms.outbox.rules import COUNT_COLUMNS
from tests.factories import AT, Shop, make_account, make_campaign
from tests.outbox.conftest import Steps, accepted, refused

_TAKEN = """
    count(*) FILTER (WHERE {taken}) AS submitted,
    count(*) FILTER (WHERE {taken} AND m.outcome = 'delivered') AS delivered,
    count(*) FILTER (WHERE {taken} AND m.outcome <> 'delivered') AS failed,
    count(*) FILTER (WHERE {taken} AND m.outcome <> 'expired') AS reported
""".format(taken="s.message_id IS NOT NULL")
_OF_MESSAGES = """
FROM outbox_message m JOIN outbox_batch b ON b.id = m.batch_id JOIN lines_line l ON l.id = m.line_id
LEFT JOIN outbox_submission s ON s.message_id = m.id
"""
_HOUR = "date_trunc('hour', coalesce(s.submitted_at, m.final_at), 'Asia/Tehran')"
_OUTCOMES = [outcome for outcome in COUNT_COLUMNS if outcome is not Outcome.DELIVERED]

_OPERATORS_SUMS = f"""
SELECT {_HOUR} AS hour_at, l.operator_id, m.network_id, {_TAKEN} {_OF_MESSAGES}
WHERE s.message_id IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_REPORTED_COUNT = "(SELECT sum(n) FROM unnest(delay_counts) AS n) AS reported"
_OPERATORS = f"""
SELECT hour_at, operator_id, network_id, submitted_count, delivered_count, failed_count, {_REPORTED_COUNT}
FROM lines_operator_hour ORDER BY 1, 2, 3
"""  # noqa: S608 - the words put in are our own

_KEYS = "1, 2, 3, 4, 5"
_ACCOUNTS_SUMS = f"""
SELECT {_HOUR} AS hour_at, m.line_id, m.network_id, m.account_id, coalesce(s.gateway_id, b.gateway_id) AS gateway_id,
       {_TAKEN}, count(*) FILTER (WHERE s.message_id IS NULL) AS unsent,
       coalesce(sum(m.parts) FILTER (WHERE s.message_id IS NOT NULL), 0) AS parts,
       coalesce(sum(m.price_mrial) FILTER (WHERE s.message_id IS NOT NULL), 0) AS price,
       coalesce(sum(m.cost_mrial) FILTER (WHERE s.message_id IS NOT NULL), 0) AS cost,
       {", ".join(f"count(*) FILTER (WHERE m.outcome = '{outcome}')" for outcome in _OUTCOMES)} {_OF_MESSAGES}
WHERE s.message_id IS NOT NULL OR m.outcome IS NOT NULL GROUP BY {_KEYS} ORDER BY {_KEYS}
"""
_ACCOUNTS = f"""
SELECT hour_at, line_id, network_id, account_id, gateway_id, submitted_count, delivered_count, failed_count,
       {_REPORTED_COUNT}, unsent_count, parts_count, price_mrial, cost_mrial,
       {", ".join(COUNT_COLUMNS[outcome] for outcome in _OUTCOMES)}
FROM lines_hour WHERE submitted_count + unsent_count > 0 ORDER BY {_KEYS}
"""  # noqa: S608 - the words put in are our own

_REFUNDS_SUMS = f"""
SELECT date_trunc('hour', t.posted_at, 'Asia/Tehran') AS hour_at, m.line_id, m.network_id, m.account_id, s.gateway_id,
       count(*), sum(r.amount_mrial), sum(r.cost_mrial)
FROM outbox_refund r JOIN ledger_transfer t ON t.id = r.transfer_id JOIN outbox_message m ON m.id = r.message_id
JOIN outbox_submission s ON s.message_id = m.id GROUP BY {_KEYS} ORDER BY {_KEYS}
"""  # noqa: S608 - the words put in are our own
_REFUNDS = f"""
SELECT hour_at, line_id, network_id, account_id, gateway_id, refund_count, refund_mrial, refund_cost_mrial
FROM lines_hour WHERE refund_count > 0 ORDER BY {_KEYS}
"""  # noqa: S608 - the words put in are our own


def _same() -> None:
    """The hours are what the messages and their refunds come to."""
    for counted, summed in ((_OPERATORS, _OPERATORS_SUMS), (_ACCOUNTS, _ACCOUNTS_SUMS), (_REFUNDS, _REFUNDS_SUMS)):
        assert [tuple(row) for row in rows(counted)] == [tuple(row) for row in rows(summed)]
    nothing = "submitted_count + unsent_count + refund_count = 0"
    assert scalar(f"SELECT count(*) FROM lines_hour WHERE {nothing} AND price_mrial <> 0") == 0  # noqa: S608


def _count() -> int:
    """Count all there is; returns in how many sets."""
    sets = 0
    while True:
        with transaction():
            counted = hours.count_some(at=LATER)
        with transaction():
            counted += hours.count_refunds()
        if not counted:
            return sets
        sets += 1


LATER = datetime(2100, 1, 1, tzinfo=AT.tzinfo)
_REPORTED = [Outcome.DELIVERED, Outcome.DELIVERED, Outcome.BLOCKED, Outcome.UNDELIVERED, Outcome.EXPIRED]


def _report(ids: list[int], outcome: Outcome, at: datetime) -> None:
    """A report, which may also overrule an earlier one."""
    finals = [Final(message_id, outcome, "1") for message_id in ids]
    with transaction():
        ended = set(apply(finals, at=at))
        overrule([final for final in finals if final.message_id not in ended], at=at)


def _cancel_rest(steps: Steps, campaign_id: int, shop: Shop, at: datetime) -> None:
    """Hand over one batch of it, cancel the others."""
    steps.record(steps.mark(steps.claim(most=1)), accepted, at)
    with transaction():
        campaigns.cancel(account_id=shop.account_id, campaign_id=campaign_id, at=at)
    with transaction():
        campaigns.finish_cancelled(most=100, at=at)


def _pay_back(at: datetime) -> None:
    """Post some of what is due, in transfers of their own."""
    for _ in range(2):
        with transaction():
            refunds.post_due(most=4, at=at)


def _sent() -> list[int]:
    return [found.message_id for found in rows("SELECT message_id FROM outbox_submission ORDER BY message_id")]


@pytest.mark.parametrize("seed", range(4))
def test_hours_equal_the_sums_of_the_messages_after_any_history(
    steps: Steps, shop: Shop, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(hours, "MESSAGES_AT_ONCE", 12)  # many small sets
    other, user_id, wallet_id = make_account(money_mrial=10**12)
    at = AT
    for _ in range(6):
        at += timedelta(minutes=chance.randrange(1, 50))
        mine = chance.choice([shop, replace(shop, account_id=other, user_id=user_id, wallet_id=wallet_id)])
        campaign_id = make_campaign(mine, size=chance.randrange(6, 30))
        if chance.random() < 0.3:
            _cancel_rest(steps, campaign_id, mine, at)
        else:
            steps.send(chance.choice([accepted, accepted, refused]), at=at)
        _report(chance.sample(_sent(), k=len(_sent()) // 2), chance.choice(_REPORTED), at + timedelta(seconds=9))
        if chance.random() < 0.6:
            _count()
            _same()
        _report(
            chance.sample(_sent(), k=len(_sent()) // 3),
            chance.choice(_REPORTED),
            at + timedelta(seconds=chance.randrange(1, 100_000)),
        )
        _pay_back(at + timedelta(hours=chance.randrange(0, 40)))
    _count()
    _same()
    assert scalar("SELECT sum(unsent_count) FROM lines_hour") > 0
    assert scalar("SELECT sum(refund_mrial) FROM lines_hour") > 0
    with transaction():
        execute("UPDATE outbox_batch SET uncounted_at = now() WHERE submitted_at IS NOT NULL")
    assert _count() > 0  # all of it once more changes nothing
    _same()
    assert _count() == 0


class _Died(Exception):
    pass


def _count_and_die() -> None:
    with transaction():
        assert hours.count_some(at=LATER) == 1
        raise _Died


def test_dying_between_two_sets_changes_nothing(steps: Steps, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "MESSAGES_AT_ONCE", 5)
    make_campaign(shop, size=20)
    steps.send()
    _report(_sent()[:7], Outcome.DELIVERED, AT + timedelta(seconds=4))
    with transaction():
        assert hours.count_some(at=LATER) == 1
    with pytest.raises(_Died):
        _count_and_die()
    assert scalar("SELECT sum(submitted_count) FROM lines_hour") == 5
    _count()
    _same()


def test_a_batch_that_a_report_holds_is_left_for_later(steps: Steps, shop: Shop) -> None:
    make_campaign(shop, size=10)
    steps.send()
    with transaction():
        assert hours.count_some(at=AT) == 0  # it may be reported any moment
    assert _count() == 1
    _report(_sent(), Outcome.DELIVERED, AT + timedelta(seconds=4))
    assert scalar("SELECT count(*) FROM outbox_batch WHERE uncounted_at IS NOT NULL") == 2
    with transaction():
        execute("UPDATE outbox_batch SET charged_mrial = charged_mrial")  # nothing that is counted
    _count()
    with transaction():
        execute("UPDATE outbox_batch SET poll_at = NULL")
    assert _count() == 0


def test_others_are_told_of_only_above_a_hundred_messages(steps: Steps, shop: Shop) -> None:
    make_campaign(shop, size=99, batch_size=50)
    steps.send()
    _count()
    since = AT - timedelta(days=1)
    assert traffic_of_all(since=since) == {}
    make_campaign(shop, size=1)
    steps.send(lambda recipient: Answer(recipient.message_id, AnswerKind.ACCEPTED, operator_ref=f"r{recipient[0]}"))
    _report(_sent()[:50], Outcome.DELIVERED, AT + timedelta(seconds=4))
    _report(_sent()[50:60], Outcome.BLOCKED, AT + timedelta(seconds=400))
    _count()
    told = traffic_of_all(since=since)[shop.operator_id]
    assert (told.whole.submitted, told.whole.delivered, told.whole.failed) == (100, 50, 10)
    assert (told.whole.delivered_share, told.whole.within(50), told.whole.within(95)) == (50 / 60, 5, 600)
    assert set(told.by_network) == {1}

    stranger, _, _ = make_account()
    assert own_traffic(stranger, since=since) == {}
    assert own_traffic(shop.account_id, since=since)[shop.line_id].whole == told.whole


def test_what_is_long_over_is_remembered_no_more_and_stays_counted(steps: Steps, shop: Shop) -> None:
    make_campaign(shop, size=10)
    steps.send()
    _report(_sent()[:9], Outcome.DELIVERED, AT + timedelta(seconds=4))
    _count()
    after = AT + hours.KEPT + timedelta(days=1)
    with transaction():
        assert hours.prune(at=AT + timedelta(days=1)) == 0  # a refund may still come
        assert hours.prune(at=after) == 1  # of the batch that has ended; the other waits for a report
    _same()
    _report(_sent()[9:], Outcome.DELIVERED, AT + timedelta(seconds=9))
    _count()
    with transaction():
        assert hours.prune(at=after) == 1
        execute("UPDATE outbox_batch SET uncounted_at = now()")
    _count()
    _same()  # nothing is added twice
    assert scalar("SELECT count(*) FROM outbox_batch_hour") == 0


def test_a_refund_is_counted_in_the_hour_in_which_it_was_posted(steps: Steps, shop: Shop) -> None:
    make_campaign(shop, size=10)
    steps.send()
    _report(_sent()[:3], Outcome.BLOCKED, AT + timedelta(seconds=4))
    posted_at = AT + timedelta(days=2)
    with transaction():
        refunds.post_due(most=100, at=posted_at)
    _count()
    found = rows(
        "SELECT hour_at, price_mrial, refund_count, refund_mrial, refund_cost_mrial FROM lines_hour ORDER BY 1"
    )
    assert [tuple(each)[1:] for each in found] == [(10_000_000, 0, 0, 0), (0, 3, 3_000_000, 1_800_000)]
    assert found[1].hour_at <= posted_at < found[1].hour_at + timedelta(hours=1)
    assert scalar("SELECT count(*) FROM outbox_refund_posted WHERE uncounted_at IS NOT NULL") == 0
    assert _count() == 0
