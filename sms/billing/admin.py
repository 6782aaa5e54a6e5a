"""Staff pages of tariffs and refund rules: what holds, what comes, what was; rows are added and ended."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing import operations, queries
from sms.billing.forms import DefaultsForm, ListForm, RefundRuleForm, ScopeForm, TariffForm
from sms.billing.rules import LANGUAGE_LABELS, PHASE_LABELS, Language, Refund, Scope, margin_percent, phase
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _

bp = Blueprint("billing_admin", __name__, url_prefix="/admin")

PAGE = 25

nav.add(
    N_("Tariffs"),
    endpoint="billing_admin.tariffs",
    icon="tag",
    section="admin",
    permission=Permission.MANAGE_PRICES,
    order=40,
)
nav.add(
    N_("Refund rules"),
    endpoint="billing_admin.refund_rules",
    icon="receipt-refund",
    section="admin",
    permission=Permission.MANAGE_PRICES,
    order=45,
)

bp.add_app_template_global(phase, "phase_of")
bp.add_app_template_global(margin_percent, "margin_percent")
bp.add_app_template_global(Refund, "refund")


@bp.app_template_global()
def phase_label(code: str) -> str:
    """The name of where a dated row stands."""
    return _(next(label for known, label in PHASE_LABELS.items() if known == code))


@bp.app_template_global()
def language_label(code: str) -> str:
    """The name of a tariff's language."""
    return _(LANGUAGE_LABELS[Language(code)])


# Tariffs


@bp.get("/tariffs")
@require(Permission.MANAGE_PRICES)
def tariffs() -> ResponseReturnValue:
    """The operators' prices in force, and all rows of all times."""
    at = clock.now()
    form = ListForm.read()
    before = request.args.get("before", type=int)
    found = queries.tariff_page(form.narrowed(at), before=before, most=PAGE + 1)
    older = form.address(before=found[PAGE - 1].id) if len(found) > PAGE else None
    return render_page(
        "billing/tariffs.html",
        at=at,
        current=queries.tariffs_of_operators(at=at),
        missing=queries.operators_without_price(at=at),
        form=form,
        tariffs=found[:PAGE],
        older_url=url_for(".tariffs", **older) if older else None,
        newest_url=url_for(".tariffs", **form.address()) if before else None,
    )


@bp.route("/tariffs/new", methods=["GET", "POST"])
@require(Permission.MANAGE_PRICES)
def new_tariff() -> ResponseReturnValue:
    """Add prices; those of the same scope that hold until then end by themselves."""
    form = TariffForm()
    if request.method == "GET":
        _prefill(form)
    elif form.validate_on_submit():
        at = clock.now()
        try:
            with transaction():
                for tariff in form.tariffs(at):
                    operations.add_tariff(tariff, actor_id=visitor().id, at=at)
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The price was added."), "success")
            return redirect_to(url_for(".tariffs"))
    return render_page("billing/new_tariff.html", form=form, status=422 if form.errors else 200)


def _prefill(form: TariffForm) -> None:
    """A change begins from what is in force."""
    _prefill_scope(form)
    if not form.operator_id.data:
        return
    network_id = int(form.network_id.data) if form.network_id.data else None
    known = queries.tariffs_in(Scope(operator_id=int(form.operator_id.data), network_id=network_id), at=clock.now())
    if persian := known.get(Language.PERSIAN):
        form.price_persian.data, form.cost_persian.data = persian.price_mrial, persian.cost_mrial
    if latin := known.get(Language.LATIN):
        form.price_latin.data, form.cost_latin.data = latin.price_mrial, latin.cost_mrial


def _prefill_scope(form: ScopeForm) -> None:
    """From the address; what is not one of the choices is left out."""
    for field in (form.operator_id, form.network_id):
        wanted = request.args.get(field.name, "")
        field.data = wanted if wanted in {choice.value for choice in field.choices} else ""
    form.line.data = request.args.get("line", "")


@bp.post("/tariffs/<int:tariff_id>/end")
@require(Permission.MANAGE_PRICES)
def end_tariff(tariff_id: int) -> ResponseReturnValue:
    """End a price now, or withdraw one that has not begun."""
    try:
        with transaction():
            operations.end_tariff(tariff_id=tariff_id, actor_id=visitor().id, at=clock.now())
    except operations.Ended as error:
        flash(_(error.message), "warning")
    else:
        flash(_("The price was ended."), "success")
    return redirect_to(url_for(".tariffs"))


# Refund rules


@bp.get("/refund-rules")
@require(Permission.MANAGE_PRICES)
def refund_rules() -> ResponseReturnValue:
    """The operators' rules in force, and all rows of all times."""
    at = clock.now()
    form = ListForm.read()
    before = request.args.get("before", type=int)
    found = queries.rule_page(form.narrowed(at), before=before, most=PAGE + 1)
    older = form.address(before=found[PAGE - 1].id) if len(found) > PAGE else None
    return render_page(
        "billing/refund_rules.html",
        at=at,
        current=queries.rules_of_operators(at=at),
        missing=queries.operators_without_rules(at=at),
        form=form,
        rules=found[:PAGE],
        older_url=url_for(".refund_rules", **older) if older else None,
        newest_url=url_for(".refund_rules", **form.address()) if before else None,
    )


@bp.route("/refund-rules/new", methods=["GET", "POST"])
@require(Permission.MANAGE_PRICES)
def new_refund_rule() -> ResponseReturnValue:
    """Add a rule; the one of the same scope and outcome that holds until then ends by itself."""
    form = RefundRuleForm()
    if request.method == "GET":
        _prefill_scope(form)
    elif form.validate_on_submit():
        at = clock.now()
        try:
            with transaction():
                operations.add_refund_rule(form.rule(at), actor_id=visitor().id, at=at)
        except SmsError as error:
            refuse(form, error)
        else:
            flash(_("The refund rule was added."), "success")
            return redirect_to(url_for(".refund_rules"))
    return render_page("billing/new_refund_rule.html", form=form, status=422 if form.errors else 200)


@bp.post("/refund-rules/usual")
@require(Permission.MANAGE_PRICES)
def usual_rules() -> ResponseReturnValue:
    """Give an operator the rules that every operator keeps."""
    form = DefaultsForm()
    if form.validate_on_submit():
        with transaction():
            operations.add_default_refund_rules(
                operator_id=form.operator_id.data or 0,
                refunds_not_in_network=False,
                actor_id=visitor().id,
                at=clock.now(),
            )
        flash(_("The refund rule was added."), "success")
    return redirect_to(url_for(".refund_rules"))


@bp.post("/refund-rules/<int:rule_id>/end")
@require(Permission.MANAGE_PRICES)
def end_refund_rule(rule_id: int) -> ResponseReturnValue:
    """End a rule now, or withdraw one that has not begun."""
    try:
        with transaction():
            operations.end_refund_rule(rule_id=rule_id, actor_id=visitor().id, at=clock.now())
    except operations.Ended as error:
        flash(_(error.message), "warning")
    else:
        flash(_("The refund rule was ended."), "success")
    return redirect_to(url_for(".refund_rules"))
