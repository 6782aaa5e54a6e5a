"""How an attempt to pay moves, and when the gateway is asked about it again. Plain Python: amounts in milli-rial."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.text import N_


class TopupState(StrEnum):
    """Where an attempt stands. Only paid is final: a payment that was called off may turn out to be paid after all."""

    STARTED = "started"
    PAID = "paid"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNKNOWN = "unknown"


STATE_LABELS: dict[str, str] = {
    TopupState.STARTED: N_("Waits for the payment"),
    TopupState.PAID: N_("Paid"),
    TopupState.CANCELLED: N_("Cancelled by the payer"),
    TopupState.FAILED: N_("Not paid"),
    TopupState.UNKNOWN: N_("Not known yet"),
}

STATE_SENTENCES: dict[str, str] = {
    TopupState.STARTED: N_("The payment has not arrived yet. It is made on the gateway’s own page."),
    TopupState.PAID: N_("The payment arrived and was added to the balance."),
    TopupState.CANCELLED: N_("The payment was cancelled; nothing was taken and nothing was added."),
    TopupState.FAILED: N_(
        "Nothing was paid. If your bank took the amount all the same, it gives it back within 72 hours."
    ),
    TopupState.UNKNOWN: N_(
        "The gateway has not said yet whether this was paid. We ask it again by ourselves; do not pay a second time."
    ),
}


class Verdict(StrEnum):
    """What a gateway says of a payment."""

    PAID = "paid"
    ALREADY = "already"  # paid, and verified before: its answer then may have been lost
    REFUSED = "refused"
    OPEN = "open"  # the payer is still at it
    UNKNOWN = "unknown"  # no answer, or none that can be read


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict with what is kept of it: the gateway's number of the payment, the masked card, its code."""

    verdict: Verdict
    reference: str = ""
    card: str = ""
    code: str = ""

    @property
    def is_paid(self) -> bool:
        """Whether the money is there."""
        return self.verdict in {Verdict.PAID, Verdict.ALREADY}


MOVES: Mapping[TopupState, frozenset[TopupState]] = {
    TopupState.STARTED: frozenset(TopupState) - {TopupState.STARTED},
    TopupState.UNKNOWN: frozenset({TopupState.PAID, TopupState.CANCELLED, TopupState.FAILED}),
    TopupState.CANCELLED: frozenset({TopupState.PAID, TopupState.UNKNOWN}),
    TopupState.FAILED: frozenset({TopupState.PAID, TopupState.UNKNOWN}),
    TopupState.PAID: frozenset(),
}

EXPIRES_AFTER = timedelta(days=1)
ASKED_FOR = timedelta(days=3)
SECOND_LOOK = timedelta(minutes=30)
CAN_BE_PAID_FOR = timedelta(minutes=15)
_STARTED_LOOKS = tuple(map(timedelta, (0, 0, 0, 0, 0, 1), (900, 1800, 3600, 10_800, 43_200, 0)))
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=6)
_MOST_DOUBLINGS = 10


def after(state: TopupState, verdict: Verdict, *, is_returned: bool, is_cancelled: bool, age: timedelta) -> TopupState:
    """The state after an answer. `is_returned`: the payer came back from the gateway, and `is_cancelled` by its word
    without having paid, which is believed only when the gateway says so too."""
    if state is TopupState.PAID or verdict in {Verdict.PAID, Verdict.ALREADY}:
        return TopupState.PAID
    if verdict is Verdict.REFUSED:
        if state in {TopupState.CANCELLED, TopupState.FAILED}:
            return state
        return TopupState.CANCELLED if is_cancelled else TopupState.FAILED
    if verdict is Verdict.OPEN:
        return TopupState.FAILED if state is TopupState.STARTED and age >= EXPIRES_AFTER else state
    if state is TopupState.STARTED and not is_returned and age < EXPIRES_AFTER:
        return state
    return TopupState.UNKNOWN


def next_look(state: TopupState, *, started_at: datetime, look_count: int, at: datetime) -> datetime | None:
    """When the gateway is asked again by itself; None: never."""
    match state:
        case TopupState.PAID:
            return None
        case TopupState.STARTED:
            return next((started_at + look for look in _STARTED_LOOKS if started_at + look > at), at + _LONGEST_PAUSE)
        case TopupState.UNKNOWN:
            pause = min(_FIRST_PAUSE * 2 ** min(look_count, _MOST_DOUBLINGS), _LONGEST_PAUSE)
            return at + pause if at < started_at + ASKED_FOR else None
        case _:  # called off: once more, lest it was paid a moment later and the payer did not come back
            return started_at + SECOND_LOOK if at < started_at + SECOND_LOOK else None


# The address to which the gateway sends the payer back

_TOKEN_BYTES = 24


def new_token() -> str:
    """A secret nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_of(token: str) -> bytes:
    """What is kept of it."""
    return hashlib.sha256(token.encode()).digest()


def path_of(token: str) -> str:
    """The path of the address."""
    return f"/payments/{token}"
