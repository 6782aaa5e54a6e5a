"""Jobs of accounts."""

from sms.accounts import operations
from sms.core import clock
from sms.core.db import transaction
from sms.core.queue import Job, answered

_SESSIONS_AT_ONCE = 10_000


def end_sessions() -> None:
    """Delete the sessions whose time is over, in steps."""
    answered(Job.END_SESSIONS)
    ended = _SESSIONS_AT_ONCE
    while ended == _SESSIONS_AT_ONCE:
        with transaction():
            ended = operations.end_expired(most=_SESSIONS_AT_ONCE, at=clock.now())
