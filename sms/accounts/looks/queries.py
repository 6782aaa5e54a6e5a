"""Reads of looks: who signed in as somebody of an account, why, and what they did there."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows


def looks(account_id: int, *, before: int | None, most: int) -> Sequence[Row[Any]]:
    """Who looked into an account, the latest first, older than the look `before`."""
    return rows(
        """SELECT l.id, l.reason, l.may_act, l.began_at, l.ends_at, u.username, coalesce(nullif(m.full_name, ''),
                  m.username) AS actor, a.name AS actor_account
           FROM accounts_look l JOIN accounts_user u ON u.id = l.user_id JOIN accounts_user m ON m.id = l.actor_id
           JOIN accounts_account a ON a.id = m.account_id
           WHERE l.account_id = :id AND (CAST(:before AS bigint) IS NULL OR l.id < :before)
           ORDER BY l.id DESC LIMIT :most""",
        id=account_id,
        before=before,
        most=most,
    )


def deeds(look_ids: Sequence[int]) -> Mapping[int, Sequence[Row[Any]]]:
    """What was done in looks (action, subject, moment), oldest first, by look; that they began and ended is no deed."""
    found: dict[int, list[Row[Any]]] = {}
    for deed in rows(
        """SELECT look_id, action, subject, at FROM accounts_audit
           WHERE look_id = ANY(:ids) AND action NOT IN ('look.begun', 'look.ended') ORDER BY id LIMIT 500""",
        ids=list(look_ids),
    ):
        found.setdefault(deed.look_id, []).append(deed)
    return found
