"""Jobs of traffic: what was sent, reported and refunded is counted into its hours."""

import time

from sms.core import clock
from sms.core.db import transaction
from sms.core.queue import Job, answered
from sms.outbox.operations import hours

_SECONDS = 2.0  # other jobs have their turn then; what is left is counted the next time


def count_hours() -> None:
    """Count the batches that have waited long enough, and refunds, in sets so small that no report waits for them."""
    answered(Job.COUNT_HOURS)
    until = time.monotonic() + _SECONDS
    counted = 1
    while counted and time.monotonic() < until:
        with transaction():
            counted = hours.count_some(at=clock.now())
        with transaction():
            counted += hours.count_refunds()
