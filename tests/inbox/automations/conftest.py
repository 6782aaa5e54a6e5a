"""A line with automations, and people who write to it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from jobs.automations import automate
from sms.core.actor import Actor
from sms.core.db import rows, transaction
from sms.inbox.automations.operations import running, writing
from sms.inbox.automations.queries.automations import automation
from sms.inbox.automations.rules.kinds import Automation, Kind, Option, Result, Wanted
from sms.inbox.automations.rules.matching import Way
from tests.factories import AT
from tests.inbox.conftest import SENDER, Post

LAUNCHED = AT
_MOMENTS = count()


def keyword(word: str = "قیمت", reply: str = "هزار تومان", **changes: Any) -> Wanted:
    """A word that brings a reply."""
    return replace(
        Wanted(kind=Kind.KEYWORD, name="price", keywords=(word,), replies={Result.MATCHED: reply} if reply else {}),
        **changes,
    )


def codes(**changes: Any) -> Wanted:
    """Any text is a code."""
    said = {Result.VALID: "valid", Result.USED: "used", Result.NO_CODE: "unknown"}
    return replace(Wanted(kind=Kind.CODES, name="codes", way=Way.ANY, replies=said), **changes)


def poll(**changes: Any) -> Wanted:
    """Two colours."""
    options = (Option(1, "آبی", ("blue",)), Option(2, "سبز", ("green",)))
    said = {Result.VOTE: "thanks", Result.AGAIN: "again"}
    return replace(Wanted(kind=Kind.POLL, name="colour", way=Way.ANY, options=options, replies=said), **changes)


def contest(**changes: Any) -> Wanted:
    """The capital."""
    said = {Result.RIGHT: "right", Result.WRONG: "wrong", Result.ANSWERED: "answered"}
    return replace(
        Wanted(
            kind=Kind.CONTEST,
            name="capital",
            way=Way.STARTS,
            keywords=("جواب",),
            options=(Option(1, "تهران", ("tehran",)),),
            replies=said,
        ),
        **changes,
    )


def club(**changes: Any) -> Wanted:
    """Two fields."""
    fields = (Option(1, "name", ("your name?",)), Option(2, "city", ("your city?",)))
    said = {Result.JOINED: "welcome", Result.MEMBER: "already", Result.CANCELLED: "bye"}
    return replace(
        Wanted(kind=Kind.CLUB, name="club", keywords=("عضویت",), options=fields, replies=said, cancel_word="انصراف"),
        **changes,
    )


@dataclass(slots=True)
class Stand:
    """A shop's line, its automations, and what came of texts."""

    post: Post
    moment: datetime = AT
    made: list[int] = field(default_factory=list)

    @property
    def actor(self) -> Actor:
        """The owner of the shop."""
        return Actor(id=self.post.shop.user_id)

    def add(self, wanted: Wanted) -> int:
        """One more automation on the line."""
        with transaction():
            return writing.add(
                account_id=self.post.shop.account_id,
                line_id=self.post.line_id,
                wanted=wanted,
                by=self.actor,
                at=AT,
            )

    def get(self, automation_id: int) -> Automation:
        """It, as it stands there."""
        return automation(self.post.shop.account_id, automation_id)

    def text(self, *bodies: str, sender: str = SENDER, later: timedelta = timedelta(minutes=5)) -> None:
        """Somebody writes, one text after another."""
        for body in bodies:
            self.moment += later
            self.post.bring(self.post.text(body, sender=sender), at=self.moment)

    def look(self, *, at: datetime | None = None) -> None:
        """The automations look at what came, sending nothing yet."""
        with transaction():
            while running.run(most=1_000, at=at or self.moment):
                pass

    def work(self) -> None:
        """The whole job."""
        automate()

    def results(self) -> list[str]:
        """What became of each text, in order."""
        return [each.result for each in rows("SELECT result FROM inbox_act ORDER BY text_id, id")]

    def replies(self) -> list[str]:
        """What is sent by itself, in order."""
        return [each.body for each in rows("SELECT body FROM inbox_auto_send WHERE kind = 'reply' ORDER BY id")]


@pytest.fixture
def stand(post: Post) -> Stand:
    return Stand(post)
