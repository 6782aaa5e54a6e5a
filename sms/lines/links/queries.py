"""Reads of permissions to send links."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows

_VIEW = """
SELECT p.id, p.account_id, a.name AS account_name, p.line_id, l.number AS line_number, p.reason, p.granted_at,
       p.expires_at, p.ended_at, g.username AS granted_by, e.username AS ended_by
FROM lines_link_permission p JOIN accounts_account a ON a.id = p.account_id
LEFT JOIN lines_line l ON l.id = p.line_id
LEFT JOIN accounts_user g ON g.id = p.granted_by LEFT JOIN accounts_user e ON e.id = p.ended_by
"""


def permissions(*, before: int | None = None, most: int = 51) -> Sequence[Row[Any]]:
    """Every permission that was ever granted, the last first, below the id `before`."""
    return rows(
        _VIEW + "WHERE CAST(:before AS int) IS NULL OR p.id < :before ORDER BY p.id DESC LIMIT :most",
        before=before,
        most=most,
    )


def strict_lines() -> Sequence[Row[Any]]:
    """The lines that do not take links from everybody, by number."""
    return rows(
        """SELECT l.id, l.number, l.links, o.code AS operator_code, a.name AS account_name FROM lines_line l
           JOIN operators_operator o ON o.id = l.operator_id LEFT JOIN accounts_account a ON a.id = l.account_id
           WHERE l.links <> 'allowed' ORDER BY o.code, l.number LIMIT 200"""
    )
