"""A reseller's page of the lines of a sub-account: handed out, send-only or two-way, and taken back."""

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.accounts.tree.queries import below
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.own import operations
from sms.lines.own.queries import my_lines
from sms.lines.rules import CLASS_LABELS
from sms.resellers.handing.forms import TWO_WAY, HandOutForm

bp = Blueprint("sub_account_lines", __name__, url_prefix="/reseller/accounts")


@bp.get("/<int:account_id>/lines")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def lines(account_id: int) -> ResponseReturnValue:
    """Its own lines, and those it has from above."""
    return _page(account_id)


def _page(account_id: int, form: HandOutForm | None = None) -> ResponseReturnValue:
    me = visitor().account_id
    found = below(me, account_id)
    mine, theirs = my_lines(me), my_lines(account_id)
    return render_page(
        "resellers/lines.html",
        account=found,
        lines=theirs,
        mine={line.id for line in mine},
        can_hand_out=bool(mine) and found.state != "closed",
        form=form or HandOutForm(formdata=None, lines=mine),
        classes=CLASS_LABELS,
        status=422 if form else 200,
    )


@bp.post("/<int:account_id>/lines/hand-out")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def hand_out(account_id: int) -> ResponseReturnValue:
    """Let it send from one of one's lines, or hand it the replies too; a second time changes which."""
    me = visitor().account_id
    below(me, account_id)
    form = HandOutForm(lines=my_lines(me))
    if not form.validate_on_submit():
        return _page(account_id, form)
    try:
        with transaction():
            operations.hand_out(
                line_id=form.line.data,
                account_id=me,
                other_id=account_id,
                is_two_way=form.way.data == TWO_WAY,
                by=actor(),
                at=clock.now(),
            )
    except SmsError as error:
        refuse(form, error)
        return _page(account_id, form)
    flash(_("The line is handed out."), "success")
    return redirect_to(url_for(".lines", account_id=account_id))


@bp.post("/<int:account_id>/lines/take-back")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def take_back(account_id: int) -> ResponseReturnValue:
    """Take one back, from everybody below it too."""
    me = visitor().account_id
    below(me, account_id)
    line_id = request.form.get("line_id", type=int)
    if line_id is None:
        raise NotFound(N_("The line is not shared with this account."))
    with transaction():
        operations.end_share(line_id=line_id, account_id=me, other_id=account_id, by=actor(), at=clock.now())
    flash(_("The line is taken back, from everybody below it too."), "success")
    return redirect_to(url_for(".lines", account_id=account_id))
