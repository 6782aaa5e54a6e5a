"""Lists of numbers, with names or without, are read into a group or into the list of those not to write to: a short one
at once, a long one by the intake worker; all of it in one transaction."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any, BinaryIO

from sqlalchemy import Row

from sms.contacts.operations import count_members, lock_group
from sms.contacts.rules import READ_AT_ONCE, SHOWN_INVALID, Contact, Source, contacts_in, given, one_line
from sms.core import uploads
from sms.core.db import after_commit, copy_in, copy_text, db, execute, row, scalar
from sms.core.queue import INTAKE_QUEUE, Job, ring
from sms.core.sheets import limits
from sms.core.sheets.limits import UnreadableList
from sms.core.sheets.table import read_table

MOST_ATTEMPTS = 10
_COPIED_AT_ONCE = 10_000
_LONGEST = 200


@dataclass(slots=True)
class _Found:
    """What a list held, counted while its rows stream by."""

    rows_read: int = 0
    number_count: int = 0
    invalid_count: int = 0
    invalid: list[tuple[int, str]] = field(default_factory=list)

    def take(self, number: int, cells: Sequence[str], contacts: Sequence[Contact]) -> None:
        """Count a row; raises UnreadableList when there are too many."""
        self.rows_read += 1
        self.number_count += len(contacts)
        if not contacts:
            self.invalid_count += 1
            if len(self.invalid) < SHOWN_INVALID:
                self.invalid.append((number, given(cells)))
        if self.rows_read > limits.MAX_ROWS:
            raise limits.too_many_rows()


def begin(
    *,
    account_id: int,
    user_id: int,
    group_id: int | None,
    stream: BinaryIO,
    file_name: str = "",
    reason: str = "",
    at: datetime,
) -> int:
    """Take a list in; returns the id of its import, which tells what came of it. Raises NotFound for a group that is
    not the account's, UnreadableList when a short list cannot be read or a long one is too large."""
    if group_id is not None:
        lock_group(account_id, group_id)
    size = stream.seek(0, 2)
    stream.seek(0)
    if not size:
        raise limits.empty()
    if size > limits.MAX_FILE_BYTES:
        raise limits.too_large()
    is_short = size <= READ_AT_ONCE
    stored = "" if is_short else uploads.keep(stream, most_bytes=limits.MAX_FILE_BYTES)[0]
    import_id = int(
        scalar(
            """INSERT INTO contacts_import (account_id, user_id, group_id, reason, file_name, stored_name, state,
                   created_at)
               VALUES (:account_id, :user_id, :group_id, :reason, :file_name, :stored, 'reading', :at) RETURNING id""",
            account_id=account_id,
            user_id=user_id,
            group_id=group_id,
            reason=one_line(reason)[:_LONGEST],
            file_name=one_line(file_name)[-_LONGEST:],
            stored=stored,
            at=at,
        )
    )
    if is_short:
        found = _locked(import_id)
        if found is not None:
            _read(found, BytesIO(stream.read()), at)
    else:
        ring(Job.READ_CONTACTS, queue=INTAKE_QUEUE, import_id=import_id)
    return import_id


def begin_reading(*, import_id: int) -> bool:
    """Count an attempt; False when there is nothing to read (any more), or when it was tried too often."""
    attempts = scalar(
        """UPDATE contacts_import SET attempt_count = attempt_count + 1 WHERE id = :id AND state = 'reading'
           RETURNING attempt_count""",
        id=import_id,
    )
    if attempts is not None and attempts > MOST_ATTEMPTS:
        _fail(import_id, limits.gave_up())
        return False
    return attempts is not None


def read_stored(*, import_id: int, at: datetime) -> None:
    """Read a list that was stored: all of it is in its group, or nothing is and a sentence says why. Does nothing when
    it is read already, or just being read by another worker."""
    if not scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('contacts_import', :id))", id=import_id):
        return
    found = _locked(import_id)
    if found is None:
        return
    try:
        # What a list breaks off is undone alone, and its sentence is kept.
        with db.session.begin_nested(), _open(found.stored_name) as stream:
            _read(found, stream, at)
    except UnreadableList as problem:
        _fail(import_id, problem)
    except MemoryError:
        _fail(import_id, limits.out_of_memory())
    after_commit(lambda: uploads.remove(found.stored_name))


def _locked(import_id: int) -> Row[Any] | None:
    return row(
        """SELECT id, account_id, group_id, reason, stored_name FROM contacts_import
           WHERE id = :id AND state = 'reading' FOR UPDATE""",
        id=import_id,
    )


def _open(name: str) -> BinaryIO:
    try:
        return (uploads.folder() / name).open("rb")
    except (FileNotFoundError, IsADirectoryError):
        raise limits.gone() from None


def _fail(import_id: int, problem: UnreadableList) -> None:
    execute(
        """UPDATE contacts_import SET state = 'failed', problem = :problem, problem_params = CAST(:params AS jsonb),
               stored_name = '' WHERE id = :id AND state = 'reading'""",
        id=import_id,
        problem=problem.message,
        params=json.dumps(problem.params),
    )


# Reading

_INTO_GROUP = """
INSERT INTO contacts_member (group_id, mobile, name, added_at, source)
SELECT :group_id, mobile, max(name), :at, :source FROM contacts_incoming GROUP BY mobile ORDER BY mobile
ON CONFLICT (group_id, mobile) DO NOTHING
"""
_NAMES = """
UPDATE contacts_member m SET name = n.name
FROM (SELECT mobile, max(name) AS name FROM contacts_incoming WHERE name <> '' GROUP BY mobile) n
WHERE m.group_id = :group_id AND m.mobile = n.mobile AND m.name <> n.name
"""
_INTO_OPT_OUTS = """
INSERT INTO contacts_optout (account_id, recipient, line_id, reason, source, created_at)
SELECT DISTINCT CAST(:account_id AS bigint), mobile, CAST(NULL AS int), :reason, 'import', CAST(:at AS timestamptz)
FROM contacts_incoming
ON CONFLICT (account_id, recipient, line_id) DO NOTHING
"""


def _read(found: Row[Any], stream: BinaryIO, at: datetime) -> None:
    """COPY every row with a number into a table of this transaction, then what is new of it where it belongs."""
    counted = _Found()
    execute("CREATE TEMP TABLE IF NOT EXISTS contacts_incoming (mobile bigint, name text) ON COMMIT DROP")
    execute("TRUNCATE contacts_incoming")
    copy_in("contacts_incoming", ("mobile", "name"), _lines(stream, counted))
    if not counted.rows_read:
        raise limits.empty()
    added = _into_group(found, at) if found.group_id is not None else _into_opt_outs(found, at)
    execute(
        """UPDATE contacts_import SET state = 'done', stored_name = '', rows_read = :rows_read, added_count = :added,
               known_count = :numbers - :added, invalid_count = :invalid_count, invalid = CAST(:invalid AS jsonb)
           WHERE id = :id""",
        id=found.id,
        rows_read=counted.rows_read,
        added=added,
        numbers=counted.number_count,
        invalid_count=counted.invalid_count,
        invalid=json.dumps(counted.invalid, ensure_ascii=False),
    )


def _into_group(found: Row[Any], at: datetime) -> int:
    lock_group(found.account_id, found.group_id)
    execute(_NAMES, group_id=found.group_id)
    added = execute(_INTO_GROUP, group_id=found.group_id, source=str(Source.IMPORT), at=at)
    count_members(group_id=found.group_id, more=added, at=at)
    return added


def _into_opt_outs(found: Row[Any], at: datetime) -> int:
    return execute(_INTO_OPT_OUTS, account_id=found.account_id, reason=found.reason, at=at)


def _lines(stream: BinaryIO, counted: _Found) -> Iterator[str]:
    """The numbers of a list with their names as COPY takes them; the first row may be a header."""
    lines: list[str] = []
    for place, (number, cells) in enumerate(read_table(stream, most_bytes=limits.MAX_FILE_BYTES)):
        contacts = contacts_in(cells)
        if not contacts and place == 0:
            continue
        counted.take(number, cells, contacts)
        lines += [f"{each.mobile}\t{copy_text(each.name)}\n" for each in contacts]
        if len(lines) >= _COPIED_AT_ONCE:
            yield "".join(lines)
            lines.clear()
    yield "".join(lines)
