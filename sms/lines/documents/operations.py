"""Writes of documents: uploaded, reviewed, removed; and what staff open, which the audit remembers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sms.accounts.operations import record
from sms.core import uploads
from sms.core.actor import Actor
from sms.core.db import after_commit, execute, row, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.seal import seal, unseal
from sms.core.text import N_
from sms.lines.documents import queries
from sms.lines.documents.queries import DocumentView
from sms.lines.documents.rules import (
    LOOK_BYTES,
    MOST_A_DAY,
    MOST_BYTES,
    NEEDS_CODE,
    DocumentKind,
    DocumentState,
    Holder,
    check_reason,
    masked,
    media_type,
    national_code,
    shown_name,
)
from sms.lines.rules import UnusableLine

_DAY = timedelta(days=1)
_GONE = N_("The file of this document is gone; ask for it once more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A paper as somebody hands it in; the national code may be empty where the kind needs none."""

    kind: DocumentKind
    file_name: str
    stream: BinaryIO
    national_code: str = ""
    valid_until: date | None = None
    order_id: int | None = None


def upload(*, account_id: int, wanted: NewDocument, seal_key: str, by: Actor, at: datetime) -> int:
    """Keep a document of an account; returns its id. Raises UnusableLine, or Refusal for too many or too large."""
    code = _code_of(wanted)
    _check_how_many(account_id, at)
    if wanted.order_id is not None:
        _check_order(account_id, wanted.order_id)
    name, size = uploads.keep(wanted.stream, most_bytes=MOST_BYTES)
    try:
        document_id = _insert(account_id, wanted, name, size, code, seal_key=seal_key, by=by, at=at)
    except BaseException:
        uploads.remove(name)
        raise
    details = {"kind": str(wanted.kind), "size_bytes": size}
    _audit("document.uploaded", document_id, details, account_id=account_id, by=by, at=at)
    return document_id


def _code_of(wanted: NewDocument) -> str:
    if wanted.national_code.strip():
        return national_code(wanted.national_code)
    if wanted.kind in NEEDS_CODE:
        raise UnusableLine("national_code", N_("Write the national code that stands on the card."))
    return ""


def _check_how_many(account_id: int, at: datetime) -> None:
    today = scalar(
        "SELECT count(*) FROM lines_document WHERE account_id = :id AND uploaded_at > :since",
        id=account_id,
        since=at - _DAY,
    )
    if today >= MOST_A_DAY:
        raise Refusal(N_("These are many documents for one day; go on tomorrow, or ask our staff."))


def _check_order(account_id: int, order_id: int) -> None:
    if scalar("SELECT 1 FROM lines_order WHERE id = :id AND account_id = :account", id=order_id, account=account_id):
        return
    raise NotFound(N_("There is no such order."))


def _insert(
    account_id: int,
    wanted: NewDocument,
    name: str,
    size: int,
    code: str,
    *,
    seal_key: str,
    by: Actor,
    at: datetime,
) -> int:
    content = (uploads.folder() / name).read_bytes()
    document_id = scalar(
        """INSERT INTO lines_document (account_id, kind, state, stored_name, file_name, media_type, size_bytes, sha256,
               national_code_sealed, national_code_masked, valid_until, uploaded_by, uploaded_at)
           VALUES (:account_id, :kind, 'pending', :stored_name, :file_name, :media_type, :size_bytes, :sha256,
               :sealed, :masked, :valid_until, :uploaded_by, :at) RETURNING id""",
        account_id=account_id,
        kind=str(wanted.kind),
        stored_name=name,
        file_name=shown_name(wanted.file_name),
        media_type=media_type(content[:LOOK_BYTES], content[-LOOK_BYTES:]),
        size_bytes=size,
        sha256=hashlib.sha256(content).digest(),
        sealed=seal({"national_code": code}, seal_key=seal_key) if code else None,
        masked=masked(code) if code else "",
        valid_until=wanted.valid_until,
        uploaded_by=by.id,
        at=at,
    )
    if wanted.order_id is not None:
        execute(
            "INSERT INTO lines_order_document (order_id, document_id) VALUES (:order_id, :document_id)",
            order_id=wanted.order_id,
            document_id=document_id,
        )
    return int(document_id)


def remove(*, account_id: int, document_id: int, by: Actor, at: datetime) -> None:
    """Take back a document that was not accepted; its file is gone at once. Raises NotFound or Refusal."""
    found = queries.account_document(account_id, document_id)
    taken = execute(
        "UPDATE lines_document SET removed_at = :at, national_code_sealed = NULL"
        " WHERE id = :id AND removed_at IS NULL AND state <> 'approved'",
        id=document_id,
        at=at,
    )
    if not taken:
        raise Refusal(N_("A document that was accepted stays: lines were given out on it."))
    after_commit(lambda: uploads.remove(found.stored_name))
    _audit("document.removed", document_id, {"kind": found.kind}, account_id=account_id, by=by, at=at)


def accept(*, document_id: int, by: Actor, at: datetime) -> None:
    """Staff have looked at it and it is fine. Raises NotFound or Refusal when it was reviewed before."""
    _review(document_id, DocumentState.APPROVED, "", by=by, at=at)


def turn_down(*, document_id: int, reason: str, by: Actor, at: datetime) -> None:
    """It will not do, and why. Raises NotFound, UnusableLine without a reason, Refusal when it was turned down."""
    _review(document_id, DocumentState.REJECTED, check_reason(reason), by=by, at=at)


def _review(document_id: int, state: DocumentState, reason: str, *, by: Actor, at: datetime) -> None:
    found = queries.document(document_id)
    changed = execute(
        """UPDATE lines_document SET state = :state, reason = :reason, reviewed_by = :by, reviewed_at = :at
           WHERE id = :id AND removed_at IS NULL AND state <> :state""",
        id=document_id,
        state=str(state),
        reason=reason,
        by=by.id,
        at=at,
    )
    if not changed:
        raise Refusal(N_("This document was reviewed already."))
    details = {"kind": found.kind, "reason": reason}
    _audit(f"document.{state}", document_id, details, account_id=found.account_id, by=by, at=at)


# What is needed


def need(*, operator_id: int | None, holder: Holder, kind: DocumentKind, by: Actor, at: datetime) -> None:
    """Ask a holder for one more paper, at one operator or (None) at all that have no rows of their own. Raises Refusal
    when it is asked for already."""
    made = scalar(
        "INSERT INTO lines_needed_document (operator_id, holder, kind) VALUES (:operator_id, :holder, :kind)"
        " ON CONFLICT DO NOTHING RETURNING id",
        operator_id=operator_id,
        holder=str(holder),
        kind=str(kind),
    )
    if made is None:
        raise Refusal(N_("This document is asked for already."))
    _audit_need("document.needed", operator_id, {"holder": str(holder), "kind": str(kind)}, by=by, at=at)


def need_no_more(*, needed_id: int, by: Actor, at: datetime) -> None:
    """Ask for a paper no longer; raises NotFound."""
    found = row("DELETE FROM lines_needed_document WHERE id = :id RETURNING operator_id, holder, kind", id=needed_id)
    if found is None:
        raise NotFound(queries.NO_SUCH_DOCUMENT)
    details = {"holder": found.holder, "kind": found.kind}
    _audit_need("document.not_needed", found.operator_id, details, by=by, at=at)


def _audit_need(
    action: str, operator_id: int | None, details: Mapping[str, object], *, by: Actor, at: datetime
) -> None:
    subject = f"operator:{operator_id}" if operator_id else ""
    record(actor_id=by.id, account_id=None, action=action, subject=subject, details=details, at=at, address=by.address)


# What is opened


def file_of(found: DocumentView) -> Path:
    """Where a document's file is; raises Refusal when it is gone."""
    path = uploads.folder() / found.stored_name
    if not path.is_file():
        raise Refusal(_GONE)
    return path


def open_file(*, document_id: int, by: Actor, at: datetime) -> DocumentView:
    """One of the staff looks at a file: who, when and from where stands in the audit. Raises NotFound or Refusal."""
    found = queries.document(document_id)
    file_of(found)
    _audit("document.opened", document_id, {"kind": found.kind}, account_id=found.account_id, by=by, at=at)
    return found


def open_code(*, document_id: int, seal_key: str, by: Actor, at: datetime) -> str:
    """One of the staff looks at a full national code; it stands in the audit. Raises NotFound or CannotUnseal."""
    found = queries.document(document_id)
    sealed = queries.sealed_code(document_id)
    if sealed is None:
        raise NotFound(queries.NO_SUCH_DOCUMENT)
    code = unseal(sealed, seal_key=seal_key)["national_code"]
    _audit("document.code_opened", document_id, {"kind": found.kind}, account_id=found.account_id, by=by, at=at)
    return code


def _audit(
    action: str, document_id: int, details: Mapping[str, object], *, account_id: int, by: Actor, at: datetime
) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=action,
        subject=f"document:{document_id}",
        details=details,
        at=at,
        address=by.address,
    )
