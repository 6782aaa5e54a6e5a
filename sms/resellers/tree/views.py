"""A reseller's pages of the accounts below it."""

from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts import operations as accounts
from sms.accounts.forms import NewAccountForm, ReasonForm, by, told_resumed
from sms.accounts.looks.views import begin_page
from sms.accounts.queries import user, users
from sms.accounts.rules import (
    KIND_LABELS,
    ROLE_LABELS,
    STATE_LABELS,
    AccountKind,
    Permission,
)
from sms.accounts.tree import operations as tree
from sms.accounts.tree.queries import below, resellers_within, suspensions, tree_page
from sms.core import clock, phone
from sms.core.calendar import day_of
from sms.core.db import transaction
from sms.core.errors import Refusal, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.ledger.queries import wallet_of
from sms.lines.own.queries import my_lines
from sms.outbox.rules import CAMPAIGN_LABELS
from sms.resellers.tree import operations, queries
from sms.resellers.tree.forms import SubAccountFilter

bp = Blueprint("sub_accounts", __name__, url_prefix="/reseller/accounts")
_PAGE = 50
_DAYS = 30
_CLOSING = "close-"

nav.add(
    N_("Sub-accounts"),
    endpoint="sub_accounts.accounts",
    icon="users",
    section="reseller",
    permission=Permission.MANAGE_SUB_ACCOUNTS,
    order=10,
)


@bp.get("", endpoint="accounts")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def accounts_page() -> ResponseReturnValue:
    """The accounts below, each followed by those below it."""
    form = SubAccountFilter.read()
    search = form.search.data or ""
    after = request.args.get("after", type=int)
    found = tree_page(
        visitor().account_id,
        after_id=after,
        most=_PAGE + 1,
        search=search,
        mobile=phone.normalise(search),
        kind=form.kind.data or "",
        state=form.state.data or "",
    )
    shown = found[:_PAGE]
    return render_page(
        "resellers/accounts.html",
        form=form,
        accounts=shown,
        wallets=queries.wallets([each.id for each in shown]),
        next_url=url_for(".accounts", **form.address(after=shown[-1].id)) if len(found) > _PAGE else None,
        first_url=url_for(".accounts", **form.address()) if after else None,
        is_narrowed=bool(form.address()),
        kinds=KIND_LABELS,
        states=STATE_LABELS,
    )


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.MANAGE_SUB_ACCOUNTS)
def new_account() -> ResponseReturnValue:
    """Open an account for a customer or a reseller; its first password is made and shown once."""
    form = NewAccountForm(parents={each.id: each.name for each in resellers_within(visitor().account_id)})
    if form.validate_on_submit():
        password = accounts.one_time_password()
        try:
            with transaction():
                account_id, user_id = operations.open_below(
                    top_id=visitor().account_id,
                    parent_id=form.parent.data,
                    kind=AccountKind(form.kind.data),
                    name=form.name.data,
                    owner=form.person(password=password),
                    by=by(),
                )
        except SmsError as error:
            form.refused(error)
        else:
            return _hand_over(account_id, user_id, password)
    return render_page("resellers/new_account.html", form=form, status=422 if form.errors else 200)


def _hand_over(account_id: int, user_id: int, password: str) -> ResponseReturnValue:
    return render_page(
        "accounts/password_to_hand_over.html",
        account=below(visitor().account_id, account_id),
        account_url=url_for("sub_accounts.account", account_id=account_id),
        user=user(account_id, user_id),
        password=password,
    )


@bp.get("/<int:account_id>")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def account(account_id: int) -> ResponseReturnValue:
    """One account: who it is, how it stands, its lines, its money, its latest sends by their counters."""
    return _account_page(account_id)


def _account_page(
    account_id: int, *, form: ReasonForm | None = None, closing: ReasonForm | None = None
) -> ResponseReturnValue:
    me = visitor()
    found = below(me.account_id, account_id)
    held_by = suspensions(account_id)
    return render_page(
        "resellers/account.html",
        account=found,
        users=users(account_id),
        wallet=wallet_of(account_id),
        lines=my_lines(account_id),
        sends=queries.sends(account_id, since=day_of(clock.now()) - timedelta(days=_DAYS - 1)),
        latest=queries.latest_sends(account_id),
        suspensions=held_by,
        is_suspended_by_me=any(
            each.account_id == account_id and each.by_account_id == me.account_id for each in held_by
        ),
        reason_form=form or ReasonForm(formdata=None),
        close_form=closing or ReasonForm(formdata=None, prefix=_CLOSING),
        kinds=KIND_LABELS,
        roles=ROLE_LABELS,
        states=STATE_LABELS,
        labels=CAMPAIGN_LABELS,
        status=422 if form or closing else 200,
    )


def _with_reason(
    account_id: int, act: Callable[[str], tuple[str, str]], *, form: ReasonForm, place: str = "form"
) -> ResponseReturnValue:
    """Do something that asks for a reason, and tell what came of it, or show the form at its place again."""
    below(visitor().account_id, account_id)
    if not form.validate_on_submit():
        return _account_page(account_id, **{place: form})
    try:
        with transaction():
            told = act(form.reason.data)
    except Refusal as error:
        refuse(form, error)
        return _account_page(account_id, **{place: form})
    flash(*told)
    return redirect_to(url_for(".account", account_id=account_id))


@bp.post("/<int:account_id>/suspend")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def suspend(account_id: int) -> ResponseReturnValue:
    """Shut it and all below it out."""

    def act(reason: str) -> tuple[str, str]:
        tree.suspend(account_id=account_id, by_account_id=visitor().account_id, reason=reason, by=by())
        return _("The account and all below it are suspended."), "success"

    return _with_reason(account_id, act, form=ReasonForm())


@bp.post("/<int:account_id>/resume")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def resume(account_id: int) -> ResponseReturnValue:
    """Let them in again."""
    return _with_reason(
        account_id,
        lambda reason: told_resumed(
            tree.resume(account_id=account_id, by_account_id=visitor().account_id, reason=reason, by=by())
        ),
        form=ReasonForm(),
    )


@bp.post("/<int:account_id>/close")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def close(account_id: int) -> ResponseReturnValue:
    """Close it for good, once nothing is open in it."""

    def act(reason: str) -> tuple[str, str]:
        operations.close_below(top_id=visitor().account_id, account_id=account_id, reason=reason, by=by())
        return _("The account is closed."), "success"

    return _with_reason(account_id, act, form=ReasonForm(prefix=_CLOSING), place="closing")


@bp.post("/<int:account_id>/users/<int:user_id>/reset-password")
@require(Permission.MANAGE_SUB_ACCOUNTS)
def reset_access(account_id: int, user_id: int) -> ResponseReturnValue:
    """A new one-time password for who lost theirs, shown this once."""
    with transaction():
        password = operations.reset_access(top_id=visitor().account_id, account_id=account_id, user_id=user_id, by=by())
    return _hand_over(account_id, user_id, password)


@bp.route("/<int:account_id>/users/<int:user_id>/look", methods=["GET", "POST"])
@require(Permission.MANAGE_SUB_ACCOUNTS)
def look(account_id: int, user_id: int) -> ResponseReturnValue:
    """Sign in as one of its users for a while."""
    return begin_page(account_id, user_id, back_url=url_for(".account", account_id=account_id))
