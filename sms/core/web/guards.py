"""Who may call what: every endpoint is denied until a guard stands on it."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from flask import Flask, abort, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import AnonymousUserMixin, LoginManager, current_user

from sms.core.actor import Actor
from sms.core.errors import Forbidden
from sms.core.text import N_
from sms.core.web.htmx import redirect_to

View = TypeVar("View", bound=Callable[..., Any])
_GUARD = "_guard"
_LOOKS = "_looks"
ACTING = "acting"
ALWAYS = "always"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = "public"
SIGNED_IN = "signed in"

login_manager = LoginManager()


class Look(Protocol):
    """That somebody is signed in as somebody else."""

    @property
    def may_act(self) -> bool:
        """Whether more than looking is allowed."""

    @property
    def is_over(self) -> bool:
        """Whether its time has run out, so that nothing is done before that is noticed."""


class Visitor(Protocol):
    """What a page may ask of whoever is signed in; the accounts' own class offers it."""

    id: int
    account_id: int
    account_kind: str
    account_name: str
    username: str
    full_name: str
    role: str
    language: str
    money_unit: str

    @property
    def look(self) -> Look | None:
        """Set while it is really somebody else."""

    def may(self, permission: str) -> bool:
        """Whether this visitor has a permission."""


class Anonymous(AnonymousUserMixin):  # type: ignore[misc]
    """Nobody is signed in; nobody may do anything."""

    language = ""
    money_unit = "rial"
    look = None

    def may(self, _permission: str) -> bool:
        """Never."""
        return False


def init_app(app: Flask) -> None:
    """Ask before every request."""
    login_manager.anonymous_user = Anonymous
    login_manager.session_protection = None  # sessions live on the server and are looked up at every request
    login_manager.init_app(app)
    app.before_request(check)


def visitor() -> Visitor:
    """Whoever is signed in; only behind `require` or `signed_in`."""
    return cast("Visitor", current_user)


def actor() -> Actor:
    """Whoever is signed in, as the audit names him."""
    return Actor(id=visitor().id, address=request.remote_addr or "")


def require(permission: str) -> Callable[[View], View]:
    """Only for visitors with this permission."""
    return lambda view: _guarded(view, permission)


def signed_in(view: View) -> View:
    """For everybody who is signed in."""
    return _guarded(view, SIGNED_IN)


def public(view: View) -> View:
    """For the whole world."""
    return _guarded(view, PUBLIC)


def in_an_acting_look(view: View) -> View:
    """May also be done by who is signed in as somebody else and said that they would act: never anything that changes
    money, credentials or what is sent."""
    setattr(view, _LOOKS, ACTING)
    return view


def even_in_a_look(view: View) -> View:
    """May be done whoever somebody is signed in as: it concerns the session itself."""
    setattr(view, _LOOKS, ALWAYS)
    return view


def _guarded(view: View, guard: str) -> View:
    setattr(view, _GUARD, guard)
    return view


def guard_of(endpoint: str) -> str | None:
    """What stands before an endpoint: a permission, PUBLIC, SIGNED_IN, or None when it was forgotten."""
    if endpoint == "static":
        return PUBLIC
    view = current_app.view_functions.get(endpoint)
    return getattr(view, _GUARD, None)


def allowance_of(endpoint: str) -> str | None:
    """What who is signed in as somebody else may change here: ACTING where they said they would, ALWAYS, or nothing."""
    return getattr(current_app.view_functions.get(endpoint), _LOOKS, None)


def _check_look(allowed: str | None) -> None:
    """One place for all pages: what is not meant for it is not done while somebody is signed in as somebody else."""
    look = current_user.look
    if look is None or allowed == ALWAYS:
        return
    if look.is_over:
        raise Forbidden(N_("Your time as this user is over; nothing was changed."))
    if not look.may_act:
        raise Forbidden(N_("You are signed in as somebody else only to look; nothing was changed."))
    if allowed is None:
        raise Forbidden(N_("Money, credentials and sending are not touched while you are signed in as somebody else."))


def check() -> ResponseReturnValue | None:
    """Let a request pass, send a stranger to the sign-in page, or refuse."""
    if request.endpoint is None:
        return None  # no such address: the 404 page
    guard = guard_of(request.endpoint)
    if request.method not in _SAFE:
        _check_look(allowance_of(request.endpoint))
    if guard == PUBLIC:
        return None
    if not current_user.is_authenticated:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect_to(url_for("accounts.sign_in", next=wanted))
    is_over = current_user.look is not None and current_user.look.is_over
    if is_over and allowance_of(request.endpoint) != ALWAYS:
        return redirect_to(url_for("looks.over"))
    if guard is None or (guard != SIGNED_IN and not current_user.may(guard)):
        abort(403)
    return None
