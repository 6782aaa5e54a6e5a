"""Signing in as somebody of an account below: for how long, and what it allows. Plain Python."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LASTS = timedelta(minutes=30)
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A session that is somebody else's for a while: who it really is, whether they may act, until when. Once
    `is_over`, the session is its own user's again and does nothing until that is noticed."""

    id: int
    actor_id: int
    actor_account_id: int
    actor_name: str
    actor_account_name: str
    may_act: bool
    ends_at: datetime
    is_over: bool
