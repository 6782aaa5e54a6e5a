"""A customer's pages of lines: all of them in one place, their names and colours, whom they are shared with, and the
usual way on when an operator is down."""

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, Refusal, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, in_an_acting_look, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, say
from sms.lines import queries
from sms.lines.own import operations
from sms.lines.own import queries as own
from sms.lines.own.forms import DressForm, ShareForm, read_plan
from sms.lines.own.rules import MOST_PLAN_LINES
from sms.lines.public.queries import standings
from sms.lines.public.rules import POLICY_LABELS
from sms.lines.rules import CLASS_LABELS, UnusableLine

bp = Blueprint("lines", __name__)

nav.add(N_("Lines"), endpoint="lines.lines", icon="hash", permission="lines.view", section="customer", order=40)


@bp.get("/lines")
@require("lines.view")
def lines() -> ResponseReturnValue:
    """The lines one may send from: one's own of all operators, those shared with one, then the public ones."""
    account_id = visitor().account_id
    return render_page(
        "lines/lines.html",
        mine=own.my_lines(account_id),
        public=queries.public_lines(),
        standings=standings(account_id, at=clock.now()),
        policies=POLICY_LABELS,
        classes=CLASS_LABELS,
    )


@bp.route("/lines/<int:line_id>", methods=["GET", "POST"])
@require("lines.view")
@in_an_acting_look
def line(line_id: int) -> ResponseReturnValue:
    """One line: give it a name and a colour."""
    account_id = visitor().account_id
    form = DressForm(obj=own.my_line(account_id, line_id))
    if form.validate_on_submit():
        try:
            with transaction():
                operations.dress_line(
                    line_id=line_id,
                    account_id=account_id,
                    alias=form.alias.data or "",
                    colour=form.colour.data or "",
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableLine as error:
            refuse(form, error, form.alias)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".lines"))
    return _line_page(line_id, form, ShareForm(formdata=None))


def _line_page(line_id: int, form: DressForm, share_form: ShareForm) -> Response:
    account_id = visitor().account_id
    found = own.my_line(account_id, line_id)
    return render_page(
        "lines/line.html",
        form=form,
        share_form=share_form,
        line=found,
        shares=own.shares(line_id, within=account_id),
        can_share=visitor().may(Permission.MANAGE_ACCOUNT) and own.has_sub_accounts(account_id),
        classes=CLASS_LABELS,
        status=422 if form.errors or share_form.errors else 200,
    )


@bp.post("/lines/<int:line_id>/share")
@require(Permission.MANAGE_ACCOUNT)
def share(line_id: int) -> ResponseReturnValue:
    """Let one of one's customers send from it too."""
    account_id = visitor().account_id
    found = own.my_line(account_id, line_id)
    form = ShareForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.share_line(
                    line_id=line_id, account_id=account_id, username=form.account.data, by=actor(), at=clock.now()
                )
        except SmsError as error:
            refuse(form, error, form.account)
        else:
            flash(_("The line is shared."), "success")
            return redirect_to(url_for(".line", line_id=line_id))
    return _line_page(line_id, DressForm(formdata=None, obj=found), form)


@bp.post("/lines/<int:line_id>/end-share")
@require(Permission.MANAGE_ACCOUNT)
def end_share(line_id: int) -> ResponseReturnValue:
    """Take it back from one of them."""
    other_id = request.form.get("account_id", type=int)
    if other_id is None:
        raise NotFound(N_("The line is not shared with this account."))
    with transaction():
        operations.end_share(
            line_id=line_id, account_id=visitor().account_id, other_id=other_id, by=actor(), at=clock.now()
        )
    flash(_("The line is shared no more."), "success")
    return redirect_to(url_for(".line", line_id=line_id))


@bp.route("/lines/plan", methods=["GET", "POST"])
@require(Permission.SEND_MESSAGES)
@in_an_acting_look
def plan() -> ResponseReturnValue:
    """The lines a send goes on over when its operator is down."""
    account_id = visitor().account_id
    found = queries.usable_lines(account_id, at=clock.now())
    known = [line for line in found if line.paid_refusal is None]
    refusal = None
    if request.method == "POST":
        try:
            steps = read_plan(request.form, [line.id for line in known])
            with transaction():
                operations.set_plan(account_id=account_id, steps=steps, by=actor(), at=clock.now())
        except Refusal as error:
            refusal = error
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".lines"))
    steps = own.plan(account_id)
    return render_page(
        "lines/plan.html",
        lines=known,
        places={step.line_id: place for place, step in enumerate(steps, 1)},
        percents={step.line_id: step.most_percent for step in steps},
        most=MOST_PLAN_LINES,
        problem=say(refusal) if refusal else "",
        status=422 if refusal else 200,
    )
