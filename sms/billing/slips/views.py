"""Bank slips: a customer hands them in; a reseller approves those of its own customers."""

from typing import Any

from flask import Blueprint, Response, flash, request, send_file, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from sms.accounts.rules import AccountKind, Permission
from sms.billing.slips import operations, queries
from sms.billing.slips.forms import RejectForm, SlipForm, SlipListForm
from sms.billing.slips.queries import Slip
from sms.billing.slips.rules import BANK_LABELS, STATE_LABELS, UnusableSlip
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web.failures import answer
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.documents.rules import MOST_BYTES, PDF
from sms.lines.documents.views import FILE_POLICY
from sms.lines.rules import UnusableLine

bp = Blueprint("slips", __name__)

PAGE = 25
_FORM_BYTES = 100_000  # beside the file


@bp.app_template_global()
def slip_state_label(state: str) -> str:
    """The name of where a slip stands."""
    return _(STATE_LABELS[state])


@bp.app_template_global()
def bank_label(bank: str) -> str:
    """The name of a bank."""
    return _(BANK_LABELS[bank])


@bp.app_template_global()
def visitor_is_reseller() -> bool:
    """Whether slips of others may be this visitor's to approve."""
    return visitor().account_kind == AccountKind.RESELLER


@bp.url_value_preprocessor
def make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A slip may be larger than a form; said before anything reads it."""
    if endpoint == "slips.slips":
        request.max_content_length = MOST_BYTES + _FORM_BYTES


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """Say how large a slip may be."""
    return answer(413, text=N_("A slip has at most 5 MB; make the photo smaller and send it again."))


@bp.route("/wallet/slips", methods=["GET", "POST"])
@require(Permission.VIEW_MONEY)
def slips() -> ResponseReturnValue:
    """The account's own slips, and the form to hand one in."""
    form = SlipForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.hand_in(account_id=visitor().account_id, wanted=form.wanted, by=actor(), at=clock.now())
        except (UnusableSlip, UnusableLine) as error:
            refuse(form, error, form._fields[error.field])
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The slip arrived; it is credited as soon as it is approved."), "success")
            return redirect_to(url_for(".slips"))
    before = request.args.get("before", type=int)
    found = queries.account_slips(visitor().account_id, before=before, most=PAGE + 1)
    return render_page(
        "billing/slips.html",
        status=422 if form.errors else 200,
        form=form,
        slips=found[:PAGE],
        older_url=url_for(".slips", before=found[PAGE - 1].id) if len(found) > PAGE else None,
        newest_url=url_for(".slips") if before else None,
    )


@bp.get("/wallet/slips/<int:own_slip_id>/file")
@require(Permission.VIEW_MONEY)
def file(own_slip_id: int) -> ResponseReturnValue:
    """One's own slip."""
    return file_answer(queries.account_slip(visitor().account_id, own_slip_id))


def file_answer(found: Slip) -> Response:
    """A slip's file as nothing but what it was found to be: no script runs in it, a PDF is downloaded."""
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


# Of a reseller's customers: their parent credits them from its own balance


def _reseller_id() -> int:
    if visitor().account_kind != AccountKind.RESELLER:
        raise NotFound(queries.NO_SUCH_SLIP)
    return visitor().account_id


@bp.get("/customers/slips")
@require(Permission.VIEW_MONEY)
def of_customers() -> ResponseReturnValue:
    """What a reseller's customers handed in; of other accounts there is nothing."""
    form = SlipListForm.read()
    before = request.args.get("before", type=int)
    found = queries.slips_for(visitor().account_id, state=form.state.data or "", before=before, most=PAGE + 1)
    older = form.address(before=found[PAGE - 1].id) if len(found) > PAGE else None
    return render_page(
        "billing/slips_of_customers.html",
        form=form,
        slips=found[:PAGE],
        older_url=url_for(".of_customers", **older) if older else None,
        newest_url=url_for(".of_customers", **form.address()) if before else None,
    )


@bp.get("/customers/slips/<int:customers_slip_id>")
@require(Permission.MANAGE_ACCOUNT)
def of_customer(customers_slip_id: int) -> ResponseReturnValue:
    """One of them: open it, approve it or reject it."""
    return _page(customers_slip_id, RejectForm(formdata=None))


def _page(slip_id: int, form: RejectForm) -> ResponseReturnValue:
    slip = queries.slip_for(_reseller_id(), slip_id)
    return render_page(
        "billing/slip_of_customer.html", status=422 if form.errors else 200, slip=slip, form=form, is_staff=False
    )


@bp.post("/customers/slips/<int:customers_slip_id>/file")
@require(Permission.MANAGE_ACCOUNT)
def open_file(customers_slip_id: int) -> ResponseReturnValue:
    """Its file; written into the audit."""
    with transaction():
        found = operations.open_file(approver_id=_reseller_id(), slip_id=customers_slip_id, by=actor(), at=clock.now())
    return file_answer(found)


@bp.post("/customers/slips/<int:customers_slip_id>/approve")
@require(Permission.MANAGE_ACCOUNT)
def approve(customers_slip_id: int) -> ResponseReturnValue:
    """Give the credit from one's own balance."""
    with transaction():
        operations.approve(approver_id=_reseller_id(), slip_id=customers_slip_id, by=actor(), at=clock.now())
    flash(_("The slip was approved and credited."), "success")
    return redirect_to(url_for(".of_customers"))


@bp.post("/customers/slips/<int:customers_slip_id>/reject")
@require(Permission.MANAGE_ACCOUNT)
def reject(customers_slip_id: int) -> ResponseReturnValue:
    """It will not do, and why."""
    approver_id = _reseller_id()
    form = RejectForm()
    if not form.validate_on_submit():
        return _page(customers_slip_id, form)
    with transaction():
        operations.reject(
            approver_id=approver_id,
            slip_id=customers_slip_id,
            reason=form.reason.data,
            by=actor(),
            at=clock.now(),
        )
    flash(_("The slip was rejected; the customer reads why."), "success")
    return redirect_to(url_for(".of_customers"))
