"""Pages of sign-in, sign-up and one's own account."""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from flask import Blueprint, Response, flash, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeSerializer
from limits import parse
from wtforms import Field

from sms.accounts import operations, queries
from sms.accounts.forms import AccountForm, LanguageForm, PasswordForm, ProfileForm, SignInForm, SignUpForm, by
from sms.accounts.looks import operations as looks
from sms.accounts.rules import (
    KIND_LABELS,
    ROLE_LABELS,
    SEEN_EVERY,
    SHORTEST_PASSWORD,
    SIGN_UPS_PER_ADDRESS,
    THROTTLE_NOTICES,
    TRIES_EVERYWHERE,
    TRIES_PER_ADDRESS,
    TRIES_PER_DEVICE,
    TRIES_PER_USERNAME,
    NewUser,
    Permission,
    SignedIn,
    SignInThrottled,
    UnusableName,
    UnusablePassword,
    UsernameTaken,
    Visitor,
    WrongCredentials,
    agent_text,
    clean_text,
    local_path,
)
from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import refuse
from sms.core.web.guards import PUBLIC, even_in_a_look, guard_of, login_manager, public, require, signed_in
from sms.core.web.htmx import is_unattended, redirect_to, render_page
from sms.core.web.i18n import _, language, language_cookie
from sms.core.web.limits import limiter
from sms.core.web.site import is_sign_up_open, site

log = logging.getLogger(__name__)
bp = Blueprint("accounts", __name__)

nav.add(N_("Account"), endpoint="accounts.account", icon="user-circle", section="account", order=10)

_DEVICE_COOKIE = "device"
_EXAMPLE_MOBILE = 989121234567
_DEVICE_SECONDS = 180 * 86_400


# Who is asking


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_visitor(token: str) -> Visitor | None:
    """Whoever holds this session; what was ended is out at once. What a page asks by itself is no sign of life."""
    at = clock.now()
    live = queries.session(token=token, at=at)
    if live is None or not live.own_path.startswith(site().path):
        return None  # ended, or of another tree than that of the brand under this host
    if at - live.seen_at >= SEEN_EVERY and not is_unattended():
        with transaction():
            operations.touch_session(token=token, kind=live.own_kind, created_at=live.created_at, at=at)
    operations.note_look(live.visitor.look.id if live.visitor.look else None)
    return live.visitor


def _me() -> Visitor:
    return cast("Visitor", current_user)


@bp.before_app_request
def change_the_password_first() -> ResponseReturnValue | None:
    """A password that somebody else made opens one page: the one where it is changed."""
    endpoint = request.endpoint
    if endpoint is None or endpoint == "accounts.password" or guard_of(endpoint) == PUBLIC:
        return None
    return redirect_to(url_for("accounts.password")) if _me().must_change_password else None


# Throttling


def _count(limits: Sequence[str], *who: str) -> None:
    for limit in map(parse, limits):
        if not limiter.limiter.hit(limit, settings().queue_prefix, *who):
            stats = limiter.limiter.get_window_stats(limit, settings().queue_prefix, *who)
            wait = int(stats.reset_time - clock.now().timestamp()) + 1
            raise SignInThrottled(wait_seconds=min(max(wait, 1), limit.get_expiry()))


def _forget(limits: Sequence[str], *who: str) -> None:
    for limit in map(parse, limits):
        limiter.limiter.clear(limit, settings().queue_prefix, *who)


def _try_key(username: str) -> tuple[Sequence[str], str, str]:
    """The counter of this try: the browser's own where this user has signed in from it, else that of the name."""
    name = hashlib.sha256(username.strip().lower().encode()).hexdigest()[:32]
    try:
        known_name, device = _device_signer().loads(request.cookies.get(_DEVICE_COOKIE, ""))
    except (BadSignature, ValueError):
        return TRIES_PER_USERNAME, "name", name
    return (TRIES_PER_DEVICE, "device", device) if known_name == name else (TRIES_PER_USERNAME, "name", name)


def _device_signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key, salt="accounts.device")


def _know_device(response: Response, username: str) -> Response:
    name = hashlib.sha256(username.strip().lower().encode()).hexdigest()[:32]
    response.set_cookie(
        _DEVICE_COOKIE,
        _device_signer().dumps([name, secrets.token_hex(16)]),
        max_age=_DEVICE_SECONDS,
        path=url_for("accounts.sign_in"),
        secure=settings().is_https,
        httponly=True,
        samesite="Lax",
    )
    return response


def _count_try(username: str) -> None:
    _count(TRIES_EVERYWHERE, "everywhere", "sign-in")
    _count(TRIES_PER_ADDRESS, "address", request.remote_addr or "")
    limits, *who = _try_key(username)
    try:
        _count(limits, *who)
    except SignInThrottled:
        if limiter.limiter.hit(parse(THROTTLE_NOTICES), settings().queue_prefix, "notice", *who):
            with transaction():
                operations.note_throttled(username=username, by=by())
        raise


# Getting in and out


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    """The door."""
    form = SignInForm()
    is_in = current_user.is_authenticated  # looked up here, before any transaction: the look-up may write
    if request.method == "GET":
        form.next.data = local_path(request.args.get("next")) or ""
        if is_in:
            return redirect_to(form.next.data or "/")
    if not form.validate_on_submit():
        return render_page("accounts/sign_in.html", form=form, status=422 if form.errors else 200)
    try:
        signed = _let_in(form.username.data, form.password.data)
    except SmsError as error:
        refuse(form, error)
        return _refused_at_the_door(error, form)
    _forget(*_try_key(form.username.data))
    return _know_device(_enter(signed, local_path(form.next.data)), form.username.data)


def _let_in(username: str, password: str) -> SignedIn:
    _count_try(username)
    with transaction():
        return operations.sign_in(username=username, password=password, by=by(), within=site().path)


def _refused_at_the_door(error: SmsError, form: SignInForm) -> Response:
    log.info("sign-in refused: %s from %s", type(error).__name__, request.remote_addr)
    if not isinstance(error, SignInThrottled):
        return render_page("accounts/sign_in.html", form=form, status=422)
    response = render_page("accounts/sign_in.html", form=form, status=429)
    response.headers["Retry-After"] = str(error.wait_seconds)
    return response


def _enter(signed: SignedIn, wanted: str | None) -> Response:
    """Begin with an empty cookie, so that nothing planted before the sign-in lives on; whoever was in here is out."""
    _leave()
    session["_user_id"] = signed.token
    return redirect_to(wanted or "/")


def _leave() -> None:
    if current_user.is_authenticated:
        me, who, account_id = _me(), by(), _me().account_id
        if me.look is not None:
            account_id, who = me.look.actor_account_id, replace(who, actor_id=me.look.actor_id)
        with transaction():
            if me.look is not None:
                looks.end(look=me.look, token=me.token, by=who)
            operations.sign_out(token=me.token, account_id=account_id, by=who)
    session.clear()


@bp.post("/sign-out")
@public
@even_in_a_look
def sign_out() -> ResponseReturnValue:
    """End this session, here and on the server."""
    _leave()
    flash(_("You are signed out."), "success")
    return redirect_to(url_for("accounts.sign_in"))


@bp.route("/sign-up", methods=["GET", "POST"])
@public
def sign_up() -> ResponseReturnValue:
    """A new customer; signed in at once."""
    if current_user.is_authenticated:
        return redirect_to("/")
    form = SignUpForm()
    if not is_sign_up_open():
        return render_page("accounts/sign_up_closed.html", status=200 if request.method == "GET" else 403)
    if form.validate_on_submit():
        try:
            _count(SIGN_UPS_PER_ADDRESS, "sign-up", request.remote_addr or "")
            with transaction():
                signed = operations.sign_up(
                    account_name=form.account_name.data, user=_new_user(form), by=by(), parent_id=site().account_id
                )
        except SmsError as error:
            refuse(form, error, _field_of(form, error))
        else:
            flash(_("Welcome. Your account is open."), "success")
            return _know_device(_enter(signed, None), form.username.data)
    return render_page(
        "accounts/sign_up.html",
        form=form,
        least=SHORTEST_PASSWORD,
        example=_EXAMPLE_MOBILE,
        status=422 if form.errors else 200,
    )


def _new_user(form: SignUpForm) -> NewUser:
    return NewUser(
        username=form.username.data,
        password=form.password.data,
        full_name=form.full_name.data,
        mobile=form.mobile.data,
        language=language(),
    )


def _field_of(form: SignUpForm, error: SmsError) -> Field | None:
    if isinstance(error, UnusablePassword):
        return form.password
    return form.username if isinstance(error, UsernameTaken | UnusableName) else None


@bp.post("/language")
@public
@even_in_a_look
def switch_language() -> ResponseReturnValue:
    """Read on in another language."""
    form = LanguageForm()
    response = redirect_to(local_path(form.next.data) or "/")
    if not form.validate():
        return response
    if current_user.is_authenticated and _me().look is None:
        with transaction():
            operations.set_language(user_id=_me().id, language=form.language.data)
    return language_cookie(response, form.language.data)


# One's own account


@bp.route("/account", methods=["GET", "POST"])
@signed_in
def account() -> ResponseReturnValue:
    """Who I am, and for owners what the account is called."""
    me = _me()
    user = queries.user(me.account_id, me.id)
    form = ProfileForm(obj=user)
    if form.validate_on_submit():
        with transaction():
            operations.change_profile(
                account_id=me.account_id,
                user_id=me.id,
                full_name=form.full_name.data,
                mobile=form.mobile.data,
                language=form.language.data,
                by=by(),
            )
        return language_cookie(_saved(), form.language.data)
    return _account_page(form, AccountForm(formdata=None, obj=queries.account(me.account_id)))


@bp.post("/account/business")
@require(Permission.MANAGE_ACCOUNT)
def change_business() -> ResponseReturnValue:
    """The account's name and the unit of its money."""
    me = _me()
    form = AccountForm()
    if form.validate_on_submit():
        with transaction():
            operations.change_account(
                account_id=me.account_id, name=form.name.data, money_unit=form.money_unit.data, by=by()
            )
        return _saved()
    return _account_page(ProfileForm(formdata=None, obj=queries.user(me.account_id, me.id)), form)


def _saved() -> Response:
    flash(_("Saved."), "success")
    return redirect_to(url_for("accounts.account"))


def _account_page(profile: ProfileForm, business: AccountForm) -> Response:
    me = _me()
    return render_page(
        "accounts/account.html",
        profile=profile,
        business=business,
        account=queries.account(me.account_id),
        user=queries.user(me.account_id, me.id),
        kinds=KIND_LABELS,
        roles=ROLE_LABELS,
        status=422 if profile.errors or business.errors else 200,
    )


@bp.route("/account/password", methods=["GET", "POST"])
@signed_in
def password() -> ResponseReturnValue:
    """Choose another one; every other session ends."""
    me = _me()
    form = PasswordForm()
    if form.validate_on_submit():
        try:
            _count(TRIES_PER_DEVICE, "password", str(me.id))
            with transaction():
                operations.change_password(
                    account_id=me.account_id,
                    user_id=me.id,
                    current=form.current.data,
                    new=form.new.data,
                    token=me.token,
                    by=by(),
                )
        except WrongCredentials:
            form.current.errors = [_("That is not your password.")]
        except SmsError as error:
            refuse(form, error, form.new if isinstance(error, UnusablePassword) else None)
        else:
            _forget(TRIES_PER_DEVICE, "password", str(me.id))
            flash(_("Your password is changed; you are signed out everywhere else."), "success")
            return redirect_to(url_for("accounts.account"))
    return render_page("accounts/password.html", form=form, least=SHORTEST_PASSWORD, status=422 if form.errors else 200)


@bp.get("/account/sessions")
@signed_in
def sessions() -> ResponseReturnValue:
    """Where I am signed in."""
    me = _me()
    return render_page(
        "accounts/sessions.html",
        sessions=queries.sessions(me.id, clock.now()),
        here=queries.token_hash(me.token),
        agent_text=agent_text,
    )


@bp.post("/account/sessions/end")
@signed_in
def end_session() -> ResponseReturnValue:
    """Sign out on one other device."""
    with transaction():
        operations.end_session(user_id=_me().id, ref=clean_text(request.form.get("session")))
    flash(_("That device is signed out."), "success")
    return redirect_to(url_for("accounts.sessions"))


@bp.post("/account/sessions/end-others")
@signed_in
def end_other_sessions() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    with transaction():
        operations.end_sessions(user_id=_me().id, but=_me().token)
    flash(_("You are signed out everywhere else."), "success")
    return redirect_to(url_for("accounts.sessions"))
