"""Writes of opt-outs."""

from collections.abc import Iterable
from datetime import datetime

from sms.core.db import execute


def opt_out(*, account_id: int, recipients: Iterable[int], line_id: int | None, reason: str, at: datetime) -> int:
    """Keep recipients (98…) from an account's texts over one line, or (None) over all; returns how many are new.

    Who has opted out before keeps the first reason and time.
    """
    wanted = sorted(set(recipients))
    if not wanted:
        return 0
    return execute(
        """INSERT INTO contacts_optout (account_id, recipient, line_id, reason, created_at)
           SELECT :account_id, n.recipient, :line_id, :reason, :at
           FROM unnest(CAST(:recipients AS bigint[])) AS n (recipient)
           ON CONFLICT (account_id, recipient, line_id) DO NOTHING""",
        account_id=account_id,
        recipients=wanted,
        line_id=line_id,
        reason=reason,
        at=at,
    )


def opt_in(*, account_id: int, recipients: Iterable[int], line_id: int | None) -> int:
    """Take opt-outs back, those over this line or (None) those over all lines; returns how many there were."""
    return execute(
        """DELETE FROM contacts_optout WHERE account_id = :account_id AND recipient = ANY(:recipients)
           AND line_id IS NOT DISTINCT FROM :line_id""",
        account_id=account_id,
        recipients=sorted(set(recipients)),
        line_id=line_id,
    )
