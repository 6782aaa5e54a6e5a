"""Jobs of going on over another line: what a gateway leaves lying, and moves that are too large for one transaction."""

import logging

from jobs.outbox import settle_dirty
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.queue import Job, answered
from sms.outbox.operations import failover

log = logging.getLogger(__name__)


def fail_over() -> None:
    """Begin a move of everything that waits for a gateway which is down and has another way to go."""
    answered(Job.FAIL_OVER)
    with transaction():
        failover.begin_due(at=clock.now())


def move(*, move_id: int) -> None:
    """Take a move to its end, a set of batches at a time."""
    answered(Job.MOVE, move_id)
    is_over = False
    while not is_over:
        is_over = _move_some(move_id)
    settle_dirty()


def _move_some(move_id: int) -> bool:
    try:
        with transaction():
            return failover.move_some(move_id=move_id, at=clock.now()).is_over
    except SmsError as error:
        log.warning("move %s ends: %s", move_id, type(error).__name__)
        with transaction():
            failover.fail_move(move_id=move_id, error=error, at=clock.now())
        return True
