"""Automations are made, changed, put in order, switched and taken away; each change has its line in the audit."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sms.accounts.operations import record
from sms.contacts.queries import groups
from sms.core.actor import Actor
from sms.core.db import execute, scalar
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.inbox.automations.queries.automations import automation, of_line
from sms.inbox.automations.queries.results import has_votes
from sms.inbox.automations.rules.kinds import (
    MOST_ON_A_LINE,
    Automation,
    Kind,
    LoopPolicy,
    Option,
    UnusableAutomation,
    Wanted,
    check,
)
from sms.inbox.forwarding.operations.mails import refuse_without_server
from sms.inbox.forwarding.queries import hooks
from sms.inbox.forwarding.rules import is_email
from sms.lines.queries import account_line

_COLUMNS = (
    *("kind", "name", "goes_on", "way", "keywords", "opens_at", "closes_at", "begins_at", "ends_at", "replies"),
    *("options", "can_change", "cancel_word", "timeout_minutes", "add_group_id", "remove_group_id", "mobile", "email"),
    "hook_id",
)
_JSON = frozenset({"replies", "options"})


def add(*, account_id: int, line_id: int, wanted: Wanted, by: Actor, at: datetime) -> int:
    """Put an automation behind the others of a line; returns its id. Raises NotFound or UnusableAutomation."""
    account_line(account_id, line_id)
    before = of_line(account_id, line_id)
    if len(before) >= MOST_ON_A_LINE:
        raise Refusal(N_("A line has at most %(most)s automations."), most=MOST_ON_A_LINE)
    values = _values(account_id, line_id, wanted)
    places = ", ".join(_place(name) for name in _COLUMNS)
    made = scalar(
        f"""INSERT INTO inbox_automation (account_id, line_id, user_id, place, created_at, changed_at,
                {", ".join(_COLUMNS)})
            VALUES (:account_id, :line_id, :user_id, :place, :at, :at, {places}) RETURNING id""",  # noqa: S608 - ours
        account_id=account_id,
        line_id=line_id,
        user_id=by.id,
        place=max((each.place for each in before), default=0) + 1,
        at=at,
        **values,
    )
    _audit("added", account_id, int(made), {"line": line_id, "kind": str(wanted.kind)}, by=by, at=at)
    return int(made)


def change(*, account_id: int, automation_id: int, wanted: Wanted, by: Actor, at: datetime) -> None:
    """Describe it anew; what it did stays. Raises NotFound or UnusableAutomation."""
    before = automation(account_id, automation_id)
    _refuse_lost_votes(before, wanted.options)
    values = _values(account_id, before.line_id, wanted)
    changes = ", ".join(f"{name} = {_place(name)}" for name in _COLUMNS if name != "kind")
    del values["kind"]
    execute(
        f"UPDATE inbox_automation SET user_id = :user_id, changed_at = :at, {changes} WHERE id = :id",  # noqa: S608 - ours
        id=automation_id,
        user_id=by.id,
        at=at,
        **values,
    )
    _audit("changed", account_id, automation_id, {}, by=by, at=at)


def _place(name: str) -> str:
    return f"CAST(:{name} AS jsonb)" if name in _JSON else f":{name}"


def _values(account_id: int, line_id: int, wanted: Wanted) -> dict[str, object]:
    check(wanted)
    _check_actions(account_id, line_id, wanted)
    hours, actions = wanted.hours, wanted.actions
    return {
        "kind": str(wanted.kind),
        "name": wanted.name.strip(),
        "goes_on": wanted.goes_on,
        "way": str(wanted.way),
        "keywords": list(wanted.keywords),
        "opens_at": hours.opens_at,
        "closes_at": hours.closes_at,
        "begins_at": hours.begins_at,
        "ends_at": hours.ends_at,
        "replies": json.dumps({str(result): text for result, text in wanted.replies.items() if text}),
        "options": json.dumps([{"id": each.id, "name": each.name, "words": each.words} for each in wanted.options]),
        "can_change": wanted.can_change,
        "cancel_word": wanted.cancel_word.strip(),
        "timeout_minutes": wanted.timeout_minutes,
        "add_group_id": actions.add_group_id,
        "remove_group_id": actions.remove_group_id,
        "mobile": actions.mobile,
        "email": actions.email,
        "hook_id": actions.hook_id,
    }


def _check_actions(account_id: int, line_id: int, wanted: Wanted) -> None:
    """Groups and addresses must be the account's own."""
    actions = wanted.actions
    known = {group.id for group in groups(account_id)}
    for name, group_id in (("add_group_id", actions.add_group_id), ("remove_group_id", actions.remove_group_id)):
        if group_id is not None and group_id not in known:
            raise UnusableAutomation(name, N_("There is no such group."))
    if actions.hook_id is not None and actions.hook_id not in {hook.id for hook in hooks(account_id, line_id)}:
        raise UnusableAutomation("hook_id", N_("There is no such address."))
    if actions.email:
        if not is_email(actions.email):
            raise UnusableAutomation("email", N_("This is no e-mail address."))
        try:
            refuse_without_server()
        except Refusal as error:
            raise UnusableAutomation("email", error.message) from None


def _refuse_lost_votes(before: Automation, options: Sequence[Option]) -> None:
    gone = {each.id for each in before.options} - {each.id for each in options}
    if before.kind is Kind.POLL and gone and has_votes(before.id, sorted(gone)):
        raise UnusableAutomation("options", N_("Somebody has voted for an option that is missing now; leave it."))


def move(*, account_id: int, automation_id: int, is_up: bool, by: Actor, at: datetime) -> None:
    """Let it look at texts before the one above it, or behind the one below. Raises NotFound."""
    found = automation(account_id, automation_id)
    order = [each.id for each in of_line(account_id, found.line_id)]
    here = order.index(automation_id)
    there = here - 1 if is_up else here + 1
    if not 0 <= there < len(order):
        return
    order[here], order[there] = order[there], order[here]
    execute(
        """UPDATE inbox_automation a SET place = n.place
           FROM unnest(CAST(:ids AS int[])) WITH ORDINALITY AS n (id, place) WHERE a.id = n.id""",
        ids=order,
    )
    _audit("moved", account_id, automation_id, {"place": there + 1}, by=by, at=at)


def switch(*, account_id: int, automation_id: int, is_on: bool, by: Actor, at: datetime) -> None:
    """Switch it off or on; what it did stays. Raises NotFound."""
    automation(account_id, automation_id)
    execute("UPDATE inbox_automation SET is_on = :is_on WHERE id = :id", id=automation_id, is_on=is_on)
    _audit("switched_on" if is_on else "switched_off", account_id, automation_id, {}, by=by, at=at)


def remove(*, account_id: int, automation_id: int, by: Actor, at: datetime) -> None:
    """Take it away; the log of its line still names it. Raises NotFound."""
    automation(account_id, automation_id)
    execute("UPDATE inbox_automation SET removed_at = :at, is_on = false WHERE id = :id", id=automation_id, at=at)
    _audit("removed", account_id, automation_id, {}, by=by, at=at)


def set_loop_policy(*, policy: LoopPolicy, by: Actor, at: datetime) -> None:
    """How many automatic replies a number may get from a line, and within how many minutes. Raises Refusal."""
    if not 1 <= policy.most_replies <= 1_000 or not 1 <= policy.minutes <= 1_440:  # noqa: PLR2004 - as the table says
        raise Refusal(N_("Give 1 to 1000 replies in 1 to 1440 minutes."))
    execute(
        "UPDATE inbox_loop_policy SET most_replies = :most_replies, minutes = :minutes",
        most_replies=policy.most_replies,
        minutes=policy.minutes,
    )
    details = {"most_replies": policy.most_replies, "minutes": policy.minutes}
    record(
        actor_id=by.id,
        account_id=None,
        action="automation.loop_policy_set",
        subject="loop_policy",
        details=details,
        at=at,
        address=by.address,
    )


def _audit(
    what: str, account_id: int, automation_id: int, details: Mapping[str, object], *, by: Actor, at: datetime
) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=f"automation.{what}",
        subject=f"automation:{automation_id}",
        details=dict(details),
        at=at,
        address=by.address,
    )
