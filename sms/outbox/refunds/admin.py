"""Staff pages of refunds: what is due and what was posted over all accounts, by operator and rule."""

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.guards import require
from sms.core.web.htmx import render_page
from sms.outbox.refunds import queries
from sms.outbox.refunds.forms import StaffDueForm, StaffPostedForm
from sms.outbox.refunds.views import PAGE, paged, place

bp = Blueprint("refunds_admin", __name__)

nav.add(
    N_("Refunds"),
    endpoint="refunds_admin.due",
    icon="receipt-refund",
    section="admin",
    permission=Permission.MANAGE_MONEY,
    order=62,
)


@bp.get("/admin/refunds")
@require(Permission.MANAGE_MONEY)
def due() -> ResponseReturnValue:
    """What we owe, and when, over all accounts."""
    form = StaffDueForm.read()
    found = queries.due(form.narrowed, after=place(), most=PAGE + 1)
    return render_page(
        "outbox/admin_refunds_due.html",
        form=form,
        sums=queries.due_sums(form.narrowed),
        **paged(found, lambda **more: url_for(".due", **form.address(**more)), by="due_at", number="message_id"),
    )


@bp.get("/admin/refunds/posted")
@require(Permission.MANAGE_MONEY)
def posted() -> ResponseReturnValue:
    """What was paid back on a day, over all accounts."""
    form = StaffPostedForm.read()
    at = clock.now()
    found = queries.posted(form.narrowed, **form.bounds(at), before=place(), most=PAGE + 1)
    return render_page(
        "outbox/admin_refunds_posted.html",
        form=form,
        day=form.chosen(at),
        sums=queries.posted_sums(form.narrowed, **form.bounds(at)),
        **paged(found, lambda **more: url_for(".posted", **form.address(**more)), by="posted_at", number="id"),
    )
