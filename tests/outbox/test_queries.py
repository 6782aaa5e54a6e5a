"""Lists of messages: every filter brings each message once, newest first, whatever the batches look like."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from sms.core.calendar import day_of, start_of_day
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.ids import moment_of
from sms.operators.contract import Answer, Report
from sms.operators.rules import Outcome
from sms.outbox.operations import outcomes, reports, unknown
from sms.outbox.operations.dispatch import Recipient
from sms.outbox.operations.outcomes import Final
from sms.outbox.queries import campaigns, messages
from sms.outbox.queries.campaigns import CampaignFilter
from sms.outbox.queries.messages import MessageFilter, progress_of
from sms.outbox.rules import Progress
from tests.factories import AT, Shop, make_campaign, make_line, make_shop
from tests.outbox.conftest import Steps, accepted, refused


def by_last_digit(recipient: Recipient) -> Answer | None:
    """Two of ten are refused, one of ten is never answered for."""
    last = recipient.number % 10
    return None if last == 7 else refused(recipient) if last in {3, 4} else accepted(recipient)


def report(campaign_id: int) -> None:
    """Every second message that was accepted is delivered, every sixth blocked."""
    found = rows(
        "SELECT m.id FROM outbox_message m JOIN outbox_submission s ON s.message_id = m.id"
        " WHERE m.campaign_id = :id AND m.outcome IS NULL ORDER BY m.id",
        id=campaign_id,
    )
    with transaction():
        outcomes.apply(
            [
                Final(message.id, Outcome.BLOCKED if place % 6 == 0 else Outcome.DELIVERED, "1")
                for place, message in enumerate(found)
                if place % 2 == 0
            ],
            at=AT,
        )


def skip(campaign_id: int, outcome: Outcome, how_many: int) -> None:
    """Give a campaign rows nobody is written to, behind its others."""
    with transaction():
        first = scalar("SELECT outbox_reserve_ids(:n)", n=how_many)
        execute(
            """INSERT INTO outbox_message (id, account_id, campaign_id, line_id, row_number, given, outcome)
               SELECT :first + i, account_id, id, line_id, 1000 + i, 'x', CAST(:outcome AS outbox_outcome)
               FROM outbox_campaign, generate_series(0, :n - 1) AS i WHERE id = :id""",
            first=first,
            n=how_many,
            outcome=str(outcome),
            id=campaign_id,
        )
        execute(
            """UPDATE outbox_campaign SET last_id = :last, total_count = total_count + :n,
                   skipped = skipped || jsonb_build_object(CAST(:outcome AS text), CAST(:n AS int))
               WHERE id = :id""",
            last=first + how_many - 1,
            n=how_many,
            outcome=str(outcome),
            id=campaign_id,
        )


@pytest.fixture
def sends(shop: Shop, steps: Steps) -> list[int]:
    """Four campaigns: two sent (one on another line), one of them partly sent again; one on the wire, one queued."""
    other = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    first = make_campaign(shop, size=40, batch_size=10)
    skip(first, Outcome.INVALID, 3)
    second = make_campaign(Shop(**{**_facts(shop), "line_id": other}), size=20, batch_size=5)
    skip(second, Outcome.DUPLICATE, 2)
    skip(second, Outcome.OPTED_OUT, 2)
    steps.send(by_last_digit)
    lost = [found.message_id for found in rows("SELECT message_id FROM outbox_unknown ORDER BY message_id")]
    with transaction():
        unknown.resend(lost[:4])  # they now stand in batches of their own that overlap the old ones
    steps.send(accepted)
    report(first)
    report(second)
    third = make_campaign(shop, size=10, batch_size=5)
    steps.mark(steps.claim(most=1))
    fourth = make_campaign(shop, size=7, batch_size=5)
    for campaign_id in (first, second, third, fourth):
        steps.settle(campaign_id)
    return [first, second, third, fourth]


def _facts(shop: Shop) -> dict[str, Any]:
    return {name: getattr(shop, name) for name in Shop.__slots__}


def every(shop: Shop) -> list[Any]:
    """All messages of the account, as the lists show them."""
    return list(messages.messages(account_id=shop.account_id, narrowed=MessageFilter(), most=1000))


def paged(shop: Shop, narrowed: MessageFilter, most: int = 3) -> list[int]:
    """The ids of all pages, one after the other."""
    found: list[int] = []
    before = None
    while page := messages.messages(account_id=shop.account_id, narrowed=narrowed, before=before, most=most):
        assert len(page) == most or not messages.messages(
            account_id=shop.account_id, narrowed=narrowed, before=page[-1].id, most=most
        )
        found += [message.id for message in page]
        before = page[-1].id
    return found


Fits = Callable[[Any], bool]
FATES: list[tuple[MessageFilter, Fits]] = [
    *((MessageFilter(outcome=str(each)), lambda m, each=each: m.outcome == each) for each in Outcome),
    *((MessageFilter(state=str(each)), lambda m, each=each: progress_of(m) is each) for each in Progress),
]


def _name(narrowed: object) -> str:
    return (narrowed.outcome or narrowed.state) if isinstance(narrowed, MessageFilter) else ""


@pytest.mark.parametrize(("narrowed", "fits"), FATES, ids=_name)
def test_a_filter_by_fate_brings_each_message_once_and_newest_first(
    narrowed: MessageFilter, fits: Fits, shop: Shop, sends: list[int]
) -> None:
    wanted = [message.id for message in every(shop) if fits(message)]
    assert paged(shop, narrowed) == wanted
    assert paged(shop, narrowed, most=1) == wanted


@pytest.mark.parametrize(("narrowed", "fits"), FATES, ids=_name)
def test_a_filter_by_fate_keeps_to_one_campaign_line_or_recipient(
    narrowed: MessageFilter, fits: Fits, shop: Shop, sends: list[int]
) -> None:
    found = [message for message in every(shop) if fits(message)]
    for campaign_id in sends:
        assert paged(shop, _with(narrowed, campaign_id=campaign_id)) == _ids(
            message for message in found if message.campaign_id == campaign_id
        )
    for line_id in {message.line_id for message in every(shop)}:
        assert paged(shop, _with(narrowed, line_id=line_id)) == _ids(
            message for message in found if message.line_id == line_id
        )
    recipient = 989120000000
    assert paged(shop, _with(narrowed, recipient=recipient)) == _ids(
        message for message in found if message.recipient == recipient
    )


@pytest.mark.parametrize(("narrowed", "fits"), [*FATES, (MessageFilter(), lambda m: True)], ids=_name)
def test_a_look_between_any_two_ids_brings_what_reading_all_would(
    narrowed: MessageFilter, fits: Fits, shop: Shop, sends: list[int]
) -> None:
    found = every(shop)
    ends = [0, *_ids(found)[::9], 2**62]
    for low, high in ((low, high) for low in ends for high in ends if low < high):
        for line_id in (None, shop.line_id):
            wanted = [
                message.id
                for message in found
                if fits(message) and low <= message.id < high and line_id in {None, message.line_id}
            ]
            for most in (2, 1000):
                look = messages._Look(shop.account_id, _with(narrowed, line_id=line_id), low, high, most)
                assert look.ids() == wanted[:most]


def _with(narrowed: MessageFilter, **more: Any) -> MessageFilter:
    return MessageFilter(state=narrowed.state, outcome=narrowed.outcome, **more)


def _ids(found: Any) -> list[int]:
    return [message.id for message in found]


def test_the_scene_has_every_state_and_most_outcomes(shop: Shop, sends: list[int]) -> None:
    found = every(shop)
    assert {progress_of(message) for message in found} == {None, *Progress}
    assert {message.outcome for message in found} >= {
        *("delivered", "blocked", "refused", "invalid", "duplicate", "opted_out"),
    }
    overlapping = scalar(
        "SELECT count(*) FROM outbox_batch a JOIN outbox_batch b ON a.id < b.id"
        " AND a.first_id <= b.last_id AND b.first_id <= a.last_id"
    )
    assert overlapping


def test_campaigns_accepted_side_by_side_lose_no_message_between_pages(shop: Shop, steps: Steps) -> None:
    """The one with the lower id may hold the higher ids of messages."""
    pair = [make_campaign(shop, size=6, batch_size=3) for _ in range(2)]
    steps.send(refused)
    with transaction():
        for table in ("outbox_message", "outbox_batch"):
            execute(
                f"UPDATE {table} SET campaign_id = :a + :b - campaign_id WHERE campaign_id IN (:a, :b)",  # noqa: S608
                a=pair[0],
                b=pair[1],
            )
        execute(
            "UPDATE outbox_campaign c SET first_id = o.first_id, last_id = o.last_id FROM outbox_campaign o"
            " WHERE c.id IN (:a, :b) AND o.id = :a + :b - c.id",
            a=pair[0],
            b=pair[1],
        )
    for campaign_id in pair:
        steps.settle(campaign_id)
    wanted = _ids(every(shop))
    assert len(wanted) == 12
    assert paged(shop, MessageFilter(outcome="refused")) == wanted
    assert paged(shop, MessageFilter(line_id=shop.line_id)) == wanted
    listed = campaigns.campaigns(account_id=shop.account_id, narrowed=CampaignFilter(), most=1)
    rest = campaigns.campaigns(account_id=shop.account_id, narrowed=CampaignFilter(), before=listed[0].first_id, most=2)
    assert {found.id for found in (*listed, *rest)} == set(pair)


def test_a_day_is_a_range_of_ids(shop: Shop, sends: list[int]) -> None:
    day = day_of(moment_of(every(shop)[0].id))
    since, until = start_of_day(day), start_of_day(day + timedelta(days=1))
    assert paged(shop, MessageFilter(since=since, until=until)) == _ids(every(shop))
    assert paged(shop, MessageFilter(since=until)) == []
    assert paged(shop, MessageFilter(until=since, outcome="blocked")) == []
    narrowed = CampaignFilter(since=since, until=until)
    assert len(campaigns.campaigns(account_id=shop.account_id, narrowed=narrowed)) == 4
    assert not campaigns.campaigns(account_id=shop.account_id, narrowed=CampaignFilter(until=since))


@pytest.mark.parametrize("outcome", ["", "blocked", "invalid"])
def test_nobody_sees_the_messages_of_another_account(outcome: str, shop: Shop, sends: list[int]) -> None:
    other = make_shop(operator_code="2000")
    narrowed = MessageFilter(campaign_id=sends[0], outcome=outcome)
    assert messages.messages(account_id=shop.account_id, narrowed=narrowed)
    assert not messages.messages(account_id=other.account_id, narrowed=narrowed)
    assert not messages.messages(account_id=other.account_id, narrowed=MessageFilter(outcome=outcome))
    assert not messages.messages(
        account_id=other.account_id, narrowed=MessageFilter(recipient=989120000000, outcome=outcome)
    )


def test_a_state_and_an_outcome_together_fit_no_message(shop: Shop, sends: list[int]) -> None:
    assert paged(shop, MessageFilter(state="waiting", outcome="delivered")) == []


@pytest.mark.parametrize("state", ["queued", "sending", "reporting", "closed"])
def test_campaigns_are_listed_by_state_and_line(state: str, shop: Shop, sends: list[int], steps: Steps) -> None:
    listed = campaigns.campaigns(account_id=shop.account_id, narrowed=CampaignFilter())
    assert [found.id for found in listed] == sorted(sends, reverse=True)
    by_state = campaigns.campaigns(account_id=shop.account_id, narrowed=CampaignFilter(state=state))
    assert [found.id for found in by_state] == [found.id for found in listed if found.state == state]
    by_line = campaigns.campaigns(account_id=shop.account_id, narrowed=CampaignFilter(line_id=shop.line_id))
    assert [found.id for found in by_line] == [sends[3], sends[2], sends[0]]
    assert len(campaigns.used_lines(account_id=shop.account_id)) == 2


def test_a_message_that_was_answered_for_shows_the_report_that_did_it(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=2)
    steps.send()
    found = rows("SELECT m.id FROM outbox_message m WHERE campaign_id = :id ORDER BY id", id=campaign_id)
    _poll(shop, found)
    seen = messages.message(account_id=shop.account_id, message_id=found[0].id)
    assert seen is not None
    (told,) = messages.reports(message_id=seen.id, final_at=seen.final_at)
    assert (told.code, told.outcome, told.source) == ("14", "blocked", "poll")
    refund = messages.refund(message_id=seen.id)
    assert refund is not None
    assert (refund.amount_mrial, refund.percent, refund.transfer_id) == (1_000_000, 100, None)


def _poll(shop: Shop, found: Sequence[Any]) -> None:
    at = AT + timedelta(seconds=2)
    with transaction():
        poll = reports.claim_polls(gateway_id=shop.gateway_id, most=10, lease_seconds=10, at=at)
        reports.record_poll(
            poll,
            reports=[Report(f"ref{message.id}", "14", Outcome.BLOCKED, at) for message in found],
            unasked=frozenset(),
            gateway_id=shop.gateway_id,
            plan=reports.PollPlan([1], 60),
            at=at,
        )


def test_networks_of_a_closed_campaign_add_up(shop: Shop, steps: Steps) -> None:
    campaign_id = make_campaign(shop, size=8)
    steps.send()
    report(campaign_id)
    found = row("SELECT first_id, last_id FROM outbox_campaign WHERE id = :id", id=campaign_id)
    assert found is not None
    (share,) = campaigns.networks(campaign_id=campaign_id, first_id=found.first_id, last_id=found.last_id, counted=())
    assert (share.name_en, share.count, share.delivered_count, share.blocked_count) == ("MCI", 8, 2, 2)
    assert share.price_mrial == 8_000_000
