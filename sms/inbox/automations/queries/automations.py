"""Reads of automations: those of an account and of a line, and who has what to be sent or looked at."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.inbox.automations.rules.kinds import Actions, Automation, Kind, LoopPolicy, Option
from sms.inbox.automations.rules.matching import Hours, Way

NO_SUCH_AUTOMATION = N_("There is no such automation.")

_COLUMNS = """
SELECT a.id, a.account_id, a.line_id, a.user_id, a.place, a.kind, a.name, a.is_on, a.goes_on, a.way, a.keywords,
       a.opens_at, a.closes_at, a.begins_at, a.ends_at, a.replies, a.options, a.can_change, a.cancel_word,
       a.timeout_minutes, a.add_group_id, a.remove_group_id, a.mobile, a.email, a.hook_id
FROM inbox_automation a
"""


def _read(found: Row[Any]) -> Automation:
    return Automation(
        id=found.id,
        account_id=found.account_id,
        line_id=found.line_id,
        user_id=found.user_id,
        place=found.place,
        kind=Kind(found.kind),
        name=found.name,
        is_on=found.is_on,
        goes_on=found.goes_on,
        way=Way(found.way),
        keywords=tuple(found.keywords),
        hours=Hours(found.opens_at, found.closes_at, found.begins_at, found.ends_at),
        replies=found.replies,
        options=tuple(Option(each["id"], each["name"], tuple(each["words"])) for each in found.options),
        can_change=found.can_change,
        cancel_word=found.cancel_word,
        timeout_minutes=found.timeout_minutes,
        actions=Actions(found.add_group_id, found.remove_group_id, found.mobile, found.email, found.hook_id),
    )


def of_line(account_id: int, line_id: int) -> list[Automation]:
    """The automations of a line, in their order."""
    found = rows(
        f"{_COLUMNS} WHERE a.removed_at IS NULL AND a.account_id = :account_id AND a.line_id = :line_id"
        " ORDER BY a.place, a.id",
        account_id=account_id,
        line_id=line_id,
    )
    return [_read(each) for each in found]


def of_lines(line_ids: Sequence[int]) -> list[Automation]:
    """Those that are on, of some lines and whoever owned them, in their order: for the texts that came there."""
    found = rows(
        f"{_COLUMNS} WHERE a.removed_at IS NULL AND a.is_on AND a.line_id = ANY(:ids) ORDER BY a.place, a.id",
        ids=sorted(set(line_ids)),
    )
    return [_read(each) for each in found]


def automation(account_id: int, automation_id: int) -> Automation:
    """One of the account's; raises NotFound."""
    found = row(
        f"{_COLUMNS} WHERE a.removed_at IS NULL AND a.account_id = :account_id AND a.id = :id",
        account_id=account_id,
        id=automation_id,
    )
    if found is None:
        raise NotFound(NO_SUCH_AUTOMATION)
    return _read(found)


def counts_by_line(account_id: int) -> dict[int, tuple[int, int]]:
    """How many automations stand on each line of an account, and how many of them are on."""
    found = rows(
        """SELECT line_id, count(*) AS every, count(*) FILTER (WHERE is_on) AS on_count FROM inbox_automation
           WHERE account_id = :id AND removed_at IS NULL GROUP BY line_id""",
        id=account_id,
    )
    return {each.line_id: (each.every, each.on_count) for each in found}


def loop_policy() -> LoopPolicy:
    """How many automatic replies a number may get from a line."""
    found = row("SELECT most_replies, minutes FROM inbox_loop_policy")
    return LoopPolicy(found.most_replies, found.minutes) if found is not None else LoopPolicy()


# Work that waits


def has_waiting() -> bool:
    """Whether a text waits to be looked at, or something to be sent."""
    found = row(
        """SELECT EXISTS (SELECT FROM inbox_waiting)
            OR EXISTS (SELECT FROM inbox_auto_send WHERE state = 'waiting') AS is_waiting"""
    )
    return bool(found and found.is_waiting)


def waiting_accounts() -> list[int]:
    """The accounts for which something is to be sent by itself, those that have waited longest first."""
    found = rows("SELECT account_id FROM inbox_auto_send WHERE state = 'waiting' GROUP BY account_id ORDER BY min(id)")
    return [each.account_id for each in found]
