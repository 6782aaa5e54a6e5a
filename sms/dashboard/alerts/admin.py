"""Staff pages of alerts: what is open and what was, who has seen it, and the policy."""

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.dashboard.alerts import operations, queries
from sms.dashboard.alerts.forms import AcknowledgeForm, PolicyForm
from sms.dashboard.alerts.views import before_id, shown

bp = Blueprint("alerts_admin", __name__)
PERMISSION = Permission.MANAGE_MONEY
_PAGE = 50

nav.add(N_("Alerts"), endpoint="alerts_admin.alerts", icon="bell", section="admin", permission=PERMISSION, order=12)


@bp.get("/admin/alerts")
@require(PERMISSION)
def alerts() -> ResponseReturnValue:
    """What is open, and what is over."""
    before, prices_before = before_id("before"), before_id("prices_before")
    ended = queries.ended_alerts(before=before, most=_PAGE + 1)
    prices = queries.alerts_of_prices(None, before=prices_before, most=_PAGE + 1)
    return render_page(
        "alerts/alerts.html",
        open=[shown(alert) for alert in queries.open_alerts()],
        prices=[shown(alert) for alert in prices[:_PAGE]],
        older_prices=prices[_PAGE - 1].id if len(prices) > _PAGE else None,
        prices_before=prices_before,
        ended=[shown(alert) for alert in ended[:_PAGE]],
        older=ended[_PAGE - 1].id if len(ended) > _PAGE else None,
        before=before,
        form=AcknowledgeForm(formdata=None),
    )


@bp.post("/admin/alerts/<int:alert_id>/acknowledge")
@require(PERMISSION)
def acknowledge(alert_id: int) -> ResponseReturnValue:
    """Somebody has seen it."""
    form = AcknowledgeForm()
    if not form.validate_on_submit():
        flash(_("The note is too long."), "danger")
        return redirect_to(url_for(".alerts"))
    with transaction():
        operations.acknowledge(alert_id=alert_id, note_text=form.note.data or "", by=actor(), at=clock.now())
    flash(_("Acknowledged. It stays here until it is over."), "success")
    return redirect_to(url_for(".alerts"))


@bp.route("/admin/alerts/policy", methods=["GET", "POST"])
@require(PERMISSION)
def policy() -> ResponseReturnValue:
    """When something is told."""
    form = PolicyForm.of(queries.policy())
    if form.validate_on_submit():
        with transaction():
            operations.set_policy(form.policy, by=actor(), at=clock.now())
        flash(_("Saved. It holds from the next look on."), "success")
        return redirect_to(url_for(".alerts"))
    return render_page("alerts/policy.html", form=form, status=422 if form.errors else 200)
