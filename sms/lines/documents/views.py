"""A customer's documents."""

from typing import Any

from flask import Blueprint, Response, flash, request, send_file, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.failures import answer
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.documents import operations, queries
from sms.lines.documents.forms import UploadForm
from sms.lines.documents.queries import DocumentView
from sms.lines.documents.rules import DOCUMENT_LABELS, MOST_BYTES, PDF, STATE_LABELS, DocumentKind
from sms.lines.rules import UnusableLine

bp = Blueprint("documents", __name__)
_FORM_BYTES = 100_000  # beside the file
FILE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; sandbox"

nav.add(
    N_("Documents"),
    endpoint="documents.documents",
    icon="file-text",
    permission=Permission.MANAGE_ACCOUNT,
    section="account",
    order=40,
)


@bp.url_value_preprocessor
def make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A document may be larger than a form; said before anything reads it."""
    if endpoint == "documents.documents":
        request.max_content_length = MOST_BYTES + _FORM_BYTES


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """Say how large a document may be."""
    return answer(413, text=N_("A document has at most 5 MB; make the photo smaller and send it again."))


@bp.route("/documents", methods=["GET", "POST"])
@require(Permission.MANAGE_ACCOUNT)
def documents() -> ResponseReturnValue:
    """All documents of one's account, and the form to hand one in."""
    form = UploadForm(kind=_asked_kind(), order_id=request.args.get("order", ""))
    if form.validate_on_submit():
        try:
            with transaction():
                operations.upload(
                    account_id=visitor().account_id,
                    wanted=form.wanted,
                    seal_key=settings().seal_key,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableLine as error:
            refuse(form, error, form._fields[error.field])
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The document arrived; our staff look at it."), "success")
            return redirect_to(_way_back(form))
    return render_page(
        "lines/documents.html",
        form=form,
        documents=queries.account_documents(visitor().account_id),
        kinds=DOCUMENT_LABELS,
        states=STATE_LABELS,
        status=422 if form.errors else 200,
    )


def _asked_kind() -> str:
    asked = request.args.get("kind", "")
    return asked if asked in set(DocumentKind) else DocumentKind.NATIONAL_CARD


def _way_back(form: UploadForm) -> str:
    order_id = form.wanted.order_id
    if order_id is None:
        return url_for(".documents")
    return url_for("line_orders.order", order_id=order_id)


@bp.get("/documents/<int:document_id>/file")
@require(Permission.MANAGE_ACCOUNT)
def file(document_id: int) -> ResponseReturnValue:
    """One's own document."""
    return file_answer(queries.account_document(visitor().account_id, document_id))


@bp.post("/documents/<int:document_id>/remove")
@require(Permission.MANAGE_ACCOUNT)
def remove(document_id: int) -> ResponseReturnValue:
    """Take one back."""
    with transaction():
        operations.remove(account_id=visitor().account_id, document_id=document_id, by=actor(), at=clock.now())
    flash(_("The document was removed."), "success")
    return redirect_to(url_for(".documents"))


def file_answer(found: DocumentView) -> Response:
    """A document's file as nothing but what it was found to be: no script runs in it, a PDF is downloaded."""
    response = send_file(
        operations.file_of(found),
        mimetype=found.media_type,
        as_attachment=found.media_type == PDF,
        download_name=found.file_name,
        conditional=False,
    )
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
