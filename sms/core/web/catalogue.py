"""Sentences in the reader's language: English ones are the message ids, Persian stands in catalogues.

One `fa.po` beside each capability; all are read once, at start."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from babel.messages.pofile import read_po
from flask import has_request_context, request
from flask_login import current_user

LANGUAGES = ("fa", "en")
COOKIE = "language"
_SOURCES = Path(__file__).parents[2]
_PERSIAN: dict[str, str] = {}
_spoken: ContextVar[str] = ContextVar("spoken", default="")


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
    if spoken := _spoken.get():
        return spoken
    if not has_request_context():
        return "fa"
    chosen = request.cookies.get(COOKIE) or getattr(current_user, "language", "")
    return chosen if chosen in LANGUAGES else "fa"


@contextmanager
def speaking(chosen: str) -> Iterator[None]:
    """Within it every sentence, number and day is in this language: for a paper that somebody else will read."""
    before = _spoken.set(chosen)
    try:
        yield
    finally:
        _spoken.reset(before)


def direction() -> str:
    """Which way the reader's language runs."""
    return "rtl" if language() == "fa" else "ltr"


def _(message: str, **params: object) -> str:
    """A sentence in the reader's language, its %(name)s places filled."""
    said = _PERSIAN.get(message, message) if language() == "fa" else message
    return said % params if params else said
