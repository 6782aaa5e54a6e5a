"""Writes of permissions to send links: granted with a reason, and ended; both are in the audit."""

from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import row, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.links.rules import check_expiry, check_reason


def permit(
    *, account_id: int, line_number: str, reason: str, expires_at: datetime | None, by: Actor, at: datetime
) -> int:
    """Let an account send links over one line, or over all lines that it may use when none is named; returns the
    permission's id. Raises Refusal."""
    line_id = scalar("SELECT id FROM lines_line WHERE number = :number", number=line_number) if line_number else None
    if line_number and line_id is None:
        raise Refusal(N_("There is no such line."))
    values = {"reason": check_reason(reason), "expires_at": check_expiry(expires_at, at=at)}
    made = int(
        scalar(
            """INSERT INTO lines_link_permission (account_id, line_id, reason, granted_by, granted_at, expires_at)
               VALUES (:account_id, :line_id, :reason, :by, :at, :expires_at) RETURNING id""",
            account_id=account_id,
            line_id=line_id,
            by=by.id,
            at=at,
            **values,
        )
    )
    details = {"line": line_number, **values}
    record(
        actor_id=by.id,
        account_id=account_id,
        action="lines.links_permitted",
        subject=f"line:{line_id}" if line_id else "",
        details=details,
        at=at,
        address=by.address,
    )
    return made


def end_permission(*, permission_id: int, by: Actor, at: datetime) -> None:
    """Take a permission back from now on; raises NotFound when there is none that holds."""
    ended = row(
        "UPDATE lines_link_permission SET ended_by = :by, ended_at = :at WHERE id = :id AND ended_at IS NULL"
        " RETURNING account_id, line_id",
        id=permission_id,
        by=by.id,
        at=at,
    )
    if ended is None:
        raise NotFound(N_("There is no such permission."))
    record(
        actor_id=by.id,
        account_id=ended.account_id,
        action="lines.links_permission_ended",
        subject=f"line:{ended.line_id}" if ended.line_id else "",
        at=at,
        address=by.address,
    )
