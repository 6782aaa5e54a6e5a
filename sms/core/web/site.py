"""What the panel is called under the address it was asked by: the installation's own name, or a brand that a room above
finds by the host."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, g, has_request_context, request
from sqlalchemy.exc import SQLAlchemyError

from sms.core.db import db


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A brand and the tree it stands for; the installation's own has no name here and stands for everybody."""

    account_id: int | None = None
    path: str = ""
    name: str = ""
    logo_url: str = ""
    style_url: str = ""
    support_phone: str = ""
    support_email: str = ""
    is_sign_up_open: bool = True


OURS = Site()
_finders: list[Callable[[str], Site | None]] = []
_doors: list[Callable[[], bool]] = []


def found_by(finder: Callable[[str], Site | None]) -> Callable[[str], Site | None]:
    """Whoever knows which brand a host shows; None is the installation's own."""
    _finders[:] = [finder]
    return finder


def opened_by(door: Callable[[], bool]) -> Callable[[], bool]:
    """Whoever knows whether people may open accounts at the installation itself."""
    _doors[:] = [door]
    return door


def is_sign_up_open() -> bool:
    """Whether people may open accounts by themselves at the site of this request."""
    found = site()
    return found.is_sign_up_open if found.account_id is not None else all(door() for door in _doors)


def init_app(app: Flask) -> None:
    """Give templates `site`."""
    app.jinja_env.globals.update(site=site, is_sign_up_open=is_sign_up_open)


def site() -> Site:
    """The site of this request, looked up once; the installation's own where the database does not answer."""
    if not has_request_context():
        return OURS
    if "site" not in g:
        g.site = _find()
    found: Site = g.site
    return found


def _find() -> Site:
    try:
        return next((found for finder in _finders if (found := finder(request.host)) is not None), OURS)
    except SQLAlchemyError:
        db.session.rollback()
        return OURS


def ask_nobody() -> None:
    """The database is away: whatever is not known of the site by now stays unknown."""
    g.setdefault("site", OURS)
