"""Reads of the words that opt out and in, and of what a line's owner answers to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.contacts.words.rules import Words
from sms.core.db import rows


@dataclass(frozen=True, slots=True)
class Word:
    """A word, on every line or (with its number) on one."""

    id: int
    line_id: int | None
    line_number: str | None
    word: str
    action: str
    created_at: datetime


def listed() -> list[Word]:
    """All words, those of every line first."""
    found = rows(
        """SELECT w.id, w.line_id, l.number AS line_number, w.word, w.action, w.created_at
           FROM contacts_word w LEFT JOIN lines_line l ON l.id = w.line_id
           ORDER BY w.line_id IS NOT NULL, l.number, w.action DESC, w.id"""
    )
    return [Word(**each._mapping) for each in found]


def words() -> Words:
    """All words, to be asked."""
    return Words((each.line_id, each.folded, each.action) for each in rows("SELECT * FROM contacts_word"))


@dataclass(frozen=True, slots=True)
class Reply:
    """What the owner of a line answers who opts out or comes back; empty: nothing."""

    line_id: int
    number: str
    alias: str
    out_body: str
    in_body: str


def replies(account_id: int) -> list[Reply]:
    """What an account answers, by its own lines."""
    found = rows(
        """SELECT l.id AS line_id, l.number, l.alias, coalesce(r.out_body, '') AS out_body,
                  coalesce(r.in_body, '') AS in_body
           FROM lines_line l LEFT JOIN contacts_reply r ON r.line_id = l.id AND r.account_id = l.account_id
           WHERE l.account_id = :id ORDER BY l.number""",
        id=account_id,
    )
    return [Reply(**each._mapping) for each in found]


def due(*, most: int) -> Sequence[Row[Any]]:
    """Answers that wait to be sent, the oldest first."""
    return rows("SELECT id, account_id FROM contacts_reply_due ORDER BY id LIMIT :most", most=most)
