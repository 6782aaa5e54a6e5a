"""Pages of labels: their list, one to change, and those that are on a conversation."""

from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.inbox.labels import operations, queries
from sms.inbox.labels.forms import LabelForm
from sms.inbox.queries import conversation

bp = Blueprint("labels", __name__)
_LARGEST = 2**31 - 1


@bp.url_value_preprocessor
def be_possible(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """No number we gave is as large as some that can be written into an address."""
    if any(isinstance(value, int) and value > _LARGEST for value in (values or {}).values()):
        abort(404)


@bp.route("/inbox/labels", methods=["GET", "POST"])
@require(Permission.VIEW_MESSAGES)
def labels() -> ResponseReturnValue:
    """All of them, and a form for one more."""
    form = LabelForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.add_label(
                    account_id=visitor().account_id, name=form.name.data, colour=form.colour.data, at=clock.now()
                )
        except SmsError as error:
            refuse(form, error, form.name)
        else:
            return redirect_to(url_for(".labels"))
    return render_page(
        "inbox/labels.html",
        labels=queries.labels(visitor().account_id),
        form=form,
        status=422 if form.errors else 200,
    )


@bp.route("/inbox/labels/<int:label_id>", methods=["GET", "POST"])
@require(Permission.VIEW_MESSAGES)
def label(label_id: int) -> ResponseReturnValue:
    """One of them, to change."""
    found = queries.label(visitor().account_id, label_id)
    form = LabelForm(obj=found)
    if form.validate_on_submit():
        try:
            with transaction():
                operations.change_label(
                    account_id=visitor().account_id,
                    label_id=label_id,
                    name=form.name.data,
                    colour=form.colour.data,
                )
        except NotFound:
            raise
        except SmsError as error:
            refuse(form, error, form.name)
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".labels"))
    return render_page("inbox/label.html", label=found, form=form, status=422 if form.errors else 200)


@bp.post("/inbox/labels/<int:label_id>/delete")
@require(Permission.VIEW_MESSAGES)
def delete(label_id: int) -> ResponseReturnValue:
    """Throw it away."""
    with transaction():
        operations.delete_label(account_id=visitor().account_id, label_id=label_id)
    flash(_("The label was thrown away."), "success")
    return redirect_to(url_for(".labels"))


@bp.post("/inbox/<int:line_id>/<string:sender>/labels")
@require(Permission.VIEW_MESSAGES)
def put(line_id: int, sender: str) -> Response:
    """Those that are ticked are on the conversation, and no others."""
    account_id = visitor().account_id
    conversation(account_id, line_id, sender, before=None, most=1)
    ticked = [int(each) for each in request.form.getlist("label_id") if each.isascii() and each.isdigit()]
    with transaction():
        operations.put_labels(
            account_id=account_id,
            line_id=line_id,
            sender=sender,
            label_ids=[each for each in ticked if each <= _LARGEST],
            at=clock.now(),
        )
    flash(_("Saved."), "success")
    return redirect_to(url_for("inbox.conversation", line_id=line_id, sender=sender))
