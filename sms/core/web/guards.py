"""Who may call what: every endpoint is denied until a guard stands on it."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from flask import Flask, abort, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import AnonymousUserMixin, LoginManager, current_user

from sms.core.web.htmx import redirect_to

View = TypeVar("View", bound=Callable[..., Any])
_GUARD = "_guard"
PUBLIC = "public"
SIGNED_IN = "signed in"

login_manager = LoginManager()


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

    def may(self, permission: str) -> bool:
        """Whether this visitor has a permission."""


class Anonymous(AnonymousUserMixin):  # type: ignore[misc]
    """Nobody is signed in; nobody may do anything."""

    language = ""
    money_unit = "rial"

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


def require(permission: str) -> Callable[[View], View]:
    """Only for visitors with this permission."""
    return lambda view: _guarded(view, permission)


def signed_in(view: View) -> View:
    """For everybody who is signed in."""
    return _guarded(view, SIGNED_IN)


def public(view: View) -> View:
    """For the whole world."""
    return _guarded(view, PUBLIC)


def _guarded(view: View, guard: str) -> View:
    setattr(view, _GUARD, guard)
    return view


def guard_of(endpoint: str) -> str | None:
    """What stands before an endpoint: a permission, PUBLIC, SIGNED_IN, or None when it was forgotten."""
    if endpoint == "static":
        return PUBLIC
    view = current_app.view_functions.get(endpoint)
    return getattr(view, _GUARD, None)


def check() -> ResponseReturnValue | None:
    """Let a request pass, send a stranger to the sign-in page, or refuse."""
    if request.endpoint is None:
        return None  # no such address: the 404 page
    guard = guard_of(request.endpoint)
    if guard == PUBLIC:
        return None
    if not current_user.is_authenticated:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect_to(url_for("accounts.sign_in", next=wanted))
    if guard is None or (guard != SIGNED_IN and not current_user.may(guard)):
        abort(403)
    return None
