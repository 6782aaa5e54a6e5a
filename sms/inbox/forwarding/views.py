"""Addresses that the texts of one's lines go on to: made, changed, and what became of each text, try by try."""

from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.seal import CannotUnseal
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.inbox.forwarding import queries
from sms.inbox.forwarding.forms import HookForm
from sms.inbox.forwarding.operations import deliveries, hooks
from sms.inbox.forwarding.queries import Hook
from sms.inbox.forwarding.rules import STATE_LABELS, UnusableHook
from sms.inbox.rules import is_mobile
from sms.lines.queries import account_line

bp = Blueprint("forwarding", __name__)
_PAGE = 25
_LARGEST, _LARGEST_ID = 2**31 - 1, 2**63 - 1


@bp.url_value_preprocessor
def be_possible(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """No number we gave is as large as some that can be written into an address."""
    given = values or {}
    if given.get("line_id", 0) > _LARGEST or given.get("hook_id", 0) > _LARGEST:
        abort(404)
    if given.get("delivery_id", 0) > _LARGEST_ID:
        abort(404)


@bp.route("/lines/<int:line_id>/forwarding", methods=["GET", "POST"])
@require(Permission.MANAGE_ACCOUNT)
def line(line_id: int) -> ResponseReturnValue:
    """The addresses of a line; the form makes one more."""
    account_id = visitor().account_id
    here = account_line(account_id, line_id)
    form = HookForm()
    if form.validate_on_submit():
        try:
            with transaction():
                made, _secret = hooks.add(
                    account_id=account_id,
                    line_id=line_id,
                    name=form.name.data,
                    url=form.url.data.strip(),
                    takes_all=form.takes_all.data,
                    seal_key=settings().seal_key,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableHook as error:
            refuse(form, error, form[error.field])
        else:
            flash(_("From now on texts go there. Check the signature with the secret below."), "success")
            return redirect_to(url_for(".hook", hook_id=made))
    return render_page(
        "forwarding/line.html",
        line=here,
        hooks=queries.hooks(account_id, line_id),
        form=form,
        status=422 if form.errors else 200,
    )


def _before() -> int | None:
    found = request.args.get("before", type=int)
    return found if found is not None and 0 < found <= _LARGEST_ID else None


def _own(hook_id: int) -> Hook:
    return queries.hook(visitor().account_id, hook_id)


@bp.route("/forwarding/<int:hook_id>", methods=["GET", "POST"])
@require(Permission.MANAGE_ACCOUNT)
def hook(hook_id: int) -> ResponseReturnValue:
    """One address with its log; the form changes it."""
    found = _own(hook_id)
    form = HookForm(obj=found)
    if form.validate_on_submit():
        try:
            with transaction():
                hooks.change(
                    account_id=found.account_id,
                    hook_id=hook_id,
                    name=form.name.data,
                    url=form.url.data.strip(),
                    takes_all=form.takes_all.data,
                    by=actor(),
                    at=clock.now(),
                )
        except UnusableHook as error:
            refuse(form, error, form[error.field])
        else:
            flash(_("Saved."), "success")
            return redirect_to(url_for(".hook", hook_id=hook_id))
    return _hook_page(found, form)


def _hook_page(found: Hook, form: HookForm) -> Response:
    listed = queries.deliveries(found.id, before=_before(), most=_PAGE + 1)
    return render_page(
        "forwarding/hook.html",
        hook=found,
        form=form,
        secret=_secret_of(found),
        deliveries=listed[:_PAGE],
        older=listed[_PAGE - 1].id if len(listed) > _PAGE else None,
        before=_before(),
        states=STATE_LABELS,
        is_mobile=is_mobile,
        status=422 if form.errors else 200,
    )


def _secret_of(found: Hook) -> str:
    try:
        return hooks.secret_of(found, seal_key=settings().seal_key)
    except CannotUnseal:
        return ""


@bp.get("/forwarding/<int:hook_id>/deliveries/<int:delivery_id>")
@require(Permission.MANAGE_ACCOUNT)
def delivery(hook_id: int, delivery_id: int) -> ResponseReturnValue:
    """One text on its way, with every try."""
    found = _own(hook_id)
    return render_page(
        "forwarding/delivery.html",
        hook=found,
        delivery=queries.delivery(hook_id, delivery_id),
        tries=queries.tries(delivery_id),
        states=STATE_LABELS,
        is_mobile=is_mobile,
    )


@bp.post("/forwarding/<int:hook_id>/again")
@require(Permission.MANAGE_ACCOUNT)
def again(hook_id: int) -> ResponseReturnValue:
    """Try one delivery now, or all that were not taken."""
    _own(hook_id)
    chosen = request.form.get("delivery_id", type=int)
    with transaction():
        count = deliveries.again(
            hook_id=hook_id,
            delivery_id=min(chosen, _LARGEST_ID) if chosen is not None else None,
            at=clock.now(),
        )
    flash(_("%(count)s texts are sent again now.", count=count), "success" if count else "warning")
    return redirect_to(url_for(".hook", hook_id=hook_id))


@bp.post("/forwarding/<int:hook_id>/switch")
@require(Permission.MANAGE_ACCOUNT)
def switch(hook_id: int) -> ResponseReturnValue:
    """Off or on."""
    is_on = "off" not in request.form
    with transaction():
        hooks.switch(account_id=visitor().account_id, hook_id=hook_id, is_on=is_on, by=actor(), at=clock.now())
    flash(_("Switched on.") if is_on else _("Switched off."), "success")
    return redirect_to(url_for(".hook", hook_id=hook_id))


@bp.post("/forwarding/<int:hook_id>/secret")
@require(Permission.MANAGE_ACCOUNT)
def renew_secret(hook_id: int) -> ResponseReturnValue:
    """Another secret."""
    with transaction():
        hooks.renew_secret(
            account_id=visitor().account_id,
            hook_id=hook_id,
            seal_key=settings().seal_key,
            by=actor(),
            at=clock.now(),
        )
    flash(_("From now on the new secret signs. Give it to whoever checks."), "success")
    return redirect_to(url_for(".hook", hook_id=hook_id))


@bp.post("/forwarding/<int:hook_id>/remove")
@require(Permission.MANAGE_ACCOUNT)
def remove(hook_id: int) -> ResponseReturnValue:
    """Away with it."""
    found = _own(hook_id)
    with transaction():
        hooks.remove(account_id=found.account_id, hook_id=hook_id, by=actor(), at=clock.now())
    flash(_("The address is gone; what waited for it is given up."), "success")
    return redirect_to(url_for(".line", line_id=found.line_id))


@bp.post("/forwarding/<int:hook_id>/known")
@require(Permission.MANAGE_ACCOUNT)
def know(hook_id: int) -> ResponseReturnValue:
    """The owner has seen that it fails."""
    try:
        with transaction():
            hooks.know(account_id=visitor().account_id, hook_id=hook_id, at=clock.now())
    except SmsError:
        abort(404)
    return redirect_to(url_for(".hook", hook_id=hook_id))
