"""Reads of lists that were handed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_


@dataclass(frozen=True, slots=True)
class Import:
    """A list of numbers and what came of it; into a group, or (None) into the list of those not to write to."""

    id: int
    group_id: int | None
    group_name: str | None
    file_name: str
    state: str
    problem: str
    problem_params: Mapping[str, Any]
    rows_read: int
    added_count: int
    known_count: int
    invalid_count: int
    invalid: Sequence[Sequence[Any]]
    created_at: datetime


def import_of(account_id: int, import_id: int) -> Import:
    """One of an account; raises NotFound."""
    found = row(
        """SELECT i.id, i.group_id, g.name AS group_name, i.file_name, i.state, i.problem, i.problem_params,
                  i.rows_read, i.added_count, i.known_count, i.invalid_count, i.invalid, i.created_at
           FROM contacts_import i LEFT JOIN contacts_group g ON g.id = i.group_id
           WHERE i.id = :id AND i.account_id = :account_id""",
        id=import_id,
        account_id=account_id,
    )
    if found is None:
        raise NotFound(N_("There is no such list."))
    return Import(**found._mapping)


def waiting() -> Sequence[int]:
    """Lists that wait to be read."""
    return [each.id for each in rows("SELECT id FROM contacts_import WHERE state = 'reading' ORDER BY id LIMIT 20")]


def kept(names: Sequence[str]) -> set[str]:
    """Which of these stored files wait to be read here."""
    found = rows(
        "SELECT stored_name FROM contacts_import WHERE stored_name = ANY(:names) AND state = 'reading'",
        names=list(names),
    )
    return {each.stored_name for each in found}
