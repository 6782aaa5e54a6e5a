"""Staff pages of tiers: the steps, and what one account was given."""

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import account as account_of
from sms.accounts.rules import Permission
from sms.billing.taxes.rules import percent_text
from sms.billing.tiers import operations, queries
from sms.billing.tiers.forms import ByHandForm, StepForm
from sms.billing.tiers.rules import AUDIENCE_LABELS, BASIS_LABELS, Standing
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import day_text, digits, money_text, number_text
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _

bp = Blueprint("tiers_admin", __name__, url_prefix="/admin")

nav.add(
    N_("Discount tiers"),
    endpoint="tiers_admin.tiers",
    icon="chart-bar",
    section="admin",
    permission=Permission.MANAGE_PRICES,
    order=48,
)


@bp.app_template_global()
def why_tier(standing: Standing) -> str:
    """Why an account stands where it stands, in the reader's language."""
    step = standing.step
    return _(
        standing.why,
        percent=digits(percent_text(standing.discount_permille)),
        reason=standing.reason,
        counted=money_text(standing.counted_mrial),
        days=number_text(step.days if step else 0),
        until=day_text(standing.valid_until) if standing.valid_until else "",
        **{"from": money_text(step.from_mrial if step else 0)},
    )


@bp.app_template_global()
def basis_label(basis: str) -> str:
    """What a step compares with its amount."""
    return _(BASIS_LABELS[basis])


@bp.route("/tiers", methods=["GET", "POST"])
@require(Permission.MANAGE_PRICES)
def tiers() -> ResponseReturnValue:
    """The steps in force, and the form that adds one or changes its discount."""
    at = clock.now()
    form = StepForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.add_step(form.step(at), actor_id=visitor().id, at=at)
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The tier was added."), "success")
            return redirect_to(url_for(".tiers"))
    return render_page(
        "billing/tiers.html",
        status=422 if form.errors else 200,
        form=form,
        steps=queries.steps(at=at),
        audiences=AUDIENCE_LABELS,
        bases=BASIS_LABELS,
    )


@bp.post("/tiers/<int:tier_id>/end")
@require(Permission.MANAGE_PRICES)
def end_tier(tier_id: int) -> ResponseReturnValue:
    """Take a step away."""
    with transaction():
        operations.end_step(tier_id=tier_id, actor_id=visitor().id, at=clock.now())
    flash(_("The tier was taken away; who has reached it keeps it until its day."), "success")
    return redirect_to(url_for(".tiers"))


@bp.route("/accounts/<int:account_id>/tier", methods=["GET", "POST"])
@require(Permission.MANAGE_PRICES)
def account(account_id: int) -> ResponseReturnValue:
    """Where an account stands and why; a discount by hand, with its reason."""
    at = clock.now()
    form = ByHandForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.set_by_hand(
                    account_id=account_id,
                    discount_permille=form.discount.data,
                    reason=form.reason.data,
                    valid_until=form.valid_until,
                    actor_id=visitor().id,
                    at=at,
                )
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".account", account_id=account_id))
    return render_page(
        "billing/account_tier.html",
        status=422 if form.errors else 200,
        account=account_of(account_id),
        form=form,
        standing=queries.standing(account_id, at=at),
        history=queries.history(account_id),
        bases=BASIS_LABELS,
    )
