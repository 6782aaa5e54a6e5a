"""Staff page of taxes: what holds, what comes, what was."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.taxes import operations, queries
from sms.billing.taxes.forms import TaxForm
from sms.billing.taxes.rules import TAX_LABELS, percent_text
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import digits
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _

bp = Blueprint("taxes_admin", __name__, url_prefix="/admin")

PAGE = 25

nav.add(
    N_("Taxes"),
    endpoint="taxes_admin.taxes",
    icon="percentage",
    section="admin",
    permission=Permission.MANAGE_PRICES,
    order=47,
)


@bp.app_template_global()
def permille_text(permille: int) -> str:
    """Thousandths as a percentage, in the reader's digits."""
    return _("%(percent)s percent", percent=digits(percent_text(permille)))


@bp.route("/taxes", methods=["GET", "POST"])
@require(Permission.MANAGE_PRICES)
def taxes() -> ResponseReturnValue:
    """All rates with the days from which they hold, and the form that adds one."""
    at = clock.now()
    form = TaxForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.add_tax(form.tax(at), actor_id=visitor().id, at=at)
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The rate was added."), "success")
            return redirect_to(url_for(".taxes"))
    before = request.args.get("before", type=int)
    found = queries.taxes(at=at, before=before, most=PAGE + 1)
    return render_page(
        "billing/taxes.html",
        status=422 if form.errors else 200,
        form=form,
        labels=TAX_LABELS,
        taxes=found[:PAGE],
        older_url=url_for(".taxes", before=found[PAGE - 1].id) if len(found) > PAGE else None,
        newest_url=url_for(".taxes") if before else None,
    )
