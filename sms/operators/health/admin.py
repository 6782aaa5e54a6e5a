"""Staff pages of the health of gateways: how each stands now, what happened and why, and what staff decide."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import clock_text, percent_text
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, localised, say
from sms.operators.health import queries
from sms.operators.health.forms import LimitsForm, OverrideForm
from sms.operators.health.operations import staff
from sms.operators.health.queries import Standing, Told
from sms.operators.health.rules import judging
from sms.operators.health.rules.breaker import BreakerState
from sms.operators.health.rules.judging import Event
from sms.operators.health.rules.talks import minute_of
from sms.operators.rules import UnusableSetting

bp = Blueprint("operators_admin", __name__)
PERMISSION = "operators.manage"
_LATELY = timedelta(minutes=1)  # beside the minute that is under way
_CHART = timedelta(minutes=30)
_FEW_EVENTS, _EVENTS = 10, 50
_LARGEST = 2**63 - 1
_TONES = {BreakerState.CLOSED: "success", BreakerState.HALF_OPEN: "info", BreakerState.OPEN: "danger"}

nav.add(
    N_("Gateway health"),
    endpoint="operators_admin.health",
    icon="activity",
    permission=PERMISSION,
    section="admin",
    order=22,
)


@bp.get("/admin/health")
@require(PERMISSION)
def health() -> ResponseReturnValue:
    """All gateways, live: alerts, how each stands, what happened last."""
    at = clock.now()
    standings = queries.standings()
    return render_page(
        "operators/health.html",
        fragment="live",
        alerts=[shown_alert(told) for told in queries.alerts(at=at)],
        gateways=[_card(found, at) for found in standings],
        lately=queries.lately(since=minute_of(at) - _LATELY),
        nothing=queries.NOTHING_LATELY,
        events=_events(queries.events(most=_FEW_EVENTS)),
    )


@bp.get("/admin/health/<int:gateway_id>")
@require(PERMISSION)
def gateway_health(gateway_id: int) -> ResponseReturnValue:
    """One gateway: its state, its last half hour, its history, and what can be decided."""
    found = queries.standing(gateway_id)
    return _page(found, OverrideForm(), LimitsForm(obj=found))


@bp.post("/admin/health/<int:gateway_id>/override")
@require(PERMISSION)
def override_gateway(gateway_id: int) -> ResponseReturnValue:
    """Hold it back, or let it send whatever happens, for a time and for a reason."""
    found = queries.standing(gateway_id)
    form = OverrideForm()
    if form.validate_on_submit():
        try:
            with transaction():
                staff.override(
                    gateway_id=gateway_id,
                    state=BreakerState(form.state.data),
                    minutes=form.minutes.data,
                    reason=form.reason.data,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableSetting as error:
            refuse(form, error, form[error.field])
        else:
            flash(_("Decided. It ends by itself when the time is over."), "success")
            return redirect_to(url_for(".gateway_health", gateway_id=gateway_id))
    return _page(found, form, LimitsForm(formdata=None, obj=found))


@bp.post("/admin/health/<int:gateway_id>/release")
@require(PERMISSION)
def release_gateway(gateway_id: int) -> ResponseReturnValue:
    """Give it back to its own judgement."""
    try:
        with transaction():
            staff.release(gateway_id=gateway_id, by=actor(), at=clock.now())
    except Refusal as error:
        flash(say(error), "warning")
    else:
        flash(_("The gateway judges for itself again."), "success")
    return redirect_to(url_for(".gateway_health", gateway_id=gateway_id))


@bp.post("/admin/health/<int:gateway_id>/limits")
@require(PERMISSION)
def change_limits(gateway_id: int) -> ResponseReturnValue:
    """Set its requests a second and the credit below which staff are told."""
    found = queries.standing(gateway_id)
    form = LimitsForm()
    if form.validate_on_submit():
        try:
            with transaction():
                staff.change_limits(
                    gateway_id=gateway_id,
                    per_second=form.per_second.data,
                    credit_alert_mrial=form.credit_alert_mrial.data,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableSetting as error:
            refuse(form, error, form[error.field])
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".gateway_health", gateway_id=gateway_id))
    return _page(found, OverrideForm(formdata=None), form)


def _page(found: Standing, override_form: OverrideForm, limits_form: LimitsForm) -> Response:
    at = clock.now()
    before = request.args.get("before", type=int)
    history = queries.events(
        gateway_id=found.gateway_id, before=before if before and 0 < before <= _LARGEST else None, most=_EVENTS + 1
    )
    return render_page(
        "operators/health_gateway.html",
        fragment="live",
        status=422 if override_form.errors or limits_form.errors else 200,
        gateway=_card(found, at),
        alerts=[shown_alert(told) for told in queries.alerts_of(found, at=at)],
        lately=queries.lately(since=minute_of(at) - _LATELY).get(found.gateway_id, queries.NOTHING_LATELY),
        chart=_chart(found.gateway_id, at),
        events=_events(history[:_EVENTS]),
        older=history[_EVENTS - 1].id if len(history) > _EVENTS else None,
        is_newest=before is None,
        override_form=override_form,
        limits_form=limits_form,
    )


# In words


def _card(found: Standing, at: datetime) -> dict[str, Any]:
    """A gateway as its row or card shows it: `label` and `tone` of what it does now, and whose decision that is."""
    is_decided = found.override.holds(at)
    state = found.override.state if is_decided and found.override.state else found.breaker.state
    label, tone = judging.BREAKER_LABELS[state], _TONES[state]
    if not found.is_on:
        label, tone = N_("Switched off"), "muted"
    elif found.stopped_reason:
        label, tone = N_("Stopped"), "danger"
    return {
        "id": found.gateway_id,
        "at": found,
        "label": label,
        "tone": tone,
        "is_decided": is_decided,
        "trial_at": found.breaker.trial_at if state is BreakerState.OPEN and not is_decided else None,
        "since": found.breaker.since if state is not BreakerState.CLOSED and not is_decided else None,
        "is_credit_low": judging.is_credit_low(found.condition),
    }


def shown_alert(told: Told) -> dict[str, Any]:
    """An alert as pages show it: its gateway, its tone, and its sentence in the reader's language."""
    written = {name: _isolated(told.params[name]) for name in ("gateway", "reason")}
    text = _(told.sentence, **localised(told.params) | written)
    return {"gateway_id": told.gateway_id, "tone": told.tone, "text": text}


def _isolated(text: object) -> str:
    """What somebody wrote, so that it does not turn the words around it."""
    return f"\u2068{text}\u2069"


def _events(found: Any) -> list[dict[str, Any]]:
    return [
        {
            "at": event.at,
            "gateway_id": event.gateway_id,
            "gateway": event.gateway_name,
            "text": _(judging.sentence_of(Event(event.kind), event.cause), **_figures(event.figures)),
            "reason": event.reason,
            "actor": event.actor,
        }
        for event in found
    ]


def _figures(figures: Mapping[str, Any]) -> dict[str, object]:
    """The figures of an event as places of its sentence: shares as percentages, moments and money by their names."""
    told: dict[str, object] = {name: "—" for name, value in figures.items() if value is None}
    known = {name: value for name, value in figures.items() if value is not None}
    moments = {name[: -len("_at")]: datetime.fromisoformat(known[name]) for name in known if name.endswith("_at")}
    shares = {name[: -len("_share")]: percent_text(known[name]) for name in known if name.endswith("_share")}
    return told | localised(known | moments) | shares


def _chart(gateway_id: int, at: datetime) -> list[tuple[str, int]]:
    """Messages handed over in each of the last minutes."""
    first = minute_of(at) - _CHART
    counted = {each.minute: each.submitted for each in queries.minutes(gateway_id, since=first)}
    minutes = (first + timedelta(minutes=step) for step in range(int(_CHART.total_seconds() // 60) + 1))
    return [(clock_text(minute), counted.get(minute, 0)) for minute in minutes]
