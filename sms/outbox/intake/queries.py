"""Reads of drafts: what was read of a list, never the list itself but where rows are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from sms.contacts.queries import Suppression, suppression
from sms.core.db import db, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.operators.rules import Outcome
from sms.outbox.intake.rules.packing import DUPLICATE, INVALID, first_row, unpack
from sms.outbox.models import Draft

NO_SUCH_DRAFT = N_("There is no such draft.")
_START = 64  # bytes that surely hold a chunk's first row number


def draft(account_id: int, draft_id: int) -> Draft:
    """A draft of an account; raises NotFound."""
    found = db.session.scalar(select(Draft).where(Draft.id == draft_id, Draft.account_id == account_id))
    if found is None:
        raise NotFound(NO_SUCH_DRAFT)
    return found


def chunks(draft_id: int) -> Sequence[bytes]:
    """The packed rows of a draft in their order, all at once (6 MB a million): COPY needs the connection meanwhile."""
    found = rows("SELECT packed FROM outbox_draft_chunk WHERE draft_id = :id ORDER BY number", id=draft_id)
    return [bytes(chunk.packed) for chunk in found]


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row nobody is written to: `given` is what stood in it, or the recipient (09…) when it was a number."""

    row_number: int
    given: str
    recipient: int | None
    outcome: Outcome


def skipped_rows(account_id: int, draft_id: int, after_row: int = 0, most: int = 100) -> list[SkippedRow]:
    """The next skipped rows of a draft after a row, in the order of the list; raises NotFound."""
    found: list[SkippedRow] = []
    for skipped in _skipped(draft(account_id, draft_id), after_row):
        found.append(skipped)
        if len(found) == most:
            break
    return found


def every_skipped_row(account_id: int, draft_id: int) -> Iterator[SkippedRow]:
    """All skipped rows of a draft as a stream, for a download; raises NotFound."""
    return _skipped(draft(account_id, draft_id), 0)


def _skipped(of: Draft, after_row: int) -> Iterator[SkippedRow]:
    opted_out = suppression(of.account_id)
    for number in _chunks_after(of.id, after_row):
        packed = scalar(
            "SELECT packed FROM outbox_draft_chunk WHERE draft_id = :id AND number = :number", id=of.id, number=number
        )
        for kind, row_number, text in unpack(bytes(packed)):
            outcome = _outcome(kind, text, opted_out, of.line_id)
            if outcome is not None and int(row_number) > after_row:
                recipient = None if outcome is Outcome.INVALID else int(text)
                yield SkippedRow(int(row_number), text if recipient is None else f"0{text[2:]}", recipient, outcome)


def _chunks_after(draft_id: int, after_row: int) -> list[int]:
    """The numbers of the chunks in which rows after a row may stand, found by the first bytes of each."""
    starts = rows(
        "SELECT number, substring(packed FROM 1 FOR :size) AS start FROM outbox_draft_chunk"
        " WHERE draft_id = :id ORDER BY number",
        id=draft_id,
        size=_START,
    )
    begun = [chunk.number for chunk in starts if first_row(bytes(chunk.start)) <= after_row]
    return [chunk.number for chunk in starts if not begun or chunk.number >= begun[-1]]


def _outcome(kind: str, text: str, opted_out: Suppression, line_id: int | None) -> Outcome | None:
    if kind == INVALID:
        return Outcome.INVALID
    if kind == DUPLICATE:
        return Outcome.DUPLICATE
    return Outcome.OPTED_OUT if not opted_out.is_empty and opted_out.covers(int(text), line_id or 0) else None
