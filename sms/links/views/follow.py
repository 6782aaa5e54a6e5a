"""Where short addresses lead. Public: it asks for no cookie and gives none, and sends people only to addresses that
were checked when they were given, and are checked once more."""

from http import HTTPStatus

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue
from limits import parse
from redis.exceptions import RedisError
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from sms.core import clock
from sms.core.config import settings
from sms.core.db import transaction
from sms.core.text import N_
from sms.core.web.guards import public
from sms.core.web.i18n import _
from sms.core.web.limits import limiter
from sms.links import operations, queries
from sms.links.queries import Found
from sms.links.rules.clicks import agent_kind
from sms.links.rules.codes import OwnCode, PlainCode, read_code
from sms.links.rules.domains import Judged
from sms.links.rules.links import Standing, standing
from sms.links.rules.targets import SIGN_LABELS, UnusableTarget, check_target, with_utm
from sms.links.views.pages import bp

__all__ = ["bp"]

# Thousands of phones share an address of their network: many may follow links at once, but not guess.
FOLLOWED = "1200 per minute"
GUESSED = "60 per minute"

_STOPPED: dict[Standing | None, tuple[HTTPStatus, str, str]] = {
    None: (
        HTTPStatus.NOT_FOUND,
        N_("This link does not exist"),
        N_("Perhaps a part of the address was lost. Copy all of it from the message, and try again."),
    ),
    Standing.EXPIRED: (
        HTTPStatus.GONE,
        N_("This link has expired"),
        N_("Whoever sent it let it last until a day that is over. Ask the sender for a new one."),
    ),
    Standing.OFF: (
        HTTPStatus.GONE,
        N_("This link was switched off"),
        N_("Whoever sent it does not want it to lead anywhere any more."),
    ),
    Standing.DENIED: (
        HTTPStatus.FORBIDDEN,
        N_("This link was blocked"),
        N_("We no longer lead anybody to the address behind it."),
    ),
}
_TOO_MANY = (
    HTTPStatus.TOO_MANY_REQUESTS,
    N_("Too many tries"),
    N_("Wait a little and try again."),
)


@bp.get("/l/<string:code>")
@public
def follow(code: str) -> ResponseReturnValue:
    """Lead on to where a short address leads, or say why not."""
    if not _may(FOLLOWED):
        return _stop(*_TOO_MANY)
    found, message_id = _behind(code)
    if found is None:
        return _stop(*_STOPPED[None]) if _may(GUESSED) else _stop(*_TOO_MANY)
    at = clock.now()
    judged = _judged(found)
    stands = standing(state=found.state, expires_at=found.expires_at, is_denied=judged.is_denied, at=at)
    if stands is not Standing.ACTIVE:
        return _stop(*_STOPPED[stands])
    kind = agent_kind(method=request.method, headers=dict(request.headers), agents=queries.agents())
    with transaction():
        operations.click(found=found, message_id=message_id, kind=kind, visitor=request.remote_addr or "", at=at)
    url = with_utm(found.target.url, found.utm)
    return _show_first(found, url, judged) if judged.is_suspicious else _leaving(redirect(url, HTTPStatus.FOUND))


def _may(limit: str) -> bool:
    """Whether this address has asked less often than the limit; while nobody can count, it has."""
    who = ("links", limit, request.remote_addr or "")
    try:
        return bool(limiter.limiter.hit(parse(limit), settings().queue_prefix, *who))
    except RedisError:
        return True


def _behind(code: str) -> tuple[Found | None, int | None]:
    """The link behind a code and, of a recipient's own address, whose it is."""
    match read_code(code):
        case PlainCode(plain):
            return queries.by_link_code(plain), None
        case OwnCode(used, tag):
            found = queries.by_use_code(used)
            message_id = found.use.id_of(tag) if found is not None and found.use is not None else None
            return (found, message_id) if message_id is not None else (None, None)
    return None, None


def _judged(found: Found) -> Judged:
    """What holds for its target now; what we would not take today does not lead anywhere either."""
    try:
        check_target(found.target.url)
    except UnusableTarget:
        return Judged(is_denied=True)
    return queries.judged(found.target, at=clock.now())


def _show_first(found: Found, url: str, judged: Judged) -> Response:
    page = render_template(
        "links/preview.html",
        url=url,
        host=found.target.shown_host,
        signs=[SIGN_LABELS[sign] for sign in sorted(judged.signs)],
    )
    return _leaving(make_response(page))


def _stop(status: HTTPStatus, title: str, text: str) -> Response:
    return _leaving(make_response(render_template("links/stopped.html", title=_(title), text=_(text)), status))


def _leaving(response: Response) -> Response:
    """No one hears from where people came, and no search engine keeps our short addresses."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
