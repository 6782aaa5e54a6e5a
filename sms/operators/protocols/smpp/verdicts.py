"""What a command status of a submit means; the table is the adapter's."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sms.operators.contract import Answer, AnswerKind
from sms.operators.rules import Outcome


class Word(StrEnum):
    """What kind of no it is."""

    REFUSED = "refused"  # this message, for good
    BUSY = "busy"  # nothing was taken; ask again
    CREDIT = "credit"  # our account is empty
    CREDENTIALS = "credentials"  # we are not who may send


@dataclass(frozen=True, slots=True)
class Verdict:
    """The meaning of a status."""

    word: Word = Word.REFUSED
    outcome: Outcome = Outcome.REFUSED
    pause_seconds: float = 0.25  # of a busy operator


Verdicts = Callable[[int], Verdict]


def code_of(status: int) -> str:
    """A status as it is kept for people."""
    return f"0x{status:02X}"


def refusal(status: int, verdict: Verdict) -> Answer:
    """The answer that a refusal comes to, for whichever message it is about."""
    return Answer(0, AnswerKind.REFUSED, code=code_of(status), outcome=verdict.outcome)
