"""Reads of tiers: the steps, what an account topped up, where it stands and why."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.billing.tiers.rules import MOST_DAYS, Basis, PaidIn, Standing, Step, next_step
from sms.core.db import row, rows, scalar

_STEPS = """
SELECT * FROM (
    SELECT DISTINCT ON (audience, basis, days, from_mrial) id, audience, basis, days, from_mrial, discount_permille,
           valid_from
    FROM billing_tier WHERE valid_from <= :at ORDER BY audience, basis, days, from_mrial, valid_from DESC, id DESC
) last WHERE discount_permille IS NOT NULL AND (:audience = '' OR audience = :audience)
ORDER BY audience, basis, days, from_mrial
"""

# What a parent gave is no top-up, and what staff took back was none.
_PAID = """
SELECT e.amount_mrial, t.posted_at AS paid_at
FROM ledger_wallet w JOIN ledger_entry e ON e.wallet_id = w.id JOIN ledger_transfer t ON t.id = e.transfer_id
WHERE w.account_id = :account_id AND w.kind = 'customer' AND t.kind = 'topup' AND e.amount_mrial > 0
  AND t.posted_at > :since AND t.posted_at <= :at
  AND NOT EXISTS (SELECT FROM ledger_transfer r WHERE r.reverses_id = t.id)
ORDER BY t.posted_at DESC, t.id DESC
"""

# The last word of staff goes before all that was earned, as long as it holds.
_STANDING = """
WITH held AS (
    SELECT t.* FROM billing_account_tier t JOIN accounts_account a ON a.id = t.account_id
    JOIN accounts_account p ON p.id = a.parent_id AND p.kind = 'installation'
    WHERE t.account_id = {account_id} AND t.valid_from <= {at}
), by_hand AS (SELECT * FROM held WHERE tier_id IS NULL ORDER BY id DESC LIMIT 1)
SELECT * FROM (
    SELECT h.*, 1 AS place FROM by_hand h
    WHERE h.discount_permille IS NOT NULL AND (h.valid_until IS NULL OR h.valid_until > {at})
    UNION ALL SELECT h.*, 2 FROM held h WHERE h.tier_id IS NOT NULL AND h.valid_until > {at}
) standing ORDER BY place, discount_permille DESC, valid_until DESC, id DESC LIMIT 1
"""
_TIER = _STANDING.format(account_id=":account_id", at=":at")
_TIERS = f"""
SELECT x.account_id, x.at, t.discount_permille
FROM unnest(CAST(:accounts AS bigint[]), CAST(:moments AS timestamptz[])) AS x (account_id, at)
CROSS JOIN LATERAL ({_STANDING.format(account_id="x.account_id", at="x.at")}) t
"""  # noqa: S608 - our own words


def tier_of(account_id: int, at: datetime) -> int:
    """How much less than the installation's tariff an account pays at a moment, in thousandths.

    0 for accounts below a reseller: their prices are their reseller's.
    """
    found = row(_TIER, account_id=account_id, at=at)
    return int(found.discount_permille) if found is not None else 0


def tiers_of(wanted: Iterable[tuple[int, datetime]]) -> dict[tuple[int, datetime], int]:
    """The same of many accounts, each at a moment of its own, in one statement; who has no discount is left out."""
    pairs = list(wanted)
    found = rows(_TIERS, accounts=[account_id for account_id, _ in pairs], moments=[at for _, at in pairs])
    return {(each.account_id, each.at): each.discount_permille for each in found}


def steps(*, at: datetime, audience: str = "") -> Sequence[Row[Any]]:
    """The steps in force, of one audience or (empty) of all: id, audience, basis, days, from_mrial,
    discount_permille."""
    return rows(_STEPS, at=at, audience=audience)


def steps_for(account_id: int, *, at: datetime) -> list[Step]:
    """The steps an account can reach; none where it does not stand right under the installation."""
    kind = scalar(
        "SELECT a.kind FROM accounts_account a JOIN accounts_account p ON p.id = a.parent_id"
        " WHERE a.id = :id AND p.kind = 'installation'",
        id=account_id,
    )
    return [_step(found) for found in steps(at=at, audience=kind)] if kind else []


def _step(found: Row[Any]) -> Step:
    return Step(found.id, Basis(found.basis), found.days, found.from_mrial, found.discount_permille)


def paid_in(account_id: int, *, at: datetime) -> list[PaidIn]:
    """The top-ups of an account that can still count, the newest first, less what was taken back."""
    found = rows(_PAID, account_id=account_id, since=at - timedelta(days=MOST_DAYS), at=at)
    return [PaidIn(each.amount_mrial, each.paid_at) for each in found]


def standing(account_id: int, *, at: datetime) -> Standing:
    """Where an account stands, why, and what it lacks for the next step."""
    found = row(_TIER, account_id=account_id, at=at)
    permille = found.discount_permille if found is not None else 0
    ahead = next_step(steps_for(account_id, at=at), paid_in(account_id, at=at), above_permille=permille, at=at) or (
        None,
        0,
    )
    if found is None:
        return Standing(following=ahead[0], missing_mrial=ahead[1])
    tier = row("SELECT * FROM billing_tier WHERE id = :id", id=found.tier_id) if found.tier_id else None
    return Standing(
        discount_permille=permille,
        step=Step(tier.id, Basis(tier.basis), tier.days, tier.from_mrial, permille) if tier is not None else None,
        counted_mrial=found.counted_mrial or 0,
        reason=found.reason,
        valid_until=found.valid_until,
        following=ahead[0],
        missing_mrial=ahead[1],
    )


def history(account_id: int, *, most: int = 50) -> Sequence[Row[Any]]:
    """What an account was given, the last first; for the staff."""
    return rows(
        """SELECT t.id, t.tier_id, t.discount_permille, t.counted_mrial, t.reason, t.valid_from, t.valid_until,
               u.username AS author, b.basis, b.days, b.from_mrial
           FROM billing_account_tier t LEFT JOIN billing_tier b ON b.id = t.tier_id
           LEFT JOIN accounts_user u ON u.id = t.created_by
           WHERE t.account_id = :account_id ORDER BY t.id DESC LIMIT :most""",
        account_id=account_id,
        most=most,
    )
