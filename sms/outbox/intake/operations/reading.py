"""The list of a draft is read, once: sorted, counted by network, and packed."""

import contextlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from sms.contacts.queries import Suppression, numbers, suppression
from sms.core import uploads
from sms.core.db import after_commit, execute, row, rows, scalar
from sms.core.sheets import limits
from sms.core.sheets.limits import UnreadableList
from sms.operators.queries import network_guess
from sms.outbox.intake.rules.pricing import EVERY_LINE
from sms.outbox.intake.rules.reading import read_list
from sms.outbox.intake.rules.sorting import HEAD, Sorter
from sms.outbox.intake.rules.text_reader import Batch

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 10

_READY = """
UPDATE outbox_draft SET state = 'ready', problem = '', problem_params = '{}', stored_name = '', rows_read = :rows_read,
    valid_count = :valid, invalid_count = :invalid, duplicate_count = :duplicate,
    networks = CAST(:networks AS jsonb), suppressed = CAST(:suppressed AS jsonb)
WHERE id = :id AND state = 'reading' RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Read:
    """A list sorted and packed."""

    chunks: list[bytes]
    sorter: Sorter


def begin_reading(*, draft_id: int) -> bool:
    """Count an attempt; False when there is nothing to read (any more). Who dies with a file is not given it for
    ever."""
    attempts = scalar(
        """UPDATE outbox_draft SET problem_params =
               jsonb_build_object('attempts', coalesce(CAST(problem_params ->> 'attempts' AS int), 0) + 1)
           WHERE id = :id AND state = 'reading' RETURNING CAST(problem_params ->> 'attempts' AS int)""",
        id=draft_id,
    )
    if attempts is not None and attempts > MOST_ATTEMPTS:
        _fail(draft_id, limits.gave_up())
        return False
    return attempts is not None


def read_draft(*, draft_id: int, at: datetime) -> None:
    """Read the list of a draft: ready with all its rows, or failed with a sentence and without any.

    Does nothing when it is read already, or just being read by another worker.
    """
    if not scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('outbox_draft', :id))", id=draft_id):
        return
    found = row(
        "SELECT account_id, source, stored_name, group_id FROM outbox_draft WHERE id = :id AND state = 'reading'",
        id=draft_id,
    )
    if found is None:
        return
    opted_out = suppression(found.account_id)
    try:
        if found.source == "group":
            read = sort(members(found.account_id, found.group_id), opted_out)
        else:
            with _open(found.stored_name) as stream:
                read = read_stream(stream, opted_out, is_typed=found.source == "typed")
    except UnreadableList as problem:
        _fail(draft_id, problem)
    except MemoryError:
        _fail(draft_id, limits.out_of_memory())
    else:
        keep(draft_id, read)
        after_commit(lambda: uploads.remove(found.stored_name))
        log.info("draft %s: %s rows read, asked for at %s", draft_id, read.sorter.row_count, at)


@contextlib.contextmanager
def _open(name: str) -> Iterator[BinaryIO]:
    try:
        stream = (uploads.folder() / name).open("rb")
    except (FileNotFoundError, IsADirectoryError):
        raise limits.gone() from None
    with stream:
        yield stream


def read_stream(stream: BinaryIO, opted_out: Suppression, *, is_typed: bool) -> Read:
    """Read a list as it stands; raises UnreadableList."""
    return sort(read_list(stream, is_typed=is_typed), opted_out)


def members(account_id: int, group_id: int | None) -> Iterator[Batch]:
    """The members of a group, as a list of them would be read."""
    first = 1
    for some in numbers(account_id, group_id or 0):
        yield range(first, first + len(some)), list(map(str, some))
        first += len(some)


def sort(batches: Iterable[Batch], opted_out: Suppression) -> Read:
    """Tell valid, repeated and opted out numbers apart, and pack them."""
    sorter = Sorter(
        {
            EVERY_LINE: opted_out.everywhere,
            **{str(line_id): people - opted_out.everywhere for line_id, people in opted_out.by_line.items()},
        }
    )
    chunks = list(sorter.chunks(batches))
    return Read(chunks, sorter)


def keep(draft_id: int, read: Read) -> None:
    """Make a draft ready with what was read."""
    sorter = read.sorter
    everywhere = _by_network(sorter.suppressed_heads.get(EVERY_LINE, Counter()))
    suppressed = {
        name: dict(Counter(everywhere) + Counter(_by_network(heads) if name != EVERY_LINE else {}))
        for name, heads in sorter.suppressed_heads.items()
    }
    kept = rows(
        _READY,
        id=draft_id,
        rows_read=sorter.row_count,
        valid=sorter.valid_count,
        invalid=sorter.invalid_count,
        duplicate=sorter.duplicate_count,
        networks=json.dumps(_by_network(sorter.heads)),
        suppressed=json.dumps(suppressed),
    )
    if not kept:  # thrown away meanwhile
        return
    for number, packed in enumerate(read.chunks):
        execute(
            "INSERT INTO outbox_draft_chunk (draft_id, number, packed) VALUES (:draft_id, :number, :packed)",
            draft_id=draft_id,
            number=number,
            packed=packed,
        )


def _by_network(heads: Mapping[int, int]) -> dict[str, int]:
    guess = network_guess()
    found: Counter[str] = Counter()
    for head, count in heads.items():
        found[str(guess.of(head * HEAD))] += count
    return dict(found)


def _fail(draft_id: int, problem: UnreadableList) -> None:
    found = row(
        """UPDATE outbox_draft d SET state = 'failed', problem = :problem, problem_params = CAST(:params AS jsonb),
               stored_name = ''
           FROM outbox_draft o WHERE d.id = :id AND d.state = 'reading' AND o.id = d.id RETURNING o.stored_name""",
        id=draft_id,
        problem=problem.message,
        params=json.dumps(problem.params),
    )
    if found is not None:
        after_commit(lambda: uploads.remove(found.stored_name))
