"""Reads of the tree: what stands below an account, how deep, and who suspended whom."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sms.accounts.queries import account, literal
from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_

NO_SUCH_ACCOUNT = N_("There is no such account.")

# A tree is a range of paths: all that begin with its top's, of which the last character is a dot and "/" follows it.
_BELOW = """a.path COLLATE "C" > top.path AND a.path COLLATE "C" < rtrim(top.path, '.') || '/'"""
_ABOVE = """
LEFT JOIN LATERAL (
    WITH RECURSIVE up AS (
        SELECT p.id, p.parent_id, p.name, 1 AS step FROM accounts_account p WHERE p.id = a.parent_id AND p.id <> top.id
        UNION ALL
        SELECT p.id, p.parent_id, p.name, up.step + 1 FROM accounts_account p JOIN up ON p.id = up.parent_id
        WHERE p.id <> top.id
    ) SELECT array_agg(name ORDER BY step DESC) AS names FROM up
) above ON true
"""
_PAGE = f"""
SELECT a.id, a.kind, a.name, a.state, a.is_open, a.created_at, above.names AS above, u.username, u.full_name,
       cardinality(coalesce(above.names, '{{}}')) + 1 AS depth
FROM accounts_account top JOIN accounts_account a ON {_BELOW} {_ABOVE}
LEFT JOIN LATERAL (SELECT username, full_name FROM accounts_user WHERE account_id = a.id
                   ORDER BY role = 'owner' DESC, id LIMIT 1) u ON true
WHERE top.id = :top_id AND (CAST(:after AS text) IS NULL OR a.path COLLATE "C" > :after)
  AND (:kind = '' OR a.kind = :kind)
  AND (:state = '' OR CASE :state WHEN 'active' THEN a.is_open WHEN 'closed' THEN a.state = 'closed'
                                  ELSE NOT a.is_open AND a.state <> 'closed' END)
  AND (:search = '' OR a.name ILIKE :pattern OR EXISTS (
       SELECT FROM accounts_user x WHERE x.account_id = a.id AND (x.username LIKE :pattern OR x.full_name ILIKE :pattern
              OR x.mobile = :mobile)))
ORDER BY a.path COLLATE "C" LIMIT :most
"""  # noqa: S608 - our own words


def tree_page(
    top_id: int,
    *,
    after_id: int | None,
    most: int,
    search: str = "",
    mobile: int | None = None,
    kind: str = "",
    state: str = "",
) -> Sequence[Row[Any]]:
    """The accounts below one, each followed by those below it, behind the account `after_id`; `above` are the names
    between the top and it. `search` is part of a name or user name, or a mobile; who is shut out by an account above
    counts as suspended."""
    return rows(
        _PAGE,
        top_id=top_id,
        after=below(top_id, after_id).path if after_id is not None else None,
        most=most,
        search=search,
        pattern=f"%{literal(search)}%",
        mobile=mobile,
        kind=kind,
        state=state,
    )


def below(top_id: int, account_id: int) -> Row[Any]:
    """One account that stands somewhere below another; raises NotFound for all others, the other itself too."""
    found = row(
        f"""SELECT a.id, a.parent_id, a.path, a.kind, a.name, a.state, a.is_open, a.money_unit, a.created_at,
                   above.names AS above, cardinality(coalesce(above.names, '{{}}')) + 1 AS depth
            FROM accounts_account top JOIN accounts_account a ON {_BELOW} {_ABOVE}
            WHERE top.id = :top_id AND a.id = :id""",  # noqa: S608 - our own words
        top_id=top_id,
        id=account_id,
    )
    if found is None:
        raise NotFound(NO_SUCH_ACCOUNT)
    return found


def is_within(top_id: int, account_id: int) -> bool:
    """Whether an account is another one or stands below it."""
    return bool(
        scalar(
            "SELECT starts_with(a.path, top.path) FROM accounts_account a, accounts_account top"
            " WHERE a.id = :id AND top.id = :top_id",
            id=account_id,
            top_id=top_id,
        )
    )


def resellers_within(top_id: int, most: int = 500) -> Sequence[Row[Any]]:
    """The open accounts of a tree that others may stand below, by their place: the top itself first."""
    return rows(
        f"""SELECT a.id, a.name FROM accounts_account top JOIN accounts_account a ON a.id = top.id OR ({_BELOW})
            WHERE top.id = :top_id AND a.is_open AND a.kind IN ('installation', 'reseller')
            ORDER BY a.path COLLATE "C" LIMIT :most""",  # noqa: S608 - our own words
        top_id=top_id,
        most=most,
    )


def suspensions(account_id: int) -> Sequence[Row[Any]]:
    """Why an account is shut out: what stands on it and on all above it, the highest first."""
    return rows(
        """SELECT s.account_id, s.by_account_id, s.reason, s.since_at, a.name, b.name AS by_name,
                  b.kind AS by_kind, u.username
           FROM accounts_account me JOIN accounts_account a ON starts_with(me.path, a.path)
           JOIN accounts_suspension s ON s.account_id = a.id JOIN accounts_account b ON b.id = s.by_account_id
           LEFT JOIN accounts_user u ON u.id = s.user_id
           WHERE me.id = :id ORDER BY length(a.path), s.since_at, s.by_account_id""",
        id=account_id,
    )


def open_below(account_id: int) -> int:
    """How many accounts right below one are not closed."""
    return int(
        scalar(
            "SELECT count(*) FROM accounts_account WHERE parent_id = :id AND state <> 'closed'",
            id=account(account_id).id,
        )
    )
