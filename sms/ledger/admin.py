"""Staff pages of money: one account's, and the whole house's."""

import secrets
from datetime import timedelta

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.queries import account as account_of
from sms.accounts.queries import reseller_of
from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.ledger import operations, queries
from sms.ledger.credit.operations import grant_limit
from sms.ledger.forms import AdjustForm, LimitForm, ReverseForm, StatementForm, TransferForm
from sms.ledger.rules import WALLET_LABELS, KeyReused, NotCovered, WalletKind

bp = Blueprint("ledger_admin", __name__, url_prefix="/admin")

PAGE = 25
_DAYS = 30
_NO_TRANSFER = N_("There is no such transfer.")

nav.add(
    N_("Money"),
    endpoint="ledger_admin.overview",
    icon="coins",
    section="admin",
    permission=Permission.MANAGE_MONEY,
    order=60,
)


@bp.app_template_global()
def wallet_label(kind: str) -> str:
    """The name of a kind of wallet."""
    return _(WALLET_LABELS[WalletKind(kind)])


# One account


@bp.get("/accounts/<int:account_id>/money")
@require(Permission.MANAGE_MONEY)
def account(account_id: int) -> ResponseReturnValue:
    """An account's balance, limit and statement, and the forms that change them."""
    return _account_page(account_id)


@bp.post("/accounts/<int:account_id>/money/adjust")
@require(Permission.MANAGE_MONEY)
def adjust(account_id: int) -> ResponseReturnValue:
    """Credit or debit by hand, with a reason; the same form sent twice has one effect."""
    form = AdjustForm()
    if not form.validate_on_submit():
        return _account_page(account_id, adjusting=form)
    try:
        with transaction():
            operations.adjust(
                account_id=account_id,
                amount_mrial=form.amount_mrial,
                key=f"adjust:{account_id}:{form.nonce.data}",
                reason=form.reason.data,
                actor_id=visitor().id,
                at=clock.now(),
            )
    except NotFound:
        raise
    except SmsError as error:
        refuse(form, error)
        if isinstance(error, KeyReused):
            form.nonce.data = _nonce()
        return _account_page(account_id, adjusting=form)
    flash(_("The balance was changed."), "success")
    return redirect_to(url_for(".account", account_id=account_id))


@bp.post("/accounts/<int:account_id>/money/limit")
@require(Permission.MANAGE_MONEY)
def limit(account_id: int) -> ResponseReturnValue:
    """Another credit limit."""
    form = LimitForm()
    if not form.validate_on_submit():
        return _account_page(account_id, limiting=form)
    try:
        with transaction():
            grant_limit(
                account_id=account_id,
                parent_account_id=reseller_of(account_id),
                credit_limit_mrial=form.limit.data or 0,
                actor_id=visitor().id,
                at=clock.now(),
            )
    except NotCovered as error:
        refuse(form, error)
        return _account_page(account_id, limiting=form)
    flash(_("The credit limit was changed."), "success")
    return redirect_to(url_for(".account", account_id=account_id))


def _account_page(
    account_id: int, *, adjusting: AdjustForm | None = None, limiting: LimitForm | None = None
) -> ResponseReturnValue:
    form = StatementForm.read()
    wallet = queries.wallet_of(account_id)
    before = request.args.get("before", type=int)
    lines = queries.statement(account_id=account_id, narrowed=form.narrowed, before=before, most=PAGE + 1)
    older = form.address(before=lines[PAGE - 1].number) if len(lines) > PAGE else None
    return render_page(
        "ledger/account.html",
        status=422 if adjusting or limiting else 200,
        account=account_of(account_id),
        wallet=wallet,
        set_aside_mrial=queries.set_aside(account_id),
        totals=queries.totals(account_id=account_id, since=clock.now() - timedelta(days=_DAYS)),
        adjusting=adjusting or AdjustForm(formdata=None, nonce=_nonce()),
        limiting=limiting or LimitForm(formdata=None, limit=wallet.credit_limit_mrial),
        form=form,
        lines=lines[:PAGE],
        older_url=url_for(".account", account_id=account_id, **older) if older else None,
        newest_url=url_for(".account", account_id=account_id, **form.address()) if before else None,
    )


def _nonce() -> str:
    return secrets.token_urlsafe(16)


# The whole house


@bp.get("/money")
@require(Permission.MANAGE_MONEY)
def overview() -> ResponseReturnValue:
    """What lies in which kind of wallet, and the latest transfers."""
    form = TransferForm.read()
    before = request.args.get("before", type=int)
    transfers = queries.transfers(kind=form.kind.data or "", before=before, most=PAGE + 1)
    older = form.address(before=transfers[PAGE - 1].id) if len(transfers) > PAGE else None
    return render_page(
        "ledger/overview.html",
        sums=queries.overview(),
        recording=queries.recording_wallets(),
        form=form,
        transfers=transfers[:PAGE],
        older_url=url_for(".overview", **older) if older else None,
        newest_url=url_for(".overview", **form.address()) if before else None,
    )


@bp.get("/money/transfers/<int:transfer_id>")
@require(Permission.MANAGE_MONEY)
def transfer(transfer_id: int) -> ResponseReturnValue:
    """One transfer with both of its sides."""
    return _transfer_page(transfer_id)


@bp.post("/money/transfers/<int:transfer_id>/reverse")
@require(Permission.MANAGE_MONEY)
def reverse(transfer_id: int) -> ResponseReturnValue:
    """Take back what was moved by hand, once."""
    form = ReverseForm()
    if not form.validate_on_submit():
        return _transfer_page(transfer_id, form=form)
    try:
        with transaction():
            reversal_id = operations.reverse(
                transfer_id=transfer_id, reason=form.reason.data, actor_id=visitor().id, at=clock.now()
            )
    except NotFound:
        raise
    except SmsError as error:
        refuse(form, error)
        return _transfer_page(transfer_id, form=form)
    flash(_("The transfer was reversed."), "success")
    return redirect_to(url_for(".transfer", transfer_id=reversal_id))


def _transfer_page(transfer_id: int, *, form: ReverseForm | None = None) -> ResponseReturnValue:
    found = queries.transfer(transfer_id)
    if found is None:
        raise NotFound(_NO_TRANSFER)
    return render_page(
        "ledger/transfer.html",
        status=422 if form else 200,
        transfer=found,
        form=form or ReverseForm(formdata=None),
    )
