"""A reseller's own prices: what it pays, what its sub-accounts pay, and what is left."""

from decimal import Decimal

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.operations import Ended
from sms.billing.price_lists import operations
from sms.billing.price_lists.forms import AskedForm, HistoryForm
from sms.billing.price_lists.queries import sheets
from sms.billing.price_lists.rules import BelowCost
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import number_text
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, language

bp = Blueprint("price_lists", __name__, url_prefix="/reseller")

PAGE = 25

nav.add(
    N_("My prices"),
    endpoint="price_lists.prices",
    icon="tag",
    section="customer",
    permission=Permission.MANAGE_SUB_ACCOUNTS,
    order=68,
)


@bp.app_template_filter()
def permille_text(permille: int) -> str:
    """A markup in percent, with the digit after the point that it may have."""
    percent = Decimal(permille).scaleb(-1)
    return number_text(percent if percent % 1 else int(percent)) + ("٪" if language() == "fa" else "%")


@bp.get("/prices")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def prices() -> ResponseReturnValue:
    """What the sub-accounts, or one of them, pay now, and all rows of all times."""
    at, owner_id = clock.now(), visitor().account_id
    form = HistoryForm.read(owner_id=owner_id)
    before = request.args.get("before", type=int)
    found = sheets.page(owner_id, at=at, phase=form.phase.data or "", before=before, most=PAGE + 1)
    older = form.address(before=found[PAGE - 1].id) if len(found) > PAGE else None
    account_id = int(form.account.data) if form.account.data else None
    return render_page(
        "billing/price_lists/prices.html",
        at=at,
        form=form,
        account=sheets.sub_account(owner_id, account_id) if account_id else None,
        sheets=sheets.sheets(owner_id, account_id=account_id, at=at),
        rows=found[:PAGE],
        older_url=url_for(".prices", **older) if older else None,
        newest_url=url_for(".prices", **form.address()) if before else None,
    )


@bp.route("/prices/new", methods=["GET", "POST"])
@require(Permission.MANAGE_SUB_ACCOUNTS)
def new_price() -> ResponseReturnValue:
    """Add a price; one below one's own is asked about once more before it is kept."""
    form = AskedForm(owner_id=visitor().account_id)
    is_below_cost = False
    if request.method == "GET":
        _prefill(form)
    elif form.validate_on_submit():
        at = clock.now()
        try:
            with transaction():
                operations.add_asked(
                    form.asked(at),
                    owner_id=visitor().account_id,
                    confirm_below_cost=form.confirm_below_cost.data,
                    actor_id=visitor().id,
                    at=at,
                )
        except SmsError as error:
            refuse(form, error)
            is_below_cost = isinstance(error, BelowCost)
        else:
            flash(_("The price was added."), "success")
            return redirect_to(url_for(".prices"))
    return render_page(
        "billing/price_lists/new_price.html",
        form=form,
        is_below_cost=is_below_cost,
        status=422 if form.errors else 200,
    )


def _prefill(form: AskedForm) -> None:
    """From the address; what is not one of the choices is left out."""
    for field in (form.operator_id, form.network_id, form.account_id, form.language):
        wanted = request.args.get(field.name, "")
        field.data = wanted if wanted in {choice.value for choice in field.choices} else ""
    form.line.data = request.args.get("line", "")


@bp.post("/prices/<int:asked_id>/end")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def end_price(asked_id: int) -> ResponseReturnValue:
    """End a price now, or withdraw one that has not begun; the sub-accounts then pay what fits next."""
    try:
        with transaction():
            operations.end_asked(owner_id=visitor().account_id, row_id=asked_id, actor_id=visitor().id, at=clock.now())
    except Ended as error:
        flash(_(error.message), "warning")
    else:
        flash(_("The price was ended."), "success")
    return redirect_to(url_for(".prices"))
