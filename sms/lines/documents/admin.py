"""Staff pages of documents. Opening a file or a national code is an act, written into the audit: it is never a GET."""

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.documents import operations, queries
from sms.lines.documents.forms import NeedForm, TurnDownForm
from sms.lines.documents.rules import DOCUMENT_LABELS, HOLDER_LABELS, STATE_LABELS, DocumentKind, Holder
from sms.lines.documents.views import file_answer
from sms.operators.queries import operators

bp = Blueprint("documents_admin", __name__, url_prefix="/admin")
_ON_A_PAGE = 50

nav.add(
    N_("Documents to review"),
    endpoint="documents_admin.documents",
    icon="file-text",
    permission=Permission.MANAGE_LINES,
    section="admin",
    order=36,
)


@bp.get("/documents")
@require(Permission.MANAGE_LINES)
def documents() -> ResponseReturnValue:
    """What waits for a look, the oldest first."""
    after = request.args.get("after", type=int)
    found = queries.waiting(after=after, most=_ON_A_PAGE + 1)
    shown = found[:_ON_A_PAGE]
    return render_page(
        "lines/admin_documents.html",
        documents=shown,
        kinds=DOCUMENT_LABELS,
        older_url=url_for(".documents", after=shown[-1].id) if len(found) > _ON_A_PAGE else None,
        newest_url=url_for(".documents") if after else None,
    )


@bp.get("/documents/<int:document_id>")
@require(Permission.MANAGE_LINES)
def document(document_id: int) -> ResponseReturnValue:
    """One document: open it, accept it or turn it down."""
    return _page(document_id, TurnDownForm(formdata=None))


@bp.post("/documents/<int:document_id>/file")
@require(Permission.MANAGE_LINES)
def open_file(document_id: int) -> ResponseReturnValue:
    """Its file."""
    with transaction():
        found = operations.open_file(document_id=document_id, by=actor(), at=clock.now())
    return file_answer(found)


@bp.post("/documents/<int:document_id>/code")
@require(Permission.MANAGE_LINES)
def open_code(document_id: int) -> ResponseReturnValue:
    """Its full national code, on this one page and nowhere else."""
    with transaction():
        code = operations.open_code(document_id=document_id, seal_key=settings().seal_key, by=actor(), at=clock.now())
    return _page(document_id, TurnDownForm(formdata=None), code=code)


@bp.post("/documents/<int:document_id>/accept")
@require(Permission.MANAGE_LINES)
def accept(document_id: int) -> ResponseReturnValue:
    """It is fine."""
    with transaction():
        operations.accept(document_id=document_id, by=actor(), at=clock.now())
    flash(_("The document was accepted."), "success")
    return redirect_to(url_for(".documents"))


@bp.post("/documents/<int:document_id>/turn-down")
@require(Permission.MANAGE_LINES)
def turn_down(document_id: int) -> ResponseReturnValue:
    """It will not do, and why."""
    form = TurnDownForm()
    if not form.validate_on_submit():
        return _page(document_id, form)
    try:
        with transaction():
            operations.turn_down(document_id=document_id, reason=form.reason.data, by=actor(), at=clock.now())
    except SmsError as error:
        refuse(form, error, form.reason)
        return _page(document_id, form)
    flash(_("The document was turned down; the customer reads why."), "success")
    return redirect_to(url_for(".documents"))


@bp.route("/documents/needed", methods=["GET", "POST"])
@require(Permission.MANAGE_LINES)
def needed() -> ResponseReturnValue:
    """Which papers an order needs, by operator and holder."""
    form = NeedForm()
    form.offer(operators())
    if form.validate_on_submit():
        try:
            with transaction():
                operations.need(
                    operator_id=form.operator_id.data or None,
                    holder=Holder(form.holder.data),
                    kind=DocumentKind(form.kind.data),
                    by=actor(),
                    at=clock.now(),
                )
        except SmsError as error:
            refuse(form, error, form.kind)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".needed"))
    return render_page(
        "lines/admin_needed.html",
        form=form,
        needed=queries.all_needed(),
        kinds=DOCUMENT_LABELS,
        holders=HOLDER_LABELS,
        status=422 if form.errors else 200,
    )


@bp.post("/documents/needed/<int:needed_id>/remove")
@require(Permission.MANAGE_LINES)
def need_no_more(needed_id: int) -> ResponseReturnValue:
    """Ask for it no longer."""
    with transaction():
        operations.need_no_more(needed_id=needed_id, by=actor(), at=clock.now())
    flash(_("Saved."), "success")
    return redirect_to(url_for(".needed"))


def _page(document_id: int, form: TurnDownForm, *, code: str = "") -> Response:
    return render_page(
        "lines/admin_document.html",
        document=queries.document(document_id),
        form=form,
        code=code,
        kinds=DOCUMENT_LABELS,
        states=STATE_LABELS,
        status=422 if form.errors else 200,
    )
