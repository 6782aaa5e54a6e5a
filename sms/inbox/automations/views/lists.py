"""Automations of one's own lines: in their order, made, changed, tried without sending anything, and what they did."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.contacts.queries import groups
from sms.core import clock
from sms.core.calendar import TEHRAN, day_of
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.inbox.automations.forms import ACTIONS, FORMS, TIMES, AutomationForm, TryForm
from sms.inbox.automations.operations import writing
from sms.inbox.automations.operations.running import forwarded_body
from sms.inbox.automations.queries import automations, results
from sms.inbox.automations.queries.knowing import known
from sms.inbox.automations.rules.deciding import Text, decide
from sms.inbox.automations.rules.kinds import (
    KIND_HINTS,
    KIND_LABELS,
    RESULT_LABELS,
    STOP_LABELS,
    Automation,
    Kind,
    UnusableAutomation,
    Wanted,
)
from sms.inbox.automations.rules.matching import WAY_LABELS
from sms.inbox.forwarding.queries import hooks
from sms.inbox.forwarding.rules import STATE_LABELS
from sms.inbox.rules import is_mobile, sender_of
from sms.lines.queries import LineView, account_line, account_lines

bp = Blueprint("automations", __name__)
_PAGE = 25
_LARGEST, _LARGEST_ID = 2**31 - 1, 2**63 - 1

nav.add(
    N_("Automations"),
    endpoint="automations.overview",
    icon="message-2",
    permission=Permission.VIEW_MESSAGES,
    section="customer",
    order=29,
)


@bp.url_value_preprocessor
def be_possible(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """No number we gave is as large as some that can be written into an address."""
    if any(isinstance(value, int) and value > _LARGEST for value in (values or {}).values()):
        abort(404)


def before() -> int | None:
    """The row a page begins behind."""
    found = request.args.get("before", type=int)
    return found if found is not None and 0 < found <= _LARGEST_ID else None


def own(automation_id: int) -> Automation:
    """An automation of the visitor's account; raises NotFound."""
    return automations.automation(visitor().account_id, automation_id)


@bp.get("/automations")
@require(Permission.VIEW_MESSAGES)
def overview() -> ResponseReturnValue:
    """One's lines, and how many automations stand on each."""
    account_id = visitor().account_id
    return render_page(
        "automations/overview.html", lines=account_lines(account_id), counts=automations.counts_by_line(account_id)
    )


@bp.get("/lines/<int:line_id>/automations")
@require(Permission.VIEW_MESSAGES)
def line(line_id: int) -> ResponseReturnValue:
    """The automations of a line, in their order."""
    found = account_line(visitor().account_id, line_id)
    return render_page(
        "automations/line.html",
        line=found,
        automations=automations.of_line(found.account_id or 0, line_id),
        kinds=KIND_LABELS,
        hints=KIND_HINTS,
        ways=WAY_LABELS,
        now_at=clock.now(),
    )


# Making and changing


def _form(kind: Kind, line: LineView, found: Automation | None = None) -> AutomationForm:
    account_id = visitor().account_id
    form = FORMS[kind]
    filled = form.values(found) if found is not None else {}
    made: AutomationForm = form(groups=groups(account_id), hooks=hooks(account_id, line.id), **filled)
    return made


def _form_page(form: AutomationForm, line: LineView, found: Automation | None = None) -> Response:
    return render_page(
        "automations/form.html",
        form=form,
        line=line,
        automation=found,
        label=KIND_LABELS[form.kind],
        hint=KIND_HINTS[form.kind],
        times=[form[name] for name in TIMES],
        actions=[form[name] for name in ACTIONS],
        status=422 if form.errors else 200,
    )


def _refuse(form: AutomationForm, error: SmsError) -> None:
    name = error.field if isinstance(error, UnusableAutomation) else ""
    refuse(form, error, form._fields.get(name))


def _wanted(form: AutomationForm, found: Automation | None = None) -> Wanted:
    return form.wanted(found.options if found is not None else ())


@bp.route("/lines/<int:line_id>/automations/new/<any(keyword,codes,poll,contest,club):kind>", methods=["GET", "POST"])
@require(Permission.SEND_MESSAGES)
def add(line_id: int, kind: str) -> ResponseReturnValue:
    """A new one behind the others."""
    account_id = visitor().account_id
    here = account_line(account_id, line_id)
    form = _form(Kind(kind), here)
    if form.validate_on_submit():
        try:
            with transaction():
                made = writing.add(
                    account_id=account_id, line_id=line_id, wanted=_wanted(form), by=actor(), at=clock.now()
                )
        except SmsError as error:
            _refuse(form, error)
        else:
            flash(_("The automation is at work. Try it with a text before others do."), "success")
            return redirect_to(url_for(".show", automation_id=made))
    return _form_page(form, here)


@bp.route("/automations/<int:automation_id>/edit", methods=["GET", "POST"])
@require(Permission.SEND_MESSAGES)
def edit(automation_id: int) -> ResponseReturnValue:
    """Describe it anew."""
    account_id, found = visitor().account_id, own(automation_id)
    here = account_line(account_id, found.line_id)
    form = _form(found.kind, here, found)
    if form.validate_on_submit():
        try:
            with transaction():
                wanted = _wanted(form, found)
                writing.change(
                    account_id=account_id, automation_id=automation_id, wanted=wanted, by=actor(), at=clock.now()
                )
        except SmsError as error:
            _refuse(form, error)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".show", automation_id=automation_id))
    return _form_page(form, here, found)


@bp.post("/automations/<int:automation_id>/move")
@require(Permission.SEND_MESSAGES)
def move(automation_id: int) -> ResponseReturnValue:
    """One place up or down."""
    found = own(automation_id)
    with transaction():
        writing.move(
            account_id=found.account_id,
            automation_id=automation_id,
            is_up="down" not in request.form,
            by=actor(),
            at=clock.now(),
        )
    return redirect_to(url_for(".line", line_id=found.line_id))


@bp.post("/automations/<int:automation_id>/switch")
@require(Permission.SEND_MESSAGES)
def switch(automation_id: int) -> ResponseReturnValue:
    """Off or on."""
    found, is_on = own(automation_id), "off" not in request.form
    with transaction():
        writing.switch(
            account_id=found.account_id, automation_id=automation_id, is_on=is_on, by=actor(), at=clock.now()
        )
    flash(_("Switched on.") if is_on else _("Switched off."), "success")
    return redirect_to(url_for(".line", line_id=found.line_id))


@bp.post("/automations/<int:automation_id>/remove")
@require(Permission.SEND_MESSAGES)
def remove(automation_id: int) -> ResponseReturnValue:
    """Away with it."""
    found = own(automation_id)
    with transaction():
        writing.remove(account_id=found.account_id, automation_id=automation_id, by=actor(), at=clock.now())
    flash(_("The automation is gone."), "success")
    return redirect_to(url_for(".line", line_id=found.line_id))


# The dry run


@bp.route("/lines/<int:line_id>/automations/try", methods=["GET", "POST"])
@require(Permission.VIEW_MESSAGES)
def try_out(line_id: int) -> ResponseReturnValue:
    """What would happen to a text; nothing is sent, counted or kept."""
    here = account_line(visitor().account_id, line_id)
    form = TryForm(sender="09121234567")
    steps = None
    if form.validate_on_submit():
        text = Text(0, here.account_id or 0, line_id, sender_of(form.sender.data), form.body.data, _moment(form))
        there = automations.of_line(text.account_id, line_id)
        steps = decide(text, there, known([text], there, at=clock.now()))
        forwarded = forwarded_body(text)
    return render_page(
        "automations/try.html",
        line=here,
        form=form,
        steps=steps,
        forwarded=forwarded if steps is not None else "",
        results=RESULT_LABELS,
        stops=STOP_LABELS,
        **_names(line_id),
        status=422 if form.errors else 200,
    )


def _moment(form: TryForm) -> datetime:
    """The chosen day and time in Tehran; what is not chosen is that of now."""
    now = clock.now()
    at = form.clock.data or now.astimezone(TEHRAN).time()
    return datetime.combine(form.day.data or day_of(now), at, tzinfo=TEHRAN)


def _names(line_id: int) -> dict[str, Any]:
    account_id = visitor().account_id
    return {
        "group_names": {group.id: group.name for group in groups(account_id)},
        "hook_names": {hook.id: hook.name for hook in hooks(account_id, line_id)},
    }


# The log


@bp.get("/lines/<int:line_id>/automations/log")
@require(Permission.VIEW_MESSAGES)
def log(line_id: int) -> ResponseReturnValue:
    """What was recognised, and what was done."""
    here = account_line(visitor().account_id, line_id)
    chosen = request.args.get("automation_id", type=int)
    found = results.log(
        here.account_id or 0,
        line_id,
        automation_id=chosen if chosen is not None and 0 < chosen <= _LARGEST else None,
        before=before(),
        most=_PAGE + 1,
    )
    return render_page(
        "automations/log.html",
        line=here,
        acts=found[:_PAGE],
        older=found[_PAGE - 1].id if len(found) > _PAGE else None,
        before=before(),
        chosen=chosen,
        results=RESULT_LABELS,
        stops=STOP_LABELS,
        states=STATE_LABELS,
        is_mobile=is_mobile,
    )
