"""The base of everything the panel refuses to do, in words fit for the person who asked."""


class SmsError(Exception):
    """A refusal: `message` is a message id in English, `params` fill its %(name)s places."""

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message)
        self.message = message
        self.params = params

    def __str__(self) -> str:
        return self.message % self.params if self.params else self.message


class NotFound(SmsError):
    """Not there, or not yours: the two are told alike."""


class Refusal(SmsError):
    """Asked for something the rules do not allow now."""
