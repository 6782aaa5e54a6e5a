"""Staff pages of bank slips of accounts right under the installation. Opening a file is an act: it is never a GET."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import root_id
from sms.accounts.rules import Permission
from sms.billing.slips import operations, queries
from sms.billing.slips.forms import RejectForm, SlipListForm
from sms.billing.slips.views import file_answer
from sms.core import clock
from sms.core.db import transaction
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _

bp = Blueprint("slips_admin", __name__, url_prefix="/admin")

PAGE = 25

nav.add(
    N_("Bank slips"),
    endpoint="slips_admin.slips",
    icon="receipt",
    section="admin",
    permission=Permission.MANAGE_MONEY,
    order=62,
)


@bp.get("/slips")
@require(Permission.MANAGE_MONEY)
def slips() -> ResponseReturnValue:
    """What was handed in, the newest first."""
    form = SlipListForm.read()
    before = request.args.get("before", type=int)
    found = queries.slips_for(root_id(), state=form.state.data or "", before=before, most=PAGE + 1)
    older = form.address(before=found[PAGE - 1].id) if len(found) > PAGE else None
    return render_page(
        "billing/admin_slips.html",
        form=form,
        slips=found[:PAGE],
        waiting=queries.waiting_count(root_id()),
        older_url=url_for(".slips", **older) if older else None,
        newest_url=url_for(".slips", **form.address()) if before else None,
    )


@bp.get("/slips/<int:slip_id>")
@require(Permission.MANAGE_MONEY)
def slip(slip_id: int) -> ResponseReturnValue:
    """One slip: open it, approve it or reject it."""
    return _page(slip_id, RejectForm(formdata=None))


def _page(slip_id: int, form: RejectForm) -> ResponseReturnValue:
    return render_page(
        "billing/slip_of_customer.html",
        status=422 if form.errors else 200,
        slip=queries.slip_for(root_id(), slip_id),
        form=form,
        is_staff=True,
    )


@bp.post("/slips/<int:slip_id>/file")
@require(Permission.MANAGE_MONEY)
def open_file(slip_id: int) -> ResponseReturnValue:
    """Its file; written into the audit."""
    with transaction():
        found = operations.open_file(approver_id=root_id(), slip_id=slip_id, by=actor(), at=clock.now())
    return file_answer(found)


@bp.post("/slips/<int:slip_id>/approve")
@require(Permission.MANAGE_MONEY)
def approve(slip_id: int) -> ResponseReturnValue:
    """The money is in the bank: credit it."""
    with transaction():
        operations.approve(approver_id=root_id(), slip_id=slip_id, by=actor(), at=clock.now())
    flash(_("The slip was approved and credited."), "success")
    return redirect_to(url_for(".slips"))


@bp.post("/slips/<int:slip_id>/reject")
@require(Permission.MANAGE_MONEY)
def reject(slip_id: int) -> ResponseReturnValue:
    """It will not do, and why."""
    form = RejectForm()
    if not form.validate_on_submit():
        return _page(slip_id, form)
    with transaction():
        operations.reject(approver_id=root_id(), slip_id=slip_id, reason=form.reason.data, by=actor(), at=clock.now())
    flash(_("The slip was rejected; the customer reads why."), "success")
    return redirect_to(url_for(".slips"))
