"""Operators' statements: copied in, taken out again; and what somebody says of their differences."""

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from sms.core.actor import Actor
from sms.core.db import copy_in, copy_text, execute, row, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.queue import GENERAL_QUEUE, Job, ring
from sms.core.text import N_
from sms.dashboard.reconciliation import queries
from sms.dashboard.reconciliation.operations.credit import note_in_audit
from sms.dashboard.reconciliation.rules import Kind, Line, Problems, Reason, read_statement


def keep_statement(
    table: Iterable[tuple[int, list[str]]], *, gateway_id: int, day: date, file_name: str, by: Actor, at: datetime
) -> int:
    """Copy the rows of an operator's statement in and have them compared; returns its id. Raises NoStatement,
    Refusal."""
    statement_id: int = scalar(
        """INSERT INTO dashboard_statement (gateway_id, day, file_name, user_id, row_count, problem_count, created_at)
           VALUES (:gateway_id, :day, :file_name, :user_id, 0, 0, :at) RETURNING id""",
        gateway_id=gateway_id,
        day=day,
        file_name=file_name[:200],
        user_id=by.id,
        at=at,
    )
    problems = Problems()
    copy_in(
        "dashboard_statement_row",
        ("statement_id", "number", "operator_ref", "our_id", "recipient", "parts", "cost_mrial", "status"),
        _copied(statement_id, read_statement(table, problems)),
    )
    count = execute(
        """UPDATE dashboard_statement SET problem_count = :problem_count, problems = CAST(:problems AS jsonb),
               row_count = (SELECT count(*) FROM dashboard_statement_row WHERE statement_id = :id)
           WHERE id = :id""",
        problem_count=problems.count,
        problems=json.dumps([[each.place, each.message, each.params] for each in problems.shown]),
        id=statement_id,
    )
    if not count or not scalar("SELECT row_count FROM dashboard_statement WHERE id = :id", id=statement_id):
        raise Refusal(N_("Not one row of the file could be read."))
    note_in_audit("statement.imported", gateway_id, {"statement": statement_id, "day": day.isoformat()}, by=by, at=at)
    ring(Job.COMPARE_STATEMENT, queue=GENERAL_QUEUE, statement_id=statement_id)
    return statement_id


def _copied(statement_id: int, lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        cells = (line.our_id, line.recipient, line.parts, line.cost_mrial)
        numbers = "\t".join("\\N" if cell is None else str(cell) for cell in cells)
        reference, status = copy_text(line.operator_ref), copy_text(line.status)
        yield f"{statement_id}\t{line.number}\t{reference}\t{numbers}\t{status}\n"


def void_statement(*, statement_id: int, by: Actor, at: datetime) -> Row[Any]:
    """Take a statement out again, and compare its day anew; raises NotFound."""
    found = row(
        """UPDATE dashboard_statement SET voided_at = :at, voided_by = :user_id, compared_at = NULL
           WHERE id = :id AND voided_at IS NULL RETURNING gateway_id, day""",
        at=at,
        user_id=by.id,
        id=statement_id,
    )
    if found is None:
        raise NotFound(N_("There is no such statement."))
    note_in_audit("statement.voided", found.gateway_id, {"statement": statement_id}, by=by, at=at)
    ring(Job.COMPARE_STATEMENT, queue=GENERAL_QUEUE, statement_id=statement_id)
    return found


# Explanations


def explain(*, difference_id: int, reason: Reason, note: str, by: Actor, at: datetime) -> Row[Any]:
    """Say why one difference is there; returns its gateway and day. Raises NotFound."""
    found = row(
        """UPDATE dashboard_difference SET reason = :reason, note = :note, explained_by = :user_id, explained_at = :at
           WHERE id = :id RETURNING gateway_id, day""",
        reason=str(reason),
        note=note,
        user_id=by.id,
        at=at,
        id=difference_id,
    )
    if found is None:
        raise NotFound(N_("There is no such difference."))
    details = {"difference": difference_id, "reason": str(reason)}
    note_in_audit("difference.explained", found.gateway_id, details, by=by, at=at)
    return found


def explain_all(*, gateway_id: int, day: date, kind: Kind, reason: Reason, note: str, by: Actor, at: datetime) -> int:
    """Say the same of all open differences of a kind on a day; returns how many."""
    count = execute(
        """UPDATE dashboard_difference SET reason = :reason, note = :note, explained_by = :user_id, explained_at = :at
           WHERE gateway_id = :gateway_id AND day = :day AND kind = :kind AND explained_at IS NULL""",
        reason=str(reason),
        note=note,
        user_id=by.id,
        at=at,
        gateway_id=gateway_id,
        day=day,
        kind=str(kind),
    )
    details: dict[str, object] = {"day": day.isoformat(), "kind": str(kind), "reason": str(reason), "count": count}
    note_in_audit("differences.explained", gateway_id, details, by=by, at=at)
    return count


def explain_credit(*, gateway_id: int, day: date, reason: Reason, note: str, by: Actor, at: datetime) -> None:
    """Say why the credit fell by more or less than it should have; it holds for these figures only. Raises Refusal."""
    found = queries.credit_day(gateway_id=gateway_id, day=day)
    if not found.difference_mrial:
        raise Refusal(N_("The credit of this day shows no difference."))
    difference_id = scalar(
        """INSERT INTO dashboard_difference (gateway_id, day, kind, our_cost_mrial, their_cost_mrial, seen_at)
           VALUES (:gateway_id, :day, 'credit', :ours, :theirs, :at)
           ON CONFLICT ON CONSTRAINT uq_dashboard_difference
               DO UPDATE SET our_cost_mrial = :ours, their_cost_mrial = :theirs, seen_at = :at RETURNING id""",
        gateway_id=gateway_id,
        day=day,
        ours=found.expected_mrial,
        theirs=found.drop_mrial,
        at=at,
    )
    explain(difference_id=difference_id, reason=reason, note=note, by=by, at=at)
