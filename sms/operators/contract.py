"""The contract between the panel and an operator's adapter: plain values in, plain values out.

What there is one of for each message is a NamedTuple: it is made four times as fast as a frozen dataclass.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, NamedTuple, Protocol

from sms.core.errors import SmsError
from sms.core.text import N_
from sms.operators.rules import Capability, Outcome


@dataclass(frozen=True, slots=True)
class Access:
    """How one gateway reaches its operator; `credentials` are already unsealed and never logged."""

    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    timeout_seconds: float = 30.0
    concurrency: int = 8
    settings: Mapping[str, object] = field(default_factory=dict)


class Envelope(NamedTuple):
    """One recipient of a submission; `message_id` is our own id, handed to operators that take one."""

    message_id: int
    recipient: int  # 989121234567


@dataclass(frozen=True, slots=True)
class Submission:
    """One text from one line to at most `max_batch` recipients."""

    line_number: str
    body: str
    is_unicode: bool
    envelopes: Sequence[Envelope]


class AnswerKind(StrEnum):
    """What the operator said of one recipient of a submission."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class Answer(NamedTuple):
    """The operator's word on one recipient. A recipient without an answer is of unknown fate."""

    message_id: int
    kind: AnswerKind
    operator_ref: str = ""  # of an accepted one
    code: str = ""  # the operator's own code, kept for people
    outcome: Outcome | None = None  # of a refused one
    parts: int | None = None
    cost_mrial: int | None = None


class Report(NamedTuple):
    """One delivery report; `outcome` None means not final yet, or a code we do not know (then `is_known` is false)."""

    operator_ref: str
    code: str
    outcome: Outcome | None
    reported_at: datetime | None = None
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class InboundText:
    """A text somebody sent to one of our lines."""

    sender: str
    line_number: str
    body: str
    sent_at: datetime | None


class OperatorError(SmsError):
    """Base of what may go wrong while talking to an operator."""


class Unreachable(OperatorError):
    """Nothing left this machine (refused connection, unknown host): safe to try again."""


class Refused(OperatorError):
    """The operator said no to the whole request: nothing of it was accepted."""

    def __init__(
        self, message: str, *, code: str = "", retry_after_seconds: float | None = None, **params: object
    ) -> None:
        super().__init__(message, code=code, **params)
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class OutOfCredit(Refused):
    """Our account at the operator is empty: hold, and tell the owner."""


class BadCredentials(Refused):
    """The operator does not know us: stop at once, and tell the owner."""


class Unanswered(OperatorError):
    """The request may have been taken: timeout, cut, 5xx or garbage. Carries the answers that did arrive whole."""

    def __init__(self, message: str, *, answers: Iterable[Answer] = (), **params: object) -> None:
        super().__init__(message, **params)
        self.answers: list[Answer] = list(answers)


class Operator(Protocol):
    """What every adapter offers. Adapters are built per gateway, used by several threads and closed after use."""

    code: ClassVar[str]
    label: ClassVar[str]
    capability: ClassVar[Capability]
    max_batch: ClassVar[int]
    max_statuses: ClassVar[int]
    credential_fields: ClassVar[Sequence[str]]

    def __init__(self, access: Access) -> None: ...

    def submit(self, submission: Submission) -> list[Answer]:
        """Send. An answer for every envelope, else Unanswered with those that came whole; Unreachable; Refused."""

    def statuses(self, operator_refs: Sequence[str]) -> list[Report]:
        """The reports of at most `max_statuses` references; none for those the operator does not mention."""

    def lookup(self, message_id: int) -> str | None:
        """The operator's reference of our id, or None when it does not know it."""

    def balance(self) -> int:
        """Our credit at the operator, in milli-rial."""

    def inbound(self, limit: int) -> list[InboundText]:
        """Texts that arrived at our lines; at many operators the read is destructive."""

    def close(self) -> None:
        """Give the connections back."""


NOTHING_LEFT = N_("The operator could not be reached; nothing was sent.")
UNKNOWN_FATE = N_("The operator's answer did not arrive whole; what it accepted is being looked up.")

_NOT_REACHED = N_("The operator could not be reached. Check the address, and whether this server is let through to it.")
_NO_ANSWER = N_("The operator was reached, but no whole answer came in time.")
_OTHER_TONGUE = N_("Something answered, but not as this operator does. Check the address.")
_WRONG_CREDENTIALS = N_(
    "The operator was reached, but does not accept these credentials or this server's address (code %(code)s)."
)
_EMPTY = N_("The credentials are right, but our account at the operator has no credit left (code %(code)s).")
_NOT_NOW = N_("The operator was reached, but refused the question (code %(code)s).")


def explained(error: SmsError) -> SmsError:
    """What a failed question to an operator means for the person who set the gateway up; other errors as they are."""
    match error:
        case BadCredentials():
            return SmsError(_WRONG_CREDENTIALS, code=error.code)
        case OutOfCredit():
            return SmsError(_EMPTY, code=error.code)
        case Refused():
            return SmsError(_NOT_NOW, code=error.code)
        case Unreachable() if error.message == NOTHING_LEFT:
            return SmsError(_NOT_REACHED)
        case Unanswered():
            # Raised while listening, or by the adapter that could make nothing of what it heard.
            return SmsError(_NO_ANSWER if error.__cause__ else _OTHER_TONGUE)
        case _:
            return error
