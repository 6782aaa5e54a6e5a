"""Staff pages of resellers' domains, and the door of the installation."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.forms import by
from sms.accounts.queries import root_id
from sms.accounts.rules import Permission
from sms.core.db import transaction
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.guards import require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, say
from sms.resellers.brand import operations, queries
from sms.resellers.brand.forms import ApproveForm

bp = Blueprint("brand_admin", __name__, url_prefix="/admin")

nav.add(
    N_("Domains"),
    endpoint="brand_admin.domains",
    icon="network",
    section="admin",
    permission=Permission.MANAGE_CUSTOMERS,
    order=85,
)


@bp.get("/domains")
@require(Permission.MANAGE_CUSTOMERS)
def domains() -> ResponseReturnValue:
    """Domains that resellers ask for or have, and whether people may open accounts by themselves."""
    return render_page(
        "resellers/domains.html",
        domains=queries.all_domains(),
        is_sign_up_open=queries.is_sign_up_open(),
    )


@bp.post("/domains/<int:domain_id>/approve")
@require(Permission.MANAGE_CUSTOMERS)
def approve(domain_id: int) -> ResponseReturnValue:
    """Let the brand show under it."""
    form = ApproveForm()
    try:
        with transaction():
            operations.approve_domain(domain_id=domain_id, is_sure=form.is_sure.data, by=by())
    except Refusal as error:
        flash(say(error), "danger")
    else:
        flash(_("The brand shows under this domain from now on."), "success")
    return redirect_to(url_for(".domains"))


@bp.post("/domains/<int:domain_id>/remove")
@require(Permission.MANAGE_CUSTOMERS)
def remove(domain_id: int) -> ResponseReturnValue:
    """Turn it down, or take it back."""
    with transaction():
        operations.remove_domain(domain_id=domain_id, by=by())
    flash(_("The domain is taken away; it shows the installation's own name."), "success")
    return redirect_to(url_for(".domains"))


@bp.post("/sign-up")
@require(Permission.MANAGE_CUSTOMERS)
def sign_up() -> ResponseReturnValue:
    """Open or close the installation's own sign-up."""
    is_open = request.form.get("on") == "1"
    with transaction():
        operations.open_sign_up(root_id=root_id(), is_open=is_open, by=by())
    flash(_("Everybody can open an account.") if is_open else _("Accounts are opened by staff only."), "success")
    return redirect_to(url_for(".domains"))
