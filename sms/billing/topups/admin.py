"""Staff pages of top-ups: what was paid in, by whom, where it stands; the gateways and the policy."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing.topups import queries
from sms.billing.topups.forms import GatewayForm, PolicyForm, TopupListForm
from sms.billing.topups.operations import settings as writing
from sms.billing.topups.operations import settling
from sms.billing.topups.registry import ADAPTERS
from sms.billing.topups.rules import STATE_SENTENCES, TopupState
from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _

bp = Blueprint("topups_admin", __name__, url_prefix="/admin")

PAGE = 25

nav.add(
    N_("Top-ups"),
    endpoint="topups_admin.topups",
    icon="cash-plus",
    section="admin",
    permission=Permission.MANAGE_MONEY,
    order=61,
)


@bp.get("/topups")
@require(Permission.MANAGE_MONEY)
def topups() -> ResponseReturnValue:
    """Everybody's attempts, the newest first."""
    form = TopupListForm.read()
    before = request.args.get("before", type=int)
    found = queries.topups(**form.narrowed, before=before, most=PAGE + 1)
    older = form.address(before=found[PAGE - 1].id) if len(found) > PAGE else None
    return render_page(
        "billing/admin_topups.html",
        form=form,
        topups=found[:PAGE],
        older_url=url_for(".topups", **older) if older else None,
        newest_url=url_for(".topups", **form.address()) if before else None,
    )


@bp.get("/topups/<int:topup_id>")
@require(Permission.MANAGE_MONEY)
def topup(topup_id: int) -> ResponseReturnValue:
    """One attempt with all that is known of it."""
    found = queries.topup(topup_id)
    return render_page("billing/admin_topup.html", topup=found, sentence=STATE_SENTENCES[found.state])


@bp.post("/topups/<int:topup_id>/ask")
@require(Permission.MANAGE_MONEY)
def ask(topup_id: int) -> ResponseReturnValue:
    """Ask the gateway now."""
    found = queries.topup(topup_id)
    if found.state != TopupState.PAID:
        gateway = writing.connect(found.gateway_id, seal_key=settings().seal_key)
        release()
        try:
            answer = settling.ask(gateway, found, is_returned=False)
        finally:
            gateway.close()
        with transaction():
            settling.settle(topup_id=topup_id, answer=answer, at=clock.now())
    flash(_("The gateway was asked."), "success")
    return redirect_to(url_for(".topup", topup_id=topup_id))


# Gateways and the policy


@bp.get("/payment-gateways")
@require(Permission.MANAGE_MONEY)
def gateways() -> ResponseReturnValue:
    """Where customers can pay, and what holds for all of them."""
    return _gateways_page(None)


def _gateways_page(form: PolicyForm | None) -> ResponseReturnValue:
    policy = queries.policy(clock.now())
    shown = form or PolicyForm(
        formdata=None, tries=policy.tries_an_hour, new_days=policy.new_days, new_most=policy.new_day_most_mrial
    )
    return render_page(
        "billing/payment_gateways.html",
        status=422 if form else 200,
        gateways=queries.gateways(),
        adapters=ADAPTERS,
        form=shown,
    )


@bp.post("/payment-gateways/policy")
@require(Permission.MANAGE_MONEY)
def change_policy() -> ResponseReturnValue:
    """How often, and what new accounts may pay in."""
    form = PolicyForm()
    if not form.validate_on_submit():
        return _gateways_page(form)
    try:
        with transaction():
            writing.set_policy(form.policy, actor_id=visitor().id, at=clock.now())
    except SmsError as error:
        refuse(form, error)
        return _gateways_page(form)
    flash(_("Saved."), "success")
    return redirect_to(url_for(".gateways"))


@bp.route("/payment-gateways/new", methods=["GET", "POST"])
@require(Permission.MANAGE_MONEY)
def new_gateway() -> ResponseReturnValue:
    """Add a payment gateway."""
    form = GatewayForm()
    if form.validate_on_submit():
        try:
            with transaction():
                writing.add_gateway(
                    adapter=form.adapter.data,
                    settings=form.settings,
                    credentials=form.credentials,
                    seal_key=settings().seal_key,
                    actor_id=visitor().id,
                    at=clock.now(),
                )
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".gateways"))
    return _gateway_page(form, None)


@bp.route("/payment-gateways/<int:payment_gateway_id>", methods=["GET", "POST"])
@require(Permission.MANAGE_MONEY)
def gateway(payment_gateway_id: int) -> ResponseReturnValue:
    """Change a payment gateway."""
    found = queries.gateway(payment_gateway_id)
    form = GatewayForm(obj=found, least=found.least_mrial, most=found.most_mrial)
    del form.adapter
    if form.validate_on_submit():
        try:
            with transaction():
                writing.change_gateway(
                    gateway_id=payment_gateway_id,
                    settings=form.settings,
                    credentials=form.credentials,
                    seal_key=settings().seal_key,
                    actor_id=visitor().id,
                    at=clock.now(),
                )
        except NotFound:
            raise
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".gateways"))
    return _gateway_page(form, payment_gateway_id)


def _gateway_page(form: GatewayForm, payment_gateway_id: int | None) -> ResponseReturnValue:
    form.merchant_id.data, form.merchant_id.raw_data = "", None  # never sent back, not even what was just typed
    return render_page(
        "billing/payment_gateway.html",
        status=422 if form.errors else 200,
        form=form,
        url=url_for(".gateway", payment_gateway_id=payment_gateway_id)
        if payment_gateway_id
        else url_for(".new_gateway"),
        is_new=payment_gateway_id is None,
    )
