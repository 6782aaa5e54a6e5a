"""A customer's inbox: texts to his lines, conversations with those who wrote, and replies, which go the way of every
send. Live without a reload; what has not changed is not sent again."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.contacts.queries import name_of, names_of
from sms.core import clock
from sms.core.calendar import day_of, moment_text
from sms.core.db import transaction
from sms.core.errors import NotFound
from sms.core.phone import local
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.downloads import csv_file, xlsx_file
from sms.core.web.filters import number_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import is_htmx, redirect_to, render_page
from sms.core.web.i18n import _, language
from sms.inbox import queries
from sms.inbox.forms import InboxFilterForm
from sms.inbox.forwarding.queries import failing
from sms.inbox.labels.queries import labels, labels_on
from sms.inbox.operations import reading
from sms.inbox.rules import UNREAD_SHOWN, is_mobile
from sms.lines.queries import account_line, usable_line

bp = Blueprint("inbox", __name__)
_PAGE = 25
_LARGEST_LINE, _LARGEST_ID = 2**31 - 1, 2**63 - 1
_READ = "texts-read"  # what the count in the menu listens for
_WIDTHS = (18, 16, 16, 24, 60, 8, 18, 24)
_HEADER = (
    N_("Received at"),
    N_("Line"),
    N_("Sender"),
    N_("Name"),
    N_("Text"),
    N_("Parts"),
    N_("Read at"),
    N_("Labels"),
)


def _unread() -> str:
    count = queries.unread_count(visitor().account_id)
    return "" if not count else number_text(min(count, UNREAD_SHOWN)) + ("+" if count > UNREAD_SHOWN else "")


nav.add(
    N_("Inbox"),
    endpoint="inbox.texts",
    icon="inbox",
    permission=Permission.VIEW_MESSAGES,
    section="customer",
    order=28,
    live=nav.Live(_unread, "inbox.unread"),
)


@bp.url_value_preprocessor
def be_possible(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """No number we gave is as large as some that can be written into an address."""
    given = values or {}
    if given.get("line_id", 0) > _LARGEST_LINE or given.get("text_id", 0) > _LARGEST_ID:
        abort(404)


def _before() -> int | None:
    before = request.args.get("before", type=int)
    return before if before is not None and 0 < before <= _LARGEST_ID else None


def _form() -> InboxFilterForm:
    account_id = visitor().account_id
    form: InboxFilterForm = InboxFilterForm.read(lines=queries.lines(account_id), labels=labels(account_id))
    return form


def _seen(rows: Sequence[Any]) -> str:
    """A word for what a page shows: another one as soon as something came or was read."""
    return sha256(",".join(f"{row.id}{row.read_at or ''}{row.times}" for row in rows).encode()).hexdigest()[:16]


@bp.get("/inbox")
@require(Permission.VIEW_MESSAGES)
def texts() -> ResponseReturnValue:
    """Texts to the account's lines, newest first; asked by a page that shows the newest ones, only what changed."""
    account_id = visitor().account_id
    form = _form()
    found = queries.texts(account_id, form.narrowed, before=_before(), most=_PAGE + 1)
    shown = found[:_PAGE]
    seen = _seen(shown)
    if is_htmx() and request.args.get("seen") == seen:
        return Response(status=204)
    return render_page(
        "inbox/texts.html",
        fragment="live",
        form=form,
        texts=shown,
        names=_names(account_id, shown),
        labels=labels_on(account_id, [(each.line_id, each.sender) for each in shown]),
        seen=seen,
        older=shown[-1].id if len(found) > _PAGE else None,
        before=_before(),
        has_inbox=bool(shown) or queries.has_inbox(account_id),
        is_mobile=is_mobile,
        failing=failing(account_id, at=clock.now()),
    )


@bp.get("/inbox/unread")
@require(Permission.VIEW_MESSAGES)
def unread() -> ResponseReturnValue:
    """The number beside the menu's entry; for a person, the unread texts themselves."""
    if not is_htmx():
        return redirect_to(url_for(".texts", box="unread"))
    return Response(_unread(), mimetype="text/html")


@bp.post("/inbox/read")
@require(Permission.VIEW_MESSAGES)
def read() -> ResponseReturnValue:
    """The texts that were shown are read, one or a page of them, or unread again."""
    with transaction():
        reading.mark_read(
            account_id=visitor().account_id, ids=_ids(), is_read="unread" not in request.form, at=clock.now()
        )
    return _back()


@bp.post("/inbox/archive")
@require(Permission.VIEW_MESSAGES)
def archive() -> ResponseReturnValue:
    """Put texts away, or back."""
    is_archived = "back" not in request.form
    with transaction():
        reading.archive(account_id=visitor().account_id, ids=_ids(), is_archived=is_archived, at=clock.now())
    flash(_("Archived.") if is_archived else _("Back in the inbox."), "success")
    return _back()


def _ids() -> list[int]:
    given = " ".join(request.form.getlist("ids")).split()[: 10 * _PAGE]
    return [int(word) for word in given if word.isascii() and word.isdigit() and int(word) <= _LARGEST_ID]


def _back() -> Response:
    """To the list as it was narrowed; nowhere else."""
    given = {name: request.form.get(name, "") for name in ("q", "line_id", "label_id", "day", "box", "before")}
    kept: dict[str, Any] = {name: value for name, value in given.items() if value}
    return redirect_to(url_for(".texts", **kept))


@bp.get("/inbox/export.csv")
@require(Permission.VIEW_MESSAGES)
def export() -> ResponseReturnValue:
    """All texts of the filter, as a file."""
    return csv_file(_file_name(), _HEADER, _slices(language()))


@bp.get("/inbox/export.xlsx")
@require(Permission.VIEW_MESSAGES)
def export_sheet() -> ResponseReturnValue:
    """The newest hundred thousand texts of the filter, as a workbook."""
    return xlsx_file(_file_name(), _("Inbox"), _HEADER, _slices(language()), _WIDTHS)


def _file_name() -> str:
    return f"inbox-{day_of(clock.now()).isoformat()}"


def _slices(reader: str) -> Iterator[list[tuple[str | int, ...]]]:
    account_id = visitor().account_id
    for some in queries.every_text(account_id, _form().narrowed):
        names = _names(account_id, some)
        put = labels_on(account_id, {(each.line_id, each.sender) for each in some})
        yield [
            (*_cells(each, names, reader), "، ".join(label.name for label in put.get((each.line_id, each.sender), ())))
            for each in some
        ]


def _cells(text: Any, names: Mapping[str, str], reader: str) -> tuple[str | int, ...]:
    return (
        moment_text(text.received_at, reader),
        text.line_number,
        local(int(text.sender)) if is_mobile(text.sender) else text.sender,
        names.get(text.sender, ""),
        text.body,
        text.parts,
        moment_text(text.read_at, reader) if text.read_at else "",
    )


def _names(account_id: int, some: Sequence[Any]) -> dict[str, str]:
    """What the account calls those who wrote, by sender."""
    senders = {each.sender for each in some if is_mobile(each.sender)}
    return {str(mobile): name for mobile, name in names_of(account_id, map(int, senders)).items()}


# Conversations


@bp.get("/inbox/<int:line_id>/<string:sender>")
@require(Permission.VIEW_MESSAGES)
def conversation(line_id: int, sender: str) -> ResponseReturnValue:
    """What somebody wrote to a line, what was sent to him over it, and a place to reply."""
    account_id = visitor().account_id
    said, older = queries.conversation(account_id, line_id, sender, before=_before(), most=_PAGE)
    seen = sha256(",".join(f"{each.id}{each.is_ours}{each.is_read}" for each in said).encode()).hexdigest()[:16]
    if is_htmx() and request.args.get("seen") == seen:
        return Response(status=204)
    return render_page(
        "inbox/conversation.html",
        fragment="talk",
        line=queries.line_of(line_id),
        sender=sender,
        is_mobile=is_mobile(sender),
        name=name_of(account_id, int(sender)) if is_mobile(sender) else "",
        labels=labels(account_id),
        ticked={each.id for each in labels_on(account_id, [(line_id, sender)]).get((line_id, sender), ())},
        said=said,
        seen=seen,
        older=older,
        before=_before(),
        has_unread=any(not each.is_read for each in said),
        reply_line=_reply_line(line_id) if is_mobile(sender) else None,
    )


def _reply_line(line_id: int) -> Any:
    """The line, when it still is the account's own and may send."""
    try:
        account_line(visitor().account_id, line_id)
    except NotFound:
        return None
    return usable_line(visitor().account_id, line_id, at=clock.now())


@bp.post("/inbox/<int:line_id>/<string:sender>/read")
@require(Permission.VIEW_MESSAGES)
def read_conversation(line_id: int, sender: str) -> ResponseReturnValue:
    """Everything in a conversation is read; the page says so by itself when it is opened with a script."""
    account_id = visitor().account_id
    queries.conversation(account_id, line_id, sender, before=None, most=1)
    with transaction():
        reading.mark_conversation_read(account_id=account_id, line_id=line_id, sender=sender, at=clock.now())
    if is_htmx():
        return Response(status=204, headers={"HX-Trigger": _READ})
    return redirect_to(url_for(".conversation", line_id=line_id, sender=sender))
