"""Which fixed prices of all resellers are, or come to be, below what their owners pay: for jobs of the house only."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.billing.price_lists.queries.chains import COLUMNS, IN_FORCE, asked_of
from sms.billing.price_lists.rules import Asked, Loss, Market, Place
from sms.billing.queries import all_rates
from sms.billing.tiers.queries import tiers_of
from sms.core.db import rows
from sms.operators.queries import networks

# All that holds or begins in time, and what held above those who confirmed a price below cost when that price began.
_ASKED = f"""
WITH RECURSIVE consents AS (
    SELECT o.parent_id AS owner_id, p.valid_from AS at
    FROM billing_price_list p JOIN accounts_account o ON o.id = p.owner_id
    WHERE p.is_below_cost_confirmed AND p.price_mrial IS NOT NULL AND o.is_open AND {IN_FORCE}
    UNION
    SELECT a.parent_id, c.at FROM consents c JOIN accounts_account a ON a.id = c.owner_id
), wanted AS (
    SELECT p.id FROM billing_price_list p
    WHERE p.valid_from <= :until AND (p.valid_until IS NULL OR p.valid_until > :at)
    UNION
    SELECT p.id FROM consents c JOIN billing_price_list p
        ON p.owner_id = c.owner_id AND p.valid_from <= c.at AND p.valid_until > c.at
)
{COLUMNS}
FROM wanted JOIN billing_price_list p ON p.id = wanted.id
JOIN accounts_account o ON o.id = p.owner_id AND o.is_open
LEFT JOIN accounts_account a ON a.id = p.account_id
WHERE a.state IS DISTINCT FROM 'closed' ORDER BY p.id
"""  # noqa: S608 - our own words

_RESELLERS = "SELECT id, parent_id FROM accounts_account WHERE kind = 'reseller'"

# The lines that prices name: public ones are everybody's, others their owner's and whose they were handed to.
_PLACES = """
SELECT l.id, l.operator_id, l.kind = 'public' AS is_public,
       array_agg(a.id) FILTER (WHERE a.id IS NOT NULL) AS holders,
       array_agg(a.parent_id) FILTER (WHERE a.id IS NOT NULL) AS parents
FROM lines_line l LEFT JOIN lines_share s ON s.line_id = l.id
LEFT JOIN accounts_account a ON a.id IN (l.account_id, s.account_id)
WHERE l.is_active AND l.id IN (
    SELECT t.line_id FROM billing_tariff t WHERE t.valid_until IS NULL OR t.valid_until > :at
    UNION SELECT p.line_id FROM billing_price_list p WHERE p.valid_until IS NULL OR p.valid_until > :at)
GROUP BY l.id ORDER BY l.id
"""


def losses(*, at: datetime, until: datetime) -> list[Loss]:
    """The fixed prices that are, or by `until` will be, below what their owner pays itself, in a few statements over
    all of them."""
    found = rows(_ASKED, at=at, until=until)
    asked: dict[int, list[Asked]] = {}
    for each in found:
        asked.setdefault(each.owner_id, []).append(asked_of(each))
    parents = {each.id: each.parent_id for each in rows(_RESELLERS)}
    above = {owner_id: _lineage(parents[owner_id], parents) for owner_id in asked}
    consents = [row for each in asked.values() for row in each if _is_consent(row, at)]
    since = min((row.valid_from for row in consents), default=at)
    market = Market(
        rates=all_rates(since=since, until=until),
        asked=asked,
        above=above,
        discounts=tiers_of(_moments(above, consents, at)),
        places=[_place(each, parents) for each in rows(_PLACES, at=at)],
        network_ids=[each.id for each in networks()],
        at=at,
        until=until,
    )
    return list(market.losses())


def _is_consent(row: Asked, at: datetime) -> bool:
    return row.is_below_cost_confirmed and row.price_mrial is not None and row.valid_from <= at


def _moments(above: Mapping[int, Sequence[int]], consents: Iterable[Asked], at: datetime) -> set[tuple[int, datetime]]:
    """Whose tiers are asked for, at which moments: of the topmost ones, now and when something was confirmed."""
    tops = {owner_id: (owner_id, *higher)[-1] for owner_id, higher in above.items()}
    return {(top, at) for top in tops.values()} | {(tops[row.owner_id], row.valid_from) for row in consents}


def _lineage(account_id: int, parents: Mapping[int, int]) -> tuple[int, ...]:
    """A reseller and those above it, nearest first; none for the installation. `parents` are all resellers'."""
    found = []
    while account_id in parents:
        found.append(account_id)
        account_id = parents[account_id]
    return tuple(found)


def _place(found: Row[Any], parents: Mapping[int, int]) -> Place:
    if found.is_public:
        return Place(found.id, found.operator_id)
    above = (each for parent_id in found.parents or () for each in _lineage(parent_id, parents))
    return Place(found.id, found.operator_id, frozenset(found.holders or ()), frozenset(above))
