"""Texts come into the inbox of their owner once, whatever repeats, and into nobody else's."""

from datetime import timedelta

import pytest

from sms.core.db import execute, scalar, transaction
from sms.inbox import queries
from sms.inbox.operations import reading
from sms.inbox.queries import Box, InboxFilter, conversation, lines, nobodys, texts, unread_count
from tests.factories import AT, make_campaign, make_gateway
from tests.inbox.conftest import SENDER, Post

ALL = InboxFilter()


def _bodies(post: Post, wanted: InboxFilter = ALL) -> list[str]:
    return [each.body for each in texts(post.shop.account_id, wanted, before=None, most=50)]


def test_each_text_reaches_the_owner_of_its_line_and_nobody_else(post: Post) -> None:
    public = str(scalar("SELECT number FROM lines_line WHERE id = :id", id=post.shop.line_id))
    post.bring(
        post.text("mine"),
        post.text("spelt otherwise", number="+98" + post.number),
        post.text("the rival's", number=post.rival_number),
        post.text("to all", number=public),
        post.text("to nobody", number="30009999999"),
    )
    assert sorted(_bodies(post)) == ["mine", "spelt otherwise"]
    assert [each.body for each in texts(post.rival_id, ALL, before=None, most=9)] == ["the rival's"]
    assert sorted(each.body for each in nobodys(before=None, most=9)) == ["to all", "to nobody"]
    assert scalar("SELECT count(*) FROM operators_inbound") == 0


def test_a_line_of_another_operator_gets_nothing_through_this_gateway(post: Post) -> None:
    operator_id, gateway_id = make_gateway(operator_code="5000")
    with transaction():
        execute(
            "INSERT INTO lines_line (operator_id, gateway_id, number, kind, account_id, created_at)"
            " VALUES (:operator, :gateway, '50001234', 'dedicated', :account, now())",
            operator=operator_id,
            gateway=gateway_id,
            account=post.rival_id,
        )
    post.bring(post.text("from elsewhere", number="50001234"))
    assert [each.account_id for each in post.kept()] == [None]


def test_whatever_repeats_is_there_once_and_says_how_often_it_came(post: Post) -> None:
    with_ref, bare = post.text("with an id", ref="7"), post.text("bare")
    post.bring(with_ref, bare, bare, with_ref)
    post.bring(with_ref, bare, at=AT + timedelta(seconds=90))
    post.bring(with_ref, at=AT + timedelta(days=30))
    post.bring(bare, at=AT + timedelta(minutes=10))  # said again, long after
    assert [(each.body, each.times) for each in post.kept()] == [("with an id", 4), ("bare", 3), ("bare", 1)]


def test_what_came_before_a_line_was_handed_over_is_not_its_new_owners(post: Post) -> None:
    with transaction():
        execute("UPDATE lines_line SET bought_at = :at WHERE id = :id", at=AT, id=post.line_id)
    post.bring(post.text("to the one before"), at=AT - timedelta(seconds=1))
    post.bring(post.text("to the owner"), at=AT)
    assert _bodies(post) == ["to the owner"]


def test_a_text_stays_with_who_owned_the_line(post: Post) -> None:
    post.bring(post.text("before"))
    with transaction():
        execute("UPDATE lines_line SET account_id = :rival WHERE id = :id", rival=post.rival_id, id=post.line_id)
    post.bring(post.text("after"), at=AT + timedelta(minutes=9))
    assert _bodies(post) == ["before"]
    assert [each.body for each in texts(post.rival_id, ALL, before=None, most=9)] == ["after"]
    assert [line.number for line in lines(post.shop.account_id)] == [post.number]
    assert {line.number for line in lines(post.rival_id)} == {post.number, post.rival_number}
    said, _ = conversation(post.rival_id, post.line_id, SENDER, before=None, most=9)
    assert [each.body for each in said] == ["after"]


def test_pages_follow_one_another_without_gap_or_repeat(post: Post) -> None:
    for number in range(12):
        post.bring(post.text(f"text {number}"), at=AT + timedelta(seconds=number // 2))
    seen: list[str] = []
    before = None
    while page := texts(post.shop.account_id, ALL, before=before, most=5):
        seen += [each.body for each in page]
        before = page[-1].id
    assert len(seen) == 12
    assert len(set(seen)) == 12
    assert seen[0] == "text 11"


def test_filters_find_what_they_say(post: Post) -> None:
    post.bring(post.text("می‌خواهم یک کد"), post.text("code 12", sender="BANK"))
    post.bring(post.text("tomorrow"), at=AT + timedelta(days=1))
    everything = texts(post.shop.account_id, ALL, before=None, most=9)
    by_body = {each.body: each.id for each in everything}
    with transaction():
        reading.mark_read(account_id=post.shop.account_id, ids=[by_body["code 12"]], at=AT)
        reading.archive(account_id=post.shop.account_id, ids=[by_body["tomorrow"]], at=AT)
    assert _bodies(post, InboxFilter(box=Box.UNREAD)) == ["می‌خواهم یک کد"]
    assert _bodies(post, InboxFilter(box=Box.ARCHIVED)) == ["tomorrow"]
    assert _bodies(post, InboxFilter(words="كد")) == ["می‌خواهم یک کد"]
    assert _bodies(post, InboxFilter(words="می‌خو")) == ["می‌خواهم یک کد"]
    assert _bodies(post, InboxFilter(words="۱۲ code")) == ["code 12"]
    assert _bodies(post, InboxFilter(words="odd")) == []
    assert _bodies(post, InboxFilter(sender="BANK", line_id=post.line_id)) == ["code 12"]
    assert _bodies(post, InboxFilter(since=AT + timedelta(hours=1))) == []
    assert len(_bodies(post, InboxFilter(since=AT, until=AT + timedelta(days=1)))) == 2
    assert unread_count(post.shop.account_id) == 1


@pytest.mark.parametrize("walked", [1, 1_000])
def test_words_are_found_however_long_ago_they_came(post: Post, monkeypatch: pytest.MonkeyPatch, walked: int) -> None:
    monkeypatch.setattr(queries, "_WALKED", walked)
    for days in range(0, 200, 20):
        at = AT - timedelta(days=days)
        post.bring(post.text(f"code of day {days}"), post.text(f"code {days}", number=post.rival_number), at=at)
    expected = [f"code of day {days}" for days in range(0, 200, 20)]
    assert _bodies(post, InboxFilter(words="code")) == expected
    assert _bodies(post, InboxFilter(words="code 180")) == ["code of day 180"]
    page = texts(post.shop.account_id, InboxFilter(words="code"), before=None, most=3)
    assert [each.body for each in page] == expected[:3]
    page = texts(post.shop.account_id, InboxFilter(words="code"), before=page[-1].id, most=3)
    assert [each.body for each in page] == expected[3:6]
    some = InboxFilter(words="code", since=AT - timedelta(days=65), until=AT - timedelta(days=30))
    assert _bodies(post, some) == ["code of day 40", "code of day 60"]
    assert _bodies(post, InboxFilter(words="code", box=Box.ARCHIVED)) == []


def test_nobody_reads_or_archives_what_is_somebody_elses(post: Post) -> None:
    post.bring(post.text("mine"))
    (found,) = texts(post.shop.account_id, ALL, before=None, most=9)
    with transaction():
        assert reading.mark_read(account_id=post.rival_id, ids=[found.id], at=AT) == 0
        assert reading.archive(account_id=post.rival_id, ids=[found.id], at=AT) == 0
        assert reading.mark_read(account_id=post.shop.account_id, ids=[found.id], at=AT) == 1
        assert reading.mark_read(account_id=post.shop.account_id, ids=[found.id], is_read=False, at=AT) == 1
    assert unread_count(post.shop.account_id) == 1


def test_a_conversation_holds_both_sides_of_this_line_only(post: Post) -> None:
    campaign_id = make_campaign(post.shop, size=1)
    with transaction():
        execute(
            "UPDATE outbox_message SET line_id = :line, recipient = :to WHERE campaign_id = :id",
            line=post.line_id,
            to=int(SENDER),
            id=campaign_id,
        )
    make_campaign(post.shop, size=1)  # over another line
    post.bring(post.text("yes"), at=AT + timedelta(minutes=1))
    said, older = conversation(post.shop.account_id, post.line_id, SENDER, before=None, most=9)
    assert [(each.body, each.is_ours) for each in said] == [("hello", True), ("yes", False)]
    assert older is None
