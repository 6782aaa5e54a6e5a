"""A line is a right of use for a time: when its owner is reminded, when it may not send any more, what renewing costs.
It is never taken away by the calendar alone (domain reference §1.5). Plain Python."""

from datetime import datetime, timedelta
from enum import StrEnum

from sms.core.errors import Refusal
from sms.core.money import share
from sms.core.text import N_


class Stage(StrEnum):
    """How near its end a line is; its owner is told at the beginning of each."""

    BEFORE_30 = "before_30"
    BEFORE_7 = "before_7"
    BEFORE_1 = "before_1"
    EXPIRED = "expired"
    SUSPENDED = "suspended"


STAGE_SENTENCES: dict[Stage, str] = {
    Stage.BEFORE_30: N_("Line %(number)s is to be renewed by %(moment)s."),
    Stage.BEFORE_7: N_("Line %(number)s runs out within a week, at %(moment)s."),
    Stage.BEFORE_1: N_("Line %(number)s runs out within a day, at %(moment)s."),
    Stage.EXPIRED: N_("Line %(number)s ran out at %(moment)s. It still sends; renew it before its grace is over."),
    Stage.SUSPENDED: N_("Line %(number)s ran out at %(moment)s and may not send. It stays yours: renew it to go on."),
}

DAYS_BEFORE: tuple[tuple[Stage, int], ...] = ((Stage.BEFORE_1, 1), (Stage.BEFORE_7, 7), (Stage.BEFORE_30, 30))
FIRST_DAYS = 30
OPEN_DAYS = 60  # before its end a line can be renewed from then on
USUAL_GRACE_DAYS = 30


def stage(*, expires_at: datetime, grace_days: int, at: datetime) -> Stage | None:
    """How near its end a line is at a moment; None when that is more than 30 days away."""
    if at >= expires_at + timedelta(days=grace_days):
        return Stage.SUSPENDED
    if at >= expires_at:
        return Stage.EXPIRED
    return next((found for found, days in DAYS_BEFORE if at >= expires_at - timedelta(days=days)), None)


def price(bought_mrial: int, *, percent: int) -> int:
    """What one more period costs: a share of what was paid for the line."""
    return share(bought_mrial, percent=percent)


def check_open(*, expires_at: datetime | None, at: datetime) -> datetime:
    """The end that is renewed; raises Refusal where there is none, or it is too far away."""
    if expires_at is None:
        raise Refusal(N_("The right of use of this line does not end: there is nothing to renew."))
    if at < expires_at - timedelta(days=OPEN_DAYS):
        raise Refusal(
            N_("It is too early: a line is renewed in the last %(days)s days before its end."), days=OPEN_DAYS
        )
    return expires_at
