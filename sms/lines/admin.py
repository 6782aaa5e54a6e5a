"""Staff pages of lines."""

from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import Form, refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines import operations, queries
from sms.lines.forms import LineForm, LinesFilterForm, NewLineForm, OwnerForm
from sms.lines.queries import LineView
from sms.lines.rules import CLASS_LABELS, KIND_LABELS, UnusableLine
from sms.operators import queries as operator_queries

bp = Blueprint("lines_admin", __name__)
PERMISSION = "lines.manage"
_ON_A_PAGE = 50

nav.add(N_("All lines"), endpoint="lines_admin.lines", icon="hash", permission=PERMISSION, section="admin", order=30)


@bp.get("/admin/lines")
@require(PERMISSION)
def lines() -> ResponseReturnValue:
    """All lines, narrowed and page by page."""
    form = LinesFilterForm.over(operator_queries.operators())
    before = request.args.get("before", type=int)
    found = queries.lines_page(form.wanted, before=before, most=_ON_A_PAGE + 1)
    shown = found[:_ON_A_PAGE]
    return render_page(
        "lines/admin_lines.html",
        form=form,
        lines=shown,
        kinds=KIND_LABELS,
        classes=CLASS_LABELS,
        is_narrowed=bool(form.address()),
        older_url=_address(form, before=shown[-1].id) if len(found) > _ON_A_PAGE else None,
        newest_url=_address(form) if before else None,
    )


def _address(form: LinesFilterForm, **changes: object) -> str:
    places: dict[str, Any] = form.address(**changes)
    return url_for(".lines", **places)


@bp.route("/admin/lines/add", methods=["GET", "POST"])
@require(PERMISSION)
def add_line() -> ResponseReturnValue:
    """Add one."""
    form = NewLineForm()
    form.offer(operator_queries.gateways())
    if form.validate_on_submit():
        try:
            with transaction():
                line_id = operations.add_line(
                    number=form.number.data,
                    operator_id=operator_queries.gateway(form.gateway_id.data).operator_id,
                    gateway_id=form.gateway_id.data,
                    kind=form.chosen_kind,
                    account_id=_account_called(form.account.data),
                    settings=form.settings,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableLine as error:
            _refuse(form, error, error.field)
        except NotFound as error:
            _refuse(form, error, "account")
        else:
            flash(_("The line was added."), "success")
            return redirect_to(url_for(".line", line_id=line_id))
    return render_page("lines/admin_add.html", form=form, status=422 if form.errors else 200)


@bp.route("/admin/lines/<int:line_id>", methods=["GET", "POST"])
@require(PERMISSION)
def line(line_id: int) -> ResponseReturnValue:
    """One line: change it, hand it over, take it back."""
    found = queries.line(line_id)
    form = LineForm(obj=found)
    if form.validate_on_submit():
        try:
            with transaction():
                operations.change_line(line_id=line_id, settings=form.settings, by=actor(), at=clock.now())
        except UnusableLine as error:
            _refuse(form, error, error.field)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".line", line_id=line_id))
    return _line_page(found, form, OwnerForm(formdata=None))


@bp.post("/admin/lines/<int:line_id>/assign")
@require(PERMISSION)
def assign_line(line_id: int) -> ResponseReturnValue:
    """Hand it to an account."""
    found = queries.line(line_id)
    form = OwnerForm()
    if form.validate_on_submit():
        try:
            with transaction():
                account_id = user_by_name(form.account.data.strip()).account_id
                operations.assign_line(line_id=line_id, account_id=account_id, by=actor(), at=clock.now())
        except SmsError as error:
            _refuse(form, error, "account")
        else:
            flash(_("The line was assigned."), "success")
            return redirect_to(url_for(".line", line_id=line_id))
    return _line_page(found, LineForm(formdata=None, obj=found), form)


@bp.post("/admin/lines/<int:line_id>/take-back")
@require(PERMISSION)
def take_back(line_id: int) -> ResponseReturnValue:
    """Take it from its account."""
    with transaction():
        operations.take_back(line_id=line_id, by=actor(), at=clock.now())
    flash(_("The line is free again."), "success")
    return redirect_to(url_for(".line", line_id=line_id))


def _line_page(found: LineView, form: LineForm, owner_form: OwnerForm) -> Response:
    return render_page(
        "lines/admin_line.html",
        line=found,
        form=form,
        owner_form=owner_form,
        kinds=KIND_LABELS,
        status=422 if form.errors or owner_form.errors else 200,
    )


def _account_called(username: str | None) -> int | None:
    """The account of a user, or None when none was named; raises NotFound."""
    name = (username or "").strip()
    return int(user_by_name(name).account_id) if name else None


def _refuse(form: Form, error: SmsError, field: str) -> None:
    refuse(form, error, form._fields.get({"gateway": "gateway_id"}.get(field, field)))
