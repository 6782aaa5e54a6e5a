"""Writes of public lines: policies, free messages taken, numbers that are verified by a code."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.config import settings
from sms.core.db import execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.public.queries import numbers, standing
from sms.lines.public.rules import (
    CODE_DIGITS,
    CODE_LASTS,
    CODE_TRIES,
    MOST_EVER,
    MOST_RECIPIENTS,
    NewPolicy,
    NoneLeft,
    WrongCode,
    check_codes,
    check_policy,
)

_DAY = timedelta(days=1)


def add_policy(new: NewPolicy, *, by: Actor, at: datetime) -> int:
    """Set what public lines may be used for from a moment on; returns the row's id. Raises Refusal."""
    check_policy(new)
    policy_id = int(
        scalar(
            """INSERT INTO lines_public_policy (operator_id, policy, free_messages, note, valid_from, created_by,
                   created_at)
               VALUES (:operator_id, :policy, :free_messages, :note, :valid_from, :by, :at) RETURNING id""",
            operator_id=new.operator_id,
            policy=str(new.policy),
            free_messages=new.free_messages,
            note=new.note,
            valid_from=new.valid_from,
            by=by.id,
            at=at,
        )
    )
    details = {"policy": str(new.policy), "free_messages": new.free_messages, "valid_from": new.valid_from.isoformat()}
    record(
        actor_id=by.id,
        account_id=None,
        action="lines.public_policy_set",
        subject=f"operator:{new.operator_id}" if new.operator_id else "",
        details=details,
        at=at,
        address=by.address,
    )
    return policy_id


def take_free(*, account_id: int, operator_id: int, count: int, at: datetime) -> None:
    """Use up free messages, all of them or, with NoneLeft, none: whoever asks at the same time waits for the row."""
    now = standing(account_id, operator_id=operator_id, at=at)
    taken = scalar(
        """INSERT INTO lines_trial AS t (account_id, operator_id, used_count)
           SELECT :account_id, :operator_id, :count WHERE :count <= :most
           ON CONFLICT (account_id, operator_id) DO UPDATE SET used_count = t.used_count + excluded.used_count
               WHERE t.used_count + excluded.used_count <= :most
           RETURNING used_count""",
        account_id=account_id,
        operator_id=operator_id,
        count=count,
        most=now.free_messages,
    )
    if taken is None:
        raise NoneLeft(standing(account_id, operator_id=operator_id, at=at), count)


# Numbers


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code that is to be sent to a number."""

    recipient: int
    code: str


def ask_code(*, account_id: int, recipient: int, at: datetime) -> NewCode | None:
    """Add a number that is still to be verified, or ask for another code; None when it was verified before and is only
    taken in again.

    Raises Refusal when it is verified already, when there are as many as there may be, or when too many codes were
    asked for.
    """
    _lock(account_id, recipient)
    known = {number.recipient: number for number in numbers(account_id)}
    if recipient in known and known[recipient].verified_at is not None:
        raise Refusal(N_("This number is verified already."))
    if recipient not in known:
        _refuse_more(len(known))
        if _take_in_again(account_id, recipient):
            return None
    check_codes(at, of_account=_sent(at, account_id=account_id), to_number=_sent(at, recipient=recipient))
    execute(
        "INSERT INTO lines_trial_recipient (account_id, recipient, added_at) VALUES (:account_id, :recipient, :at)"
        " ON CONFLICT (account_id, recipient) DO NOTHING",
        account_id=account_id,
        recipient=recipient,
        at=at,
    )
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    execute(
        "INSERT INTO lines_trial_code (account_id, recipient, code_hash, sent_at, expires_at)"
        " VALUES (:account_id, :recipient, :hash, :at, :expires_at)",
        account_id=account_id,
        recipient=recipient,
        hash=_hash(account_id, recipient, code),
        at=at,
        expires_at=at + CODE_LASTS,
    )
    return NewCode(recipient, code)


def _lock(account_id: int, recipient: int) -> None:
    """One at a time for an account, and for a number: their codes are counted."""
    for what in (f"account:{account_id}", f"number:{recipient}"):
        rows("SELECT pg_advisory_xact_lock(hashtextextended('lines_trial:' || :what, 0))", what=what)


def _refuse_more(now: int) -> None:
    if now >= MOST_RECIPIENTS:
        raise Refusal(
            N_("Trials go to %(most)s numbers at most: your own mobile and three more."), most=MOST_RECIPIENTS
        )


def _take_in_again(account_id: int, recipient: int) -> bool:
    return bool(
        execute(
            "UPDATE lines_trial_recipient SET removed_at = NULL WHERE account_id = :account_id"
            " AND recipient = :recipient AND removed_at IS NOT NULL",
            account_id=account_id,
            recipient=recipient,
        )
    )


def _sent(at: datetime, *, account_id: int | None = None, recipient: int | None = None) -> Sequence[datetime]:
    found = rows(
        "SELECT sent_at FROM lines_trial_code WHERE sent_at > :since"
        " AND (account_id = :account_id OR recipient = :recipient)",
        since=at - _DAY,
        account_id=account_id,
        recipient=recipient,
    )
    return [code.sent_at for code in found]


def _hash(account_id: int, recipient: int, code: str) -> bytes:
    key = settings().secret_key.encode()
    return hmac.digest(key, f"trial:{account_id}:{recipient}:{code}".encode(), "sha256")


def try_code(*, account_id: int, recipient: int, code: str, at: datetime) -> bool:
    """Count a try; returns whether it is the code that was sent last. It says so rather than raising, because the try
    must stay counted.

    Raises WrongCode when no code waits for a try, Refusal when another account has verified this number.
    """
    _lock(account_id, recipient)
    sent = row(
        """UPDATE lines_trial_code SET try_count = try_count + 1 WHERE id = (
               SELECT c.id FROM lines_trial_code c
               JOIN lines_trial_recipient r ON r.account_id = c.account_id AND r.recipient = c.recipient
                   AND r.removed_at IS NULL AND r.verified_at IS NULL
               WHERE c.account_id = :account_id AND c.recipient = :recipient ORDER BY c.id DESC LIMIT 1)
           AND try_count < :most AND expires_at > :at RETURNING code_hash""",
        account_id=account_id,
        recipient=recipient,
        most=CODE_TRIES,
        at=at,
    )
    if sent is None:
        raise WrongCode(N_("This code is no longer valid; ask for a new one."))
    if not hmac.compare_digest(bytes(sent.code_hash), _hash(account_id, recipient, code)):
        return False
    _verify(account_id, recipient, at)
    return True


def _verify(account_id: int, recipient: int, at: datetime) -> None:
    taken = scalar(
        "SELECT 1 FROM lines_trial_recipient WHERE recipient = :recipient AND verified_at IS NOT NULL"
        " AND account_id <> :account_id",
        recipient=recipient,
        account_id=account_id,
    )
    if taken:
        raise Refusal(N_("This number has been used for the trials of another account."))
    ever = scalar(
        "SELECT count(*) FROM lines_trial_recipient WHERE account_id = :id AND verified_at IS NOT NULL", id=account_id
    )
    if ever >= MOST_EVER:
        raise Refusal(N_("The numbers were changed too often; ask the staff."))
    execute(
        "UPDATE lines_trial_recipient SET verified_at = :at WHERE account_id = :account_id AND recipient = :recipient",
        at=at,
        account_id=account_id,
        recipient=recipient,
    )


def remove_number(*, account_id: int, recipient: int, at: datetime) -> None:
    """Take a number out; one that was verified stays with the account all the same. Raises NotFound."""
    one = "WHERE account_id = :account_id AND recipient = :recipient AND removed_at IS NULL"
    whose: dict[str, object] = {"account_id": account_id, "recipient": recipient}
    removed = execute(f"DELETE FROM lines_trial_recipient {one} AND verified_at IS NULL", **whose)  # noqa: S608 - our own
    removed += execute(f"UPDATE lines_trial_recipient SET removed_at = :at {one}", at=at, **whose)  # noqa: S608
    if not removed:
        raise NotFound(N_("There is no such number."))


def add_verified(*, account_id: int, recipients: Sequence[int], at: datetime) -> None:
    """Numbers somebody vouches for without a code: those of sample data."""
    execute(
        "INSERT INTO lines_trial_recipient (account_id, recipient, verified_at, added_at)"
        " SELECT :account_id, n, :at, :at FROM unnest(CAST(:recipients AS bigint[])) AS n ON CONFLICT DO NOTHING",
        account_id=account_id,
        recipients=list(recipients),
        at=at,
    )
