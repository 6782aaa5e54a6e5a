"""Jobs of lines: what ends by itself."""

from sms.core import clock
from sms.core.db import transaction
from sms.core.queue import Job, answered
from sms.lines.formats import operations as formats
from sms.lines.stock import operations as stock

_AT_ONCE = 1000


def end_reservations() -> None:
    """Free the numbers whose reservation is over, and throw away files nobody applied."""
    answered(Job.END_RESERVATIONS)
    ended = _AT_ONCE
    while ended == _AT_ONCE:
        with transaction():
            ended = stock.end_reservations(most=_AT_ONCE, at=clock.now())
    with transaction():
        formats.tidy_imports(at=clock.now())
