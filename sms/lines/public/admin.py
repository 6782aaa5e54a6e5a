"""The staff's page of public lines: what they may be used for, what comes, what was."""

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.admin import PERMISSION
from sms.lines.public import operations, queries
from sms.lines.public.forms import PolicyForm
from sms.lines.public.rules import POLICY_LABELS, POLICY_MEANINGS
from sms.operators.queries import operators

bp = Blueprint("public_lines", __name__)

nav.add(
    N_("Public lines"),
    endpoint="public_lines.public",
    icon="users",
    permission=PERMISSION,
    section="admin",
    order=32,
)


@bp.route("/admin/public-lines", methods=["GET", "POST"])
@require(PERMISSION)
def public() -> ResponseReturnValue:
    """What public lines may be used for; a new row is added, none is ever changed."""
    at = clock.now()
    form = PolicyForm()
    form.offer(operators())
    if form.validate_on_submit():
        try:
            with transaction():
                operations.add_policy(form.wanted(at), by=actor(), at=at)
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The policy was added."), "success")
            return redirect_to(url_for(".public"))
    return render_page(
        "lines/admin_public.html",
        form=form,
        in_force=queries.in_force(at=at),
        policies=queries.policies(),
        labels=POLICY_LABELS,
        meanings=POLICY_MEANINGS,
        at=at,
        status=422 if form.errors else 200,
    )
