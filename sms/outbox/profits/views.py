"""What a reseller has earned of what was sent below it, and its way into the reseller's own wallet."""

import secrets

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, say
from sms.outbox.profits import operations, queries
from sms.outbox.profits.forms import PayOutForm

bp = Blueprint("profits", __name__, url_prefix="/reseller")

PAGE = 25

nav.add(
    N_("My profit"),
    endpoint="profits.profit",
    icon="coins",
    section="customer",
    permission=Permission.MANAGE_SUB_ACCOUNTS,
    order=69,
)


@bp.get("/profit")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def profit() -> ResponseReturnValue:
    """What is final and what is pending, and each send below with one's own price and margin."""
    account_id = visitor().account_id
    before = request.args.get("before", type=int)
    found = queries.sold(account_id, before=before, most=PAGE + 1)
    return render_page(
        "outbox/profits/profit.html",
        profit=queries.profit_of(account_id),
        nonce=secrets.token_urlsafe(16),
        sold=found[:PAGE],
        older_url=url_for(".profit", before=found[PAGE - 1].id) if len(found) > PAGE else None,
        newest_url=url_for(".profit") if before else None,
    )


@bp.post("/profit/pay-out")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def pay_out() -> ResponseReturnValue:
    """Move what is final to one's own wallet; the same form sent twice has one effect."""
    form = PayOutForm()
    if form.validate_on_submit():
        try:
            with transaction():
                operations.pay_out_profit(
                    account_id=visitor().account_id, key=form.nonce.data, actor_id=visitor().id, at=clock.now()
                )
        except SmsError as error:
            flash(say(error), "warning")
        else:
            flash(_("Your profit was moved to your balance."), "success")
    return redirect_to(url_for(".profit"))
