"""Writes of comparisons: the same text over every operator's public line, and the codes that verify numbers."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sms.accounts.queries import root_id
from sms.core.db import db, execute, rows, scalar
from sms.core.errors import Refusal, SmsError
from sms.core.phone import local
from sms.core.text import N_
from sms.lines.public.operations import ask_code
from sms.lines.public.rules import Payment
from sms.lines.queries import UsableLine, usable_lines
from sms.lines.rules import LineKind, ServiceClass
from sms.outbox.comparison.queries import lines_to_try, own_numbers
from sms.outbox.comparison.rules import check_text
from sms.outbox.intake.operations.drafts import draft_from_text, text_of
from sms.outbox.operations.accept import accept_draft
from sms.outbox.queries.control import down_gateways

_TWICE = timedelta(seconds=10)


def compare(*, account_id: int, user_id: int, body: str, recipients: Sequence[int], at: datetime) -> int:
    """Send a text over the public line of each operator to an account's own numbers; returns the comparison's id.

    Free messages are used as long as there are some. A line that cannot be tried is noted with its reason, the others
    go on. Pressed twice it is one comparison. Raises Refusal when there is nobody to send to, or no line at all.
    """
    text = check_text(text_of(body))
    rows("SELECT pg_advisory_xact_lock(hashtextextended('outbox_comparison', :id))", id=account_id)
    again = scalar(
        "SELECT max(id) FROM outbox_comparison WHERE account_id = :id AND body = :body AND begun_at > :since",
        id=account_id,
        body=text,
        since=at - _TWICE,
    )
    if again is not None:
        return int(again)
    numbers = own_numbers(account_id, recipients)
    if not numbers:
        raise Refusal(N_("Choose at least one of your verified numbers."))
    lines = lines_to_try(account_id, at=at)
    if not lines:
        raise Refusal(N_("There is no public line at the moment"))
    made = scalar(
        "INSERT INTO outbox_comparison (account_id, user_id, body, begun_at) VALUES (:account_id, :user_id, :body, :at)"
        " RETURNING id",
        account_id=account_id,
        user_id=user_id,
        body=text,
        at=at,
    )
    for line in lines:
        _try(int(made), line, account_id=account_id, user_id=user_id, body=text, numbers=numbers, at=at)
    return int(made)


def _try(
    comparison_id: int,
    line: UsableLine,
    *,
    account_id: int,
    user_id: int,
    body: str,
    numbers: Sequence[int],
    at: datetime,
) -> None:
    campaign_id, problem = None, None
    try:
        with db.session.begin_nested():  # what one line refuses is undone alone
            draft_id = draft_from_text(
                account_id=account_id,
                user_id=user_id,
                line_id=line.id,
                title="",
                body=body,
                recipients="\n".join(map(local, numbers)),
                at=at,
            )
            campaign_id = accept_draft(
                draft_id=draft_id, account_id=account_id, user_id=user_id, payment=Payment.TRIAL, at=at
            )
    except SmsError as error:
        problem = error
    execute(
        "INSERT INTO outbox_comparison_line (comparison_id, line_id, campaign_id, problem, problem_params)"
        " VALUES (:comparison_id, :line_id, :campaign_id, :problem, CAST(:params AS jsonb))",
        comparison_id=comparison_id,
        line_id=line.id,
        campaign_id=campaign_id,
        problem=problem.message if problem else "",
        params=json.dumps(problem.params if problem else {}, default=_jsonable),
    )


def _jsonable(value: object) -> str:
    """A moment in a refusal, as text that can be read back."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


# Codes


def send_code(*, account_id: int, user_id: int, recipient: int, body: str, at: datetime) -> bool:
    """Send a code to a number that is to be verified, paid by the house; `body` says where it stands, as %(code)s.
    False when the number was verified before and needs none. Raises Refusal, as `ask_code` does."""
    new = ask_code(account_id=account_id, recipient=recipient, at=at)
    if new is None:
        return False
    house = root_id()
    draft_id = draft_from_text(
        account_id=house,
        user_id=user_id,
        line_id=_line_for_codes(house, at).id,
        title="",
        body=body.replace("%(code)s", new.code),
        recipients=local(recipient),
        at=at,
    )
    accept_draft(draft_id=draft_id, account_id=house, user_id=user_id, payment=Payment.HOUSE, at=at)
    return True


def _line_for_codes(house: int, at: datetime) -> UsableLine:
    """A service line before others, one whose gateway works before others."""
    down = down_gateways(at=at)
    found = [
        line
        for line in usable_lines(house, at=at)
        if line.kind == LineKind.PUBLIC and line.standing is not None and not line.standing.is_forbidden
    ]
    if not found:
        raise Refusal(N_("There is no line the code could be sent over; ask the staff."))
    return min(found, key=lambda line: (line.gateway_id in down, line.service_class != ServiceClass.SERVICE, line.id))
