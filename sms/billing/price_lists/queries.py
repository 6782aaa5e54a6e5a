"""Reads of price lists: whose prices an account pays, and the dated rows behind them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.queries import resellers_above
from sms.billing.price_lists.rules import Asked, Chain
from sms.billing.rules import Language, Phase, Scope
from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_

_COLUMNS = """
SELECT p.id, p.owner_id, p.account_id, p.operator_id, p.line_id, p.network_id, p.language, p.markup_permille,
       p.price_mrial, p.is_below_cost_confirmed, p.valid_from, p.valid_until
"""

_IN_FORCE = "p.valid_from <= :at AND (p.valid_until IS NULL OR p.valid_until > :at)"


def payers(account_id: int) -> tuple[int, ...]:
    """The resellers above an account, nearest first: who earns of what it sends."""
    return resellers_above(account_id)


def chain(account_id: int, *, at: datetime) -> Chain:
    """Whose prices an account pays at a moment; one small statement where the installation is right above it."""
    above = payers(account_id)
    found = _asked(above, at) if above else []
    return Chain(account_id, above, found, at)


def chain_below(owner_id: int, *, at: datetime) -> Chain:
    """The chain of a sub-account of `owner_id` that has no rows of its own."""
    above = (owner_id, *payers(owner_id))
    return Chain(None, above, _asked(above, at), at)


def _asked(owner_ids: Sequence[int], at: datetime) -> list[Asked]:
    found = rows(
        f"{_COLUMNS} FROM billing_price_list p WHERE p.owner_id = ANY(:owners) AND {_IN_FORCE}",
        owners=list(owner_ids),
        at=at,
    )
    return [_row(each) for each in found]


def _row(found: Row[Any]) -> Asked:
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


# What the owner looks at

_PHASES = {
    "": "true",
    Phase.CURRENT: _IN_FORCE,
    Phase.COMING: "p.valid_from > :at AND (p.valid_until IS NULL OR p.valid_until > p.valid_from)",
    Phase.ENDED: "p.valid_until <= greatest(:at, p.valid_from)",
}

_NAMES = """
    , u.username AS author, a.name AS account_name, o.code AS operator_code, o.name_fa AS operator_name_fa,
    o.name_en AS operator_name_en, o.colour, l.number AS line_number, n.code AS network_code,
    n.name_fa AS network_name_fa, n.name_en AS network_name_en
FROM billing_price_list p LEFT JOIN lines_line l ON l.id = p.line_id
JOIN operators_operator o ON o.id = coalesce(p.operator_id, l.operator_id)
LEFT JOIN operators_network n ON n.id = p.network_id LEFT JOIN accounts_user u ON u.id = p.created_by
LEFT JOIN accounts_account a ON a.id = p.account_id
"""


def page(
    owner_id: int, *, at: datetime, phase: str = "", before: int | None = None, most: int = 26
) -> Sequence[Row[Any]]:
    """A page of an owner's rows of all times, the last added first, below the id `before`."""
    return rows(
        f"{_COLUMNS}{_NAMES} WHERE p.owner_id = :owner_id AND {_PHASES[phase]}"
        " AND (CAST(:before AS int) IS NULL OR p.id < :before) ORDER BY p.id DESC LIMIT :most",
        owner_id=owner_id,
        before=before,
        most=most,
        **({"at": at} if phase else {}),
    )


def sub_account(owner_id: int, account_id: int) -> Row[Any]:
    """An account right below the owner (id, name, kind); raises NotFound."""
    found = row(
        "SELECT id, name, kind FROM accounts_account WHERE id = :id AND parent_id = :owner_id",
        id=account_id,
        owner_id=owner_id,
    )
    if found is None:
        raise NotFound(N_("There is no such account."))
    return found


def sub_accounts(owner_id: int, *, most: int = 500) -> Sequence[Row[Any]]:
    """The accounts right below the owner that are not closed, by name, for choices."""
    return rows(
        "SELECT id, name FROM accounts_account WHERE parent_id = :owner_id AND state <> 'closed' ORDER BY name, id"
        " LIMIT :most",
        owner_id=owner_id,
        most=most,
    )
