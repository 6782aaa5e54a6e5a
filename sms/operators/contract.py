"""The contract between the panel and an operator's adapter: plain values in, plain values out.

What there is one of for each message is a NamedTuple: it is made four times as fast as a frozen dataclass.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Event
from typing import ClassVar, NamedTuple, Protocol

from sms.core.errors import SmsError
from sms.core.text import N_
from sms.operators.rules import Capability, Outcome, UnusableSetting


@dataclass(frozen=True, slots=True)
class Access:
    """How one gateway reaches its operator; `credentials` are already unsealed and never logged."""

    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    timeout_seconds: float = 30.0
    concurrency: int = 8
    settings: Mapping[str, object] = field(default_factory=dict)
    per_second: float | None = None  # of the gateway as a whole; whoever asks request by request is held to it outside


class Envelope(NamedTuple):
    """One recipient of a submission; `message_id` is our own id, handed to operators that take one."""

    message_id: int
    recipient: int  # 989121234567
    body: str = ""  # a text of his own; then all of the submission have one, each of as many parts


@dataclass(frozen=True, slots=True)
class Submission:
    """One text from one line to at most `max_batch` recipients."""

    line_number: str
    body: str
    is_unicode: bool
    envelopes: Sequence[Envelope]
    joined_units: int = 67  # what a joined part of this line holds of UCS-2; with 66 the header has a wider reference
    reference: int = 0  # tells the long texts to one recipient apart


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
    operator_ref: str = ""  # the operator's own id of it, where it tells one: by it a repeat is known
    missing: int = 0  # parts that never came


class RawInbound(NamedTuple):
    """An operator's answer that holds texts, as it came: kept before anybody reads it, as it may not be told again."""

    content: bytes
    line_number: str = ""  # the line asked about, where texts are asked for line by line
    is_whole: bool = True


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


# What an operator pushed to us: the fields of an address or a form, each with all its values, or a JSON body.
Payload = Mapping[str, Sequence[str]] | bytes


class FieldKind(StrEnum):
    """What kind of value one of an adapter's own settings has."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingField:
    """One of an adapter's own settings: shown on the gateway's form, kept with the gateway, given back in `Access`."""

    name: str
    label: str
    kind: FieldKind
    default: object
    hint: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)  # value → label, of a choice
    least: float = 0  # of a number
    most: float = 1_000_000
    pattern: str = ""  # of a text: what the whole of it must look like
    example: str = ""


class Adapter(Protocol):
    """What every adapter offers. Adapters are built per gateway and closed after use."""

    code: ClassVar[str]
    label: ClassVar[str]
    capability: ClassVar[Capability]
    max_batch: ClassVar[int]
    credential_fields: ClassVar[Sequence[str]]
    setting_fields: ClassVar[Sequence[SettingField]]
    schemes: ClassVar[Sequence[str]]  # what an address may begin with, such as "https"
    is_bound: ClassVar[bool]  # False: an Operator, asked request by request; True: a BoundOperator

    def __init__(self, access: Access) -> None: ...

    # Where the operator pushes reports over HTTP, the class also has
    #     parse_reports(payload: Payload) -> list[Report], static: those that can be read, of whatever was pushed.

    def balance(self) -> int | None:
        """Our credit at the operator, in milli-rial; None where it accepts us and does not tell."""

    def close(self) -> None:
        """Give the connections back."""


class Operator(Adapter, Protocol):
    """An operator that is asked request by request, by several threads."""

    max_statuses: ClassVar[int]
    remembers_seconds: ClassVar[float]  # a message older than this may be unknown to a look-up although it was accepted

    def submit(self, submission: Submission) -> list[Answer]:
        """Send. An answer for every envelope, else Unanswered with those that came whole; Unreachable; Refused."""

    def statuses(self, operator_refs: Sequence[str]) -> list[Report]:
        """The reports of at most `max_statuses` references; none for those the operator does not mention."""

    def lookup(self, message_id: int) -> str | None:
        """The operator's reference of our id, or None when it does not know it."""

    def inbound(self, limit: int, lines: Sequence[str] = (), *, again: bool = False) -> Iterator[RawInbound]:
        """Answers with texts that arrived at our lines, of which these are `lines`; each is to be kept before the next
        is asked for, as the read is destructive or marks as read. `again`: those told before, where it can tell them.
        What it could not answer is raised after what came."""

    # Every such class also has, static, so that what was kept is read without an account:
    #     parse_inbound(raw: RawInbound) -> list[InboundText]: those that came whole, of whatever was answered.


# Operators we stay connected to


class PartRef(NamedTuple):
    """The operator's reference of one part, of a text on whose parts it reports one by one."""

    message_id: int
    part: int  # from 1
    total: int
    operator_ref: str


class Settled(NamedTuple):
    """A submission of which nothing is under way any more. What has no answer and is not unsent is of unknown fate."""

    ticket: object
    answers: dict[int, Answer]
    parts: list[PartRef]
    unsent: list[int]  # message ids that certainly never left
    seconds: float = 0.0  # how long the operator took to answer the last of it


class Receipt(NamedTuple):
    """A report that the operator sent by itself; `refs` are the references it may speak of, the likeliest first."""

    report: Report
    refs: tuple[str, ...]
    recipient: int | None
    line_number: str
    user_reference: int | None  # the last 16 bits of our own id, where the operator sends them back
    handle: object = None  # acknowledges it


class InboundPart(NamedTuple):
    """One part of a text to one of our lines, not decoded yet."""

    sender: str
    line_number: str
    reference: int
    total: int
    place: int
    content: bytes
    data_coding: int


class Arrivals(NamedTuple):
    """What came in over a line since it was last looked at; `handles` acknowledge its texts and parts."""

    receipts: list[Receipt]
    texts: list[InboundText]
    parts: list[InboundPart]
    handles: list[object]


@dataclass(slots=True)
class LineState:
    """How a line stands."""

    bound_count: int = 0
    cut_since: float | None = None  # by the monotonic clock: since when nothing can be sent
    trouble: SmsError | None = None  # why it is not bound, or may not send
    trouble_count: int = 0
    busy_since: float | None = None  # by the same: since when the operator takes nothing
    busy_count: int = 0  # how often it said so
    learnt: Mapping[str, object] = field(default_factory=dict)  # settings it has found out by itself


class Line(Protocol):
    """One account's connections, kept up in a thread of their own; every method may be called from another thread."""

    @property
    def state(self) -> LineState:
        """How it stands."""

    def start(self) -> None:
        """Begin to connect."""

    def stop(self) -> None:
        """Say goodbye; returns when everything is settled, after a few seconds at most."""

    def allow(self, seconds: float) -> None:
        """Nothing is sent later than so many seconds from now, unless this is called again."""

    def submit(self, submission: Submission, ticket: object) -> int:
        """Send it as soon as the operator takes it; comes back in `settled`. Returns how much of `window` it takes."""

    def take_back(self) -> None:
        """Settle what waits and was never sent."""

    def settled(self) -> list[Settled]:
        """The submissions that were settled since this was last called."""

    def arrivals(self) -> Arrivals:
        """What came in since this was last called, read."""

    def acknowledge(self, handles: Sequence[object]) -> None:
        """Tell the operator that these are kept."""

    def candidates(self, ref: str) -> Sequence[str]:
        """The references that a receipt's id may stand for, as this line writes them now."""

    @property
    def is_by_part(self) -> bool:
        """Whether the operator reports on each part of a text."""

    def matched(self, receipt: Receipt, ref: str) -> None:
        """Tell the line which of a receipt's references was the right one, so that it learns."""

    @property
    def is_ready(self) -> bool:
        """Whether something submitted now would be sent now."""

    @property
    def silent_seconds(self) -> float:
        """For how long messages have been waiting for answers, while not one came."""

    @property
    def window(self) -> int:
        """How many messages, or parts of long ones, may be unanswered at once, over all connections."""

    @property
    def wake(self) -> Event:
        """Set whenever something was settled, or it stands otherwise than before."""

    @property
    def heard(self) -> Event:
        """Set whenever something arrived."""


class BoundOperator(Adapter, Protocol):
    """An operator we stay connected to."""

    def line(self) -> Line:
        """A line of our own, not started yet."""


NOTHING_LEFT = N_("The operator could not be reached; nothing was sent.")
UNKNOWN_FATE = N_("The operator's answer did not arrive whole; what it accepted is being looked up.")

_LONGEST_TEXT = 500


def checked_settings(fields: Sequence[SettingField], given: Mapping[str, object]) -> dict[str, object]:
    """An adapter's own settings, each in its own type and the defaults filled in; raises UnusableSetting."""
    return {each.name: _checked(each, given.get(each.name, each.default)) for each in fields}


def _checked(wanted: SettingField, value: object) -> object:
    match wanted.kind:
        case FieldKind.FLAG:
            return value in {True, "y", "yes", "true", "on", "1"}
        case FieldKind.CHOICE:
            if str(value) not in wanted.choices:
                raise UnusableSetting(
                    wanted.name, N_("Choose one of these: %(values)s."), values=" ".join(wanted.choices)
                )
            return str(value)
        case FieldKind.NUMBER:
            return _number(wanted, value)
        case FieldKind.TEXT:
            text = str(value or "").strip()
            if len(text) > _LONGEST_TEXT or not re.fullmatch(wanted.pattern or ".*", text):
                raise UnusableSetting(wanted.name, N_("Write it like this: %(example)s."), example=wanted.example)
            return text


def _number(wanted: SettingField, value: object) -> float | int:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not wanted.least <= number <= wanted.most:
        raise UnusableSetting(
            wanted.name,
            N_("A number from %(least)s to %(most)s is needed here."),
            least=f"{wanted.least:g}",
            most=f"{wanted.most:g}",
        )
    return int(number) if number.is_integer() else number
