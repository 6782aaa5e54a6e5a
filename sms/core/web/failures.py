"""Every failure as a page (or, for htmx, a fragment) with the right status and a sentence in the reader's language."""

import logging
from http import HTTPStatus

from flask import Flask, Response, g, render_template, request
from flask_wtf.csrf import CSRFError
from jinja2_fragments.flask import render_block
from redis.exceptions import RedisError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException

from sms.core.db import db
from sms.core.errors import Forbidden, NotFound, SmsError
from sms.core.text import N_
from sms.core.web.guards import Anonymous
from sms.core.web.htmx import is_htmx
from sms.core.web.i18n import _, say
from sms.core.web.site import ask_nobody

log = logging.getLogger(__name__)
_RETRY_SECONDS = 5

TEXTS: dict[int, tuple[str, str]] = {
    400: (N_("The request was not understood"), N_("Go back, load the page again and try once more.")),
    403: (N_("You may not open this page"), N_("Your role does not include it. Ask the owner of your account.")),
    404: (N_("There is nothing here"), N_("The address is wrong, or what stood here is gone or belongs to others.")),
    405: (N_("That is not possible here"), N_("Go back and use the buttons of the page.")),
    413: (N_("That was too large"), N_("Send a smaller file or a shorter list.")),
    422: (N_("That was not accepted"), N_("Go back and correct what is marked.")),
    429: (N_("Too many tries"), N_("Wait a little and try again.")),
    500: (N_("Something went wrong on our side"), N_("It has been noted. Nothing you did is lost; try again.")),
    503: (N_("The panel is being looked after"), N_("The database does not answer. Try again in a few seconds.")),
}
STALE = (
    N_("This page has grown stale"),
    N_("Go back, load the page again and send it once more; nothing was changed."),
)


def init_app(app: Flask) -> None:
    """Answer for everything that is raised."""
    app.register_error_handler(CSRFError, lambda _error: answer(400, *STALE))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(NotFound, lambda _error: answer(404))
    app.register_error_handler(Forbidden, lambda error: answer(403, text=say(error)))
    app.register_error_handler(SmsError, _refused)
    app.register_error_handler(DataError, _unstorable)
    app.register_error_handler(OperationalError, _away)
    app.register_error_handler(InterfaceError, _away)
    app.register_error_handler(RedisError, _away)
    app.register_error_handler(Exception, _unforeseen)


def answer(status: int, title: str = "", text: str = "") -> Response:
    """The page of a failure; title and text are message ids, or already translated sentences."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        ask_nobody()
        g._login_user = Anonymous()  # whoever is signed in, the database may be away and cannot be asked
    usual = TEXTS.get(status, TEXTS[500 if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400])
    context = {"status": status, "title": _(title or usual[0]), "text": _(text or usual[1])}
    if is_htmx():
        body = render_block("errors/error.html", "message", **context)
    else:
        body = render_template("errors/error.html", **context)
    response = Response(body, status=status)
    response.vary.add("HX-Request")
    return response


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return Response(error.get_response().get_data(), status=error.code, headers=error.get_response().headers)
    response = answer(error.code)
    if error.code == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := getattr(error, "valid_methods", None)):
        response.headers["Allow"] = ", ".join(allowed)
    return response


def _refused(error: SmsError) -> Response:
    return answer(422, text=say(error))


def _unstorable(error: DataError) -> Response:
    """A number beyond every number we keep, or a byte that no text has: only an address or a form made by hand says
    such things."""
    db.session.rollback()
    log.warning("%s was asked for what cannot be: %s", request.endpoint, type(error.orig).__name__)
    return answer(400, text=N_("It holds a number that is too large, or a character that cannot be kept."))


def _away(error: Exception) -> Response:
    db.session.rollback()
    log.warning("%s not answered: %s", request.endpoint, type(error).__name__)
    response = answer(503)
    response.headers["Retry-After"] = str(_RETRY_SECONDS)
    return response


def _unforeseen(error: Exception) -> Response:
    db.session.rollback()
    log.error("%s failed", request.endpoint, exc_info=error)
    return answer(500)
