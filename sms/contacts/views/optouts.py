"""Whom an account must not write to: the list, how it grows and shrinks, and what is answered to who opts out."""

from collections.abc import Iterator

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from sms.accounts.rules import Permission
from sms.contacts import operations, queries
from sms.contacts.forms import OptOutFilterForm, OptOutForm, ReplyForm
from sms.contacts.rules import SOURCE_LABELS
from sms.contacts.views.groups import make_room, take_in
from sms.contacts.words import operations as words
from sms.contacts.words.queries import replies
from sms.core import clock
from sms.core.calendar import moment_text
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.phone import local
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.downloads import csv_file, xlsx_file
from sms.core.web.failures import answer
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, language, say

bp = Blueprint("optouts", __name__)
bp.url_value_preprocessor(make_room)
_PAGE = 50
_LARGEST = 2**63 - 1
_HEADER = (N_("Number"), N_("Line"), N_("Reason"), N_("Came"), N_("Since"))
_WIDTHS = (16, 18, 40, 24, 18)

nav.add(
    N_("Not to be written to"),
    endpoint="optouts.opted_out",
    icon="user-off",
    permission=Permission.SEND_MESSAGES,
    section="customer",
    order=31,
)


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """What is larger than that ends in the usual page."""
    return answer(413)


@bp.get("/opt-outs")
@require(Permission.SEND_MESSAGES)
def opted_out() -> ResponseReturnValue:
    """The list, the newest first, and a form for more."""
    return _page(OptOutForm(formdata=None))


def _page(form: OptOutForm) -> Response:
    narrowed = OptOutFilterForm.read()
    before = request.args.get("before", type=int)
    before = before if before is not None and 0 < before <= _LARGEST else None
    found = queries.opted_out(visitor().account_id, recipient=narrowed.mobile.data, before=before, most=_PAGE + 1)
    return render_page(
        "contacts/opted_out.html",
        status=422 if form.errors else 200,
        entries=found[:_PAGE],
        older=found[_PAGE - 1].id if len(found) > _PAGE else None,
        before=before,
        narrowed=narrowed,
        form=form,
        sources=SOURCE_LABELS,
    )


@bp.post("/opt-outs/add")
@require(Permission.SEND_MESSAGES)
def add() -> ResponseReturnValue:
    """Put numbers on it, for all lines: a few at once, a million within some seconds."""
    form = OptOutForm()
    if form.validate_on_submit():
        try:
            import_id = take_in(form, group_id=None, reason=form.reason.data or "")
        except SmsError as error:
            refuse(form, error, form.file if form.has_file else form.numbers)
        else:
            return redirect_to(url_for("contacts.imported", reading_id=import_id))
    return _page(form)


@bp.post("/opt-outs/remove")
@require(Permission.SEND_MESSAGES)
def remove() -> ResponseReturnValue:
    """Take one off it."""
    opt_out_id = request.form.get("opt_out_id", 0, type=int)
    if not 0 < opt_out_id <= _LARGEST:
        abort(404)
    try:
        with transaction():
            operations.remove_opt_out(
                account_id=visitor().account_id, opt_out_id=opt_out_id, by_user_id=visitor().id, at=clock.now()
            )
    except NotFound:
        raise
    except SmsError as error:
        flash(say(error), "danger")
    else:
        flash(_("Taken off the list."), "success")
    return redirect_to(url_for(".opted_out"))


@bp.get("/opt-outs/export.csv")
@require(Permission.SEND_MESSAGES)
def export() -> ResponseReturnValue:
    """The whole list as a file."""
    return csv_file("opt-outs", _HEADER, _rows())


@bp.get("/opt-outs/export.xlsx")
@require(Permission.SEND_MESSAGES)
def export_sheet() -> ResponseReturnValue:
    """The newest hundred thousand entries as a workbook."""
    return xlsx_file("opt-outs", _("Not to be written to"), _HEADER, _rows(), _WIDTHS)


def _rows() -> Iterator[list[tuple[str, str, str, str, str]]]:
    reader = language()
    every_line = _("all lines")
    labels = {code: _(label) for code, label in SOURCE_LABELS.items()}
    for some in queries.every_opted_out(visitor().account_id):
        yield [
            (
                local(each.recipient),
                each.line_number or every_line,
                each.reason,
                labels.get(each.source, each.source),
                moment_text(each.created_at, reader),
            )
            for each in some
        ]


@bp.route("/opt-outs/answers", methods=["GET", "POST"])
@require(Permission.SEND_MESSAGES)
def answers() -> ResponseReturnValue:
    """What one's own lines answer who opts out, and who comes back."""
    form = ReplyForm()
    if form.validate_on_submit():
        try:
            with transaction():
                words.set_reply(
                    account_id=visitor().account_id,
                    user_id=visitor().id,
                    line_id=form.line_id.data,
                    out_body=form.out_body.data or "",
                    in_body=form.in_body.data or "",
                )
        except NotFound:
            raise
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".answers"))
    return render_page(
        "contacts/answers.html",
        form=form,
        replies=replies(visitor().account_id),
        status=422 if form.errors else 200,
    )
