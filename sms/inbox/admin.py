"""Staff pages of texts: those that belong to nobody, and the address that an operator pushes a line's texts to."""

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.inbox import queries
from sms.inbox.forms import LinePushForm
from sms.inbox.operations import pushing
from sms.inbox.queries import LinePush
from sms.inbox.rules import is_mobile
from sms.operators.inbound.queries import unreadable
from sms.operators.rules import UnusableSetting

bp = Blueprint("inbox_admin", __name__)
_PAGE = 50
_FEW = 20
_LARGEST_LINE, _LARGEST_ID = 2**31 - 1, 2**63 - 1

nav.add(
    N_("Texts without an owner"),
    endpoint="inbox_admin.nobodys",
    icon="inbox",
    permission=Permission.MANAGE_MESSAGES,
    section="admin",
    order=28,
)


@bp.get("/admin/texts")
@require(Permission.MANAGE_MESSAGES)
def nobodys() -> ResponseReturnValue:
    """Texts to public lines, to free ones and to numbers that are no line of ours; and what nobody could read."""
    before = request.args.get("before", type=int)
    before = before if before is not None and 0 < before <= _LARGEST_ID else None
    found = queries.nobodys(before=before, most=_PAGE + 1)
    shown = found[:_PAGE]
    return render_page(
        "inbox/admin_nobodys.html",
        texts=shown,
        older=shown[-1].id if len(found) > _PAGE else None,
        before=before,
        is_mobile=is_mobile,
        unreadable=[] if before else unreadable(most=_FEW),
    )


def _found(line_id: int) -> LinePush:
    found = queries.line_push(line_id) if line_id <= _LARGEST_LINE else None
    return found if found is not None else abort(404)


@bp.route("/admin/lines/<int:line_id>/texts", methods=["GET", "POST"])
@require(Permission.MANAGE_LINES)
def line(line_id: int) -> ResponseReturnValue:
    """How texts are pushed to this line; the form says from where."""
    found = _found(line_id)
    form = LinePushForm(addresses=" ".join(found.addresses))
    if form.validate_on_submit():
        try:
            with transaction():
                pushing.bind(line_id=line_id, addresses=form.addresses.data or "", by=actor(), at=clock.now())
        except UnusableSetting as error:
            refuse(form, error, form.addresses)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".line", line_id=line_id))
    return _page(found, form)


@bp.post("/admin/lines/<int:line_id>/texts/renew")
@require(Permission.MANAGE_LINES)
def renew(line_id: int) -> ResponseReturnValue:
    """Make an address and show it, this once: it is kept nowhere, not even in the session."""
    _found(line_id)
    with transaction():
        secret = pushing.renew(line_id=line_id, by=actor(), at=clock.now())
    found = _found(line_id)
    form = LinePushForm(formdata=None, addresses=" ".join(found.addresses))
    address = settings().public_url + url_for("inbox_webhooks.texts", line_id=line_id, secret=secret)
    return _page(found, form, address=address)


@bp.post("/admin/lines/<int:line_id>/texts/close")
@require(Permission.MANAGE_LINES)
def close(line_id: int) -> ResponseReturnValue:
    """Take the address away."""
    _found(line_id)
    with transaction():
        pushing.close(line_id=line_id, by=actor(), at=clock.now())
    flash(_("The address is closed; what is pushed to it is refused."), "warning")
    return redirect_to(url_for(".line", line_id=line_id))


def _page(found: LinePush, form: LinePushForm, *, address: str = "") -> Response:
    return render_page(
        "inbox/admin_line.html", line=found, form=form, address=address, status=422 if form.errors else 200
    )
