"""A reseller's pages of a sub-account's credit, and every account's own warning."""

import secrets
from typing import Any

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import account as account_of
from sms.accounts.rules import Permission
from sms.accounts.tree.queries import below
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, Refusal, SmsError
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.ledger.forms import LimitForm
from sms.ledger.queries import StatementFilter, set_aside, statement, wallet_of
from sms.ledger.rules import KeyReused
from sms.resellers.credit import operations, queries
from sms.resellers.credit.forms import CreditForm, WarningForm

bp = Blueprint("sub_account_money", __name__)
_LINES = 10


@bp.get("/reseller/accounts/<int:account_id>/money")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def account(account_id: int) -> ResponseReturnValue:
    """A sub-account's balance, limit and latest lines, and the forms that change them."""
    return _page(account_id)


def _page(account_id: int, **forms: Any) -> ResponseReturnValue:
    me = visitor()
    found = below(me.account_id, account_id)
    wallet = wallet_of(account_id)
    return render_page(
        "resellers/money.html",
        account=found,
        wallet=wallet,
        mine=wallet_of(me.account_id),
        is_own=found.parent_id == me.account_id and found.state != "closed",
        set_aside_mrial=set_aside(account_id),
        lines=statement(account_id=account_id, narrowed=StatementFilter(), before=None, most=_LINES),
        crediting=forms.get("crediting") or CreditForm(formdata=None, nonce=secrets.token_urlsafe(16)),
        limiting=forms.get("limiting") or LimitForm(formdata=None, limit=wallet.credit_limit_mrial),
        warning=forms.get("warning") or WarningForm(formdata=None, threshold=queries.threshold(account_id) or None),
        status=422 if forms else 200,
    )


@bp.post("/reseller/accounts/<int:account_id>/money/credit")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def credit(account_id: int) -> ResponseReturnValue:
    """Give or take; the same form sent twice has one effect."""
    below(visitor().account_id, account_id)
    form = CreditForm()
    if not form.validate_on_submit():
        return _page(account_id, crediting=form)
    try:
        with transaction():
            operations.move(
                top_id=visitor().account_id,
                account_id=account_id,
                amount_mrial=form.amount_mrial,
                key=f"credit:{visitor().account_id}:{account_id}:{form.nonce.data}",
                reason=form.reason.data,
                actor_id=visitor().id,
                at=clock.now(),
            )
    except NotFound:
        raise
    except SmsError as error:
        refuse(form, error)
        if isinstance(error, KeyReused):
            form.nonce.data = secrets.token_urlsafe(16)
        return _page(account_id, crediting=form)
    flash(_("The credit was moved."), "success")
    return redirect_to(url_for(".account", account_id=account_id))


@bp.post("/reseller/accounts/<int:account_id>/money/limit")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def limit(account_id: int) -> ResponseReturnValue:
    """How far below zero it may go."""
    below(visitor().account_id, account_id)
    form = LimitForm()
    if not form.validate_on_submit():
        return _page(account_id, limiting=form)
    try:
        with transaction():
            operations.lend(
                top_id=visitor().account_id,
                account_id=account_id,
                credit_limit_mrial=form.limit.data or 0,
                actor_id=visitor().id,
                at=clock.now(),
            )
    except NotFound:
        raise
    except SmsError as error:
        refuse(form, error)
        return _page(account_id, limiting=form)
    flash(_("The credit limit was changed."), "success")
    return redirect_to(url_for(".account", account_id=account_id))


@bp.post("/reseller/accounts/<int:account_id>/money/warning")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def warning(account_id: int) -> ResponseReturnValue:
    """From which balance on it, and the account above it, are warned."""
    below(visitor().account_id, account_id)
    form = WarningForm()
    if not form.validate_on_submit():
        return _page(account_id, warning=form)
    _warn(account_id, form)
    return redirect_to(url_for(".account", account_id=account_id))


def _warn(account_id: int, form: WarningForm) -> None:
    with transaction():
        operations.warn_below(
            account_id=account_id, threshold_mrial=form.threshold.data or 0, actor_id=visitor().id, at=clock.now()
        )
    flash(_("Saved."), "success")


@bp.route("/account/low-balance", methods=["GET", "POST"])
@require(Permission.MANAGE_ACCOUNT)
def own_warning() -> ResponseReturnValue:
    """When one's own home page warns of a low balance."""
    account_id = visitor().account_id
    form = WarningForm(threshold=queries.threshold(account_id) or None)
    if form.validate_on_submit():
        try:
            _warn(account_id, form)
        except Refusal as error:
            refuse(form, error)
        else:
            return redirect_to(url_for(".own_warning"))
    return render_page(
        "resellers/warning.html",
        form=form,
        account=account_of(account_id),
        wallet=wallet_of(account_id),
        status=422 if form.errors else 200,
    )
