"""The answer to a text that opted out or in: a send to one, charged as any, that reaches also who wants no more."""

from datetime import datetime

from sms.contacts.words.operations import take_due
from sms.core.phone import local
from sms.outbox.intake.operations.drafts import draft_from_text
from sms.outbox.operations.accept import accept_draft
from sms.outbox.rules import Terms


def answer(*, reply_id: int, at: datetime) -> int | None:
    """Send an answer that waits; returns its campaign, or None when somebody else has sent it. Raises SmsError when it
    cannot be sent; then it still waits."""
    due = take_due(reply_id=reply_id)
    if due is None:
        return None
    draft_id = draft_from_text(
        account_id=due.account_id,
        user_id=due.user_id,
        line_id=due.line_id,
        title="",
        body=due.body,
        recipients=local(due.recipient),
        at=at,
    )
    return accept_draft(
        draft_id=draft_id, account_id=due.account_id, user_id=due.user_id, terms=Terms(is_answer=True), at=at
    )
