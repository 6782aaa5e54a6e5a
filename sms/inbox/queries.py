"""Reads of the inbox: keyset pages by the moment a text came, a conversation, and what nobody owns. Nothing is counted
at page time but unread texts, and of these only the first hundred."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import release, row, rows, scalar
from sms.core.errors import NotFound
from sms.core.ids import first_id_at
from sms.core.text import N_
from sms.inbox.rules import UNREAD_SHOWN, Box, stretch_of, words_of

_SLICE = 5_000
_MOST_SENT = 50  # of what was sent in one stretch of a conversation

_COLUMNS = """
SELECT m.id, m.line_id, m.line_number, m.sender, m.body, m.parts, m.missing, m.sent_at, m.received_at, m.read_at,
       m.archived_at, CASE WHEN m.operator_ref = '' THEN m.times ELSE 1 END AS times,
       CASE WHEN l.account_id = m.account_id THEN l.alias ELSE '' END AS alias,
       coalesce(nullif(l.colour, ''), o.colour) AS colour
FROM inbox_message m
JOIN lines_line l ON l.id = m.line_id
JOIN operators_operator o ON o.id = l.operator_id
"""
_NEWEST_FIRST = "ORDER BY m.received_at DESC, m.id DESC LIMIT :most"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxFilter:
    """What an inbox is narrowed to."""

    box: Box = Box.ALL
    line_id: int | None = None
    label_id: int | None = None
    sender: str = ""
    words: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> tuple[str, dict[str, object]]:
        """As SQL, only with what is asked for, so that each has a plan of its own."""
        found = [_BOXES[self.box]]
        params: dict[str, object] = {}
        for condition, name, value in (
            ("m.line_id = :line_id", "line_id", self.line_id),
            (_LABELLED, "label_id", self.label_id),
            ("m.sender = :sender", "sender", self.sender or None),
            ("m.received_at >= :since", "since", self.since),
            ("m.received_at < :until", "until", self.until),
        ):
            if value is not None:
                found.append(condition)
                params[name] = value
        return " AND ".join(found), params


_LABELLED = """EXISTS (SELECT FROM inbox_labelled d JOIN inbox_label b ON b.id = d.label_id
    WHERE d.label_id = :label_id AND d.line_id = m.line_id AND d.sender = m.sender AND b.account_id = :account_id)"""
_BOXES = {
    Box.ALL: "m.archived_at IS NULL",
    Box.UNREAD: "m.archived_at IS NULL AND m.read_at IS NULL",
    Box.ARCHIVED: "m.archived_at IS NOT NULL",
}

# What is common is found among the newest texts. What is not is found by the index of words, one stretch of the account
# after another: so neither a rare word is looked for in every text, nor a common one sorted in all of them. A label is
# looked for in each of the conversations it is on, and words in all of its texts, unless these are too many.
_WALKED = 1_000
_MOST_LABELLED = 10_000
_WORDS = "inbox_words(m.account_id, m.received_at, m.body)"
_SAID = f"AND {_WORDS} @@ to_tsquery('simple', :words)"
_AMONG_NEWEST = f"""
WITH newest AS MATERIALIZED (
    SELECT m.* FROM inbox_message m WHERE m.account_id = :account_id AND {{unlabelled}} {{older}}
    ORDER BY m.received_at DESC, m.id DESC LIMIT :walked)
{_COLUMNS.replace("FROM inbox_message m", "FROM newest m")}
WHERE {{narrowed}} {{said}} {_NEWEST_FIRST}
"""  # noqa: S608 - our own words
_IN_STRETCH = f"""
WITH found AS MATERIALIZED (SELECT m.* FROM inbox_message m WHERE m.account_id IS NOT NULL
    AND {_WORDS} @@ (CAST(:stretch AS tsquery) && to_tsquery('simple', :words)))
{_COLUMNS.replace("FROM inbox_message m", "FROM found m")}
WHERE m.account_id = :account_id AND {{narrowed}} {{older}} {_NEWEST_FIRST}
"""  # noqa: S608 - the same
_IN_LABELLED = f"""
WITH found AS MATERIALIZED (
    SELECT x.* FROM inbox_label b JOIN inbox_labelled d ON d.label_id = b.id
    CROSS JOIN LATERAL (
        SELECT m.* FROM inbox_message m
        WHERE m.account_id = :account_id AND m.sender = d.sender AND m.line_id = d.line_id
          AND {{unlabelled}} {{older}}
        ORDER BY m.received_at DESC, m.id DESC LIMIT :walked) x
    WHERE b.id = :label_id AND b.account_id = :account_id
    ORDER BY x.received_at DESC, x.id DESC LIMIT :walked)
{_COLUMNS.replace("FROM inbox_message m", "FROM found m")} WHERE true {{said}} {_NEWEST_FIRST}
"""  # noqa: S608 - the same
_COUNT_LABELLED = """
SELECT count(*) FROM (
    SELECT FROM inbox_label b JOIN inbox_labelled d ON d.label_id = b.id
    JOIN inbox_message m ON m.account_id = :account_id AND m.sender = d.sender AND m.line_id = d.line_id
    WHERE b.id = :label_id AND b.account_id = :account_id LIMIT :most) AS labelled
"""


def texts(account_id: int, wanted: InboxFilter, *, before: int | None, most: int) -> Sequence[Row[Any]]:
    """The newest texts that fit, those that came before text `before`."""
    narrowed, params = wanted.conditions()
    older = _older(account_id, before, params)
    params["account_id"] = account_id
    if words := words_of(wanted.words):
        params["words"] = words
    if words or wanted.label_id is not None:
        return _searched(narrowed, older, params, wanted=wanted, most=most)
    return rows(
        f"{_COLUMNS} WHERE m.account_id = :account_id AND {narrowed} {older} {_NEWEST_FIRST}",
        most=most,
        **params,
    )


def _searched(
    narrowed: str, older: str, params: dict[str, object], *, wanted: InboxFilter, most: int
) -> Sequence[Row[Any]]:
    """The newest texts with these words, or of this label: among the newest there are, else stretch by stretch, or
    conversation by conversation."""
    unlabelled, _params = replace(wanted, label_id=None).conditions()
    said = _SAID if "words" in params else ""
    places = {"narrowed": narrowed, "older": older, "unlabelled": unlabelled, "said": said}
    near = rows(_AMONG_NEWEST.format(**places), **params, walked=_WALKED, most=most)
    if len(near) == most:
        return near
    if wanted.label_id is not None:
        labelled = _IN_LABELLED.format(**places)
        if not said:
            return rows(labelled, **params, walked=most, most=most)
        near = rows(labelled, **params, walked=_WALKED, most=most)
        if len(near) == most:
            return near
        if _labelled_count(params) < _MOST_LABELLED:
            return rows(labelled, **params, walked=_MOST_LABELLED, most=most)
    found: list[Row[Any]] = []
    for stretch in _stretches(wanted, params):
        place = f"'~{params['account_id']}~{stretch}'"
        found += rows(_IN_STRETCH.format(**places), **params, stretch=place, most=most - len(found))
        if len(found) == most:
            break
    return found


def _labelled_count(params: Mapping[str, object]) -> int:
    """How many texts a label is on, counted up to those in which words are looked for one by one."""
    asked = {name: params[name] for name in ("account_id", "label_id")}
    return int(scalar(_COUNT_LABELLED, most=_MOST_LABELLED, **asked))


def _stretches(wanted: InboxFilter, params: Mapping[str, object]) -> Sequence[int]:
    """The stretches of the account in which texts of a filter may lie, the last one first."""
    span = row(
        "SELECT min(m.received_at) AS first, max(m.received_at) AS last FROM inbox_message m"  # noqa: S608 - our own words
        f" WHERE m.account_id = :id AND {_BOXES[wanted.box]}",
        id=params["account_id"],
    )
    if span is None or span.first is None:
        return []
    first = max(span.first, wanted.since or span.first)
    ends = [at for at in (wanted.until, params.get("before_at")) if isinstance(at, datetime)]
    return range(stretch_of(min([span.last, *ends])), stretch_of(first) - 1, -1)


def _older(account_id: int, before: int | None, params: dict[str, object]) -> str:
    """The condition that puts a page behind the text it begins after."""
    if before is None:
        return ""
    found = row(
        "SELECT received_at FROM inbox_message WHERE id = :id AND account_id = :account_id",
        id=before,
        account_id=account_id,
    )
    params |= {"before": before, "before_at": found.received_at if found else None}
    return "AND (m.received_at, m.id) < (CAST(:before_at AS timestamptz), :before)"


def every_text(account_id: int, wanted: InboxFilter) -> Iterator[Sequence[Row[Any]]]:
    """All texts of a filter, newest first, some thousands at a time."""
    before: int | None = None
    while found := texts(account_id, wanted, before=before, most=_SLICE):
        before = found[-1].id
        yield found
        release()


def unread_count(account_id: int) -> int:
    """How many texts are unread, one more than is shown at most."""
    return int(
        scalar(
            """SELECT count(*) FROM (SELECT FROM inbox_message
               WHERE account_id = :account_id AND read_at IS NULL AND archived_at IS NULL LIMIT :most) AS unread""",
            account_id=account_id,
            most=UNREAD_SHOWN + 1,
        )
    )


def has_inbox(account_id: int) -> bool:
    """Whether the account has, or had, a line that texts come to."""
    return bool(
        scalar(
            "SELECT EXISTS (SELECT FROM lines_line WHERE account_id = :id)"  # the order says by which index
            " OR (SELECT line_id FROM inbox_message WHERE account_id = :id ORDER BY line_id LIMIT 1) IS NOT NULL",
            id=account_id,
        )
    )


# Each line of the account, and of those it had: found one after another by the index, never by going through all texts.
_LINES = """
WITH RECURSIVE used AS (
    (SELECT line_id FROM inbox_message WHERE account_id = :id ORDER BY line_id LIMIT 1)
    UNION ALL
    SELECT (SELECT m.line_id FROM inbox_message m WHERE m.account_id = :id AND m.line_id > u.line_id
            ORDER BY m.line_id LIMIT 1)
    FROM used u WHERE u.line_id IS NOT NULL)
SELECT l.id, l.number, CASE WHEN l.account_id = :id THEN l.alias ELSE '' END AS alias FROM lines_line l
WHERE l.account_id = :id OR l.id IN (SELECT line_id FROM used)
ORDER BY l.number
"""


def lines(account_id: int) -> Sequence[Row[Any]]:
    """The lines an account has texts from, or may get some (id, number, alias)."""
    return rows(_LINES, id=account_id)


def line_of(line_id: int) -> Row[Any]:
    """A line's number and operator, for the heading of a conversation; raises NotFound."""
    found = row(
        """SELECT l.id, l.number, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en
           FROM lines_line l JOIN operators_operator o ON o.id = l.operator_id WHERE l.id = :id""",
        id=line_id,
    )
    if found is None:
        raise NotFound(N_("There is no such line."))
    return found


# Conversations


@dataclass(frozen=True, slots=True)
class Said:
    """One text of a conversation."""

    id: int
    is_ours: bool
    body: str
    at: datetime
    is_read: bool = True
    missing: int = 0
    times: int = 1
    message_id: int | None = None  # of ours: its page in the outbox


# What was sent to somebody over a line lies by the account's recipients; a campaign's text is the same for all of them.
_SENT = """
SELECT m.id, c.body || coalesce(b.suffix, '') AS body, c.accepted_at
FROM outbox_message m JOIN outbox_campaign c ON c.id = m.campaign_id LEFT JOIN outbox_batch b ON b.id = m.batch_id
WHERE m.account_id = :account_id AND m.recipient = :recipient AND m.line_id = :line_id AND m.parts > 0
  AND m.id >= :low AND m.id < :high
ORDER BY m.id DESC LIMIT :most
"""


def conversation(
    account_id: int, line_id: int, sender: str, *, before: int | None, most: int
) -> tuple[list[Said], int | None]:
    """What somebody wrote to a line and what was sent to him over it, the oldest first; and the text before which there
    is more. Raises NotFound when he never wrote to this line while it was the account's."""
    params: dict[str, object] = {}
    older = _older(account_id, before, params)
    found = rows(
        f"{_COLUMNS} WHERE m.account_id = :account_id AND m.line_id = :line_id AND m.sender = :sender {older}"
        f" {_NEWEST_FIRST}",
        account_id=account_id,
        line_id=line_id,
        sender=sender,
        most=most + 1,
        **params,
    )
    if not found and before is None:
        raise NotFound(N_("There is no such conversation."))
    theirs, has_more = found[:most], len(found) > most
    said = [
        Said(each.id, False, each.body, each.received_at, each.read_at is not None, each.missing, each.times)
        for each in theirs
    ]
    until = params.get("before_at")
    said += _sent(
        account_id,
        line_id,
        sender,
        low=first_id_at(theirs[-1].received_at) if has_more else 0,
        high=first_id_at(until) if isinstance(until, datetime) else 2**62,
    )
    return sorted(said, key=lambda each: each.at), theirs[-1].id if has_more else None


def _sent(account_id: int, line_id: int, sender: str, *, low: int, high: int) -> list[Said]:
    if not (sender.isascii() and sender.isdigit()):
        return []
    found = rows(
        _SENT,
        account_id=account_id,
        recipient=int(sender),
        line_id=line_id,
        low=low,
        high=high,
        most=_MOST_SENT,
    )
    return [Said(each.id, True, each.body, each.accepted_at, message_id=each.id) for each in found]


# What belongs to nobody

_NOBODYS = """
SELECT m.id, m.line_number, m.sender, m.body, m.missing, m.received_at, m.times, g.name AS gateway_name, l.kind
FROM inbox_message m JOIN operators_gateway g ON g.id = m.gateway_id LEFT JOIN lines_line l ON l.id = m.line_id
WHERE m.account_id IS NULL
"""


def nobodys(*, before: int | None, most: int) -> Sequence[Row[Any]]:
    """Texts to public lines, to free ones and to numbers that are no line of ours, newest first."""
    found = row("SELECT received_at FROM inbox_message WHERE id = :id", id=before) if before is not None else None
    older = "AND (m.received_at, m.id) < (CAST(:at AS timestamptz), :before)" if found is not None else ""
    params = {"at": found.received_at, "before": before} if found is not None else {}
    return rows(f"{_NOBODYS} {older} {_NEWEST_FIRST}", most=most, **params)


# Addresses that texts are pushed to


@dataclass(frozen=True, slots=True)
class LinePush:
    """A line as far as pushed texts go."""

    line_id: int
    number: str
    gateway_id: int
    token_hash: bytes | None
    made_at: datetime | None
    addresses: Sequence[str]

    @property
    def is_open(self) -> bool:
        """Whether there is an address that texts can be pushed to."""
        return self.token_hash is not None


def line_push(line_id: int) -> LinePush | None:
    """How texts are pushed to a line; None when there is no such line."""
    found = row(
        """SELECT l.id, l.number, l.gateway_id, p.token_hash, p.made_at, p.addresses
           FROM lines_line l LEFT JOIN inbox_push p ON p.line_id = l.id WHERE l.id = :id""",
        id=line_id,
    )
    if found is None:
        return None
    token_hash = None if found.token_hash is None else bytes(found.token_hash)
    return LinePush(found.id, found.number, found.gateway_id, token_hash, found.made_at, found.addresses or [])
