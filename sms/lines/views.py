"""A customer's lines."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.db import transaction
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines import operations, queries
from sms.lines.forms import NameForm
from sms.lines.rules import CLASS_LABELS, KIND_LABELS, UnusableLine
from sms.operators.operations import Actor

bp = Blueprint("lines", __name__)

nav.add(N_("Lines"), endpoint="lines.lines", icon="hash", permission="lines.view", section="customer", order=40)


@bp.get("/lines")
@require("lines.view")
def lines() -> ResponseReturnValue:
    """The lines one may send from: one's own, then the public ones."""
    return render_page(
        "lines/lines.html",
        own=queries.account_lines(visitor().account_id),
        public=queries.public_lines(),
        kinds=KIND_LABELS,
        classes=CLASS_LABELS,
    )


@bp.route("/lines/<int:line_id>", methods=["GET", "POST"])
@require("lines.view")
def line(line_id: int) -> ResponseReturnValue:
    """One's own line: give it a name."""
    account_id = visitor().account_id
    found = queries.account_line(account_id, line_id)
    form = NameForm(obj=found)
    if form.validate_on_submit():
        try:
            with transaction():
                operations.name_line(
                    line_id=line_id,
                    account_id=account_id,
                    alias=form.alias.data or "",
                    by=Actor(id=visitor().id, address=request.remote_addr or ""),
                    at=clock.now(),
                )
        except UnusableLine as error:
            refuse(form, error, form.alias)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".lines"))
    return render_page(
        "lines/line.html", form=form, line=found, classes=CLASS_LABELS, status=422 if form.errors else 200
    )
