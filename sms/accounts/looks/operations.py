"""Writes of looks: begun with a reason, over after half an hour or at once."""

from dataclasses import replace

from sms.accounts.looks.rules import LASTS, LONGEST_REASON, Look
from sms.accounts.operations import record
from sms.accounts.queries import token_hash, user
from sms.accounts.rules import By
from sms.accounts.tree.queries import below
from sms.core.db import execute, scalar
from sms.core.errors import Refusal
from sms.core.text import N_


def begin(*, top_id: int, account_id: int, user_id: int, token: str, reason: str, may_act: bool, by: By) -> int:
    """Let a session be that of a user somewhere below its own account for half an hour; returns the look's id.

    Raises NotFound outside the tree; Refusal without a reason, for a user who is shut out themselves, or to act in an
    account that is suspended.
    """
    account = below(top_id, account_id)
    person = user(account_id, user_id)
    stated = " ".join(reason.split())[:LONGEST_REASON]
    if not stated:
        raise Refusal(N_("Say why: the customer reads it."))
    if not person.is_active or account.state == "closed":
        raise Refusal(N_("Nobody signs in as this user."))
    if may_act and not account.is_open:
        raise Refusal(N_("The account is suspended; it can only be looked at."))
    look_id = scalar(
        """INSERT INTO accounts_look (actor_id, account_id, user_id, reason, may_act, began_at, ends_at)
           VALUES (:actor_id, :account_id, :user_id, :reason, :may_act, :at, :ends_at) RETURNING id""",
        actor_id=by.actor_id,
        account_id=account_id,
        user_id=user_id,
        reason=stated,
        may_act=may_act,
        at=by.at,
        ends_at=by.at + LASTS,
    )
    execute("UPDATE accounts_session SET look_id = :id WHERE token_hash = :hash", id=look_id, hash=token_hash(token))
    details = {"reason": stated, "may_act": may_act}
    _note("look.begun", account_id, person.username, details, by)
    return int(look_id)


def end(*, look: Look, token: str, by: By) -> None:
    """Let a session be its own user's again; a look that is over already ended by itself."""
    execute("UPDATE accounts_session SET look_id = NULL WHERE token_hash = :hash", hash=token_hash(token))
    ended = scalar(
        """UPDATE accounts_look SET ends_at = greatest(:at, began_at + interval '1 microsecond')
           WHERE id = :id AND ends_at > :at RETURNING account_id""",
        id=look.id,
        at=by.at,
    )
    if ended is not None:
        _note("look.ended", int(ended), "", {}, replace(by, actor_id=look.actor_id))


def _note(action: str, account_id: int, subject: str, details: dict[str, object], by: By) -> None:
    record(
        actor_id=by.actor_id,
        account_id=account_id,
        action=action,
        subject=subject,
        details=details,
        at=by.at,
        address=by.address,
    )
