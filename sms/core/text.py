"""Marks sentences for translation where no reader's language is known yet."""


def N_(message: str) -> str:  # noqa: N802 - the gettext world's name for it
    """Return the message id unchanged; extraction finds it, the web layer translates it."""
    return message
