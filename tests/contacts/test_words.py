"""A text that opts out is heard as it is taken in: on its line, for its sender, once."""

import pytest

from jobs import inbox as jobs
from sms.contacts.operations import opt_in, remove_opt_out
from sms.contacts.queries import opted_out, suppression
from sms.contacts.rules import Source
from sms.contacts.words import operations, queries
from sms.contacts.words.rules import Action, Said, Words, last_said
from sms.core.actor import Actor
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.queue import connection
from sms.outbox.operations import sweep
from tests.factories import AT, make_account
from tests.inbox.conftest import SENDER, Post

AMIR = int(SENDER)
KNOWN = Words([(None, "لغو11", "out"), (None, "11", "out"), (None, "12", "in"), (7, "11", "none"), (8, "stop", "out")])


@pytest.mark.parametrize(
    ("line_id", "body", "action"),
    [
        (1, "لغو۱۱", Action.OUT),
        (1, " لغو 11 ", Action.OUT),
        (1, "لغو\u200c١١.", Action.OUT),
        (1, "۱۱", Action.OUT),
        (1, "12", Action.IN),
        (1, "۱۲", Action.IN),
        (1, "لغو11 لطفا", Action.NONE),
        (1, "1-1", Action.NONE),
        (1, "111", Action.NONE),
        (1, "", Action.NONE),
        (1, "لغو11" + " " * 10_000 + "x", Action.NONE),
        (7, "11", Action.NONE),
        (7, "لغو11", Action.OUT),
        (8, "STOP", Action.OUT),
        (1, "STOP", Action.NONE),
    ],
)
def test_a_text_that_is_nothing_but_the_word_says_it(line_id: int, body: str, action: Action) -> None:
    assert KNOWN.action(line_id, body) is action


def test_who_says_both_means_the_last() -> None:
    texts = [Said(1, 1, 5, body) for body in ("11", "hello", "12")] + [Said(2, 1, 5, "12"), Said(2, 1, 5, "11")]
    found = {place: action for place, (_, action) in last_said(texts, KNOWN).items()}
    assert found == {(1, 5): Action.IN, (2, 5): Action.OUT}


# Taken in


@pytest.mark.parametrize("body", ["لغو۱۱", "لغو11", "11", "۱۱", " لغو\u200c ١١ "])
def test_eleven_blocks_its_line_for_its_sender(post: Post, body: str) -> None:
    post.bring(post.text(body))
    found = suppression(post.shop.account_id)
    assert (found.everywhere, found.by_line) == (set(), {post.line_id: {AMIR}})
    (entry,) = opted_out(post.shop.account_id, most=5)
    assert (entry.recipient, entry.line_id, entry.source, entry.reason) == (
        *(AMIR, post.line_id, Source.TEXT),
        " ".join(body.split()),
    )
    assert suppression(post.rival_id).is_empty
    assert post.kept()[0].body == body


def test_twelve_takes_it_back_and_repeats_of_the_old_text_change_nothing(post: Post) -> None:
    post.bring(post.text("11", ref="a"))
    post.bring(post.text("12", ref="b"))
    assert suppression(post.shop.account_id).is_empty
    post.bring(post.text("11", ref="a"))
    assert suppression(post.shop.account_id).is_empty
    post.bring(post.text("11", ref="c"))
    assert not suppression(post.shop.account_id).is_empty


def test_twelve_takes_nothing_back_that_others_decided(post: Post) -> None:
    with transaction():
        execute(
            "INSERT INTO contacts_optout (account_id, recipient, created_at) VALUES (:a, :r, now())",
            a=post.shop.account_id,
            r=AMIR,
        )
    post.bring(post.text("12"))
    assert suppression(post.shop.account_id).everywhere == {AMIR}


def test_what_is_no_mobile_number_opts_out_of_nothing(post: Post) -> None:
    post.bring(post.text("11", sender="3000"), post.text("11", sender="SHOP"))
    assert scalar("SELECT count(*) FROM contacts_optout") == 0
    assert len(post.kept()) == 2


def test_a_public_line_is_closed_to_everybody_for_who_wrote_to_it(post: Post) -> None:
    number = str(scalar("SELECT number FROM lines_line WHERE id = :id", id=post.shop.line_id))
    post.bring(post.text("11", number=number))
    for account_id in (post.shop.account_id, post.rival_id):
        assert suppression(account_id).by_line == {post.shop.line_id: {AMIR}}
    assert opted_out(post.shop.account_id, most=5) == []
    post.bring(post.text("12", number=number, ref="x"))
    assert suppression(post.rival_id).is_empty


def test_who_shares_a_line_shares_what_was_said_to_it(post: Post) -> None:
    child = make_account()[0]
    with transaction():
        execute(
            "INSERT INTO lines_share (line_id, account_id, shared_at) VALUES (:line, :account, now())",
            line=post.line_id,
            account=child,
        )
    post.bring(post.text("11"))
    assert suppression(child).by_line == {post.line_id: {AMIR}}
    for account_id, line_id, is_out in ((child, post.line_id, True), (child, post.shop.line_id, False)):
        assert scalar("SELECT contacts_is_opted_out(:a, :r, :l)", a=account_id, r=AMIR, l=line_id) is is_out


def test_a_text_to_a_number_that_is_no_line_is_only_kept(post: Post) -> None:
    post.bring(post.text("11", number="300099999999"))
    assert (scalar("SELECT count(*) FROM contacts_optout"), len(post.kept())) == (0, 1)


def test_what_a_recipient_said_only_he_takes_back(post: Post) -> None:
    post.bring(post.text("11"))
    (entry,) = opted_out(post.shop.account_id, most=5)
    for account_id, error in ((post.shop.account_id, Refusal), (post.rival_id, NotFound)):
        with pytest.raises(error), transaction():
            remove_opt_out(account_id=account_id, opt_out_id=entry.id, by_user_id=post.shop.user_id, at=AT)
    assert not suppression(post.shop.account_id).is_empty


# Words


def test_words_are_data_and_a_line_may_have_its_own(post: Post) -> None:
    by = Actor()
    with transaction():
        operations.add_word(word="STOP!", action=Action.OUT, line_number="", by=by, at=AT)
        operations.add_word(word="۱۱", action=Action.NONE, line_number=post.number, by=by, at=AT)
    with pytest.raises(Refusal), transaction():
        operations.add_word(word="stop", action=Action.IN, line_number="", by=by, at=AT)
    with pytest.raises(NotFound), transaction():
        operations.add_word(word="end", action=Action.OUT, line_number="123", by=by, at=AT)
    post.bring(post.text("11"))
    assert suppression(post.shop.account_id).is_empty
    post.bring(post.text("stop"))
    assert not suppression(post.shop.account_id).is_empty
    with transaction():
        for word in queries.listed():
            operations.remove_word(word_id=word.id, by=by, at=AT)
    post.bring(post.text("12"))
    assert not suppression(post.shop.account_id).is_empty


# Answers


def _answer(post: Post, out_body: str = "You get no more.", in_body: str = "Welcome back.") -> None:
    with transaction():
        operations.set_reply(
            account_id=post.shop.account_id,
            user_id=post.shop.user_id,
            line_id=post.line_id,
            out_body=out_body,
            in_body=in_body,
        )


def _sent() -> list[tuple[str, int, bool]]:
    found = rows(
        """SELECT c.body, m.recipient, m.outcome IS NULL AS is_going FROM outbox_campaign c
           JOIN outbox_message m ON m.campaign_id = c.id ORDER BY c.id"""
    )
    return [(each.body, each.recipient, each.is_going) for each in found]


def test_an_answer_goes_also_to_who_wants_no_more_and_once(post: Post) -> None:
    _answer(post)
    post.bring(post.text("11", ref="a"))
    post.bring(post.text("11", ref="b"))  # he is out already
    jobs.send_replies()
    assert _sent() == [("You get no more.", AMIR, True)]
    post.bring(post.text("12", ref="c"))
    connection().flushdb()
    with transaction():
        sweep.sweep(at=AT)
    assert connection().llen("rq:queue:payamgah-general") > 0
    jobs.send_replies()
    jobs.send_replies()
    assert [body for body, *_ in _sent()] == ["You get no more.", "Welcome back."]
    found = row("SELECT held_mrial, total_count FROM outbox_campaign ORDER BY id LIMIT 1")
    assert found is not None
    assert tuple(found) == (1_000_000, 1)


def test_nothing_is_answered_where_nothing_is_said_or_nobody_asked(post: Post) -> None:
    _answer(post, out_body=" ")
    post.bring(post.text("11", ref="a"), post.text("hello", ref="b"))
    jobs.send_replies()
    assert _sent() == []


def test_an_empty_wallet_loses_no_text_and_stops_no_other_answer(post: Post) -> None:
    _answer(post)
    poor = make_account(money_mrial=0)
    with transaction():
        execute("UPDATE lines_line SET account_id = :id WHERE number = :number", id=poor[0], number=post.rival_number)
        line_id = int(scalar("SELECT id FROM lines_line WHERE number = :number", number=post.rival_number))
        operations.set_reply(account_id=poor[0], user_id=poor[1], line_id=line_id, out_body="No more.", in_body="")
    post.bring(post.text("11", number=post.rival_number, ref="a"), post.text("11", ref="b"))
    jobs.send_replies()
    assert [body for body, *_ in _sent()] == ["You get no more."]
    assert scalar("SELECT count(*) FROM contacts_reply_due") == 0
    assert len(post.kept()) == 2
    assert suppression(poor[0]).by_line == {line_id: {AMIR}}


def test_an_answer_is_set_for_an_own_line_only_and_ends_with_the_line(post: Post) -> None:
    with pytest.raises(NotFound), transaction():
        operations.set_reply(
            account_id=post.rival_id, user_id=post.shop.user_id, line_id=post.line_id, out_body="x", in_body=""
        )
    _answer(post)
    with transaction():
        execute("UPDATE lines_line SET account_id = :id WHERE id = :line", id=post.rival_id, line=post.line_id)
    post.bring(post.text("11"))
    jobs.send_replies()
    assert _sent() == []
    with transaction():
        assert opt_in(account_id=post.rival_id, recipients=[AMIR], line_id=post.line_id) == 1
