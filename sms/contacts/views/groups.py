"""A customer's contacts: groups, their members, lists that are read into them, and files of them."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from sms.accounts.rules import Permission
from sms.contacts import operations, queries
from sms.contacts.forms import GroupForm, MembersFilterForm, NumbersForm
from sms.contacts.imports import operations as imports
from sms.contacts.imports.queries import Import, import_of
from sms.contacts.rules import SOURCE_LABELS
from sms.core import clock
from sms.core.calendar import moment_text
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.phone import local
from sms.core.sheets import limits
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.downloads import csv_file, xlsx_file
from sms.core.web.failures import answer
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import STOP_POLLING, is_htmx, redirect_to, render_page
from sms.core.web.i18n import _, language, localised

bp = Blueprint("contacts", __name__)
_PAGE = 50
_LARGEST = 2**63 - 1
_MOST_BYTES = 2 * limits.MAX_FILE_BYTES  # more than is taken, so that it can be said on the page
_HEADER = (N_("Number"), N_("Name"), N_("Added at"), N_("Came"))
_WIDTHS = (16, 30, 18, 24)

nav.add(
    N_("Contacts"),
    endpoint="contacts.groups",
    icon="users",
    permission=Permission.SEND_MESSAGES,
    section="customer",
    order=30,
)


def make_room(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Lists may be large, which must be said before anything reads the form; no number we gave is as large as some that
    can be written into an address."""
    if any(isinstance(value, int) and value > _LARGEST for value in (values or {}).values()):
        abort(404)
    if endpoint in {"contacts.add", "optouts.add"}:
        request.max_content_length = _MOST_BYTES
        request.max_form_memory_size = limits.MAX_FILE_BYTES


bp.url_value_preprocessor(make_room)


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """What is larger than that ends in the usual page."""
    return answer(413)


@bp.route("/contacts", methods=["GET", "POST"])
@require(Permission.SEND_MESSAGES)
def groups() -> ResponseReturnValue:
    """The groups, and a form for one more."""
    form = GroupForm()
    if form.validate_on_submit():
        try:
            with transaction():
                group_id = operations.add_group(account_id=visitor().account_id, name=form.name.data, at=clock.now())
        except SmsError as error:
            refuse(form, error, form.name)
        else:
            return redirect_to(url_for(".group", group_id=group_id))
    return render_page(
        "contacts/groups.html",
        groups=queries.groups(visitor().account_id),
        form=form,
        status=422 if form.errors else 200,
    )


@bp.get("/contacts/<int:group_id>")
@require(Permission.SEND_MESSAGES)
def group(group_id: int) -> ResponseReturnValue:
    """The members of a group, by number; and how more come in."""
    return _group_page(group_id)


def _group_page(group_id: int, *, form: NumbersForm | None = None, rename: GroupForm | None = None) -> Response:
    account_id = visitor().account_id
    found = queries.group(account_id, group_id)
    narrowed = MembersFilterForm.read()
    after = request.args.get("after", 0, type=int)
    members = queries.members(
        account_id, group_id, after=max(0, min(after, _LARGEST)), mobile=narrowed.mobile.data, most=_PAGE + 1
    )
    return render_page(
        "contacts/group.html",
        status=422 if (form is not None and form.errors) or (rename is not None and rename.errors) else 200,
        group=found,
        members=members[:_PAGE],
        next_after=members[_PAGE - 1].mobile if len(members) > _PAGE else None,
        after=after,
        narrowed=narrowed,
        form=form or NumbersForm(formdata=None),
        rename=rename or GroupForm(formdata=None, obj=found),
        sources=SOURCE_LABELS,
    )


@bp.post("/contacts/<int:group_id>/rename")
@require(Permission.SEND_MESSAGES)
def rename(group_id: int) -> ResponseReturnValue:
    """Call it otherwise."""
    queries.group(visitor().account_id, group_id)
    form = GroupForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.rename_group(
                    account_id=visitor().account_id, group_id=group_id, name=form.name.data, at=clock.now()
                )
        except NotFound:
            raise
        except SmsError as error:
            refuse(form, error, form.name)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".group", group_id=group_id))
    return _group_page(group_id, rename=form)


@bp.post("/contacts/<int:group_id>/delete")
@require(Permission.SEND_MESSAGES)
def delete(group_id: int) -> ResponseReturnValue:
    """Throw it away."""
    with transaction():
        operations.delete_group(account_id=visitor().account_id, group_id=group_id)
    flash(_("The group was thrown away."), "success")
    return redirect_to(url_for(".groups"))


@bp.post("/contacts/<int:group_id>/add")
@require(Permission.SEND_MESSAGES)
def add(group_id: int) -> ResponseReturnValue:
    """Read numbers into it: a few at once, a million within some seconds."""
    queries.group(visitor().account_id, group_id)
    form = NumbersForm()
    if form.validate_on_submit():
        try:
            import_id = take_in(form, group_id=group_id)
        except NotFound:
            raise
        except SmsError as error:
            refuse(form, error, form.file if form.has_file else form.numbers)
        else:
            return redirect_to(url_for(".imported", reading_id=import_id))
    return _group_page(group_id, form=form)


def take_in(form: NumbersForm, *, group_id: int | None, reason: str = "") -> int:
    """Hand a list in; returns its import's id."""
    with transaction():
        return imports.begin(
            account_id=visitor().account_id,
            user_id=visitor().id,
            group_id=group_id,
            stream=form.stream,
            file_name=form.file_name,
            reason=reason,
            at=clock.now(),
        )


@bp.post("/contacts/<int:group_id>/remove")
@require(Permission.SEND_MESSAGES)
def remove(group_id: int) -> ResponseReturnValue:
    """Take one out of it."""
    mobile = request.form.get("mobile", 0, type=int)
    with transaction():
        count = operations.remove_members(
            account_id=visitor().account_id,
            group_id=group_id,
            numbers=[mobile] if 0 < mobile <= _LARGEST else [],
            at=clock.now(),
        )
    if count:
        flash(_("Taken out of the group."), "success")
    return redirect_to(url_for(".group", group_id=group_id))


@bp.get("/contacts/lists/<int:reading_id>")
@require(Permission.SEND_MESSAGES)
def imported(reading_id: int) -> ResponseReturnValue:
    """What came of a list: being read, unreadable, or how many are new and which rows hold no number."""
    found = import_of(visitor().account_id, reading_id)
    if is_htmx() and found.state != "reading":
        return Response(status=STOP_POLLING, headers={"HX-Refresh": "true"})
    return render_page("contacts/imported.html", fragment="reading", found=found, problem=_problem(found))


def _problem(found: Import) -> str:
    return _(found.problem, **localised(found.problem_params)) if found.problem else ""


@bp.get("/contacts/<int:group_id>/export.csv")
@require(Permission.SEND_MESSAGES)
def export(group_id: int) -> ResponseReturnValue:
    """All members as a file."""
    queries.group(visitor().account_id, group_id)
    return csv_file(f"contacts-{group_id}", _HEADER, _rows(group_id))


@bp.get("/contacts/<int:group_id>/export.xlsx")
@require(Permission.SEND_MESSAGES)
def export_sheet(group_id: int) -> ResponseReturnValue:
    """The first hundred thousand members as a workbook."""
    found = queries.group(visitor().account_id, group_id)
    return xlsx_file(f"contacts-{group_id}", found.name, _HEADER, _rows(group_id), _WIDTHS)


def _rows(group_id: int) -> Iterator[list[tuple[str, str, str, str]]]:
    reader = language()
    labels = {code: _(label) for code, label in SOURCE_LABELS.items()}
    for some in queries.every_member(visitor().account_id, group_id):
        yield [
            (
                local(each.mobile),
                each.name,
                moment_text(each.added_at, reader),
                labels.get(each.source, each.source),
            )
            for each in some
        ]
