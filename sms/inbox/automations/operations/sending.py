"""What is to be sent by itself: taken in groups of the same words, and noted with its send or why there is none."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sms.core.db import execute, rows
from sms.core.errors import SmsError


@dataclass(frozen=True, slots=True)
class Send:
    """One recipient of an automatic text."""

    id: int
    recipient: int


@dataclass(frozen=True, slots=True)
class Group:
    """Automatic texts that say the same over the same line: each recipient once."""

    account_id: int
    user_id: int
    line_id: int
    title: str
    body: str
    sends: Sequence[Send]


# Those that say the same as the oldest; who is to get it twice is in the next group.
_GROUP = """
WITH oldest AS (
    SELECT * FROM inbox_auto_send WHERE account_id = :account_id AND state = 'waiting' ORDER BY id LIMIT 1),
alike AS (
    SELECT DISTINCT ON (s.recipient) s.id, s.recipient FROM inbox_auto_send s, oldest o
    WHERE s.account_id = :account_id AND s.state = 'waiting' AND s.line_id = o.line_id
      AND s.automation_id = o.automation_id AND s.kind = o.kind AND s.user_id = o.user_id AND s.body = o.body
    ORDER BY s.recipient, s.id LIMIT :most)
SELECT o.user_id, o.line_id, o.body, a.name AS title, n.id, n.recipient
FROM alike n, oldest o JOIN inbox_automation a ON a.id = o.automation_id ORDER BY n.id
"""


def claim(*, account_id: int, most: int) -> Group | None:
    """What waits longest for an account, with everything that says the same; nobody else sends for it meanwhile."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended('inbox_auto_send', :id))", id=account_id)
    found = rows(_GROUP, account_id=account_id, most=most)
    if not found:
        return None
    first = found[0]
    sends = [Send(each.id, each.recipient) for each in found]
    return Group(account_id, first.user_id, first.line_id, first.title, first.body, sends)


def note_sent(*, sends: Sequence[Send], campaign_id: int) -> None:
    """These stand in a send of the outbox, whose page tells what becomes of them."""
    execute(
        "UPDATE inbox_auto_send SET state = 'sent', campaign_id = :campaign_id WHERE id = ANY(:ids)",
        ids=[each.id for each in sends],
        campaign_id=campaign_id,
    )


def note_not_sent(*, sends: Sequence[Send], problem: SmsError) -> None:
    """These were refused, and are not tried again: who wrote would get an answer nobody expects any more."""
    execute(
        """UPDATE inbox_auto_send SET state = 'not_sent', problem = :problem, problem_params = CAST(:params AS jsonb)
           WHERE id = ANY(:ids)""",
        ids=[each.id for each in sends],
        problem=problem.message,
        params=json.dumps(problem.params, default=_jsonable),
    )


def _jsonable(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
