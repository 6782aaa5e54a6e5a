"""Sentences in the reader's language: English ones are the message ids, Persian stands in catalogues.

One `fa.po` beside each capability; all are read once, at start."""

from pathlib import Path

from babel.messages.pofile import read_po
from flask import has_request_context, request
from flask_login import current_user

LANGUAGES = ("fa", "en")
COOKIE = "language"
_SOURCES = Path(__file__).parents[2]
_PERSIAN: dict[str, str] = {}


def load() -> None:
    """Read the catalogues."""
    _PERSIAN.update(persian())


def persian() -> dict[str, str]:
    """Persian by English sentence, of all capabilities together."""
    found: dict[str, str] = {}
    for file in sorted(_SOURCES.rglob("fa.po")):
        with file.open("rb") as opened:
            for message in read_po(opened, locale="fa"):
                if message.id and message.string and not message.fuzzy:
                    found[str(message.id)] = str(message.string)
    return found


def language() -> str:
    """The reader's language: chosen in this browser, else the user's own, else Persian."""
    if not has_request_context():
        return "fa"
    chosen = request.cookies.get(COOKIE) or getattr(current_user, "language", "")
    return chosen if chosen in LANGUAGES else "fa"


def direction() -> str:
    """Which way the reader's language runs."""
    return "rtl" if language() == "fa" else "ltr"


def _(message: str, **params: object) -> str:
    """A sentence in the reader's language, its %(name)s places filled."""
    said = _PERSIAN.get(message, message) if language() == "fa" else message
    return said % params if params else said
