"""Drafts are made of what was typed, uploaded or grouped, given other words, thrown away."""

import contextlib
import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import BinaryIO

from sms.billing.slips import queries as slips
from sms.contacts.imports.queries import kept as kept_contacts
from sms.contacts.queries import group, suppression
from sms.core import uploads
from sms.core.db import after_commit, execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.queue import INTAKE_QUEUE, Job, ring
from sms.core.sheets import limits
from sms.core.sheets.limits import UnreadableList
from sms.core.text import N_
from sms.lines.documents.queries import kept
from sms.lines.queries import usable_line
from sms.links.queries import refusal_of as link_refusal
from sms.links.rules.codes import check_place
from sms.outbox.intake.operations.reading import keep, members, read_stream, sort
from sms.outbox.intake.queries import NO_SUCH_DRAFT

READ_AT_ONCE = 100_000  # characters, some 5,000 numbers: so much is read while the customer waits
_MEMBERS_AT_ONCE = 10_000
_BLOCK = 1 << 20
_TITLE = 200
_DRAFT_DAYS = 1
_USED_DAYS = 30  # a used draft leads to its campaign, for whoever comes back to its page
_FILE_SECONDS = 3600.0

_INSERT = """
INSERT INTO outbox_draft (account_id, user_id, line_id, link_id, title, body, source, file_name, stored_name, group_id,
    state, problem, problem_params, created_at)
VALUES (:account_id, :user_id, :line_id, :link_id, :title, :body, :source, :file_name, :stored_name, :group_id, :state,
    :problem, CAST(:problem_params AS jsonb), :at)
RETURNING id
"""


def draft_from_text(
    *,
    account_id: int,
    user_id: int,
    line_id: int | None,
    title: str,
    body: str,
    recipients: str,
    at: datetime,
    link_id: int | None = None,
) -> int:
    """A draft of recipients that were typed or pasted; a short list is read at once, a long one by the intake worker.

    Raises Refusal when the line or the link is not the account's to use, or the link has no place in the text,
    UnreadableList when a short list cannot be read.
    """
    if not recipients.strip():
        raise limits.empty()
    listed = recipients.encode("utf-8", "replace")
    _refuse_foreign_line(account_id, line_id)
    _refuse_link(account_id, link_id, body, at=at)
    is_short = len(recipients) <= READ_AT_ONCE
    read = read_stream(BytesIO(listed), suppression(account_id), is_typed=True) if is_short else None
    stored = _Stored() if is_short else _store(BytesIO(listed))
    draft_id = _insert(
        stored,
        account_id=account_id,
        user_id=user_id,
        line_id=line_id,
        link_id=link_id,
        title=_line_of_text(title)[:_TITLE],
        body=text_of(body),
        source="typed",
        file_name="",
        at=at,
    )
    if read is not None:
        keep(draft_id, read)
    return draft_id


def draft_from_file(
    *,
    account_id: int,
    user_id: int,
    line_id: int | None,
    title: str,
    body: str,
    file_name: str,
    stream: BinaryIO,
    at: datetime,
    link_id: int | None = None,
) -> int:
    """A draft of an uploaded file, which the intake worker reads; an empty or too large file makes a failed draft.

    Raises Refusal when the line or the link is not the account's to use, or the link has no place in the text.
    """
    _refuse_foreign_line(account_id, line_id)
    _refuse_link(account_id, link_id, body, at=at)
    return _insert(
        _store(stream),
        account_id=account_id,
        user_id=user_id,
        line_id=line_id,
        link_id=link_id,
        title=_line_of_text(title)[:_TITLE],
        body=text_of(body),
        source="file",
        file_name=_line_of_text(file_name)[-_TITLE:],
        at=at,
    )


def draft_from_group(
    *,
    account_id: int,
    user_id: int,
    line_id: int | None,
    title: str,
    body: str,
    group_id: int,
    at: datetime,
    link_id: int | None = None,
) -> int:
    """A draft of the members of a group, read once as a list is; who joins or leaves afterwards changes nothing.

    Raises NotFound, Refusal when the line is not the account's to use, UnreadableList when nobody is in the group.
    """
    chosen = group(account_id, group_id)
    _refuse_foreign_line(account_id, line_id)
    _refuse_link(account_id, link_id, body, at=at)
    is_small = chosen.member_count <= _MEMBERS_AT_ONCE
    read = sort(members(account_id, group_id), suppression(account_id)) if is_small else None
    draft_id = _insert(
        _Stored(),
        account_id=account_id,
        user_id=user_id,
        line_id=line_id,
        link_id=link_id,
        title=_line_of_text(title)[:_TITLE],
        body=text_of(body),
        source="group",
        file_name=chosen.name,
        group_id=group_id,
        at=at,
    )
    if read is not None:
        keep(draft_id, read)
    else:
        ring(Job.READ_DRAFT, queue=INTAKE_QUEUE, draft_id=draft_id)
    return draft_id


def text_of(body: str) -> str:
    """The text as it is sent: one character a line break (a browser sends two), and none that no phone can show."""
    return body.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").encode("utf-8", "ignore").decode()


def _line_of_text(text: str) -> str:
    return " ".join(text_of(text).split())


def _refuse_foreign_line(account_id: int, line_id: int | None) -> None:
    if line_id is not None and usable_line(account_id=account_id, line_id=line_id) is None:
        raise Refusal(N_("Choose a line that you may send from."))


def _refuse_link(account_id: int, link_id: int | None, body: str, *, at: datetime) -> None:
    """A link is the account's own, leads somewhere, and has its place in the text."""
    check_place(body, has_link=link_id is not None)
    refusal = link_refusal(account_id, link_id, at=at) if link_id is not None else None
    if refusal is not None:
        raise refusal


# Uploads


@dataclass(frozen=True, slots=True)
class _Stored:
    """A list on disk, or why it is not kept."""

    name: str = ""
    problem: UnreadableList | None = None


def _store(stream: BinaryIO) -> _Stored:
    name = secrets.token_hex(16)
    path = uploads.folder() / name
    size = 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while block := stream.read(_BLOCK):
                size += len(block)
                if size > limits.MAX_FILE_BYTES:
                    break
                file.write(block)
    except BaseException:
        uploads.remove(name)
        raise
    problem = limits.too_large() if size > limits.MAX_FILE_BYTES else None if size else limits.empty()
    if problem is None:
        return _Stored(name)
    uploads.remove(name)
    return _Stored(problem=problem)


def _insert(stored: _Stored, *, group_id: int | None = None, **columns: object) -> int:
    problem = stored.problem
    draft_id = int(
        scalar(
            _INSERT,
            stored_name=stored.name,
            group_id=group_id,
            state="failed" if problem else "reading",
            problem=problem.message if problem else "",
            problem_params=json.dumps(problem.params if problem else {}),
            **columns,
        )
    )
    if stored.name:
        ring(Job.READ_DRAFT, queue=INTAKE_QUEUE, draft_id=draft_id)
    return draft_id


# Changing and throwing away


def change_draft(
    *,
    draft_id: int,
    account_id: int,
    line_id: int | None,
    title: str,
    body: str,
    at: datetime,
    link_id: int | None = None,
) -> None:
    """Give a draft other words, another line or another link; raises NotFound, or Refusal for a foreign line, a link
    that cannot be sent, or a used draft."""
    _refuse_foreign_line(account_id, line_id)
    _refuse_link(account_id, link_id, body, at=at)
    state = scalar(
        "SELECT state FROM outbox_draft WHERE id = :id AND account_id = :account_id FOR UPDATE",
        id=draft_id,
        account_id=account_id,
    )
    if state is None:
        raise NotFound(NO_SUCH_DRAFT)
    if state == "used":
        raise Refusal(N_("This draft has been sent already."))
    execute(
        "UPDATE outbox_draft SET line_id = :line_id, link_id = :link_id, title = :title, body = :body WHERE id = :id",
        id=draft_id,
        link_id=link_id,
        line_id=line_id,
        title=_line_of_text(title)[:_TITLE],
        body=text_of(body),
    )


def discard_draft(*, draft_id: int, account_id: int) -> None:
    """Throw a draft away with its list; raises NotFound, also when it has been sent."""
    found = row(
        "DELETE FROM outbox_draft WHERE id = :id AND account_id = :account_id AND state <> 'used'"
        " RETURNING stored_name",
        id=draft_id,
        account_id=account_id,
    )
    if found is None:
        raise NotFound(NO_SUCH_DRAFT)
    after_commit(lambda: uploads.remove(found.stored_name))


def tidy(at: datetime) -> None:
    """Throw away the drafts nobody sent for a day, and the stored lists that belong to no draft."""
    execute(
        "DELETE FROM outbox_draft WHERE created_at < :day AND (state <> 'used' OR created_at < :month)",
        day=at - timedelta(days=_DRAFT_DAYS),
        month=at - timedelta(days=_USED_DAYS),
    )
    waiting = {found.stored_name for found in rows("SELECT stored_name FROM outbox_draft WHERE state = 'reading'")}
    others = [path for path in uploads.folder().iterdir() if path.name not in waiting]
    names = [path.name for path in others]
    waited_for = kept(names) | slips.kept(names) | kept_contacts(names)
    for path in others:
        with contextlib.suppress(FileNotFoundError):
            if path.name not in waited_for and at.timestamp() - path.stat().st_mtime > _FILE_SECONDS:
                path.unlink()
