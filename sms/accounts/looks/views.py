"""Pages of looks: the form that begins one, its end, and who looked into one's own account."""

from typing import cast

from flask import Blueprint, flash, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from sms.accounts.forms import AUDITED, by
from sms.accounts.looks import operations, queries
from sms.accounts.looks.forms import ACT, LookForm
from sms.accounts.queries import user
from sms.accounts.rules import Visitor, local_path
from sms.accounts.tree.queries import below
from sms.core.db import transaction
from sms.core.errors import Refusal
from sms.core.web.forms import refuse
from sms.core.web.guards import even_in_a_look, signed_in
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _

bp = Blueprint("looks", __name__)
_PAGE = 25
_FROM = "look_from"


def begin_page(account_id: int, user_id: int, *, back_url: str) -> ResponseReturnValue:
    """Ask why, and begin; the page to come back to is one of who looks."""
    me = cast("Visitor", current_user)
    account, person = below(me.account_id, account_id), user(account_id, user_id)
    form = LookForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.begin(
                    top_id=me.account_id,
                    account_id=account_id,
                    user_id=user_id,
                    token=me.token,
                    reason=form.reason.data,
                    may_act=form.way.data == ACT,
                    by=by(),
                )
        except Refusal as error:
            refuse(form, error)
        else:
            _begin_anew()
            session[_FROM] = back_url
            return redirect_to("/")
    return render_page(
        "accounts/look.html",
        form=form,
        account=account,
        person=person,
        back_url=back_url,
        status=422 if form.errors else 200,
    )


def _begin_anew() -> None:
    """No form that was loaded as somebody else is taken from now on."""
    session.pop("csrf_token", None)


@bp.post("/look/end")
@signed_in
@even_in_a_look
def end() -> ResponseReturnValue:
    """Be oneself again."""
    return _leave()


@bp.get("/look/over")
@signed_in
@even_in_a_look
def over() -> ResponseReturnValue:
    """Half an hour is over: notice it and be oneself again."""
    return _leave()


def _leave() -> ResponseReturnValue:
    me = cast("Visitor", current_user)
    back_url = local_path(session.pop(_FROM, None)) or "/"
    if me.look is None:
        return redirect_to("/")
    if request.method == "GET" and not me.look.is_over:
        return redirect_to("/")
    with transaction():
        operations.end(look=me.look, token=me.token, by=by())
    _begin_anew()
    flash(_("You are signed in as yourself again."), "success")
    return redirect_to(back_url)


@bp.get("/account/looks")
@signed_in
def looks() -> ResponseReturnValue:
    """Who looked into this account, why, and what they did."""
    before = request.args.get("before", type=int)
    found = queries.looks(cast("Visitor", current_user).account_id, before=before, most=_PAGE + 1)
    shown = found[:_PAGE]
    return render_page(
        "accounts/looks.html",
        looks=shown,
        deeds=queries.deeds([each.id for each in shown]),
        actions=AUDITED,
        older_url=url_for(".looks", before=shown[-1].id) if len(found) > _PAGE else None,
        newest_url=url_for(".looks") if before else None,
    )
