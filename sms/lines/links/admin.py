"""The staff's page of links over lines: who is permitted to send them, and which lines are strict."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.admin import PERMISSION
from sms.lines.links import operations, queries
from sms.lines.links.forms import PermissionForm
from sms.lines.links.rules import POLICY_LABELS

bp = Blueprint("line_links", __name__)
_ON_A_PAGE = 50

nav.add(
    N_("Links on lines"),
    endpoint="line_links.permissions",
    icon="shield-check",
    permission=PERMISSION,
    section="admin",
    order=34,
)


@bp.route("/admin/link-permissions", methods=["GET", "POST"])
@require(PERMISSION)
def permissions() -> ResponseReturnValue:
    """Who may send texts with links over lines that ask for a permission; grant another."""
    form = PermissionForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.permit(
                    account_id=user_by_name(form.account.data.strip()).account_id,
                    line_number=form.line_number,
                    reason=form.reason.data,
                    expires_at=form.expires_at,
                    by=actor(),
                    at=clock.now(),
                )
        except NotFound as error:
            refuse(form, error, form.account)
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The permission was granted."), "success")
            return redirect_to(url_for(".permissions"))
    before = request.args.get("before", type=int)
    found = queries.permissions(before=before, most=_ON_A_PAGE + 1)
    shown = found[:_ON_A_PAGE]
    return render_page(
        "lines/admin_link_permissions.html",
        form=form,
        permissions=shown,
        lines=queries.strict_lines(),
        policies=POLICY_LABELS,
        at=clock.now(),
        older_url=url_for(".permissions", before=shown[-1].id) if len(found) > _ON_A_PAGE else None,
        newest_url=url_for(".permissions") if before else None,
        status=422 if form.errors else 200,
    )


@bp.post("/admin/link-permissions/<int:permission_id>/end")
@require(PERMISSION)
def end_permission(permission_id: int) -> ResponseReturnValue:
    """Take one back."""
    with transaction():
        operations.end_permission(permission_id=permission_id, by=actor(), at=clock.now())
    flash(_("The permission has ended."), "success")
    return redirect_to(url_for(".permissions"))
