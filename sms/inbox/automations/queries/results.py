"""Reads of what automations have done: the log, votes, codes, answers, members and draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import release, row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.inbox.automations.rules.drawing import Entry, Winner, draw, fingerprint
from sms.inbox.automations.rules.kinds import Automation, Kind

_SLICE = 5_000

# The log. What was sent, mailed and posted stands in its own table, under the same text and automation.
_LOG = """
SELECT c.id, c.text_id, c.automation_id, c.result, c.keyword, c.detail, c.stop, c.forward_stop, c.groups,
       c.after_send_id, c.at, a.name, m.sender, m.body, m.received_at, r.state AS reply_state, r.body AS reply_body,
       r.campaign_id AS reply_campaign_id, r.problem AS reply_problem, r.problem_params AS reply_params,
       f.state AS forward_state, f.recipient AS forward_recipient, f.campaign_id AS forward_campaign_id,
       f.problem AS forward_problem, f.problem_params AS forward_params, e.state AS mail_state, e.recipient AS mail_to,
       e.problem AS mail_problem, d.id AS delivery_id, d.state AS delivery_state, d.hook_id
FROM inbox_act c JOIN inbox_automation a ON a.id = c.automation_id JOIN inbox_message m ON m.id = c.text_id
LEFT JOIN inbox_auto_send r ON r.text_id = c.text_id AND r.automation_id = c.automation_id AND r.kind = 'reply'
LEFT JOIN inbox_auto_send f ON f.text_id = c.text_id AND f.automation_id = c.automation_id AND f.kind = 'forward'
LEFT JOIN inbox_mail e ON e.text_id = c.text_id AND e.automation_id = c.automation_id
LEFT JOIN inbox_delivery d ON d.text_id = c.text_id AND d.hook_id = a.hook_id
"""


def log(
    account_id: int, line_id: int, *, automation_id: int | None, before: int | None, most: int
) -> Sequence[Row[Any]]:
    """What was done with the newest texts to a line, by all automations or one."""
    conditions = ["c.account_id = :account_id", "c.line_id = :line_id"]
    params: dict[str, object] = {"account_id": account_id, "line_id": line_id}
    for condition, name, value in (
        ("c.automation_id = :automation_id", "automation_id", automation_id),
        ("c.id < :before", "before", before),
    ):
        if value is not None:
            conditions.append(condition)
            params[name] = value
    return rows(f"{_LOG} WHERE {' AND '.join(conditions)} ORDER BY c.id DESC LIMIT :most", most=most, **params)


# Polls


@dataclass(frozen=True, slots=True)
class Tally:
    """The votes for each option, by its number; `last_at` is when one came last."""

    counts: dict[int, int]
    last_at: datetime | None

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def tally(automation_id: int) -> Tally:
    """How a poll stands."""
    found = rows(
        """SELECT option_id, count(*) AS votes, max(voted_at) AS last_at FROM inbox_vote
           WHERE automation_id = :id GROUP BY option_id""",
        id=automation_id,
    )
    return Tally({each.option_id: each.votes for each in found}, max((each.last_at for each in found), default=None))


# Codes


def code_counts(automation_id: int) -> Row[Any]:
    """How many codes there are, and how many were used (total, used)."""
    found = row(
        "SELECT count(*) AS total, count(used_text_id) AS used FROM inbox_code WHERE automation_id = :id",
        id=automation_id,
    )
    if found is None:
        raise RuntimeError("a count has a row")
    return found


def codes(automation_id: int, *, after: str, most: int) -> Sequence[Row[Any]]:
    """Codes in order, those behind `after`."""
    return rows(
        """SELECT code, given, reply, used_by, used_at FROM inbox_code
           WHERE automation_id = :id AND code > :after ORDER BY code LIMIT :most""",
        id=automation_id,
        after=after,
        most=most,
    )


def every_code(automation_id: int) -> Iterator[Sequence[Row[Any]]]:
    """All codes, some thousands at a time."""
    after = ""
    while found := codes(automation_id, after=after, most=_SLICE):
        after = found[-1].code
        yield found
        release()


# Answers


def answer_counts(automation_id: int) -> Row[Any]:
    """How many numbers have answered a contest, and how many rightly (total, right)."""
    found = row(
        """SELECT count(*) AS total, count(*) FILTER (WHERE is_right) AS is_right FROM inbox_answer
           WHERE automation_id = :id""",
        id=automation_id,
    )
    if found is None:
        raise RuntimeError("a count has a row")
    return found


# Members


def member_counts(automation_id: int) -> Row[Any]:
    """How many have joined, and how many are being asked (joined, asked)."""
    found = row(
        """SELECT count(*) FILTER (WHERE step IS NULL) AS joined, count(*) FILTER (WHERE step IS NOT NULL) AS asked
           FROM inbox_member WHERE automation_id = :id""",
        id=automation_id,
    )
    if found is None:
        raise RuntimeError("a count has a row")
    return found


def members(automation_id: int, *, after: tuple[datetime, str] | None, most: int) -> Sequence[Row[Any]]:
    """Who has joined, in the order of joining, those behind a moment and a sender."""
    behind = "AND (joined_at, sender) > (CAST(:at AS timestamptz), :sender)" if after is not None else ""
    params = {"at": after[0], "sender": after[1]} if after is not None else {}
    return rows(
        f"""SELECT sender, answers, joined_at FROM inbox_member WHERE automation_id = :id AND step IS NULL {behind}
            ORDER BY joined_at, sender LIMIT :most""",  # noqa: S608 - our own words
        id=automation_id,
        most=most,
        **params,
    )


def every_member(automation_id: int) -> Iterator[Sequence[Row[Any]]]:
    """All who have joined, some thousands at a time."""
    after: tuple[datetime, str] | None = None
    while found := members(automation_id, after=after, most=_SLICE):
        after = (found[-1].joined_at, found[-1].sender)
        yield found
        release()


# Draws

_ENTRIES = {
    Kind.CODES: "SELECT used_text_id AS text_id, used_by AS sender FROM inbox_code"
    " WHERE automation_id = :id AND used_text_id IS NOT NULL AND used_text_id <= :last",
    Kind.CONTEST: "SELECT text_id, sender FROM inbox_answer"
    " WHERE automation_id = :id AND is_right AND text_id <= :last",
    Kind.POLL: "SELECT text_id, sender FROM inbox_vote WHERE automation_id = :id AND text_id <= :last",
}
DRAWN = frozenset(_ENTRIES)


def entries(automation: Automation, *, last_text_id: int = 2**63 - 1) -> list[Entry]:
    """Who takes part in a draw: codes that were accepted, right answers, votes."""
    found = rows(_ENTRIES[automation.kind] + " ORDER BY 1", id=automation.id, last=last_text_id)
    return [Entry(each.text_id, each.sender) for each in found]


def draws(automation_id: int) -> Sequence[Row[Any]]:
    """Every draw, the newest first."""
    return rows(
        """SELECT id, seed, wanted, last_text_id, entry_count, fingerprint, drawn_at FROM inbox_draw
           WHERE automation_id = :id ORDER BY id DESC""",
        id=automation_id,
    )


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw, what it brought, and what comes out when it is done again now."""

    id: int
    seed: str
    wanted: int
    entry_count: int
    fingerprint: str
    drawn_at: datetime
    last_text_id: int
    winners: Sequence[Row[Any]]
    again: Sequence[Winner]
    fingerprint_again: str

    @property
    def holds(self) -> bool:
        """Whether the same winners come out of the same entries."""
        kept = [(each.place, each.text_id, each.sender) for each in self.winners]
        return self.fingerprint == self.fingerprint_again and kept == [each[:3] for each in self.again]


def drawn(automation: Automation, draw_id: int) -> Drawn:
    """One draw with its check; raises NotFound."""
    found = next((each for each in draws(automation.id) if each.id == draw_id), None)
    if found is None:
        raise NotFound(N_("There is no such draw."))
    taking_part = entries(automation, last_text_id=found.last_text_id)
    return Drawn(
        **found._mapping,
        winners=rows(
            "SELECT place, text_id, sender FROM inbox_draw_winner WHERE draw_id = :id ORDER BY place", id=draw_id
        ),
        again=draw(taking_part, seed=found.seed, count=found.wanted),
        fingerprint_again=fingerprint(taking_part),
    )


def has_votes(automation_id: int, option_ids: Sequence[int]) -> bool:
    """Whether somebody has voted for one of these."""
    return bool(
        scalar(
            "SELECT EXISTS (SELECT FROM inbox_vote WHERE automation_id = :id AND option_id = ANY(:options))",
            id=automation_id,
            options=list(option_ids),
        )
    )
