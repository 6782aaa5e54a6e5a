"""What automations make of texts: the first that recognises one, codes once, votes, answers, memberships, no loops."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from sms.contacts.operations import add_members
from sms.core.db import execute, rows, scalar, transaction
from sms.core.errors import Refusal
from sms.inbox.automations.operations import lists, writing
from sms.inbox.automations.queries import knowing
from sms.inbox.automations.queries.results import tally
from sms.inbox.automations.rules.deciding import Code, Known
from sms.inbox.automations.rules.kinds import Actions, LoopPolicy, Option, Result, UnusableAutomation
from sms.inbox.automations.rules.matching import Hours, Way
from tests.factories import AT, make_account
from tests.inbox.automations.conftest import Stand, club, codes, contest, keyword, poll
from tests.inbox.conftest import SENDER

OTHER = "989350000001"


def _import(stand: Stand, automation_id: int, *values: str) -> lists.CodesRead:
    with transaction():
        return lists.import_codes(
            account_id=stand.post.shop.account_id,
            automation_id=automation_id,
            table=[(place, value.split("|")) for place, value in enumerate(values, start=1)],
            by=stand.actor,
            at=AT,
        )


def test_the_first_that_recognises_a_text_is_the_only_one(stand: Stand) -> None:
    stand.add(keyword("قیمت", "first"))
    stand.add(keyword("قیمت", "second"))
    stand.text("قيمت", "nothing of it")
    stand.look()
    assert stand.replies() == ["first"]
    assert scalar("SELECT count(*) FROM inbox_waiting") == 0


def test_one_that_lets_go_on_is_followed_by_the_next(stand: Stand) -> None:
    stand.add(keyword("قیمت", "first", goes_on=True))
    stand.add(keyword("قیمت", "second"))
    stand.add(keyword("قیمت", "third"))
    stand.text("قیمت")
    stand.look()
    assert stand.replies() == ["first", "second"]


def test_what_is_off_removed_or_out_of_its_time_recognises_nothing(stand: Stand) -> None:
    off, gone = stand.add(keyword(reply="off")), stand.add(keyword(reply="gone"))
    stand.add(keyword(reply="over", hours=Hours(ends_at=AT)))
    stand.add(keyword(reply="on"))
    with transaction():
        account_id = stand.post.shop.account_id
        writing.switch(account_id=account_id, automation_id=off, is_on=False, by=stand.actor, at=AT)
        writing.remove(account_id=account_id, automation_id=gone, by=stand.actor, at=AT)
    stand.text("قیمت")
    stand.look()
    assert stand.replies() == ["on"]


def test_the_order_can_be_changed(stand: Stand) -> None:
    stand.add(keyword(reply="first"))
    second = stand.add(keyword(reply="second"))
    for _ in range(2):
        with transaction():
            writing.move(account_id=stand.post.shop.account_id, automation_id=second, is_up=True, by=stand.actor, at=AT)
    stand.text("قیمت")
    stand.look()
    assert stand.replies() == ["second"]


def test_texts_to_a_line_without_automations_do_not_wait(stand: Stand) -> None:
    stand.text("قیمت")
    assert scalar("SELECT count(*) FROM inbox_waiting") == 0


def test_a_text_that_is_told_again_is_answered_once(stand: Stand) -> None:
    stand.add(keyword())
    for _ in range(3):
        stand.post.bring(stand.post.text("قیمت", ref="77"))
        stand.look()
    assert len(stand.replies()) == 1


def test_an_automation_of_somebody_who_had_the_line_before_does_nothing(stand: Stand) -> None:
    stand.add(keyword())
    buyer = make_account()[0]
    with transaction():
        execute("UPDATE lines_line SET account_id = :id WHERE id = :line", id=buyer, line=stand.post.line_id)
    stand.text("قیمت")
    stand.look()
    assert stand.replies() == []


# Codes


def test_a_code_is_accepted_once_though_it_is_sent_twice_in_the_same_second(stand: Stand) -> None:
    automation_id = stand.add(codes())
    assert _import(stand, automation_id, "کد", "ab-12 ۳", "AB123", "", "XY|own reply").new == 2
    stand.post.bring(stand.post.text("ab123"), stand.post.text("AB 12 ٣", sender=OTHER), stand.post.text("nope"))
    stand.look()
    assert stand.results() == [Result.VALID, Result.USED, Result.NO_CODE]
    assert stand.replies() == ["valid", "used", "unknown"]
    stand.text("xy", "xy")
    stand.look()
    assert stand.replies()[3:] == ["own reply", "used"]
    assert scalar("SELECT used_by FROM inbox_code WHERE code = 'ab123'") == SENDER


def test_what_was_used_by_somebody_else_meanwhile_is_looked_at_again(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever knew a code as unused, and finds it used, undoes everything; the next look tells the truth."""
    automation_id = stand.add(codes())
    _import(stand, automation_id, "one")
    stand.text("one")
    stand.look()
    stand.text("one", sender=OTHER)
    with monkeypatch.context() as patched:
        patched.setattr(knowing, "_add_codes", _unused(automation_id, "one"))
        with pytest.raises(RuntimeError, match="twice"):
            stand.look()
    assert scalar("SELECT count(*) FROM inbox_waiting") == 1
    stand.look()
    assert stand.results() == [Result.VALID, Result.USED]


def _unused(automation_id: int, code: str) -> Callable[..., None]:
    def add(found: Known, *_: object) -> None:
        found.codes[automation_id, code] = Code(is_used=False)

    return add


def test_a_code_behind_a_word_is_found(stand: Stand) -> None:
    automation_id = stand.add(codes(way=Way.STARTS, keywords=("کد",)))
    _import(stand, automation_id, "5005")
    stand.text("کد ۵۰۰۵", "5005")
    stand.look()
    assert stand.results() == [Result.VALID]


# Polls


def test_a_number_votes_once(stand: Stand) -> None:
    automation_id = stand.add(poll())
    stand.text("BLUE", "سبز", "2", "purple")
    stand.text("۲", sender=OTHER)
    stand.look()
    assert stand.results() == [Result.VOTE, Result.AGAIN, Result.AGAIN, Result.VOTE]
    assert tally(automation_id).counts == {1: 1, 2: 1}


def test_a_vote_is_changed_where_that_is_allowed(stand: Stand) -> None:
    automation_id = stand.add(poll(can_change=True))
    stand.text("آبی", "سبز")
    stand.look()
    stand.text("سبز", "آبی", "سبز")
    stand.look()
    assert tally(automation_id).counts == {2: 1}
    assert stand.results() == [Result.VOTE, Result.CHANGED, Result.AGAIN, Result.CHANGED, Result.CHANGED]


def test_an_option_with_votes_cannot_be_taken_out(stand: Stand) -> None:
    automation_id = stand.add(poll())
    stand.text("آبی")
    stand.look()
    with pytest.raises(UnusableAutomation), transaction():
        writing.change(
            account_id=stand.post.shop.account_id,
            automation_id=automation_id,
            wanted=poll(options=(Option(2, "سبز"), Option(3, "زرد"))),
            by=stand.actor,
            at=AT,
        )


# Contests


@pytest.mark.parametrize(
    ("can_change", "results"),
    [
        (False, [Result.WRONG, Result.ANSWERED, Result.ANSWERED]),
        (True, [Result.WRONG, Result.RIGHT, Result.ANSWERED]),
    ],
)
def test_an_answer_counts_once_or_until_it_is_right(stand: Stand, can_change: bool, results: list[Result]) -> None:
    stand.add(contest(can_change=can_change))
    stand.text("جواب شیراز", "جواب تهران", "جواب Tehran", "تهران")
    stand.look()
    assert stand.results() == results
    kept = rows("SELECT is_right, given FROM inbox_answer")
    assert [(each.is_right, each.given) for each in kept] == [(can_change, "تهران" if can_change else "شیراز")]


# Memberships


def test_fields_are_asked_one_after_another(stand: Stand) -> None:
    stand.add(keyword("تهران", "not this one"))
    stand.add(club())
    stand.text("عضویت", "سارا <b>", "تهران", "عضویت")
    stand.look()
    assert stand.replies() == ["your name?", "your city?", "welcome", "already"]
    assert scalar("SELECT answers FROM inbox_member") == ["سارا <b>", "تهران"]


def test_each_number_has_its_own_place_in_the_questions(stand: Stand) -> None:
    stand.add(club())
    for body, sender in (("عضویت", SENDER), ("عضویت", OTHER), ("سارا", SENDER), ("علی", OTHER), ("قم", OTHER)):
        stand.text(body, sender=sender)
        stand.look()
    assert stand.results() == [Result.ASKED, Result.ASKED, Result.ASKED, Result.ASKED, Result.JOINED]
    assert [tuple(each.answers) for each in rows("SELECT answers FROM inbox_member ORDER BY sender")] == [
        ("سارا",),
        ("علی", "قم"),
    ]


def test_the_word_gets_one_out_and_silence_too(stand: Stand) -> None:
    stand.add(club(timeout_minutes=10))
    stand.text("عضویت", "انصراف")
    stand.look()
    assert stand.results() == [Result.ASKED, Result.CANCELLED]
    assert scalar("SELECT count(*) FROM inbox_member") == 0
    stand.text("عضویت")
    stand.text("too late", later=timedelta(minutes=11))
    stand.look()
    assert stand.results()[2:] == [Result.ASKED]
    stand.text("عضویت", "سارا", "قم")
    stand.look()
    assert scalar("SELECT answers FROM inbox_member") == ["سارا", "قم"]


# Groups and others


def _group(stand: Stand, name: str) -> int:
    with transaction():
        return int(
            scalar(
                "INSERT INTO contacts_group (account_id, name, created_at, changed_at)"
                " VALUES (:id, :name, :at, :at) RETURNING id",
                id=stand.post.shop.account_id,
                name=name,
                at=AT,
            )
        )


def test_senders_are_put_into_a_group_and_taken_out_of_another(stand: Stand) -> None:
    wanted, left = _group(stand, "wanted"), _group(stand, "left")
    with transaction():
        add_members(account_id=stand.post.shop.account_id, group_id=left, numbers=[int(SENDER)], source="test", at=AT)
    stand.add(keyword(reply="", actions=Actions(add_group_id=wanted, remove_group_id=left)))
    stand.text("قیمت")
    stand.text("قیمت", sender=OTHER)
    stand.look()
    found = rows("SELECT group_id, mobile, source FROM contacts_member ORDER BY mobile")
    assert [(each.group_id, str(each.mobile), each.source) for each in found] == [
        (wanted, SENDER, "automation"),
        (wanted, OTHER, "automation"),
    ]
    assert [each.groups for each in rows("SELECT groups FROM inbox_act")] == [["added", "removed"]] * 2


def test_a_group_that_is_gone_stops_nothing(stand: Stand) -> None:
    group_id = _group(stand, "soon gone")
    stand.add(keyword(actions=Actions(add_group_id=group_id)))
    with transaction():
        execute("DELETE FROM contacts_group WHERE id = :id", id=group_id)
    stand.text("قیمت")
    stand.look()
    assert scalar("SELECT groups FROM inbox_act") == ["gone"]
    assert len(stand.replies()) == 1


def test_a_strangers_group_or_address_is_refused(stand: Stand) -> None:
    for actions in (Actions(add_group_id=10**6), Actions(hook_id=10**6)):
        with pytest.raises(UnusableAutomation):
            stand.add(keyword(actions=actions))


# Loops


def test_two_machines_that_answer_each_other_are_stopped(stand: Stand) -> None:
    with transaction():
        writing.set_loop_policy(policy=LoopPolicy(3, 10), by=stand.actor, at=AT)
    stand.add(keyword("نوبت", "در نوبت هستید", way=Way.CONTAINS))
    for number in range(8):
        stand.text(f"نوبت شما {number}", later=timedelta(seconds=30))
        stand.look()
    assert len(stand.replies()) == 3
    stops = [each.stop for each in rows("SELECT stop FROM inbox_act ORDER BY id")]
    assert stops == [""] * 3 + ["too_many"] * 5
    assert scalar("SELECT count(*) FROM inbox_act WHERE after_send_id IS NOT NULL") == 7
    stand.text("نوبت", later=timedelta(minutes=20))
    stand.look()
    assert len(stand.replies()) == 4


def test_many_at_once_are_counted_too(stand: Stand) -> None:
    with transaction():
        writing.set_loop_policy(policy=LoopPolicy(3, 10), by=stand.actor, at=AT)
    stand.add(keyword("نوبت", way=Way.CONTAINS))
    stand.post.bring(*(stand.post.text(f"نوبت {number}") for number in range(8)))
    stand.look()
    assert len(stand.replies()) == 3


def test_who_repeats_our_reply_is_a_machine(stand: Stand) -> None:
    stand.add(keyword("سلام", "سلام، بفرمایید", way=Way.STARTS))
    stand.text("سلام به شما", "سلام بفرماييد")
    stand.look(at=AT)
    assert [each.stop for each in rows("SELECT stop FROM inbox_act ORDER BY id")] == ["", "echo"]


@pytest.mark.parametrize("sender", ["30001234", "Bank", "982112345678"])
def test_what_is_no_mobile_number_is_not_answered(stand: Stand, sender: str) -> None:
    stand.add(keyword())
    stand.text("قیمت", sender=sender)
    stand.look()
    assert stand.replies() == []
    assert scalar("SELECT stop FROM inbox_act") == "not_mobile"


@pytest.mark.parametrize("prefix", ["", "98", "+98"])
def test_lines_of_our_own_are_not_answered(stand: Stand, prefix: str) -> None:
    stand.add(keyword())
    stand.text("قیمت", sender=prefix + stand.post.rival_number)
    stand.look()
    assert stand.replies() == []
    assert scalar("SELECT stop FROM inbox_act") == "own_line"


def test_a_text_does_not_go_on_to_where_it_came_from(stand: Stand) -> None:
    stand.add(keyword(reply="", actions=Actions(mobile=int(OTHER))))
    stand.text("قیمت")
    stand.text("قیمت", sender=OTHER)
    stand.look()
    sent = rows("SELECT recipient, body FROM inbox_auto_send")
    assert [(str(each.recipient), each.body) for each in sent] == [(OTHER, "09121234567:\nقیمت")]
    assert [each.forward_stop for each in rows("SELECT forward_stop FROM inbox_act ORDER BY id")] == ["", "same_number"]


# Draws


def test_winners_are_drawn_by_the_seed_and_come_out_again(stand: Stand) -> None:
    automation_id = stand.add(contest())
    senders = [str(989121000000 + number) for number in range(20)]
    for sender in senders:
        stand.text("جواب تهران", sender=sender)
    stand.look()
    account_id = stand.post.shop.account_id

    def draw(seed: str, count: int = 3) -> int:
        with transaction():
            return lists.draw_winners(
                account_id=account_id, automation_id=automation_id, seed=seed, count=count, by=stand.actor, at=AT
            )

    made = draw(" شاخص  بورس ")
    assert draw("شاخص بورس") == made
    assert draw("another") != made
    with pytest.raises(Refusal):
        draw("  ")
    with pytest.raises(Refusal):
        draw("x", 0)
