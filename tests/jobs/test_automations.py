"""The job of automations: replies are sends like any other, an empty wallet loses nothing, and no death matters."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from jobs import automations
from sms.core.config import Settings
from sms.core.db import db, execute, row, rows, scalar, transaction
from sms.inbox.automations.operations import lists
from sms.inbox.automations.rules.kinds import Actions
from sms.inbox.automations.rules.matching import Way
from sms.ledger import queries as ledger
from sms.ledger.operations import adjust
from sms.outbox.queries import invariants
from tests.factories import AT
from tests.inbox.automations.conftest import Stand, codes, keyword, poll
from tests.inbox.conftest import SENDER, Post, post

__all__ = ["post"]


class Killed(BaseException):
    """The worker is gone."""


@pytest.fixture
def stand(post: Post) -> Stand:
    return Stand(post)


def _set_balance(stand: Stand, mrial: int) -> None:
    """The wallet has this much, the rest was adjusted away."""
    held = scalar("SELECT balance_mrial FROM ledger_wallet WHERE id = :id", id=stand.post.shop.wallet_id)
    with transaction():
        adjust(
            account_id=stand.post.shop.account_id,
            amount_mrial=mrial - held,
            key=f"test:{mrial}",
            reason="test",
            actor_id=None,
            at=AT,
        )


def _sends() -> list[tuple[str, str, bool]]:
    found = rows("SELECT state, problem, campaign_id FROM inbox_auto_send ORDER BY id")
    return [(each.state, each.problem, each.campaign_id is not None) for each in found]


def test_a_reply_is_a_send_on_the_same_line_and_is_paid_for(stand: Stand) -> None:
    stand.add(keyword())
    stand.text("قیمت")
    stand.work()
    stand.work()
    sent = row(
        """SELECT c.line_id, c.title, c.body, c.held_mrial, c.total_count, m.recipient FROM outbox_campaign c
           JOIN outbox_message m ON m.campaign_id = c.id"""
    )
    assert sent is not None
    assert tuple(sent) == (stand.post.line_id, "price", "هزار تومان", 1_000_000, 1, int(SENDER))
    assert _sends() == [("sent", "", True)]


def test_the_same_reply_to_many_is_one_send(stand: Stand) -> None:
    stand.add(keyword())
    for number in range(30):
        stand.post.bring(stand.post.text("قیمت", sender=str(989121000000 + number)))
    stand.work()
    assert scalar("SELECT count(*) FROM outbox_campaign") == 1
    assert scalar("SELECT count(*) FROM outbox_message") == 30


def test_who_is_answered_twice_is_in_two_sends(stand: Stand) -> None:
    stand.add(keyword(way=Way.CONTAINS))
    stand.text("قیمت", "قیمت چند")
    stand.work()
    assert scalar("SELECT count(*) FROM outbox_campaign") == 2
    assert scalar("SELECT count(*) FROM outbox_message WHERE outcome IS NULL") == 2


def test_an_empty_wallet_loses_no_text_and_the_log_says_so(stand: Stand) -> None:
    stand.add(keyword())
    _set_balance(stand, 0)
    stand.text("قیمت")
    stand.work()
    assert scalar("SELECT count(*) FROM inbox_message") == 1
    ((state, problem, has_send),) = _sends()
    assert (state, has_send) == ("not_sent", False)
    assert "balance" in problem.lower()
    assert scalar("SELECT count(*) FROM outbox_draft") == 0
    _set_balance(stand, 10**9)
    stand.work()
    assert _sends()[0][0] == "not_sent"  # it is not sent hours later, when nobody expects it


@pytest.mark.parametrize("affordable", [0, 1, 5, 12, 13])
def test_a_balance_that_reaches_for_some_is_spent_on_the_first(stand: Stand, affordable: int) -> None:
    stand.add(keyword())
    _set_balance(stand, affordable * 1_000_000)
    for number in range(13):
        stand.post.bring(stand.post.text("قیمت", sender=str(989121000000 + number)))
    stand.work()
    assert [state for state, *_ in _sends()] == ["sent"] * affordable + ["not_sent"] * (13 - affordable)
    assert not {name: found for name, found in (ledger.broken() | invariants.broken()).items() if found}


def test_a_line_that_is_switched_off_sends_no_reply_and_says_why(stand: Stand) -> None:
    stand.add(keyword())
    with transaction():
        execute("UPDATE lines_line SET is_active = false WHERE id = :id", id=stand.post.line_id)
    stand.text("قیمت")
    stand.work()
    assert [state for state, *_ in _sends()] == ["not_sent"]


def test_one_who_has_opted_out_gets_no_reply(stand: Stand) -> None:
    stand.add(keyword())
    with transaction():
        execute(
            "INSERT INTO contacts_optout (account_id, recipient, reason, created_at) VALUES (:id, :who, '', :at)",
            id=stand.post.shop.account_id,
            who=int(SENDER),
            at=AT,
        )
    stand.text("قیمت")
    stand.work()
    assert [state for state, *_ in _sends()] == ["not_sent"]


def test_a_text_goes_on_to_a_mobile_and_is_paid_for(stand: Stand) -> None:
    stand.add(keyword(reply="", actions=Actions(mobile=989350000001)))
    stand.text("قیمت")
    stand.work()
    assert scalar("SELECT recipient FROM outbox_message") == 989350000001
    assert scalar("SELECT body FROM outbox_campaign") == "09121234567:\nقیمت"


def _dying(at: int) -> Callable[[str], None]:
    left = [at]

    def point(_name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    return point


@pytest.mark.parametrize("point", range(1, 5))
def test_whoever_dies_before_the_commit_leaves_it_to_the_next(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    stand.add(keyword())
    stand.add(keyword("بها", "دو هزار"))
    stand.text("قیمت", "بها")
    with monkeypatch.context() as patched:
        patched.setattr(automations, "crash_point", _dying(point))
        try:
            automations.automate()
        except Killed:
            db.session.remove()
    automations.automate()
    assert stand.results() == ["matched", "matched"]
    assert _sends() == [("sent", "", True)] * 2
    assert scalar("SELECT count(*) FROM outbox_campaign") == 2


def test_a_thousand_texts_lose_nothing_through_workers_that_are_killed(stand: Stand, settings: Settings) -> None:
    """A code each, a vote each, a reply each: whenever a worker dies, each counts once."""
    size, kills = 1_000, 6
    code_reader = stand.add(codes(goes_on=True))
    stand.add(poll())
    with transaction():
        lists.import_codes(
            account_id=stand.post.shop.account_id,
            automation_id=code_reader,
            table=[(number + 1, [str(1_000 + number)]) for number in range(size // 2)],
            by=stand.actor,
            at=AT,
        )
    texts = [
        stand.post.text(str(1_000 + number) if number % 2 else "آبی", sender=str(989121000000 + number))
        for number in range(size)
    ]
    stand.post.bring(*texts[: size // 2])
    stand.post.bring(*texts[size // 2 :])
    command = [sys.executable, "-c", "from tests.jobs.test_automations import work; work()"]
    dice = random.Random(20261129)
    for _ in range(kills):
        worker = subprocess.Popen(command, env=_environment_of(settings))
        time.sleep(1.2 + dice.random() * 1.5)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    automations.automate()
    used = scalar("SELECT count(*) FROM inbox_code WHERE used_text_id IS NOT NULL")
    assert scalar("SELECT count(*) FROM inbox_waiting") == 0
    assert scalar("SELECT count(DISTINCT text_id) FROM inbox_act") == size
    assert used == scalar("SELECT count(*) FROM inbox_act WHERE result = 'valid'") == size // 4
    assert scalar("SELECT count(*) FROM inbox_vote") == size // 2
    assert scalar("SELECT count(*) FROM inbox_auto_send WHERE state <> 'sent'") == 0
    assert scalar("SELECT count(*) FROM inbox_auto_send") == scalar("SELECT count(*) FROM outbox_message")
    assert not {name: found for name, found in (ledger.broken() | invariants.broken()).items() if found}


def _environment_of(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "PAYAMGAH_MODE": "test",
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key,
        "SEAL_KEY": settings.seal_key,
        "VAR_DIR": str(settings.var_dir),
    }


def work() -> None:
    """In a process of its own: look at few texts at a time, so that a kill finds some of them done."""
    from app import create_app  # noqa: PLC0415 - this process is another one

    automations._LOOKED_AT_ONCE = automations._SENT_AT_ONCE = 40
    with create_app().app_context():
        automations.automate()
