"""Writes of an account's lines: names and colours, shares with accounts below, the usual way on."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sms.accounts.operations import record
from sms.accounts.tree.queries import below, is_within
from sms.core.actor import Actor
from sms.core.db import execute, row, rows
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.own.queries import MyLine, answering_beside, find_line, my_line, my_lines, sub_account_called
from sms.lines.own.rules import PlanStep, check_colour, check_plan
from sms.lines.queries import public_lines
from sms.lines.rules import check_alias

_OF_TREE = """accounts_account a, accounts_account top
WHERE s.line_id = :id AND s.account_id = a.id AND top.id = :other AND starts_with(a.path, top.path)
"""
_SEND_ONLY = f"UPDATE lines_share s SET is_two_way = false FROM {_OF_TREE} AND s.is_two_way"  # noqa: S608 - our own words
_END = f"DELETE FROM lines_share s USING {_OF_TREE} RETURNING s.account_id"  # noqa: S608 - our own words


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
    """Let an account below send from a line one has; returns its id. Raises NotFound or Refusal."""
    other_id = sub_account_called(account_id, username)
    hand_out(line_id=line_id, account_id=account_id, other_id=other_id, by=by, at=at)
    return other_id


def hand_out(
    *, line_id: int, account_id: int, other_id: int, is_two_way: bool | None = None, by: Actor, at: datetime
) -> None:
    """Hand a line one has, one's own or a shared one, to an account below, two-way or send-only (None: as it is, at
    first send-only); an account further down needs the one above it to have the line.

    Raises NotFound; Refusal when the one above it lacks the line, or somebody else gets the replies.
    """
    mine = _held(account_id, line_id)
    other = below(account_id, other_id)
    above = mine if other.parent_id == account_id else find_line(other.parent_id, line_id)
    if above is None:
        raise Refusal(N_("The reseller above this account does not have the line itself."))
    if is_two_way:
        if not above.is_two_way:
            raise Refusal(N_("Replies to this line do not reach the account above, so they cannot be handed on."))
        if (taken := answering_beside(line_id, other_id)) is not None:
            raise Refusal(N_("Replies to this line reach %(name)s; take them back there first."), name=taken)
    made = row(
        """INSERT INTO lines_share (line_id, account_id, shared_by, shared_at, is_two_way)
           VALUES (:line_id, :other, :by, :at, coalesce(CAST(:is_two_way AS boolean), false))
           ON CONFLICT (line_id, account_id) DO UPDATE SET is_two_way = CAST(:is_two_way AS boolean)
           WHERE lines_share.is_two_way <> CAST(:is_two_way AS boolean) RETURNING is_two_way""",
        line_id=line_id,
        other=other_id,
        by=by.id,
        at=at,
        is_two_way=is_two_way,
    )
    if made is None:
        return
    if not made.is_two_way:
        execute(_SEND_ONLY, id=line_id, other=other_id)
    details = {"number": mine.number, "is_two_way": made.is_two_way}
    _audit("line.shared", line_id, details, account_id=other_id, by=by, at=at)


def end_share(*, line_id: int, account_id: int, other_id: int, by: Actor, at: datetime) -> None:
    """Take a line back from an account below and from all below that; what waits on it goes out no more. Raises
    NotFound."""
    mine = _held(account_id, line_id)
    if not is_within(account_id, other_id) or find_line(other_id, line_id) is None or other_id == account_id:
        raise NotFound(N_("The line is not shared with this account."))
    ended = rows(_END, id=line_id, other=other_id)
    for share in ended:
        _audit("line.share_ended", line_id, {"number": mine.number}, account_id=share.account_id, by=by, at=at)


def end_shares_of(*, account_id: int) -> None:
    """An account that is closed has no line of others any more."""
    execute("DELETE FROM lines_share WHERE account_id = :id", id=account_id)


def _held(account_id: int, line_id: int) -> MyLine:
    """A line that the account has; held, so that it is not handed to somebody else or taken away meanwhile."""
    row("SELECT id FROM lines_line WHERE id = :id FOR NO KEY UPDATE", id=line_id)
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
