"""Reads of an account's lines, its own and those shared with it, of their shares, and of its usual way on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.lines.own.rules import PlanStep
from sms.lines.queries import NO_SUCH_LINE, usable_lines
from sms.lines.rules import Window, check_window


@dataclass(frozen=True, slots=True)
class MyLine:
    """A line as its account, or one it is shared with, keeps it. `colour` is empty where the operator's is shown;
    `place` is its place in the usual plan; a shared line has the account right above as its `owner_name`, as it has
    the line from there."""

    id: int
    number: str
    service_class: str
    is_active: bool
    opens_at: time | None
    closes_at: time | None
    alias: str
    colour: str
    is_own: bool
    is_two_way: bool
    owner_name: str
    share_count: int
    place: int | None
    operator_id: int
    operator_code: str
    operator_name_fa: str
    operator_name_en: str
    operator_colour: str

    @property
    def window(self) -> Window | None:
        """Its hours; None when it is always open."""
        return check_window(self.opens_at, self.closes_at)

    @property
    def shown_colour(self) -> str:
        """The colour it is shown in."""
        return self.colour or self.operator_colour


_MINE = """
SELECT l.id, l.number, l.service_class, l.is_active, l.opens_at, l.closes_at, coalesce(s.alias, l.alias) AS alias,
       coalesce(s.colour, l.colour) AS colour, s.line_id IS NULL AS is_own, coalesce(s.is_two_way, true) AS is_two_way,
       CASE WHEN s.line_id IS NULL THEN a.name ELSE above.name END AS owner_name,
       (SELECT count(*) FROM lines_share x WHERE x.line_id = l.id AND s.line_id IS NULL) AS share_count,
       (SELECT p.place FROM lines_plan p WHERE p.line_id = l.id AND p.account_id = :account_id) AS place,
       o.id AS operator_id, o.code AS operator_code, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en,
       o.colour AS operator_colour
FROM lines_line l JOIN operators_operator o ON o.id = l.operator_id JOIN accounts_account a ON a.id = l.account_id
LEFT JOIN lines_share s ON s.line_id = l.id AND s.account_id = :account_id
LEFT JOIN accounts_account me ON me.id = s.account_id LEFT JOIN accounts_account above ON above.id = me.parent_id
WHERE (l.account_id = :account_id OR s.line_id IS NOT NULL)
"""


def my_lines(account_id: int) -> list[MyLine]:
    """All dedicated lines an account may send from, also those switched off: its own and shared ones, by operator."""
    found = rows(_MINE + "ORDER BY o.code, l.number", account_id=account_id)
    return [MyLine(**line._mapping) for line in found]


def my_line(account_id: int, line_id: int) -> MyLine:
    """One of them; raises NotFound, also for anybody else's."""
    found = find_line(account_id, line_id)
    if found is None:
        raise NotFound(NO_SUCH_LINE)
    return found


def find_line(account_id: int, line_id: int) -> MyLine | None:
    """The same; None where it is not there or somebody else's."""
    found = row(_MINE + "AND l.id = :line_id", account_id=account_id, line_id=line_id)
    return MyLine(**found._mapping) if found else None


def answering(line_id: int) -> int | None:
    """The account that replies to a line reach: its owner, or the last of those it was handed to two-way; None while it
    belongs to nobody."""
    found = scalar(
        """SELECT h.account_id FROM (
               SELECT account_id FROM lines_line WHERE id = :id AND account_id IS NOT NULL
               UNION ALL SELECT account_id FROM lines_share WHERE line_id = :id AND is_two_way
           ) h JOIN accounts_account a ON a.id = h.account_id ORDER BY length(a.path) DESC, a.id LIMIT 1""",
        id=line_id,
    )
    return int(found) if found is not None else None


def answering_beside(line_id: int, account_id: int) -> str | None:
    """The name of an account, neither above nor below another one, that replies to a line reach; None without any."""
    found = scalar(
        """SELECT o.name FROM lines_share s JOIN accounts_account o ON o.id = s.account_id
           JOIN accounts_account a ON a.id = :account_id
           WHERE s.line_id = :id AND s.is_two_way AND NOT starts_with(a.path, o.path)
             AND NOT starts_with(o.path, a.path) ORDER BY o.path LIMIT 1""",
        id=line_id,
        account_id=account_id,
    )
    return str(found) if found is not None else None


def shares(line_id: int, *, within: int) -> Sequence[Row[Any]]:
    """The accounts below one that a line is handed to, by name; `is_two_way` are those that replies may reach."""
    return rows(
        """SELECT s.account_id, a.name, a.state, s.shared_at, s.is_two_way FROM lines_share s
           JOIN accounts_account a ON a.id = s.account_id JOIN accounts_account top ON top.id = :within
           WHERE s.line_id = :id AND a.id <> top.id AND starts_with(a.path, top.path) ORDER BY a.name, a.id""",
        id=line_id,
        within=within,
    )


def has_sub_accounts(account_id: int) -> bool:
    """Whether there is anybody an account could share a line with."""
    return bool(scalar("SELECT EXISTS (SELECT FROM accounts_account WHERE parent_id = :id)", id=account_id))


def sub_account_called(account_id: int, username: str) -> int:
    """The account of a user somewhere below an account; raises NotFound, also for anybody else's user."""
    found = scalar(
        """SELECT a.id FROM accounts_user u JOIN accounts_account a ON a.id = u.account_id
           JOIN accounts_account top ON top.id = :account_id
           WHERE u.username = :username AND a.id <> top.id AND starts_with(a.path, top.path) AND a.state <> 'closed'""",
        account_id=account_id,
        username=username.strip().lower(),
    )
    if found is None:
        raise NotFound(N_("None of your customers is called %(username)s."), username=username.strip())
    return int(found)


# The usual way on


def plan(account_id: int) -> list[PlanStep]:
    """An account's plan as it was set, in its order."""
    found = rows("SELECT line_id, most_percent FROM lines_plan WHERE account_id = :id ORDER BY place", id=account_id)
    return [PlanStep(step.line_id, step.most_percent) for step in found]


def default_plan(account_id: int, *, at: datetime) -> list[PlanStep]:
    """The lines a new send goes on over when its operator is down, in order: those of the plan that the account may
    still send from. The caller leaves out the line of the send itself."""
    usable = {line.id for line in usable_lines(account_id, at=at) if line.paid_refusal is None}
    return [step for step in plan(account_id) if step.line_id in usable]
