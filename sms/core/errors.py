"""The base of everything the panel refuses to do, in words fit for the person who asked."""

from collections.abc import Mapping


class SmsError(Exception):
    """A refusal: `message` is a message id in English, `params` fill its %(name)s places."""

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message)
        self.message = message
        self.params = params

    def __str__(self) -> str:
        return in_english(self.message, self.params)


def in_english(message: str, params: Mapping[str, object]) -> str:
    """A sentence with its places filled, for commands and logs; a list in them is told with commas."""
    filled = {
        name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else value for name, value in params.items()
    }
    return message % filled if filled else message


class NotFound(SmsError):
    """Not there, or not yours: the two are told alike."""


class Forbidden(SmsError):
    """Not for who asks, as they are here now."""


class Refusal(SmsError):
    """Asked for something the rules do not allow now."""
