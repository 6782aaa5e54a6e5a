"""Writes of the numbers that can be sold: added in sets, reserved and released; each step is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sms.accounts.operations import record
from sms.accounts.queries import account
from sms.core.actor import Actor
from sms.core.db import execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.formats.operations import keep_list
from sms.lines.formats.rules.tiers import Tier
from sms.lines.rules import UnusableLine
from sms.lines.stock import queries
from sms.lines.stock.queries import NO_SUCH_NUMBER
from sms.lines.stock.rules import NOTE_LENGTH, Item, NumberState, ReadNumbers, check_move, check_until


def add_numbers(items: Sequence[Item], *, by: Actor, at: datetime) -> list[int]:
    """Add free numbers and ranges; what is there already, or is a line, is left out. Returns the new ids."""
    known = queries.taken(items)
    wanted = [item for item in items if (item.number, item.digits) not in known]
    added = rows(
        """INSERT INTO lines_number (operator_id, kind, number, digits, score, scored_tier, override_tier, note, state,
               created_at, state_at)
           SELECT w.*, 'free', :at, :at
           FROM unnest(CAST(:operators AS smallint[]), CAST(:kinds AS text[]), CAST(:numbers AS text[]),
               CAST(:digits AS smallint[]), CAST(:scores AS smallint[]), CAST(:tiers AS text[]),
               CAST(:overrides AS text[]), CAST(:notes AS text[])) AS w
           ON CONFLICT DO NOTHING RETURNING id""",
        operators=[item.operator_id for item in wanted],
        kinds=[str(item.kind) for item in wanted],
        numbers=[item.number for item in wanted],
        digits=[item.digits for item in wanted],
        scores=[item.score for item in wanted],
        tiers=[str(item.tier) for item in wanted],
        overrides=[str(item.override) if item.override else None for item in wanted],
        notes=[item.note for item in wanted],
        at=at,
    )
    ids = [each.id for each in added]
    if ids:
        _audit("line_numbers.added", "line_numbers", {"count": len(ids)}, by=by, at=at)
    return ids


def change_number(*, number_id: int, override: Tier | None, note: str, by: Actor, at: datetime) -> None:
    """Sell a number as another tier than its digits come to (None: as they come to), and keep a note about it."""
    before = _locked(number_id)
    trimmed = " ".join(note.split())
    if len(trimmed) > NOTE_LENGTH:
        raise UnusableLine("note", N_("A note has at most %(most)s characters."), most=NOTE_LENGTH)
    tier = str(override) if override else None
    if (before.override_tier, before.note) != (tier, trimmed):
        execute(
            "UPDATE lines_number SET override_tier = :tier, note = :note WHERE id = :id",
            id=number_id,
            tier=tier,
            note=trimmed,
        )
        _audit("line_number.changed", f"line_number:{number_id}", {"tier": tier, "note": trimmed}, by=by, at=at)


def reserve(*, number_id: int, account_id: int, until: datetime | None, reason: str, by: Actor, at: datetime) -> None:
    """Keep a free number for an account until a moment. Of two who want it one gets it, the other a Refusal."""
    ends = check_until(until, at)
    account(account_id)
    got = scalar(
        """UPDATE lines_number SET state = 'reserved', reserved_until = :until, account_id = :account, state_at = :at
           WHERE id = :id AND state = 'free' RETURNING id""",
        id=number_id,
        until=ends,
        account=account_id,
        at=at,
    )
    if got is None:
        queries.number(number_id)
        raise Refusal(N_("This number is not free any more: somebody was faster."))
    _step(number_id, NumberState.FREE, NumberState.RESERVED, account_id=account_id, reason=reason, by=by, at=at)


def release(*, number_id: int, reason: str, by: Actor, at: datetime) -> None:
    """Make a reserved or expired number free again. Raises NotFound, Refusal."""
    before = _locked(number_id)
    check_move(NumberState(before.state), NumberState.FREE)
    _refuse_ordered(number_id)
    execute(
        """UPDATE lines_number SET state = 'free', reserved_until = NULL, account_id = NULL, line_id = NULL,
               state_at = :at WHERE id = :id""",
        id=number_id,
        at=at,
    )
    _step(
        number_id,
        NumberState(before.state),
        NumberState.FREE,
        account_id=before.account_id,
        reason=reason,
        by=by,
        at=at,
    )


def _refuse_ordered(number_id: int) -> None:
    if row(
        """SELECT 1 AS one FROM lines_order WHERE number_id = :id AND state IN ('approved', 'purchased') LIMIT 1""",
        id=number_id,
    ):
        raise Refusal(N_("An order for this number has been paid: cancel the order first."))


def hand_over(*, number_id: int, account_id: int, line_id: int, reason: str, by: Actor, at: datetime) -> None:
    """A reserved number has become a line of its owner. Raises NotFound, Refusal when it is another's reservation."""
    before = _locked(number_id)
    check_move(NumberState(before.state), NumberState.ACTIVE)
    if before.account_id != account_id:
        raise Refusal(N_("This number is reserved for somebody else."))
    execute(
        """UPDATE lines_number SET state = 'active', reserved_until = NULL, line_id = :line, state_at = :at
           WHERE id = :id""",
        id=number_id,
        line=line_id,
        at=at,
    )
    _step(
        number_id,
        NumberState(before.state),
        NumberState.ACTIVE,
        account_id=account_id,
        reason=reason,
        by=by,
        at=at,
    )


def move(*, number_id: int, to: NumberState, reason: str, by: Actor, at: datetime) -> None:
    """Suspend, expire or revive a number that has an owner. Raises NotFound, Refusal."""
    before = _locked(number_id)
    state = NumberState(before.state)
    if to in {NumberState.FREE, NumberState.RESERVED} or state is NumberState.RESERVED:
        raise Refusal(N_("The number is not in a state for that; somebody was faster."))
    check_move(state, to)
    execute("UPDATE lines_number SET state = :to, state_at = :at WHERE id = :id", id=number_id, to=str(to), at=at)
    _step(number_id, state, to, account_id=before.account_id, reason=reason, by=by, at=at)


def remove(*, number_id: int, by: Actor, at: datetime) -> None:
    """Take a free number that was never ordered out of the inventory. Raises NotFound, Refusal."""
    before = _locked(number_id)
    is_ordered = row("SELECT 1 AS one FROM lines_order WHERE number_id = :id LIMIT 1", id=number_id)
    if before.state != NumberState.FREE or is_ordered:
        raise Refusal(N_("Only a free number that was never ordered can be removed."))
    execute("DELETE FROM lines_number WHERE id = :id", id=number_id)
    _audit("line_number.removed", f"line_number:{number_id}", {"number": before.number}, by=by, at=at)


_END = """
WITH over AS (
    SELECT n.id, n.account_id FROM lines_number n
    WHERE n.state = 'reserved' AND n.reserved_until <= :at
      AND NOT EXISTS (SELECT FROM lines_order o WHERE o.number_id = n.id AND o.state IN ('approved', 'purchased'))
    ORDER BY n.reserved_until LIMIT :most FOR UPDATE SKIP LOCKED),
freed AS (
    UPDATE lines_number n SET state = 'free', reserved_until = NULL, account_id = NULL, state_at = :at
    FROM over WHERE n.id = over.id RETURNING n.id)
INSERT INTO lines_number_step (number_id, from_state, to_state, account_id, reason, moved_at)
SELECT over.id, 'reserved', 'free', over.account_id, '', :at FROM over JOIN freed ON freed.id = over.id
"""


def end_reservations(*, most: int, at: datetime) -> int:
    """Free what was reserved until now, unless money is held for it; returns how many."""
    return execute(_END, most=most, at=at)


def _locked(number_id: int) -> queries.NumberView:
    if row("SELECT id FROM lines_number WHERE id = :id FOR UPDATE", id=number_id) is None:
        raise NotFound(NO_SUCH_NUMBER)
    return queries.number(number_id)


def _step(
    number_id: int,
    state: NumberState,
    to: NumberState,
    *,
    account_id: int | None,
    reason: str,
    by: Actor,
    at: datetime,
) -> None:
    execute(
        """INSERT INTO lines_number_step (number_id, from_state, to_state, actor_id, account_id, reason, moved_at)
           VALUES (:id, :from_state, :to_state, :actor, :account, :reason, :at)""",
        id=number_id,
        from_state=str(state),
        to_state=str(to),
        actor=by.id,
        account=account_id,
        reason=" ".join(reason.split())[:NOTE_LENGTH],
        at=at,
    )


# Imports


def keep_import(*, read: ReadNumbers, file_name: str, by: Actor, at: datetime) -> int:
    """Keep what a list holds until somebody has looked at it; returns its id."""
    items = [
        [
            item.operator_id,
            str(item.kind),
            item.number,
            item.digits,
            item.score,
            str(item.tier),
            str(item.override) if item.override else None,
            item.note,
        ]
        for item in read.items.values()
    ]
    return keep_list(
        kind="numbers",
        items=items,
        problems=[[each.place, each.message, each.params] for each in read.problems],
        problem_count=read.problem_count,
        file_name=file_name,
        by=by,
        at=at,
    )


def apply_import(*, import_id: int, by: Actor, at: datetime) -> int:
    """Add what a list holds, once; returns how many numbers were new. Raises NotFound, Refusal."""
    found = row(
        """UPDATE lines_import SET applied_at = :at WHERE id = :id AND kind = 'numbers' AND applied_at IS NULL
           RETURNING *""",
        id=import_id,
        at=at,
    )
    if found is None:
        applied = queries.number_import(import_id)
        raise Refusal(N_("The file %(name)s has been applied already."), name=applied.file_name)
    return len(add_numbers(queries.items_of_import(found), by=by, at=at))


def _audit(action: str, subject: str, details: Mapping[str, object], *, by: Actor, at: datetime) -> None:
    record(actor_id=by.id, account_id=None, action=action, subject=subject, details=details, at=at, address=by.address)
