"""Whose prices an account pays: the resellers above it, and what they ask."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.queries import resellers_above
from sms.billing.price_lists.rules import Asked, Chain
from sms.billing.rules import Language, Scope
from sms.billing.tiers.queries import tier_of
from sms.core.db import rows

COLUMNS = """
SELECT p.id, p.owner_id, p.account_id, p.operator_id, p.line_id, p.network_id, p.language, p.markup_permille,
       p.price_mrial, p.is_below_cost_confirmed, p.valid_from, p.valid_until
"""

IN_FORCE = "p.valid_from <= :at AND (p.valid_until IS NULL OR p.valid_until > :at)"


def payers(account_id: int) -> tuple[int, ...]:
    """The resellers above an account, nearest first: who earns of what it sends."""
    return resellers_above(account_id)


def chain(account_id: int, *, at: datetime) -> Chain:
    """Whose prices an account pays at a moment; two small statements where the installation is right above it."""
    above = payers(account_id)
    found = _asked(above, at) if above else []
    return Chain(account_id, above, found, at, tier_of((account_id, *above)[-1], at))


def chain_below(owner_id: int, *, at: datetime) -> Chain:
    """The chain of a sub-account of `owner_id` that has no rows of its own."""
    above = (owner_id, *payers(owner_id))
    return Chain(None, above, _asked(above, at), at, tier_of(above[-1], at))


def _asked(owner_ids: Sequence[int], at: datetime) -> list[Asked]:
    found = rows(
        f"{COLUMNS} FROM billing_price_list p WHERE p.owner_id = ANY(:owners) AND {IN_FORCE}",
        owners=list(owner_ids),
        at=at,
    )
    return [asked_of(each) for each in found]


def asked_of(found: Row[Any]) -> Asked:
    """A row of a price list, of the columns above."""
    return Asked(
        id=found.id,
        owner_id=found.owner_id,
        account_id=found.account_id,
        scope=Scope(found.operator_id, found.line_id, found.network_id),
        language=Language(found.language) if found.language else None,
        markup_permille=found.markup_permille,
        price_mrial=found.price_mrial,
        is_below_cost_confirmed=found.is_below_cost_confirmed,
        valid_from=found.valid_from,
        valid_until=found.valid_until,
    )
