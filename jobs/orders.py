"""Jobs of line orders: quotes that run out, and lines that near their end."""

from sms.core import clock
from sms.core.db import release, transaction
from sms.core.queue import Job, answered
from sms.lines.orders import queries
from sms.lines.orders.operations import moving
from sms.lines.renewals import operations as renewals

_QUOTES_AT_ONCE = 500


def keep_orders() -> None:
    """End orders whose quote ran out: their numbers are free again."""
    answered(Job.KEEP_ORDERS)
    found = queries.run_out(clock.now(), most=_QUOTES_AT_ONCE)
    release()
    for order_id in found:
        with transaction():
            moving.expire(order_id=order_id, at=clock.now())


def keep_renewals() -> None:
    """Remind owners of lines that near their end; suspend those whose grace is over."""
    answered(Job.KEEP_RENEWALS)
    with transaction():
        renewals.remind(at=clock.now())
        renewals.suspend(at=clock.now())
