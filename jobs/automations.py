"""The job of automations: texts that wait are looked at, then what they bring is sent as any other send."""

from sms.core import clock
from sms.core.crash import crash_point
from sms.core.db import db, release, transaction
from sms.core.errors import SmsError
from sms.core.phone import local
from sms.core.queue import FORWARD_QUEUE, GENERAL_QUEUE, Job, answered, ring_now
from sms.inbox.automations.operations import running, sending
from sms.inbox.automations.operations.sending import Group, Send
from sms.inbox.automations.queries.automations import has_waiting, waiting_accounts
from sms.inbox.forwarding.queries import has_due
from sms.ledger.rules import InsufficientBalance
from sms.outbox.intake.operations.drafts import draft_from_text
from sms.outbox.operations.accept import accept_draft

_LOOKED_AT_ONCE = 1_000
_SENT_AT_ONCE = 1_000
_TURNS = 200  # of sending; then others have their turn on this queue


def automate() -> None:
    """Look at the texts that wait, and send what is to be sent, one group of an account after the other."""
    answered(Job.AUTOMATE)
    count = 1
    while count:
        with transaction():
            count = running.run(most=_LOOKED_AT_ONCE, at=clock.now())
            crash_point("automated")
    for _ in range(_TURNS):
        accounts = waiting_accounts()
        release()
        if not accounts:
            return
        for account_id in accounts:
            _send_next(account_id)
    ring_now(Job.AUTOMATE, queue=GENERAL_QUEUE)


def _send_next(account_id: int) -> None:
    with transaction():
        group = sending.claim(account_id=account_id, most=_SENT_AT_ONCE)
        if group is not None:
            _send(group, list(group.sends))
            crash_point("automation_sent")


def _send(group: Group, sends: list[Send]) -> bool:
    """Send to these, or, when the balance is too low, to as many of them as it reaches for; returns whether to all."""
    try:
        with db.session.begin_nested():  # what is refused leaves no draft behind
            campaign_id = _accepted(group, sends)
    except InsufficientBalance as error:
        if len(sends) == 1:
            sending.note_not_sent(sends=sends, problem=error)
            return False
        half = len(sends) // 2
        if _send(group, sends[:half]):
            return _send(group, sends[half:])
        sending.note_not_sent(sends=sends[half:], problem=error)
        return False
    except SmsError as error:
        sending.note_not_sent(sends=sends, problem=error)
        return True
    sending.note_sent(sends=sends, campaign_id=campaign_id)
    return True


def _accepted(group: Group, sends: list[Send]) -> int:
    """The send that these are in: priced, held and charged as any other."""
    at = clock.now()
    draft_id = draft_from_text(
        account_id=group.account_id,
        user_id=group.user_id,
        line_id=group.line_id,
        title=group.title,
        body=group.body,
        recipients="\n".join(local(each.recipient) for each in sends),
        at=at,
    )
    return accept_draft(draft_id=draft_id, account_id=group.account_id, user_id=group.user_id, at=at)


def ring_waiting() -> None:
    """Ring for what was left lying: whoever should have looked, sent or delivered may have died."""
    waits, is_due = has_waiting(), has_due(at=clock.now())
    release()
    if waits:
        ring_now(Job.AUTOMATE, queue=GENERAL_QUEUE)
    if is_due:
        ring_now(Job.FORWARD, queue=FORWARD_QUEUE)
