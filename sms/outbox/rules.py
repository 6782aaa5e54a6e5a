"""States of campaigns and batches, the polling schedule, and what follows from an unknown fate. Plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.operators.rules import Capability, Outcome


class CampaignState(StrEnum):
    """Where a campaign stands; it only moves forward."""

    QUEUED = "queued"
    SENDING = "sending"
    REPORTING = "reporting"
    CLOSED = "closed"


CAMPAIGN_LABELS: dict[CampaignState, str] = {
    CampaignState.QUEUED: N_("Queued"),
    CampaignState.SENDING: N_("Sending"),
    CampaignState.REPORTING: N_("Waiting for reports"),
    CampaignState.CLOSED: N_("Closed"),
}


class BatchState(StrEnum):
    """Where a batch stands: paused ↔ queued ↔ submitting → submitted, or queued or paused → cancelled."""

    QUEUED = "queued"
    PAUSED = "paused"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    CANCELLED = "cancelled"


class Progress(StrEnum):
    """Where a message without an outcome stands, read from its batch and its submission."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    WAITING = "waiting"


PROGRESS_LABELS: dict[Progress, str] = {
    Progress.QUEUED: N_("Queued"),
    Progress.SENDING: N_("Sending"),
    Progress.UNKNOWN: N_("Fate unknown"),
    Progress.WAITING: N_("Sent, waiting for its report"),
}


class OutOfHours(StrEnum):
    """What is to become of what is not sent when its line is closed."""

    WAIT = "wait"
    REFUSE = "refuse"


OUT_OF_HOURS_LABELS: dict[OutOfHours, str] = {
    OutOfHours.WAIT: N_("It waits and goes out at the next opening"),
    OutOfHours.REFUSE: N_("It is not sent, and its price comes back"),
}


class Wait(StrEnum):
    """Why nothing, or not all, of a send is being handed over."""

    SUSPENDED = "suspended"
    PAUSED = "paused"
    SCHEDULED = "scheduled"
    CLOSED = "closed"
    LINE_OFF = "line_off"
    GATEWAY_HELD = "gateway_held"
    NO_CREDIT = "no_credit"
    FAILING = "failing"
    BARRED = "barred"  # the account may not send over this line any more


WAIT_SENTENCES: dict[Wait, str] = {
    Wait.SUSPENDED: N_(
        "The account, or one above it, is suspended. What is not sent yet waits, and goes on when it is let in again."
    ),
    Wait.PAUSED: N_("Paused since %(since)s: nothing more is handed over until somebody lets it go on."),
    Wait.SCHEDULED: N_("Scheduled: it begins at %(begins)s."),
    Wait.CLOSED: N_("Line %(line)s is closed. What is left waits and goes on by itself when it opens, at %(opens)s."),
    Wait.LINE_OFF: N_(
        "Line %(line)s is switched off. What is not sent yet waits, and goes on when the line is switched on."
    ),
    Wait.GATEWAY_HELD: N_(
        "The operator's gateway is stopped at the moment. Nothing is lost: the send waits and goes on by itself as soon"
        " as it runs again."
    ),
    Wait.NO_CREDIT: N_(
        "Our credit at the operator of line %(line)s is used up. Nothing is lost: the send waits and goes on by itself"
        " once there is credit again."
    ),
    Wait.FAILING: N_(
        "The operator has not been answering since %(since)s. Nothing is lost: it is tried again and again, and the"
        " send goes on by itself."
    ),
    Wait.BARRED: N_("%(refusal)s What is not sent yet waits; you can cancel it, or send it over another line."),
}
CALM_WAITS = frozenset({Wait.PAUSED, Wait.SCHEDULED, Wait.CLOSED})  # wanted, not suffered


class MoveReason(StrEnum):
    """Why messages went over to another line."""

    GATEWAY_DOWN = "gateway_down"
    BY_HAND = "by_hand"


MOVE_LABELS: dict[MoveReason, str] = {
    MoveReason.GATEWAY_DOWN: N_("by itself: the operator failed"),
    MoveReason.BY_HAND: N_("by hand"),
}

MOST_PLAN_LINES = 20
_FURTHEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A line a send may go on over, and what the whole send may cost at most once it does."""

    line_id: int
    cap_mrial: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What the customer states beside the words and the list: when it begins, what becomes of it out of hours, and over
    which lines, in this order, it may go on when its operator is down."""

    scheduled_at: datetime | None = None
    out_of_hours: OutOfHours = OutOfHours.WAIT
    plan: Sequence[PlanLine] = ()
    is_answer: bool = False  # to what a recipient just wrote: goes also to who has opted out by it


AT_ONCE = Terms()


def check_schedule(scheduled_at: datetime, *, at: datetime) -> datetime:
    """A moment a send may begin at; raises Refusal for one that is over, or too far off."""
    if scheduled_at < at:
        raise Refusal(N_("Choose a moment that is still to come."))
    if scheduled_at > at + _FURTHEST:
        raise Refusal(N_("A send can be scheduled a year ahead at most."))
    return scheduled_at


class Priority(IntEnum):
    """Who goes first through a gateway."""

    OTP = 0
    SINGLE = 1
    BULK = 2


COUNTED = tuple(outcome for outcome in Outcome if outcome not in {Outcome.INVALID, Outcome.DUPLICATE})
RELEASED = frozenset({Outcome.REFUSED, Outcome.CANCELLED})  # never taken by the operator: never charged
COUNT_COLUMNS = {outcome: f"{outcome}_count" for outcome in COUNTED}  # on every batch
REPORTED = frozenset(set(COUNTED) - RELEASED)

# Reports of one message may contradict each other and come in any order: of two, the one that stands further left here
# holds. So all orders have one end. Delivered is above all; then what says most about the reason.
_STRENGTH = (
    Outcome.DELIVERED,
    Outcome.BLOCKED,
    Outcome.OPTED_OUT,
    Outcome.FILTERED,
    Outcome.NOT_IN_NETWORK,
    Outcome.OUT_OF_HOURS,
    Outcome.UNDELIVERED,
    Outcome.EXPIRED,
)
WEAKEST = _STRENGTH[-1]
OVERRULABLE = frozenset(_STRENGTH[1:])


def stands_over(later: Outcome, earlier: Outcome) -> bool:
    """Whether a later report of a message changes the outcome that was reported earlier."""
    return earlier in OVERRULABLE and later in _STRENGTH and _STRENGTH.index(later) < _STRENGTH.index(earlier)


def priority_of(sendable_count: int) -> Priority:
    """A single message does not wait behind lists."""
    return Priority.SINGLE if sendable_count == 1 else Priority.BULK


def is_release(outcome: Outcome, *, at_submit: bool) -> bool:
    """Whether the money of a message that ended so goes back unspent: what a submit refuses was never charged."""
    return at_submit or outcome in RELEASED


@dataclass(frozen=True, slots=True)
class PollStep:
    """When a batch is asked for next; `is_last` when what has no report by then is expired."""

    at: datetime
    step: int
    is_last: bool


def next_poll(
    *, submitted_at: datetime, after_step: int, plan_seconds: Sequence[int], horizon_seconds: int, at: datetime
) -> PollStep:
    """The next look at a batch: by the ages in the plan, later at doubling ages, at last at the operator's horizon."""
    step = after_step
    while True:
        age = _age(step, plan_seconds)
        if age >= horizon_seconds:
            return PollStep(submitted_at + timedelta(seconds=horizon_seconds), step, is_last=True)
        if submitted_at + timedelta(seconds=age) > at:
            return PollStep(submitted_at + timedelta(seconds=age), step, is_last=False)
        step += 1


def _age(step: int, plan_seconds: Sequence[int]) -> int:
    if step < len(plan_seconds):
        return plan_seconds[step]
    last = plan_seconds[-1] if plan_seconds else 60
    return int(last * 2 ** min(step - len(plan_seconds) + 1, 30))


class Fate(StrEnum):
    """What is done with a message after a look-up did not find it."""

    ASK_AGAIN = "ask_again"
    RESEND = "resend"
    PARK = "park"


NEGATIVE_LOOKUPS = 2
MAX_PARTS = 265  # what the strictest operator takes (Magfa error 30)


def fate_of_absent(*, capability: Capability, on_absent: str, absent_count: int, is_forgotten: bool) -> Fate:
    """Silence proves nothing: only two negative look-ups, or an operator that dedupes, allow sending again; never so
    old a message (`is_forgotten`) that the operator may have had it and forgotten it."""
    if is_forgotten:
        return Fate.PARK
    if capability is Capability.DEDUPES:
        return Fate.RESEND
    if capability is not Capability.LOOKS_UP:
        return Fate.PARK
    if absent_count < NEGATIVE_LOOKUPS:
        return Fate.ASK_AGAIN
    return Fate.RESEND if on_absent == "resend" else Fate.PARK


def refund_due_at(*, sent_at: datetime, delay_seconds: int, at: datetime) -> datetime:
    """A delayed refund is counted from the sending, as the operators count it; never earlier than now."""
    return max(at, sent_at + timedelta(seconds=delay_seconds)) if delay_seconds else at


@dataclass(frozen=True, slots=True)
class IdRun:
    """A run of neighbouring batches: one range of message ids to read."""

    low: int
    high: int
    batch_ids: tuple[int, ...]


def runs(ranges: Sequence[tuple[int, int, int]], *, gap: int = 1000) -> list[IdRun]:
    """Join (batch id, first id, last id) into as few ranges as leave out all but `gap` foreign ids between them."""
    joined: list[IdRun] = []
    for batch_id, low, high in sorted(ranges, key=lambda batch: batch[1]):
        if joined and low - joined[-1].high <= gap:
            last = joined[-1]
            joined[-1] = IdRun(last.low, max(last.high, high), (*last.batch_ids, batch_id))
        else:
            joined.append(IdRun(low, high, (batch_id,)))
    return joined


def standing(counts: Mapping[str, int], *, sendable_count: int, skipped: Mapping[str, int]) -> dict[str, int]:
    """How many recipients of a campaign stand where, by Outcome and Progress: what ended, what is on its way, what was
    never to be sent; together they are its total. A campaign whose totals were not taken yet is queued as a whole."""
    known = counts or {Progress.QUEUED: sendable_count, **skipped}
    order = (*COUNTED, *reversed(Progress), Outcome.INVALID, Outcome.DUPLICATE)
    return {str(code): known[code] for code in order if known.get(code)}


def expected_end(*, sendable_count: int, unsent_count: int, begun_at: datetime, at: datetime) -> datetime | None:
    """When the rest will have been handed over, at the pace so far; None when nothing tells."""
    done = sendable_count - unsent_count
    if not unsent_count or done <= 0 or at <= begun_at:
        return None
    return at + (at - begun_at) / done * unsent_count


class TryEnd(StrEnum):
    """What became of one try to hand a message over."""

    ACCEPTED = "accepted"
    UNDER_WAY = "under_way"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    LOST = "lost"
    NOT_SENT = "not_sent"


TRY_SENTENCES: dict[TryEnd, str] = {
    TryEnd.ACCEPTED: N_("The operator took it."),
    TryEnd.UNDER_WAY: N_("It is with the operator just now."),
    TryEnd.UNKNOWN: N_("The connection broke before the answer: its fate is not known."),
    TryEnd.REFUSED: N_("The operator refused it."),
    TryEnd.LOST: N_("Nothing is known of it; the message is handed over again, but to this operator only."),
    TryEnd.NOT_SENT: N_("It came back unsent: the operator certainly does not have it."),
}


@dataclass(frozen=True, slots=True)
class Try:
    """One try to hand a message over to an operator, and what became of it."""

    number: int
    end: TryEnd


def tries(
    *,
    attempt: int,
    batch_state: str,
    accepted: Sequence[int],
    unknown: int | None,
    outcome: str | None,
    is_pinned: bool,
) -> list[Try]:
    """Every try of a message, in order; `attempt` is the number of the last, `accepted` are those the operator took,
    `unknown` the one whose fate is not known.

    Of a message that never leaves its operator (`is_pinned`), as an earlier try may have reached it, a try without an
    answer counts as lost; of any other it certainly was not sent.
    """
    led_to_nothing = TryEnd.LOST if is_pinned else TryEnd.NOT_SENT
    is_over = batch_state == BatchState.SUBMITTED and outcome is not None
    last = {BatchState.SUBMITTING: TryEnd.UNDER_WAY, BatchState.SUBMITTED: TryEnd.UNDER_WAY}
    found = dict.fromkeys(range(1, attempt + 1), led_to_nothing)
    if attempt:
        found[attempt] = TryEnd.REFUSED if is_over else last.get(BatchState(batch_state), led_to_nothing)
    if unknown is not None and unknown in found:
        found[unknown] = TryEnd.UNKNOWN
    found |= {number: TryEnd.ACCEPTED for number in accepted}
    return [Try(number, end) for number, end in sorted(found.items())]


class Decision(StrEnum):
    """What a person says became of messages of unknown fate."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    RESEND = "resend"


DECISION_LABELS: dict[str, str] = {
    Decision.SENT: N_("They were sent"),
    Decision.NOT_SENT: N_("They were not sent"),
    Decision.RESEND: N_("Send them again"),
}
DECISION_MEANINGS: dict[str, str] = {
    Decision.SENT: N_(
        "They are charged. No report can find them without the operator's reference: they end as expired."
    ),
    Decision.NOT_SENT: N_("They end as refused, and their price goes back to the customer."),
    Decision.RESEND: N_(
        "They are queued once more. Whoever the operator did reach the first time gets the text twice."
    ),
}
