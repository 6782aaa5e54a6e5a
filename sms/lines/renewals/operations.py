"""Writes of renewals: reminders and suspensions by the timetable, in sets; renewing by the owner."""

from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import execute, row, rows
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.ledger.operations import customer_wallet_id, open_wallet, post
from sms.ledger.rules import Posting, TransferKind, WalletKind
from sms.lines.orders.rules import PriceChanged
from sms.lines.queries import NO_SUCH_LINE
from sms.lines.renewals.queries import FORMAT_OF_LINE, Lease, lease
from sms.lines.renewals.rules import FIRST_DAYS, USUAL_GRACE_DAYS, check_open, stage

_AT = "CAST(:at AS timestamptz)"
_GRACE = f"make_interval(days => coalesce(f.grace_days, {USUAL_GRACE_DAYS}))"

# The stages of `sms.lines.renewals.rules`, for all lines at once; each is told once for each end.
_REMIND = f"""
INSERT INTO lines_reminder (line_id, expires_at, kind, reminded_at)
SELECT l.id, l.expires_at,
       CASE WHEN {_AT} >= l.expires_at + {_GRACE} THEN 'suspended' WHEN {_AT} >= l.expires_at THEN 'expired'
            WHEN {_AT} >= l.expires_at - interval '1 day' THEN 'before_1'
            WHEN {_AT} >= l.expires_at - interval '7 days' THEN 'before_7' ELSE 'before_30' END, {_AT}
FROM lines_line l {FORMAT_OF_LINE}
WHERE l.account_id IS NOT NULL AND l.expires_at <= {_AT} + interval '{FIRST_DAYS} days'
ON CONFLICT DO NOTHING RETURNING line_id
"""  # noqa: S608 - the words put in are our own

_SUSPEND = f"""
UPDATE lines_line u SET suspended_at = {_AT} FROM lines_line l {FORMAT_OF_LINE}
WHERE u.id = l.id AND l.account_id IS NOT NULL AND l.suspended_at IS NULL AND l.expires_at + {_GRACE} <= {_AT}
RETURNING u.id, u.account_id, u.number
"""  # noqa: S608 - the words put in are our own

_MOVE_NUMBERS = """
WITH moved AS (
    UPDATE lines_number SET state = :after, state_at = :at WHERE line_id = ANY(:line_ids) AND state = :before
    RETURNING id, account_id)
INSERT INTO lines_number_step (number_id, from_state, to_state, actor_id, account_id, reason, moved_at)
SELECT id, :before, :after, CAST(:actor_id AS bigint), account_id, 'renewal', :at FROM moved
"""


def remind(*, at: datetime) -> int:
    """Note for every line that nears its end how near it is; returns how many owners have something new to read."""
    return len(rows(_REMIND, at=at))


def suspend(*, at: datetime) -> int:
    """Lines whose grace is over may not send any more; they stay their owners'. Returns how many."""
    found = rows(_SUSPEND, at=at)
    if found:
        ids = [line.id for line in found]
        execute(_MOVE_NUMBERS, before="active", after="suspended", line_ids=ids, actor_id=None, at=at)
    for line in found:
        _audit("line.suspended", line.id, line.account_id, {"number": line.number}, by=Actor(), at=at)
    return len(found)


def renew(
    *, account_id: int, line_id: int, expires_at: str, shown_mrial: int | None, by: Actor, at: datetime
) -> datetime:
    """Pay for one more period of one's own line; returns its new end.

    `expires_at` is the end that stood on the page, so that a form sent twice pays once. Raises NotFound, Refusal,
    PriceChanged, InsufficientBalance.
    """
    if row("SELECT id FROM lines_line WHERE id = :id FOR NO KEY UPDATE", id=line_id) is None:
        raise NotFound(NO_SUCH_LINE)
    found = lease(account_id=account_id, line_id=line_id, at=at)
    ends_at = check_open(expires_at=found.expires_at, at=at)
    if ends_at.isoformat() != expires_at:
        raise Refusal(N_("This period is renewed already; look at the page once more."))
    if found.price_mrial != shown_mrial:
        raise PriceChanged(found.price_mrial)
    made = row(
        f"""INSERT INTO lines_renewal (line_id, account_id, expired_at, renewed_until, amount_mrial, actor_id,
                renewed_at)
            VALUES (:line_id, :account_id, :ends_at, CAST(:ends_at AS timestamptz) + make_interval(months => :months),
                :amount, :actor_id, {_AT}) RETURNING id, renewed_until""",  # noqa: S608 - the words put in are our own
        line_id=line_id,
        account_id=account_id,
        ends_at=ends_at,
        months=found.months,
        amount=found.price_mrial,
        actor_id=by.id,
        at=at,
    )
    if made is None:
        raise LookupError(line_id)
    _pay(found, made.id, by=by, at=at)
    _go_on(found, made.renewed_until, by=by, at=at)
    details = {"number": found.number, "amount_mrial": found.price_mrial, "until": made.renewed_until.isoformat()}
    _audit("line.renewed", line_id, account_id, details, by=by, at=at)
    until: datetime = made.renewed_until
    return until


def _pay(found: Lease, renewal_id: int, *, by: Actor, at: datetime) -> None:
    """Customer → revenue, at once: what is renewed need not be bought first."""
    amount = found.price_mrial
    if not amount:
        return
    revenue = open_wallet(code=f"{WalletKind.REVENUE}:{found.operator_code}", kind=WalletKind.REVENUE, at=at)
    wallet_id = customer_wallet_id(account_id=found.account_id, at=at)
    posting = Posting(
        kind=TransferKind.RENEWAL,
        key=f"renewal:{renewal_id}",
        subject=f"line:{found.line_id}",
        amounts_mrial={wallet_id: -amount, revenue: amount},
        actor_id=by.id,
    )
    post([posting], at=at)


def _go_on(found: Lease, until: datetime, *, by: Actor, at: datetime) -> None:
    """The new end; a suspended line sends again unless it is so late that even that end is past."""
    is_late = stage(expires_at=until, grace_days=found.grace_days, at=at) == "suspended"
    execute(
        """UPDATE lines_line SET expires_at = :until, suspended_at = CASE WHEN :is_late THEN suspended_at END
           WHERE id = :id""",
        id=found.line_id,
        until=until,
        is_late=is_late,
    )
    if found.suspended_at is not None and not is_late:
        execute(_MOVE_NUMBERS, before="suspended", after="active", line_ids=[found.line_id], actor_id=by.id, at=at)


def _audit(action: str, line_id: int, account_id: int, details: dict[str, object], *, by: Actor, at: datetime) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=action,
        subject=f"line:{line_id}",
        details=details,
        at=at,
        address=by.address,
    )
