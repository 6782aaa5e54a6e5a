"""Jobs of links: clicks are counted into their hours, and by recipient."""

import time

from sms.core.db import transaction
from sms.core.queue import Job, answered
from sms.links import operations
from sms.outbox.queries.linked import sent_at

_SECONDS = 2.0  # other jobs have their turn then; what is left is counted the next time


def count_clicks() -> None:
    """Count what nobody has counted yet, in sets so small that no click waits for them."""
    answered(Job.COUNT_CLICKS)
    until = time.monotonic() + _SECONDS
    counted = 1
    while counted and time.monotonic() < until:
        with transaction():
            counted = operations.count_some(sent_at=sent_at)
