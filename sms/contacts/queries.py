"""Reads of contacts: groups and their members by keyset, names of numbers, and opt-outs, made to be asked a million
times within one acceptance."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from sms.core.db import db, release, row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_

NO_SUCH_GROUP = N_("There is no such group.")
_AT_A_TIME = 10_000
_SLICE = 20_000
_NOBODY: Set[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """Numbers that an account sends to together."""

    id: int
    name: str
    member_count: int
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """One of a group: 98 and ten digits, what he is called, and where he came from."""

    mobile: int
    name: str
    added_at: datetime
    source: str


def groups(account_id: int) -> list[Group]:
    """The groups of an account, by name."""
    found = rows(
        "SELECT id, name, member_count, created_at, changed_at FROM contacts_group WHERE account_id = :account_id"
        " ORDER BY lower(name), id",
        account_id=account_id,
    )
    return [Group(**each._mapping) for each in found]


def group(account_id: int, group_id: int) -> Group:
    """One group of an account; raises NotFound, also for somebody else's."""
    found = row(
        "SELECT id, name, member_count, created_at, changed_at FROM contacts_group"
        " WHERE id = :id AND account_id = :account_id",
        id=group_id,
        account_id=account_id,
    )
    if found is None:
        raise NotFound(NO_SUCH_GROUP)
    return Group(**found._mapping)


def members(account_id: int, group_id: int, *, after: int = 0, most: int, mobile: int | None = None) -> list[Member]:
    """The next members of a group behind a number, by number; only this one where `mobile` is given. Nobody in a group
    of somebody else."""
    found = rows(
        """SELECT m.mobile, m.name, m.added_at, m.source FROM contacts_member m
           WHERE m.group_id = (SELECT id FROM contacts_group WHERE id = :id AND account_id = :account_id)
             AND m.mobile > :after AND (CAST(:mobile AS bigint) IS NULL OR m.mobile = :mobile)
           ORDER BY m.mobile LIMIT :most""",
        id=group_id,
        account_id=account_id,
        after=after,
        mobile=mobile,
        most=most,
    )
    return [Member(**each._mapping) for each in found]


def every_member(account_id: int, group_id: int) -> Iterator[list[Member]]:
    """All members of a group, some thousands at a time, for a download."""
    after = 0
    while found := members(account_id, group_id, after=after, most=_SLICE):
        after = found[-1].mobile
        yield found
        release()


def numbers(account_id: int, group_id: int) -> Iterator[Sequence[int]]:
    """All numbers of a group as they are at this moment, some thousands at a time, within the caller's transaction."""
    found = db.session.execute(
        text(
            "SELECT m.mobile FROM contacts_member m WHERE m.group_id ="
            " (SELECT id FROM contacts_group WHERE id = :id AND account_id = :account_id) ORDER BY m.mobile"
        ),
        {"id": group_id, "account_id": account_id},
        execution_options={"yield_per": _AT_A_TIME},
    )
    for some in found.partitions():
        yield [each.mobile for each in some]


def names_of(account_id: int, mobiles: Iterable[int]) -> Mapping[int, str]:
    """What an account calls these numbers (98…), those it has a name for; of several names the one given last."""
    wanted = sorted(set(mobiles))
    if not wanted:
        return {}
    found = rows(
        """SELECT DISTINCT ON (m.mobile) m.mobile, m.name FROM contacts_member m
           JOIN contacts_group g ON g.id = m.group_id AND g.account_id = :account_id
           WHERE m.mobile = ANY(:mobiles) AND m.name <> '' ORDER BY m.mobile, m.added_at DESC, m.group_id""",
        account_id=account_id,
        mobiles=wanted,
    )
    return {each.mobile: each.name for each in found}


def name_of(account_id: int, mobile: int) -> str:
    """What an account calls a number; empty when it has no name for it."""
    return names_of(account_id, [mobile]).get(mobile, "")


# Opt-outs


@dataclass(frozen=True, slots=True)
class Suppression:
    """The recipients an account must not write to: over no line at all, and over single lines.

    Plain sets of numbers: 100,000 opt-outs take about 7 MB and a question some 100 ns.
    """

    everywhere: Set[int] = frozenset()
    by_line: dict[int, Set[int]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nobody has opted out, so that nobody need be asked about."""
        return not self.everywhere and not self.by_line

    def covers(self, recipient: int, line_id: int) -> bool:
        """Whether a recipient must not be written to over a line."""
        return recipient in self.everywhere or recipient in self.by_line.get(line_id, _NOBODY)


# Its own; of lines that are shared with it, what their owners know; of public lines, what everybody must know.
_SUPPRESSED = """
SELECT recipient, line_id FROM contacts_optout WHERE account_id = :account_id
UNION ALL
SELECT o.recipient, o.line_id FROM lines_share s JOIN lines_line l ON l.id = s.line_id
JOIN contacts_optout o ON o.line_id = l.id AND o.account_id = l.account_id
WHERE s.account_id = :account_id AND l.account_id <> :account_id
UNION ALL
SELECT recipient, line_id FROM contacts_optout WHERE account_id IS NULL
"""


def suppression(account_id: int) -> Suppression:
    """All opt-outs that hold for an account, read as a stream."""
    everywhere: set[int] = set()
    by_line: defaultdict[int, set[int]] = defaultdict(set)
    found = db.session.execute(
        text(_SUPPRESSED),
        {"account_id": account_id},
        execution_options={"yield_per": _AT_A_TIME},
    )
    for recipient, line_id in found:
        (everywhere if line_id is None else by_line[line_id]).add(recipient)
    return Suppression(everywhere, dict(by_line))


# Not at once: what was being accepted just then is there by now.
NEWS = "is_news AND noted_at <= clock_timestamp() - interval '30 seconds'"


def has_news() -> bool:
    """Whether there are opt-outs for which sends that wait have not been looked through."""
    return bool(scalar(f"SELECT EXISTS (SELECT FROM contacts_optout WHERE {NEWS})"))  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class OptedOut:
    """An entry of the list of those an account must not write to, over one line or (None) over all."""

    id: int
    recipient: int
    line_id: int | None
    line_number: str | None
    reason: str
    source: str
    created_at: datetime


def opted_out(
    account_id: int, *, recipient: int | None = None, line_id: int | None = None, before: int | None = None, most: int
) -> list[OptedOut]:
    """The newest entries below an id, of one recipient or of one line where that is asked."""
    found = rows(
        """SELECT o.id, o.recipient, o.line_id, l.number AS line_number, o.reason, o.source, o.created_at
           FROM contacts_optout o LEFT JOIN lines_line l ON l.id = o.line_id
           WHERE o.account_id = :account_id AND (CAST(:before AS bigint) IS NULL OR o.id < :before)
             AND (CAST(:recipient AS bigint) IS NULL OR o.recipient = :recipient)
             AND (CAST(:line_id AS int) IS NULL OR o.line_id = :line_id)
           ORDER BY o.id DESC LIMIT :most""",
        account_id=account_id,
        before=before,
        recipient=recipient,
        line_id=line_id,
        most=most,
    )
    return [OptedOut(**each._mapping) for each in found]


def every_opted_out(account_id: int) -> Iterator[list[OptedOut]]:
    """All entries, the newest first, some thousands at a time, for a download."""
    before: int | None = None
    while found := opted_out(account_id, before=before, most=_SLICE):
        before = found[-1].id
        yield found
        release()
