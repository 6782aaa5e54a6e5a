"""What a text that came in is: whose it is, when it is a repeat, how its sender is written. Plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from sms.core import phone
from sms.core.parts import measure
from sms.lines.rules import LineKind, UnusableLine, canonical_number

REPEAT_SECONDS = 120  # the same words without id and moment, so close together, are one text told twice
MOST_PARTS = 32_767
UNREAD_SHOWN = 99  # more unread texts than this are not counted
SEARCH_LENGTH = 100
STRETCH_SECONDS = 30 * 86_400  # as inbox_words counts them
SENDER_LENGTH = 100
NO_SENDER = "?"
_TURNING = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))
_HALF_SPACE = "\u200c"
_FOLD = str.maketrans("يك۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩<>&/@._-،؛؟«»…", "یک01234567890123456789              ")


class Box(StrEnum):
    """Which texts a list shows."""

    ALL = ""
    UNREAD = "unread"
    ARCHIVED = "archived"


class Arrived(NamedTuple):
    """A text that an operator brought, as it was kept."""

    gateway_id: int
    operator_code: str
    sender: str
    line_number: str
    body: str
    sent_at: datetime | None
    operator_ref: str
    missing: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Receiver:
    """A line as far as texts to it go."""

    line_id: int
    operator_code: str
    kind: str
    account_id: int | None
    owned_since: datetime | None

    def owner_at(self, moment: datetime) -> int | None:
        """The account whose inbox a text of this moment belongs into; nobody's on a public line, on a free one, and
        when it came before the line was handed over."""
        if self.kind != LineKind.DEDICATED or (self.owned_since is not None and moment < self.owned_since):
            return None
        return self.account_id


def sender_of(text: str) -> str:
    """98 and ten digits of an Iranian mobile number; anything else as it came, written so that it fits an address and
    turns nothing round it to the other direction."""
    number = phone.normalise(text)
    if number is not None:
        return str(number)
    sender = " ".join(text.translate(_TURNING).replace("/", " ").split())[:SENDER_LENGTH].strip()
    return sender if sender.strip(".") else NO_SENDER  # dots alone would lead elsewhere


def is_mobile(sender: str) -> bool:
    """Whether a sender as it is kept is a mobile number, which can be answered."""
    return str(phone.normalise(sender)) == sender


def line_of(text: str, *, operator_code: str) -> str:
    """The digits of a line as they are stored; what is no line of this operator as it came."""
    try:
        return canonical_number(text, operator_code=operator_code)
    except UnusableLine:
        return text.strip()


def parts_of(body: str) -> int:
    """How many parts a text has, at least one."""
    return min(max(1, measure(body).parts), MOST_PARTS)


def keys_of(text: Arrived) -> list[bytes]:
    """The keys by which a repeat of a text is known, its own first: one where the operator tells an id or a moment,
    else this stretch of time and the one before it."""
    if text.operator_ref:
        return [_hash("ref", text.line_number, text.operator_ref, text.body)]
    known = (text.line_number, sender_of(text.sender), text.body, str(text.missing))
    if text.sent_at is not None:
        return [_hash("moment", *known, str(int(text.sent_at.timestamp())))]
    stretch = int(text.received_at.timestamp()) // REPEAT_SECONDS
    return [_hash("stretch", *known, str(each)) for each in (stretch, stretch - 1)]


def _hash(*words: str) -> bytes:
    made = sha256()
    for word in words:
        raw = word.encode(errors="replace")
        made.update(len(raw).to_bytes(8) + raw)
    return made.digest()


@dataclass(slots=True)
class Kept:
    """A text as it is put into the inbox."""

    key: bytes
    text: Arrived
    times: int = 1


def once_each(texts: Sequence[Arrived], known: frozenset[tuple[int, bytes]]) -> list[Kept]:
    """Each text once, with how often it came; `known` are the keys of their gateways that are there already."""
    found: dict[tuple[int, bytes], Kept] = {}
    for text in texts:
        keys = keys_of(text)
        places = [(text.gateway_id, key) for key in keys]
        place = next((each for each in places if each in found or each in known), places[0])
        if place in found:
            found[place].times += 1
        else:
            found[place] = Kept(place[1], text)
    return list(found.values())


def stretch_of(moment: datetime) -> int:
    """The thirty days in which a moment lies, as the index of words knows them."""
    return int(moment.timestamp()) // STRETCH_SECONDS


def words_of(search: str) -> str:
    """What somebody searches for as a query of whole words, the last one perhaps not finished; empty for none."""
    plain = search[:SEARCH_LENGTH].translate(_FOLD)
    words = ["".join(letter for letter in word if letter.isalnum() or letter == _HALF_SPACE) for word in plain.split()]
    wanted = [f"'{word}'" for word in words if word.strip(_HALF_SPACE)]
    return " & ".join([*wanted[:-1], f"{wanted[-1]}:*"]) if wanted else ""
