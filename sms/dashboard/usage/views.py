"""The invoice of a month that is over, looked at first and issued on demand."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.invoices.operations import issue_for_usage
from sms.billing.invoices.queries import invoice_of
from sms.billing.invoices.rules import Month, last_months, month_called, month_of, net
from sms.core import clock
from sms.core.calendar import day_of
from sms.core.db import transaction
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.dashboard.usage import queries

bp = Blueprint("usage", __name__)

_MONTHS = 12


def _month(code: str) -> Month:
    found = month_called(code)
    if found is None:
        raise NotFound(N_("There is no such month."))
    return found


@bp.get("/wallet/usage")
@require(Permission.VIEW_MONEY)
def months() -> ResponseReturnValue:
    """The months that are over, or what was used in the one that is asked for."""
    today = day_of(clock.now())
    if "month" not in request.args:
        return render_page("dashboard/usage_months.html", months=last_months(today, _MONTHS))
    wanted, account_id = _month(request.args["month"]), visitor().account_id
    lines = queries.usage(account_id, wanted)
    return render_page(
        "dashboard/usage.html",
        month=wanted,
        lines=lines,
        net_mrial=net(lines),
        invoice_id=invoice_of(f"usage:{account_id}:{wanted.code}"),
        is_over=wanted < month_of(today),
    )


@bp.post("/wallet/usage/invoice")
@require(Permission.VIEW_MONEY)
def issue() -> ResponseReturnValue:
    """Issue the invoice of one month; asked for again, it is the same one."""
    wanted, account_id = _month(request.form.get("month", "")), visitor().account_id
    with transaction():
        invoice_id = issue_for_usage(
            account_id=account_id,
            month=wanted,
            lines=queries.usage(account_id, wanted),
            actor_id=visitor().id,
            at=clock.now(),
        )
    flash(_("The invoice was issued."), "success")
    return redirect_to(url_for("invoices.invoice", invoice_id=invoice_id))
