"""Writes of an account's lines: names and colours, shares with accounts below, the usual way on."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sms.accounts.operations import record
from sms.core.db import execute, row
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.own.queries import MyLine, my_line, my_lines, sub_account_called
from sms.lines.own.rules import PlanStep, check_colour, check_plan
from sms.lines.queries import NO_SUCH_LINE, public_lines
from sms.lines.rules import check_alias
from sms.operators.operations import Actor


def dress_line(*, line_id: int, account_id: int, alias: str, colour: str, by: Actor, at: datetime) -> None:
    """Give a line the name and the colour it has in an account; an owner and those he shares it with each have their
    own. Raises NotFound or UnusableLine."""
    before = my_line(account_id, line_id)
    wanted = {"alias": check_alias(alias), "colour": check_colour(colour)}
    changes = {name: value for name, value in wanted.items() if getattr(before, name) != value}
    if not changes:
        return
    table, key = ("lines_line", "id") if before.is_own else ("lines_share", "line_id")
    execute(
        f"UPDATE {table} SET alias = :alias, colour = :colour WHERE {key} = :id AND account_id = :account_id",  # noqa: S608 - our own words
        id=line_id,
        account_id=account_id,
        **wanted,
    )
    _audit("line.changed", line_id, changes, account_id=account_id, by=by, at=at)


def share_line(*, line_id: int, account_id: int, username: str, by: Actor, at: datetime) -> int:
    """Let an account below send from one's own line; returns its id. Raises NotFound or Refusal."""
    mine = _own(account_id, line_id)
    other_id = sub_account_called(account_id, username)
    made = execute(
        "INSERT INTO lines_share (line_id, account_id, shared_by, shared_at) VALUES (:line_id, :other, :by, :at)"
        " ON CONFLICT DO NOTHING",
        line_id=line_id,
        other=other_id,
        by=by.id,
        at=at,
    )
    if made:
        _audit("line.shared", line_id, {"number": mine.number}, account_id=other_id, by=by, at=at)
    return other_id


def end_share(*, line_id: int, account_id: int, other_id: int, by: Actor, at: datetime) -> None:
    """Take a shared line back; what waits on it goes out no more. Raises NotFound."""
    mine = _own(account_id, line_id)
    ended = execute(
        "DELETE FROM lines_share WHERE line_id = :line_id AND account_id = :other", line_id=line_id, other=other_id
    )
    if not ended:
        raise NotFound(N_("The line is not shared with this account."))
    _audit("line.share_ended", line_id, {"number": mine.number}, account_id=other_id, by=by, at=at)


def _own(account_id: int, line_id: int) -> MyLine:
    """A line of which the account is the owner; held, so that it is not handed to somebody else meanwhile."""
    held = row(
        "SELECT id FROM lines_line WHERE id = :id AND account_id = :account_id FOR NO KEY UPDATE",
        id=line_id,
        account_id=account_id,
    )
    if held is None:
        raise NotFound(NO_SUCH_LINE)
    return my_line(account_id, line_id)


def set_plan(*, account_id: int, steps: Sequence[PlanStep], by: Actor, at: datetime) -> None:
    """Set an account's usual way on, in its order; an empty one ends it. Raises Refusal."""
    wanted = check_plan(steps)
    known = {line.id for line in my_lines(account_id)} | {line.id for line in public_lines()}
    if any(step.line_id not in known for step in wanted):
        raise Refusal(N_("Choose lines that you may send from."))
    execute("DELETE FROM lines_plan WHERE account_id = :id", id=account_id)
    execute(
        "INSERT INTO lines_plan (account_id, place, line_id, most_percent) SELECT :account_id, n.* FROM"
        " unnest(CAST(:places AS smallint[]), CAST(:lines AS int[]), CAST(:percents AS smallint[])) AS n",
        account_id=account_id,
        places=list(range(1, len(wanted) + 1)),
        lines=[step.line_id for step in wanted],
        percents=[step.most_percent for step in wanted],
    )
    details = {"lines": [step.line_id for step in wanted]}
    record(actor_id=by.id, account_id=account_id, action="lines.plan_set", details=details, at=at, address=by.address)


def _audit(
    action: str, line_id: int, details: Mapping[str, object], *, account_id: int, by: Actor, at: datetime
) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=action,
        subject=f"line:{line_id}",
        details=details,
        at=at,
        address=by.address,
    )
