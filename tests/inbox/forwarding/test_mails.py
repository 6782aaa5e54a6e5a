"""Texts go on to mailboxes: through the server the staff set, tried again while it is away, given up when refused."""

from email import message_from_bytes, policy

import pytest

from jobs import forwarding
from jobs.automations import automate
from sms.core import clock
from sms.core.actor import PANEL, Actor
from sms.core.db import execute, row, scalar, transaction
from sms.inbox.automations.operations import writing
from sms.inbox.automations.rules.kinds import Actions, UnusableAutomation
from sms.inbox.forwarding.operations import mails
from sms.inbox.forwarding.operations.mails import NewServer
from sms.inbox.forwarding.rules import Security, UnusableHook
from tests.factories import AT
from tests.inbox.automations.conftest import keyword
from tests.inbox.conftest import Post
from tests.inbox.forwarding.conftest import Mailbox, unused_port

KEY = "a seal that only tests know"


def set_server(port: int, **changes: object) -> None:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "security": Security.NONE,
        "username": "",
        "password": "",
        "sender": "panel@example.com",
    } | changes
    with transaction():
        mails.set_server(wanted=NewServer(**values), seal_key=KEY, by=PANEL, at=AT)  # type: ignore[arg-type]


def add(post: Post, name: str = "price") -> None:
    with transaction():
        writing.add(
            account_id=post.shop.account_id,
            line_id=post.line_id,
            wanted=keyword(reply="", name=name, actions=Actions(email="owner@example.com")),
            by=Actor(id=post.shop.user_id),
            at=AT,
        )


def work(post: Post, *, is_due: bool = True) -> None:
    automate()
    if is_due:
        with transaction():
            execute("UPDATE inbox_mail SET next_at = now() WHERE state = 'waiting'")
    forwarding.forward()


def state() -> tuple[str, int, str]:
    found = row("SELECT state, attempt, problem FROM inbox_mail")
    assert found is not None
    return found.state, found.attempt, found.problem


def test_a_text_goes_on_to_a_mailbox_once(post: Post, mailbox: Mailbox) -> None:
    set_server(mailbox.port, username="panel", password="sesame")
    add(post, "price\r\nBcc: evil@example.com")
    post.bring(post.text("قیمت"), at=clock.now())
    work(post)
    work(post)
    (mail,) = mailbox.mails
    read = message_from_bytes(mail.encode(), policy=policy.default)
    assert read.get_content().strip() == "قیمت"
    assert read["To"] == "owner@example.com"
    assert read["Bcc"] is None
    assert read["Message-ID"].endswith("@example.com>")
    assert [line.partition(":")[2] for line in mailbox.recipients] == ["<owner@example.com>"]
    assert len(mailbox.signed_in) == 1
    assert state() == ("sent", 1, "")


def test_a_server_that_is_away_is_tried_again(post: Post, mailbox: Mailbox) -> None:
    set_server(unused_port())
    add(post)
    post.bring(post.text("قیمت"), at=clock.now())
    work(post)
    assert state()[:2] == ("waiting", 1)
    set_server(mailbox.port)
    work(post, is_due=False)
    assert mailbox.mails == []
    work(post)
    assert state() == ("sent", 2, "")


@pytest.mark.parametrize(("code", "ends"), [(550, "given_up"), (451, "waiting")])
def test_a_mailbox_that_is_refused_for_good_is_given_up(post: Post, mailbox: Mailbox, code: int, ends: str) -> None:
    set_server(mailbox.port)
    mailbox.codes = [code]
    add(post)
    post.bring(post.text("قیمت"), at=clock.now())
    work(post)
    assert state()[0] == ends
    assert "refused" in state()[2]


def test_without_a_server_no_automation_can_mail(post: Post) -> None:
    with pytest.raises(UnusableAutomation, match="mail server"):
        add(post)


def test_a_password_is_sealed_kept_and_belongs_to_its_server(post: Post, mailbox: Mailbox) -> None:
    set_server(mailbox.port, username="panel", password="sesame")
    assert b"sesame" not in bytes(scalar("SELECT password_sealed FROM inbox_mail_server"))
    set_server(mailbox.port, username="panel", sender="other@example.com")
    assert scalar("SELECT password_sealed FROM inbox_mail_server") is not None
    with pytest.raises(UnusableHook, match="belongs to another"):
        set_server(mailbox.port, host="elsewhere.example", username="panel")
    assert scalar("SELECT count(*) FROM accounts_audit WHERE details::text LIKE '%sesame%'") == 0
