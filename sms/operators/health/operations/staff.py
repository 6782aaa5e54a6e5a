"""What staff decide of a gateway's health: hold it back, let it send whatever happens, and its limits."""

import math
from datetime import datetime, timedelta

from sms.core.actor import Actor
from sms.core.db import execute
from sms.core.errors import Refusal
from sms.core.queue import Job, ring, sending_queue
from sms.core.text import N_
from sms.operators.health.operations.standing import locked, write
from sms.operators.health.rules.breaker import BreakerState
from sms.operators.health.rules.judging import LONGEST_OVERRIDE_MINUTES, MOST_PER_SECOND, REASON_LENGTH, Event
from sms.operators.rules import UnusableSetting


def override(*, gateway_id: int, state: BreakerState, minutes: int, reason: str, by: Actor, at: datetime) -> None:
    """Hold a gateway back (open) or let it send whatever happens (closed), for so many minutes and for a reason.

    Raises NotFound or UnusableSetting.
    """
    locked(gateway_id)
    reason = " ".join(reason.split())
    if not 0 < len(reason) <= REASON_LENGTH:
        raise UnusableSetting("reason", N_("Give a reason of 1 to %(most)s characters."), most=REASON_LENGTH)
    if not 0 < minutes <= LONGEST_OVERRIDE_MINUTES:
        raise UnusableSetting(
            "minutes", N_("A decision holds for 1 to %(most)s minutes."), most=LONGEST_OVERRIDE_MINUTES
        )
    until = at + timedelta(minutes=minutes)
    execute(
        "UPDATE operators_health SET override = :state, override_until = :until, override_reason = :reason"
        " WHERE gateway_id = :id",
        id=gateway_id,
        state=str(state),
        until=until,
        reason=reason,
    )
    event = Event.HELD if state is BreakerState.OPEN else Event.FORCED
    write(gateway_id, event, figures={"until_at": until.isoformat()}, reason=reason, by=by, at=at)
    _ring(gateway_id)


def release(*, gateway_id: int, by: Actor, at: datetime) -> None:
    """Give a gateway back to its own judgement. Raises Refusal when nothing was decided."""
    if locked(gateway_id).override.state is None:
        raise Refusal(N_("Nothing was decided about this gateway."))
    execute(
        "UPDATE operators_health SET override = '', override_until = NULL, override_reason = '' WHERE gateway_id = :id",
        id=gateway_id,
    )
    write(gateway_id, Event.RELEASED, by=by, at=at)
    _ring(gateway_id)


def change_limits(
    *, gateway_id: int, per_second: float | None, credit_alert_mrial: int | None, by: Actor, at: datetime
) -> None:
    """Set how many requests a second go to the operator (None: any number), and below which credit staff are told
    (None: never). Raises NotFound or UnusableSetting."""
    before = locked(gateway_id)
    if per_second is not None and not (math.isfinite(per_second) and 0 < per_second <= MOST_PER_SECOND):
        raise UnusableSetting(
            "per_second", N_("More than 0 and at most %(most)s requests a second."), most=MOST_PER_SECOND
        )
    if credit_alert_mrial is not None and not 0 <= credit_alert_mrial < 2**63:
        raise UnusableSetting("credit_alert_mrial", N_("This amount cannot be."))
    if (per_second, credit_alert_mrial) == (before.per_second, before.credit_alert_mrial):
        return
    execute(
        "UPDATE operators_gateway SET per_second = :per_second, credit_alert_mrial = :credit_alert_mrial"
        " WHERE id = :id",
        id=gateway_id,
        per_second=per_second,
        credit_alert_mrial=credit_alert_mrial,
    )
    figures = {"per_second": per_second, "credit_alert_mrial": credit_alert_mrial}
    write(gateway_id, Event.LIMITS, figures=figures, by=by, at=at)


def _ring(gateway_id: int) -> None:
    ring(Job.DISPATCH, queue=sending_queue(gateway_id), gateway_id=gateway_id)
