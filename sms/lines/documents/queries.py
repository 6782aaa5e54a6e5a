"""Reads of documents: an account's own, those that wait for staff, and what an order still needs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.lines.documents.rules import DocumentKind, DocumentState, Holder, kinds_of

NO_SUCH_DOCUMENT = N_("There is no such document.")


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document as pages show it; its national code is masked."""

    id: int
    account_id: int
    account_name: str
    kind: str
    state: str
    reason: str
    stored_name: str
    file_name: str
    media_type: str
    size_bytes: int
    national_code_masked: str
    valid_until: date | None
    uploaded_at: datetime
    uploaded_by: str | None
    reviewed_at: datetime | None
    reviewed_by: str | None

    def is_good(self, on: date) -> bool:
        """Whether it was accepted and has not run out."""
        return self.state == DocumentState.APPROVED and (self.valid_until is None or self.valid_until >= on)


_VIEW = """
SELECT d.id, d.account_id, a.name AS account_name, d.kind, d.state, d.reason, d.stored_name, d.file_name, d.media_type,
       d.size_bytes, d.national_code_masked, d.valid_until, d.uploaded_at, u.username AS uploaded_by, d.reviewed_at,
       r.username AS reviewed_by
FROM lines_document d JOIN accounts_account a ON a.id = d.account_id
LEFT JOIN accounts_user u ON u.id = d.uploaded_by LEFT JOIN accounts_user r ON r.id = d.reviewed_by
WHERE d.removed_at IS NULL
"""


def account_documents(account_id: int) -> list[DocumentView]:
    """The documents of an account, the newest first."""
    found = rows(_VIEW + "AND d.account_id = :account_id ORDER BY d.id DESC", account_id=account_id)
    return [DocumentView(**each._mapping) for each in found]


def account_document(account_id: int, document_id: int) -> DocumentView:
    """One of them; raises NotFound, also for somebody else's."""
    found = row(_VIEW + "AND d.id = :id AND d.account_id = :account_id", id=document_id, account_id=account_id)
    if found is None:
        raise NotFound(NO_SUCH_DOCUMENT)
    return DocumentView(**found._mapping)


def document(document_id: int) -> DocumentView:
    """Any document, for staff; raises NotFound."""
    found = row(_VIEW + "AND d.id = :id", id=document_id)
    if found is None:
        raise NotFound(NO_SUCH_DOCUMENT)
    return DocumentView(**found._mapping)


def waiting(*, after: int | None, most: int) -> list[DocumentView]:
    """Documents nobody has looked at yet, the oldest first, younger than document `after`; for staff."""
    found = rows(
        _VIEW + "AND d.state = 'pending' AND (CAST(:after AS bigint) IS NULL OR d.id > :after)"
        " ORDER BY d.id LIMIT :most",
        after=after,
        most=most,
    )
    return [DocumentView(**each._mapping) for each in found]


def waiting_count() -> int:
    """How many wait."""
    return int(scalar("SELECT count(*) FROM lines_document WHERE state = 'pending' AND removed_at IS NULL"))


def sealed_code(document_id: int) -> bytes | None:
    """The sealed national code of a document, None when none was given; for staff, who are written into the audit."""
    found = scalar(
        "SELECT national_code_sealed FROM lines_document WHERE id = :id AND removed_at IS NULL", id=document_id
    )
    return bytes(found) if found is not None else None


def kept(names: Collection[str]) -> set[str]:
    """Those of the stored names that belong to a document which was not removed."""
    found = rows(
        "SELECT stored_name FROM lines_document WHERE stored_name = ANY(:names) AND removed_at IS NULL",
        names=list(names),
    )
    return {each.stored_name for each in found}


# What an order needs

_NEEDED = """
SELECT kind FROM lines_needed_document n WHERE holder = :holder AND operator_id IS NOT DISTINCT FROM (
    SELECT o.operator_id FROM lines_needed_document o
    WHERE o.holder = :holder AND (o.operator_id = :operator_id OR o.operator_id IS NULL)
    ORDER BY o.operator_id NULLS LAST LIMIT 1)
"""


def needed(*, operator_id: int, holder: Holder) -> tuple[DocumentKind, ...]:
    """Which papers an operator asks of a holder: its own rows, or those of all operators."""
    return kinds_of([found.kind for found in rows(_NEEDED, operator_id=operator_id, holder=str(holder))])


def all_needed() -> Sequence[Row[Any]]:
    """Every row of what is needed: id, operator (code and names, None for all operators), holder, kind."""
    return rows(
        """SELECT n.id, o.code, o.name_fa, o.name_en, n.holder, n.kind
           FROM lines_needed_document n LEFT JOIN operators_operator o ON o.id = n.operator_id
           ORDER BY o.code NULLS FIRST, n.holder, n.id"""
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A paper that is needed and what there is of it: the best document, or none."""

    kind: DocumentKind
    document: DocumentView | None
    is_good: bool


def checklist(*, account_id: int, operator_id: int, holder: Holder, on: date) -> list[Wanted]:
    """What is needed beside what an account has given: of each kind the good one, else the newest."""
    given = account_documents(account_id)
    return [_wanted(kind, given, on) for kind in needed(operator_id=operator_id, holder=holder)]


def _wanted(kind: DocumentKind, given: Sequence[DocumentView], on: date) -> Wanted:
    of_kind = [each for each in given if each.kind == kind]
    good = next((each for each in of_kind if each.is_good(on)), None)
    return Wanted(kind, good or next(iter(of_kind), None), good is not None)


def attached(order_id: int) -> list[DocumentView]:
    """The documents that were uploaded for an order."""
    found = rows(
        _VIEW + "AND EXISTS (SELECT FROM lines_order_document o WHERE o.document_id = d.id AND o.order_id = :id)"
        " ORDER BY d.id",
        id=order_id,
    )
    return [DocumentView(**each._mapping) for each in found]
