"""What public lines may be used for: policies of the installation, free messages, codes for numbers. Plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.errors import Refusal, SmsError
from sms.core.text import N_


class Policy(StrEnum):
    """What holds for public lines. The regulator wants every customer to have a line of his own (domain reference §1),
    so that an installation begins with trials."""

    TRIAL = "trial"
    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    GENERAL = "general"


POLICY_LABELS: dict[str, str] = {
    Policy.TRIAL: N_("Trial only"),
    Policy.ALLOWED: N_("Allowed"),
    Policy.FORBIDDEN: N_("Forbidden"),
    Policy.GENERAL: N_("As for all operators"),
}
POLICY_MEANINGS: dict[str, str] = {
    Policy.TRIAL: N_("Free messages to a customer's own verified numbers, and nothing else."),
    Policy.ALLOWED: N_("Every customer may send over them at the tariff; the free messages are for comparing lines."),
    Policy.FORBIDDEN: N_("Nothing is accepted on them, and nothing that waits on them goes out."),
    Policy.GENERAL: N_("The operator has no policy of its own any more."),
}


class Payment(StrEnum):
    """Who pays for a send over a public line: the customer by the tariff (or, where only trials are allowed, nobody);
    with free messages as long as there are some; or the house, for a text of its own."""

    TARIFF = "tariff"
    TRIAL = "trial"
    HOUSE = "house"


MOST_FREE = 1000
NOTE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """A row to be: for one operator, or for all of them (None), from a moment on."""

    policy: Policy
    operator_id: int | None
    free_messages: int
    valid_from: datetime
    note: str = ""


def check_policy(new: NewPolicy) -> NewPolicy:
    """Raises Refusal for what cannot be in force."""
    if new.policy is Policy.GENERAL and new.operator_id is None:
        raise Refusal(N_("Only one operator's policy can follow that of all operators; choose the operator."))
    if not 0 <= new.free_messages <= MOST_FREE:
        raise Refusal(N_("Between 0 and %(most)s messages can be free."), most=MOST_FREE)
    if len(new.note) > NOTE_LENGTH:
        raise Refusal(N_("A note has at most %(most)s characters."), most=NOTE_LENGTH)
    return new


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds on a public line, and what an account has left there: free messages of its operator."""

    operator_code: str
    policy: str
    valid_from: datetime | None
    free_messages: int
    used_count: int = 0

    @property
    def left(self) -> int:
        """Free messages that are left."""
        return max(0, self.free_messages - self.used_count)

    @property
    def is_forbidden(self) -> bool:
        """Whether nothing may be sent; so also where nobody has said anything."""
        return self.policy not in {Policy.TRIAL, Policy.ALLOWED}


class PublicLineRefused(Refusal):
    """The installation's policy does not let this go over a public line."""


def paid_refusal(standing: Standing) -> PublicLineRefused | None:
    """Why a send that is paid for cannot go over a public line; None when it can."""
    if standing.is_forbidden:
        if standing.valid_from is None:
            return PublicLineRefused(
                N_("Public lines of operator %(operator)s may not be used."), operator=standing.operator_code
            )
        return PublicLineRefused(
            N_("Public lines of operator %(operator)s may not be used since %(since)s; order a line of your own."),
            operator=standing.operator_code,
            since=standing.valid_from,
        )
    if standing.policy == Policy.TRIAL:
        return PublicLineRefused(
            N_("Public lines of operator %(operator)s are for trials to your own verified numbers only."),
            operator=standing.operator_code,
        )
    return None


def trial_refusal(standing: Standing, *, count: int, foreign_count: int) -> PublicLineRefused | None:
    """Why `count` free messages, `foreign_count` of them to numbers that are not verified, cannot go over a public
    line; None when they can."""
    if standing.is_forbidden:
        return paid_refusal(standing)
    if count > standing.left:
        return NoneLeft(standing, count)
    if foreign_count:
        return PublicLineRefused(
            N_(
                "Free messages go to your own verified numbers only, and %(count)s of these recipients are not among"
                " them. For everybody else you need a line of your own."
            ),
            count=foreign_count,
        )
    return None


class NoneLeft(PublicLineRefused):
    """More messages than are still free."""

    def __init__(self, standing: Standing, count: int) -> None:
        super().__init__(
            N_(
                "You have %(left)s of %(most)s free messages left on the public lines of operator %(operator)s; this"
                " send has %(count)s."
            ),
            left=standing.left,
            most=standing.free_messages,
            operator=standing.operator_code,
            count=count,
        )


# Numbers for trials: verified by a code. Whoever asks for codes could pester somebody, so they are counted for the
# account and for the number.

MOST_RECIPIENTS = 4  # one's own mobile and three more
MOST_EVER = 8  # with those that were taken out again
CODE_DIGITS = 6
CODE_LASTS = timedelta(minutes=10)
CODE_TRIES = 5
CODES_OF_ACCOUNT: Mapping[timedelta, int] = {timedelta(hours=1): 6, timedelta(days=1): 15}
CODES_TO_NUMBER: Mapping[timedelta, int] = {timedelta(minutes=1): 1, timedelta(hours=1): 3, timedelta(days=1): 5}


class WrongCode(SmsError):
    """Not the code that was sent, or no longer."""


def check_codes(at: datetime, *, of_account: Sequence[datetime], to_number: Sequence[datetime]) -> None:
    """Raise Refusal when one more code, after those sent at these moments, would be too many."""
    for sent, limits in ((to_number, CODES_TO_NUMBER), (of_account, CODES_OF_ACCOUNT)):
        for span, most in limits.items():
            recent = sorted(moment for moment in sent if moment > at - span)
            if len(recent) >= most:
                seconds = (recent[-most] + span - at).total_seconds()
                raise Refusal(
                    N_("Too many codes were asked for. Try again in %(minutes)s minutes."),
                    minutes=max(1, -(-int(seconds) // 60)),
                )
