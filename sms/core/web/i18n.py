"""What pages say, in the reader's language."""

from collections.abc import Mapping
from datetime import datetime

from flask import Flask, Response, request

from sms.core.errors import SmsError
from sms.core.web import catalogue
from sms.core.web.catalogue import _, direction, language
from sms.core.web.filters import digits, moment_text, money_text, number_text

_COOKIE_SECONDS = 365 * 86_400

__all__ = ["_", "direction", "init_app", "language", "language_cookie", "localised", "say"]


def init_app(app: Flask) -> None:
    """Read the catalogues once, and give templates `_`, `language` and `direction`."""
    catalogue.load()
    app.jinja_env.globals.update(_=_, language=language, direction=direction)


def language_cookie(response: Response, chosen: str) -> Response:
    """Remember the language in this browser for a year."""
    response.set_cookie(
        catalogue.COOKIE, chosen, max_age=_COOKIE_SECONDS, samesite="Lax", secure=request.is_secure, httponly=True
    )
    return response


def say(error: SmsError) -> str:
    """A refusal in the reader's language, its numbers and its money written as the reader writes them."""
    return _(error.message, **localised(error.params))


def localised(params: Mapping[str, object]) -> dict[str, object]:
    """The places of a sentence, localised; `missing_mrial` also answers to `missing`, as money with its unit, and
    whole numbers of a list are told one after another."""
    found: dict[str, object] = {}
    for name, value in params.items():
        if name.endswith("_mrial") and isinstance(value, int):
            found[name] = found[name.removesuffix("_mrial")] = money_text(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            found[name] = number_text(value)
        elif isinstance(value, list | tuple):
            found[name] = _(", ").join(map(number_text, value))
        elif isinstance(value, datetime):
            found[name] = moment_text(value)
        else:
            found[name] = digits(value) if isinstance(value, float) else value
    return found
