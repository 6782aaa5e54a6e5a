"""Staff page of a gateway's address for pushed reports. The address is shown once, when it is made."""

from flask import Blueprint, Response, abort, flash, url_for
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.operators.push import operations
from sms.operators.push.forms import PushForm
from sms.operators.push.queries import Push, push
from sms.operators.push.rules import path_of
from sms.operators.rules import UnusableSetting

bp = Blueprint("operators_push", __name__)
PERMISSION = "operators.manage"


def _found(gateway_id: int) -> Push:
    found = push(gateway_id)
    return found if found is not None else abort(404)


@bp.route("/admin/gateways/<int:gateway_id>/push", methods=["GET", "POST"])
@require(PERMISSION)
def gateway(gateway_id: int) -> ResponseReturnValue:
    """How reports are pushed to this gateway; the form says from where."""
    found = _found(gateway_id)
    form = PushForm(addresses=" ".join(found.addresses))
    if form.validate_on_submit():
        try:
            with transaction():
                operations.bind(gateway_id=gateway_id, addresses=form.addresses.data or "", by=actor(), at=clock.now())
        except UnusableSetting as error:
            refuse(form, error, form.addresses)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".gateway", gateway_id=gateway_id))
    return _page(found, form)


@bp.post("/admin/gateways/<int:gateway_id>/push/renew")
@require(PERMISSION)
def renew(gateway_id: int) -> ResponseReturnValue:
    """Make an address and show it, this once: it is kept nowhere, not even in the session."""
    with transaction():
        token = operations.renew(gateway_id=gateway_id, by=actor(), at=clock.now())
    found = _found(gateway_id)
    form = PushForm(formdata=None, addresses=" ".join(found.addresses))
    return _page(found, form, address=settings().public_url + path_of(gateway_id, token))


@bp.post("/admin/gateways/<int:gateway_id>/push/close")
@require(PERMISSION)
def close(gateway_id: int) -> ResponseReturnValue:
    """Take the address away."""
    with transaction():
        operations.close(gateway_id=gateway_id, by=actor(), at=clock.now())
    flash(_("The address is closed; what is pushed to it is refused."), "warning")
    return redirect_to(url_for(".gateway", gateway_id=gateway_id))


def _page(found: Push, form: PushForm, *, address: str = "") -> Response:
    return render_page(
        "operators/push.html", push=found, form=form, address=address, status=422 if form.errors else 200
    )
