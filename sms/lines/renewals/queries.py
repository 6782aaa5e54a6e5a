"""Reads of renewals: what ends when, what renewing costs, and what owners are to be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.lines.queries import NO_SUCH_LINE
from sms.lines.renewals.rules import FIRST_DAYS, USUAL_GRACE_DAYS, Stage, price, stage


@dataclass(frozen=True, slots=True)
class Lease:
    """A line of an account with its end and the terms of one more period, as its operator's format states them now."""

    line_id: int
    account_id: int
    number: str
    alias: str
    operator_code: str
    bought_at: datetime | None
    bought_mrial: int | None
    expires_at: datetime | None
    suspended_at: datetime | None
    percent: int
    months: int
    grace_days: int

    @property
    def price_mrial(self) -> int:
        """What one more period costs."""
        return price(self.bought_mrial or 0, percent=self.percent)

    @property
    def suspends_at(self) -> datetime | None:
        """When it may send no more, if it is not renewed."""
        return self.expires_at + timedelta(days=self.grace_days) if self.expires_at else None

    def stage(self, at: datetime) -> Stage | None:
        """How near its end it is."""
        if self.expires_at is None:
            return None
        return stage(expires_at=self.expires_at, grace_days=self.grace_days, at=at)


FORMAT_OF_LINE = """
LEFT JOIN LATERAL (
    SELECT renewal_percent, renewal_months, grace_days FROM lines_format
    WHERE operator_id = l.operator_id AND digits = length(l.number) AND valid_from <= :at
    ORDER BY valid_from DESC, id DESC LIMIT 1) f ON true
"""
_LEASE = f"""
SELECT l.id AS line_id, l.account_id, l.number, l.alias, o.code AS operator_code, l.bought_at, l.bought_mrial,
       l.expires_at, l.suspended_at, coalesce(f.renewal_percent, 0) AS percent,
       coalesce(f.renewal_months, 12) AS months, coalesce(f.grace_days, {USUAL_GRACE_DAYS}) AS grace_days
FROM lines_line l JOIN operators_operator o ON o.id = l.operator_id {FORMAT_OF_LINE}
WHERE l.account_id = :account_id AND l.kind = 'dedicated'
"""  # noqa: S608 - the words put in are our own


def lease(*, account_id: int, line_id: int, at: datetime) -> Lease:
    """One line of an account; raises NotFound, also for somebody else's."""
    found = row(_LEASE + "AND l.id = :line_id", account_id=account_id, line_id=line_id, at=at)
    if found is None:
        raise NotFound(NO_SUCH_LINE)
    return Lease(**found._mapping)


def ending(*, account_id: int, at: datetime) -> list[tuple[Stage, Lease]]:
    """An account's lines that end within 30 days or have ended, the most pressing first."""
    found = rows(
        _LEASE + "AND l.expires_at <= CAST(:at AS timestamptz) + make_interval(days => :days) ORDER BY l.expires_at",
        account_id=account_id,
        at=at,
        days=FIRST_DAYS,
    )
    leases = [Lease(**each._mapping) for each in found]
    return [(reached, each) for each in leases if (reached := each.stage(at)) is not None]


def renewals(line_id: int) -> Sequence[Row[Any]]:
    """What was paid for a line so far, the newest first."""
    return rows(
        """SELECT r.renewed_at, r.expired_at, r.renewed_until, r.amount_mrial, u.username AS actor
           FROM lines_renewal r LEFT JOIN accounts_user u ON u.id = r.actor_id
           WHERE r.line_id = :line_id ORDER BY r.id DESC""",
        line_id=line_id,
    )
