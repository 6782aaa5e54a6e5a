"""Staff pages of operators and gateways."""

from typing import Any

from flask import Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.core.seal import CannotUnseal
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import money_text
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import STOP_POLLING, is_htmx, redirect_to, render_page
from sms.core.web.i18n import _, say
from sms.core.web.limits import limiter
from sms.operators import operations, queries
from sms.operators.contract import Adapter
from sms.operators.forms import NewGatewayForm, OperatorForm, gateway_form
from sms.operators.health.admin import bp
from sms.operators.health.rules.talks import explained
from sms.operators.operations import Checked
from sms.operators.push.queries import push
from sms.operators.rules import (
    ON_ABSENT_LABELS,
    SALE_MODE_LABELS,
    STATE_LABELS,
    STOP_LABELS,
    GatewaySettings,
    GatewayState,
    UnusableSetting,
)

__all__ = ["bp"]

PERMISSION = "operators.manage"
_ADDRESSES = {"magfa": "https://sms.magfa.com/api/http/sms/v2/", "kavenegar": "https://api.kavenegar.com/v1/"}
_WATCHED = frozenset({GatewayState.FAILING})  # a state that is likely to change while somebody looks

nav.add(
    N_("Gateways"),
    endpoint="operators_admin.gateways",
    icon="plug-connected",
    permission=PERMISSION,
    section="admin",
    order=20,
)
nav.add(
    N_("Operators"),
    endpoint="operators_admin.operators",
    icon="antenna",
    permission=PERMISSION,
    section="admin",
    order=25,
)


# Operators


@bp.get("/admin/operators")
@require(PERMISSION)
def operators() -> ResponseReturnValue:
    """All operators."""
    return render_page("operators/operators.html", operators=queries.operators(), sale_modes=SALE_MODE_LABELS)


@bp.route("/admin/operators/add", methods=["GET", "POST"])
@require(PERMISSION)
def add_operator() -> ResponseReturnValue:
    """Add one."""
    form = OperatorForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.add_operator(
                    code=form.code.data.strip(),
                    names=form.names,
                    colour=form.colour.data,
                    sale_mode=form.chosen_mode,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableSetting as error:
            refuse(form, error, form[error.field])
        else:
            flash(_("The operator was added. Now add a gateway: your account there."), "success")
            return redirect_to(url_for(".operators"))
    return _operator_page(form, None)


@bp.route("/admin/operators/<int:operator_id>", methods=["GET", "POST"])
@require(PERMISSION)
def operator(operator_id: int) -> ResponseReturnValue:
    """Change one."""
    found = queries.operator(operator_id)
    form = OperatorForm(obj=found)
    del form.code
    if form.validate_on_submit():
        try:
            with transaction():
                operations.change_operator(
                    operator_id=operator_id,
                    names=form.names,
                    colour=form.colour.data,
                    sale_mode=form.chosen_mode,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableSetting as error:
            refuse(form, error, form[error.field])
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".operators"))
    return _operator_page(form, found)


def _operator_page(form: OperatorForm, operator: Any) -> Response:
    return render_page("operators/operator.html", form=form, operator=operator, status=422 if form.errors else 200)


# Gateways


@bp.get("/admin/gateways")
@require(PERMISSION)
def gateways() -> ResponseReturnValue:
    """All gateways with their state, live while one of them is failing."""
    found = queries.gateways()
    is_quiet = not any(gateway.state in _WATCHED for gateway in found)
    return render_page(
        "operators/gateways.html",
        fragment="list",
        status=STOP_POLLING if is_quiet and is_htmx() else 200,
        gateways=found,
        is_quiet=is_quiet,
        **_labels(),
    )


@bp.get("/admin/gateways/<int:gateway_id>")
@require(PERMISSION)
def gateway(gateway_id: int) -> ResponseReturnValue:
    """One gateway: its health, its settings, what can be done with it."""
    found = queries.gateway(gateway_id)
    is_quiet = found.state not in _WATCHED
    return render_page(
        "operators/gateway.html",
        fragment="health",
        status=STOP_POLLING if is_quiet and is_htmx() else 200,
        gateway=found,
        trouble=say(found.trouble) if found.trouble else "",
        adapter=queries.adapters().get(found.adapter),
        bind=queries.bind(gateway_id),
        push=push(gateway_id),
        is_quiet=is_quiet,
        **_labels(),
    )


def _labels() -> dict[str, object]:
    return {"states": STATE_LABELS, "stops": STOP_LABELS, "on_absent": ON_ABSENT_LABELS}


@bp.route("/admin/gateways/add", methods=["GET", "POST"])
@require(PERMISSION)
def add_gateway() -> ResponseReturnValue:
    """Add one; `adapter` in the address chooses the language it speaks."""
    offered = queries.adapters()
    code = request.args.get("adapter", next(iter(offered)))
    adapter = queries.adapter_class(code)
    form = gateway_form(
        adapter.credential_fields, own=adapter.setting_fields, defaults=GatewaySettings(name="", base_url="")
    )
    assert isinstance(form, NewGatewayForm)  # noqa: S101 - for the type checker
    form.offer(queries.operators())
    if form.validate_on_submit():
        try:
            with transaction():
                gateway_id = operations.add_gateway(
                    operator_id=form.operator_id.data,
                    adapter=code,
                    settings=form.settings,
                    credentials=form.credentials,
                    seal_key=settings().seal_key,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableSetting as error:
            refuse(form, error, form.field_of(error.field))
        else:
            flash(_("The gateway was added. Test it before you add lines."), "success")
            return redirect_to(url_for(".gateway", gateway_id=gateway_id))
    return render_page(
        "operators/gateway_add.html",
        form=form,
        adapters=offered,
        chosen=code,
        example=_example(adapter),
        status=422 if form.errors else 200,
    )


@bp.route("/admin/gateways/<int:gateway_id>/edit", methods=["GET", "POST"])
@require(PERMISSION)
def edit_gateway(gateway_id: int) -> ResponseReturnValue:
    """Change settings; credentials left empty stay as they are."""
    found = queries.gateway(gateway_id)
    adapter = queries.adapter_class(found.adapter)
    form = gateway_form(adapter.credential_fields, own=adapter.setting_fields, gateway=found)
    if form.validate_on_submit():
        try:
            with transaction():
                operations.change_gateway(
                    gateway_id=gateway_id,
                    settings=form.settings,
                    credentials=form.credentials,
                    seal_key=settings().seal_key,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableSetting as error:
            refuse(form, error, form.field_of(error.field))
        except CannotUnseal as error:
            refuse(form, error, form.field_of("credentials"))
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".gateway", gateway_id=gateway_id))
    return render_page(
        "operators/gateway_edit.html",
        form=form,
        gateway=found,
        example=_example(adapter),
        status=422 if form.errors else 200,
    )


def _example(adapter: type[Adapter]) -> str:
    return _ADDRESSES.get(adapter.code, f"{adapter.schemes[0]}://host:port")


@bp.post("/admin/gateways/<int:gateway_id>/test")
@require(PERMISSION)
@limiter.limit("20 per minute")
def test_gateway(gateway_id: int) -> ResponseReturnValue:
    """Ask the operator for our balance and say in words what came of it; no transaction waits meanwhile."""
    way = queries.any_gateway(gateway_id)
    release()
    checked = operations.ask_balance(way, seal_key=settings().seal_key)
    with transaction():
        operations.note_checked(checked, by=actor(), at=clock.now())
    flash(*_verdict(checked))
    return redirect_to(url_for(".gateway", gateway_id=gateway_id))


def _verdict(checked: Checked) -> tuple[str, str]:
    if checked.error is not None:
        return say(explained(checked.error)), "danger"
    if checked.balance_mrial is None:
        return _("It works: the operator accepts us. It does not tell our credit."), "success"
    credit = money_text(checked.balance_mrial)
    return _("It works. Our credit at the operator is %(credit)s.", credit=credit), "success"


@bp.post("/admin/gateways/<int:gateway_id>/switch")
@require(PERMISSION)
def switch_gateway(gateway_id: int) -> ResponseReturnValue:
    """Switch it on or off."""
    wanted = request.form.get("state")
    if wanted not in {"on", "off"}:
        abort(400)
    with transaction():
        operations.switch(gateway_id=gateway_id, is_on=wanted == "on", by=actor(), at=clock.now())
    is_on = wanted == "on"
    flash(
        _("The gateway is on; what waited for it goes now.")
        if is_on
        else _("The gateway is off; what is queued for it waits."),
        "success" if is_on else "warning",
    )
    return redirect_to(url_for(".gateway", gateway_id=gateway_id))


@bp.post("/admin/gateways/<int:gateway_id>/resume")
@require(PERMISSION)
def resume_gateway(gateway_id: int) -> ResponseReturnValue:
    """Let a stopped or failing gateway try again."""
    with transaction():
        operations.resume(gateway_id=gateway_id, by=actor(), at=clock.now())
    flash(_("The gateway tries again now."), "success")
    return redirect_to(url_for(".gateway", gateway_id=gateway_id))
