"""Traffic by the hour is the sum of the messages, however often it is counted and wherever it is cut off."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sms.core.db import execute, rows, scalar, transaction
from sms.lines.traffic.queries import own_traffic, traffic_of_all
from sms.operators.contract import Answer, AnswerKind
from sms.operators.rules import Outcome
from sms.outbox.operations import hours
from sms.outbox.operations.outcomes import Final, apply, overrule
from tests.factories import AT, Shop, make_account, make_campaign
from tests.outbox.conftest import Steps, accepted, refused

_SUMS = """
SELECT date_trunc('hour', s.submitted_at, 'Asia/Tehran') AS hour_at, {what} AS what, m.network_id, {whose}
       count(*) AS submitted, count(*) FILTER (WHERE m.outcome = 'delivered') AS delivered,
       count(*) FILTER (WHERE m.outcome <> 'delivered') AS failed,
       count(*) FILTER (WHERE m.outcome <> 'expired') AS reported
FROM outbox_message m JOIN outbox_submission s ON s.message_id = m.id JOIN lines_line l ON l.id = m.line_id
GROUP BY {places} ORDER BY {places}
"""
_HOURS = """
SELECT hour_at, {what} AS what, network_id, {whose} submitted_count AS submitted, delivered_count AS delivered,
       failed_count AS failed, (SELECT sum(n) FROM unnest(delay_counts) AS n) AS reported
FROM {table} ORDER BY {places}
"""


def _same() -> None:
    """The hours are what the messages come to."""
    for table, column, whose, places in (
        ("lines_hour", "line_id", "account_id,", "1, 2, 3, 4"),
        ("lines_operator_hour", "operator_id", "", "1, 2, 3"),
    ):
        prefix = "m." if column == "line_id" else "l."
        counted = rows(_HOURS.format(what=column, whose=whose, table=table, places=places))
        summed = rows(_SUMS.format(what=prefix + column, whose=whose and "m.account_id,", places=places))
        assert [tuple(row) for row in counted] == [tuple(row) for row in summed]


def _count() -> int:
    """Count all there is; returns in how many sets."""
    sets = 0
    while True:
        with transaction():
            counted = hours.count_some(at=_LATER)
        if not counted:
            return sets
        sets += 1


_LATER = datetime(2100, 1, 1, tzinfo=AT.tzinfo)
_REPORTED = [Outcome.DELIVERED, Outcome.DELIVERED, Outcome.BLOCKED, Outcome.UNDELIVERED, Outcome.EXPIRED]


def _report(ids: list[int], outcome: Outcome, at: datetime) -> None:
    """A report, which may also overrule an earlier one."""
    finals = [Final(message_id, outcome, "1") for message_id in ids]
    with transaction():
        ended = set(apply(finals, at=at))
        overrule([final for final in finals if final.message_id not in ended], at=at)


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
        make_campaign(mine, size=chance.randrange(1, 30))
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
    _count()
    _same()
    with transaction():
        execute("UPDATE outbox_batch SET uncounted_at = now() WHERE submitted_at IS NOT NULL")
    assert _count() > 0  # all of it once more changes nothing
    _same()
    assert _count() == 0


class _Died(Exception):
    pass


def _count_and_die() -> None:
    with transaction():
        assert hours.count_some(at=_LATER) == 1
        raise _Died


def test_dying_between_two_sets_changes_nothing(steps: Steps, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "MESSAGES_AT_ONCE", 5)
    make_campaign(shop, size=20)
    steps.send()
    _report(_sent()[:7], Outcome.DELIVERED, AT + timedelta(seconds=4))
    with transaction():
        assert hours.count_some(at=_LATER) == 1
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
