"""Staff pages of formats: which lengths each operator sells, and how."""

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.actor import Actor
from sms.core.db import transaction
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.formats import operations, queries
from sms.lines.formats.forms import FormatForm
from sms.lines.formats.queries import Seller
from sms.lines.formats.rules.tiers import CHOICE_LABELS, TIER_LABELS
from sms.lines.rules import UnusableLine
from sms.operators.rules import SALE_MODE_LABELS

bp = Blueprint("lines_formats", __name__)
PERMISSION = "lines.manage"

nav.add(
    N_("Line formats"),
    endpoint="lines_formats.formats",
    icon="list-details",
    permission=PERMISSION,
    section="admin",
    order=32,
)


@bp.get("/admin/line-formats")
@require(PERMISSION)
def formats() -> ResponseReturnValue:
    """What every operator sells."""
    at = clock.now()
    return render_page(
        "lines/formats.html",
        sellers=queries.sellers(at),
        coming=queries.coming_formats(at),
        tiers=TIER_LABELS,
        choices=CHOICE_LABELS,
        sale_modes=SALE_MODE_LABELS,
    )


@bp.route("/admin/line-formats/<int:operator_id>/edit", methods=["GET", "POST"])
@require(PERMISSION)
def edit_format(operator_id: int) -> ResponseReturnValue:
    """Add a length, or change what holds for it; `digits` in the address begins from what is in force."""
    seller = queries.seller(operator_id, clock.now())
    form = FormatForm()
    if request.method == "GET":
        _begin(form, seller)
    elif form.validate_on_submit():
        try:
            with transaction():
                operations.set_format(
                    operator_id=operator_id,
                    wanted=form.wanted,
                    valid_from=form.begins,
                    by=Actor(id=visitor().id, address=request.remote_addr or ""),
                    at=clock.now(),
                )
        except UnusableLine as error:
            refuse(form, error, form._fields.get(error.field))
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".formats"))
    return _page(form, seller)


def _begin(form: FormatForm, seller: Seller) -> None:
    digits = request.args.get("digits", type=int)
    known = next((each for each in seller.formats if each.digits == digits), None)
    if known is not None:
        form.show(known)
    elif digits is not None:
        abort(404)


def _page(form: FormatForm, seller: Seller) -> Response:
    digits = request.args.get("digits", type=int)
    return render_page(
        "lines/format.html",
        form=form,
        seller=seller,
        history=queries.format_history(seller.id, digits) if digits else [],
        digits=digits,
        tiers=TIER_LABELS,
        sale_modes=SALE_MODE_LABELS,
        status=422 if form.errors else 200,
    )
