"""Staff pages of accounts, users and the audit."""

from collections.abc import Mapping
from datetime import datetime

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts import operations, queries
from sms.accounts.forms import (
    AUDITED,
    AccountFilter,
    AuditFilter,
    NewAccountForm,
    NewUserForm,
    ReasonForm,
    by,
    told_resumed,
)
from sms.accounts.rules import (
    KIND_LABELS,
    LANGUAGE_LABELS,
    ROLE_LABELS,
    STATE_LABELS,
    UNIT_LABELS,
    AccountKind,
    Permission,
    Role,
)
from sms.accounts.tree import operations as tree_operations
from sms.accounts.tree import queries as tree
from sms.core import phone
from sms.core.db import transaction
from sms.core.errors import Refusal, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import moment_text, money_text
from sms.core.web.forms import refuse
from sms.core.web.guards import require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, direction, say

bp = Blueprint("accounts_admin", __name__, url_prefix="/admin")
_PAGE = 50
_LARGEST_ID = 2**63
_DETAIL_LABELS = {
    "after_mrial": N_("After"),
    "alias": N_("Name"),
    "amount_mrial": N_("Amount"),
    "before_mrial": N_("Before"),
    "cause": N_("Cause"),
    "cost_mrial": N_("Cost"),
    "count": N_("Messages"),
    "difference_mrial": N_("Price difference"),
    "from_line": N_("From line"),
    "full_name": N_("Full name"),
    "kind": N_("Kind"),
    "language": N_("Language"),
    "mobile": N_("Mobile"),
    "money_unit": N_("Money is shown in"),
    "name": N_("Name"),
    "number": N_("Number"),
    "price_mrial": N_("Price"),
    "reason": N_("Reason"),
    "role": N_("Role"),
    "scheduled_at": N_("Begins at"),
    "to_line": N_("To line"),
    "until_at": N_("Holds until"),
}
_MOMENTS = frozenset({"scheduled_at", "until_at"})
_REASON_LABELS = {
    "by_hand": N_("by hand"),
    "gateway_down": N_("its gateway was down"),
    "out_of_hours": N_("its line had closed"),
}
_VALUE_LABELS = KIND_LABELS | ROLE_LABELS | UNIT_LABELS | LANGUAGE_LABELS | _REASON_LABELS
_LONGEST_DETAIL = 300

nav.add(
    N_("Accounts"),
    endpoint="accounts_admin.accounts",
    icon="users",
    section="admin",
    permission=Permission.MANAGE_CUSTOMERS,
    order=80,
)
nav.add(
    N_("Audit"),
    endpoint="accounts_admin.audit",
    icon="history",
    section="admin",
    permission=Permission.VIEW_AUDIT,
    order=90,
)


@bp.get("/accounts")
@require(Permission.MANAGE_CUSTOMERS)
def accounts() -> ResponseReturnValue:
    """Every account of the installation."""
    form = AccountFilter.read()
    search = form.search.data or ""
    found = queries.accounts_page(
        before=_before(),
        most=_PAGE + 1,
        search=search,
        mobile=phone.normalise(search),
        kind=form.kind.data or "",
        state=form.state.data or "",
    )
    older = url_for(".accounts", **form.address(before=found[_PAGE - 1].id)) if len(found) > _PAGE else None
    return render_page(
        "accounts/admin_accounts.html",
        form=form,
        accounts=found[:_PAGE],
        older_url=older,
        newest_url=url_for(".accounts", **form.address()) if _before() else None,
        kinds=KIND_LABELS,
        states=STATE_LABELS,
    )


@bp.route("/accounts/new", methods=["GET", "POST"])
@require(Permission.MANAGE_CUSTOMERS)
def new_account() -> ResponseReturnValue:
    """Open an account for somebody; its first password is made and shown once."""
    form = NewAccountForm(parents={each.id: each.name for each in queries.possible_parents()})
    if form.validate_on_submit():
        password = operations.one_time_password()
        try:
            with transaction():
                account_id, user_id = operations.open_account(
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
    return render_page("accounts/admin_new_account.html", form=form, status=422 if form.errors else 200)


def _hand_over(account_id: int, user_id: int, password: str) -> ResponseReturnValue:
    return render_page(
        "accounts/password_to_hand_over.html",
        account=queries.account(account_id),
        account_url=url_for("accounts_admin.account", account_id=account_id),
        user=queries.user(account_id, user_id),
        password=password,
    )


@bp.get("/accounts/<int:account_id>")
@require(Permission.MANAGE_CUSTOMERS)
def account(account_id: int) -> ResponseReturnValue:
    """One account: what it is, who signs in, what stands below it, what was done to it."""
    return _account_page(account_id)


def _account_page(
    account_id: int, *, reason: ReasonForm | None = None, new_user: NewUserForm | None = None
) -> ResponseReturnValue:
    found = queries.account(account_id)
    forms = (reason or ReasonForm(formdata=None), new_user or NewUserForm(formdata=None))
    suspensions = tree.suspensions(account_id)
    return render_page(
        "accounts/admin_account.html",
        account=found,
        users=queries.users(account_id),
        below=queries.sub_accounts(account_id),
        suspensions=suspensions,
        is_suspended_by_us=any(
            each.account_id == account_id and each.by_kind == AccountKind.INSTALLATION for each in suspensions
        ),
        latest=queries.audit_page(before=None, most=5, account_id=account_id),
        reason_form=forms[0],
        user_form=forms[1],
        kinds=KIND_LABELS,
        states=STATE_LABELS,
        roles=ROLE_LABELS,
        actions=AUDITED,
        status=422 if any(form.errors for form in forms) else 200,
    )


@bp.post("/accounts/<int:account_id>/suspend")
@require(Permission.MANAGE_CUSTOMERS)
def suspend(account_id: int) -> ResponseReturnValue:
    """Shut an account's users out."""
    form = ReasonForm()
    if not form.validate_on_submit():
        return _account_page(account_id, reason=form)
    try:
        with transaction():
            tree_operations.suspend(account_id=account_id, reason=form.reason.data, by=by())
    except Refusal as error:
        refuse(form, error)
        return _account_page(account_id, reason=form)
    flash(_("The account is suspended; its users are signed out."), "success")
    return redirect_to(url_for(".account", account_id=account_id))


@bp.post("/accounts/<int:account_id>/resume")
@require(Permission.MANAGE_CUSTOMERS)
def resume(account_id: int) -> ResponseReturnValue:
    """Let them in again."""
    form = ReasonForm()
    if not form.validate_on_submit():
        return _account_page(account_id, reason=form)
    try:
        with transaction():
            is_open = tree_operations.resume(account_id=account_id, reason=form.reason.data, by=by())
    except Refusal as error:
        refuse(form, error)
        return _account_page(account_id, reason=form)
    flash(*told_resumed(is_open))
    return redirect_to(url_for(".account", account_id=account_id))


@bp.post("/accounts/<int:account_id>/users")
@require(Permission.MANAGE_CUSTOMERS)
def add_user(account_id: int) -> ResponseReturnValue:
    """One more user of an account; the first password is made and shown once."""
    form = NewUserForm()
    if not form.validate_on_submit():
        return _account_page(account_id, new_user=form)
    password = operations.one_time_password()
    user = form.person(password=password, role=Role(form.role.data))
    try:
        with transaction():
            user_id = operations.add_user(account_id=account_id, user=user, by=by())
    except SmsError as error:
        form.refused(error)
        return _account_page(account_id, new_user=form)
    return _hand_over(account_id, user_id, password)


@bp.post("/accounts/<int:account_id>/users/<int:user_id>/reset-password")
@require(Permission.MANAGE_CUSTOMERS)
def reset_password(account_id: int, user_id: int) -> ResponseReturnValue:
    """A new password for somebody who lost theirs, shown this once."""
    with transaction():
        password = operations.reset_password(account_id=account_id, user_id=user_id, by=by())
    return _hand_over(account_id, user_id, password)


@bp.post("/accounts/<int:account_id>/users/<int:user_id>/switch")
@require(Permission.MANAGE_CUSTOMERS)
def switch_user(account_id: int, user_id: int) -> ResponseReturnValue:
    """Shut one user out, or let them in again."""
    is_active = request.form.get("on") == "1"
    try:
        with transaction():
            operations.switch_user(account_id=account_id, user_id=user_id, is_active=is_active, by=by())
    except Refusal as error:
        flash(say(error), "danger")
    else:
        flash(
            _("The user may sign in again.") if is_active else _("The user is deactivated and signed out."), "success"
        )
    return redirect_to(url_for(".account", account_id=account_id))


@bp.get("/audit")
@require(Permission.VIEW_AUDIT)
def audit() -> ResponseReturnValue:
    """Who did what, when and from where."""
    form = AuditFilter.read(actions=queries.audited_actions())
    found = queries.audit_page(
        before=_before(), most=_PAGE + 1, account_id=form.account.data, action=form.action.data or ""
    )
    older = url_for(".audit", **form.address(before=found[_PAGE - 1].id)) if len(found) > _PAGE else None
    return render_page(
        "accounts/admin_audit.html",
        form=form,
        lines=found[:_PAGE],
        actions=AUDITED,
        told=_told,
        older_url=older,
        newest_url=url_for(".audit", **form.address()) if _before() else None,
    )


def _told(details: Mapping[str, object]) -> list[tuple[str, str]]:
    """What an audit line says beside its action: labels and values, in the reader's language."""
    return [(_(_DETAIL_LABELS.get(name, name)), _value(name, value)) for name, value in details.items()]


def _value(name: str, value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"before", "after"}:
        arrow = " \u2190 " if direction() == "rtl" else " \u2192 "
        return arrow.join(f"\u2068{_value(name, value[side]) or '…'}\u2069" for side in ("before", "after"))
    if isinstance(value, list):
        return ", ".join(_value(name, each) for each in value)[:_LONGEST_DETAIL]
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if name.endswith("_mrial") and isinstance(value, int):
        return money_text(value)
    if name in _MOMENTS and isinstance(value, str):
        return moment_text(datetime.fromisoformat(value))
    text = "" if value is None else str(value)
    return _(_VALUE_LABELS[text]) if text in _VALUE_LABELS else text[:_LONGEST_DETAIL]


def _before() -> int | None:
    before = request.args.get("before", type=int)
    return before if before is not None and 0 < before < _LARGEST_ID else None
