"""Reads of public lines' policies, of free messages that are left, and of the numbers they may go to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.lines.public.rules import Standing

_STANDINGS = """
SELECT o.id AS operator_id, o.code AS operator_code, coalesce(p.policy, '') AS policy, p.valid_from,
       coalesce(p.free_messages, 0) AS free_messages, coalesce(t.used_count, 0) AS used_count
FROM operators_operator o LEFT JOIN lines_public_policies(:at) p ON p.operator_id = o.id
LEFT JOIN lines_trial t ON t.operator_id = o.id AND t.account_id = :account_id
"""


def standings(account_id: int, *, at: datetime) -> Mapping[int, Standing]:
    """How an account stands with the public lines of each operator at a moment, by the operator's id."""
    return {found.operator_id: _standing(found) for found in rows(_STANDINGS, account_id=account_id, at=at)}


def standing(account_id: int, *, operator_id: int, at: datetime) -> Standing:
    """How an account stands with the public lines of one operator at a moment."""
    found = row(_STANDINGS + "WHERE o.id = :operator_id", account_id=account_id, operator_id=operator_id, at=at)
    return _standing(found) if found is not None else Standing("", "", None, 0)


def _standing(found: Row[Any]) -> Standing:
    return Standing(found.operator_code, found.policy, found.valid_from, found.free_messages, found.used_count)


@dataclass(frozen=True, slots=True)
class TrialNumber:
    """A number of an account that trials go to, once it is verified."""

    recipient: int
    verified_at: datetime | None
    added_at: datetime


def numbers(account_id: int) -> list[TrialNumber]:
    """The numbers an account has, in the order in which they were added."""
    found = rows(
        "SELECT recipient, verified_at, added_at FROM lines_trial_recipient"
        " WHERE account_id = :id AND removed_at IS NULL ORDER BY added_at, recipient",
        id=account_id,
    )
    return [TrialNumber(**number._mapping) for number in found]


def verified(account_id: int) -> frozenset[int]:
    """The numbers an account's trials may go to."""
    return frozenset(number.recipient for number in numbers(account_id) if number.verified_at is not None)


def foreign(account_id: int, recipients: Collection[int]) -> int:
    """How many of these recipients are none of an account's verified numbers."""
    return len(set(recipients) - verified(account_id))


# For the staff


def policies(*, before: int | None = None, most: int = 50) -> Sequence[Row[Any]]:
    """All policies that were ever set, the last added first, below the id `before`."""
    return rows(
        """SELECT p.id, p.policy, p.free_messages, p.note, p.valid_from, p.created_at, p.operator_id,
                  o.code AS operator_code, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en,
                  u.username AS author
           FROM lines_public_policy p LEFT JOIN operators_operator o ON o.id = p.operator_id
           LEFT JOIN accounts_user u ON u.id = p.created_by
           WHERE CAST(:before AS int) IS NULL OR p.id < :before ORDER BY p.id DESC LIMIT :most""",
        before=before,
        most=most,
    )


def in_force(*, at: datetime) -> Sequence[Row[Any]]:
    """What holds for each operator at a moment, and what comes next there."""
    return rows(
        """SELECT o.id, o.code, o.name_fa, o.name_en, o.colour, coalesce(p.policy, '') AS policy, p.free_messages,
                  p.note, p.valid_from, n.policy AS next_policy, n.valid_from AS next_from,
                  (SELECT count(*) FROM lines_line l WHERE l.operator_id = o.id AND l.kind = 'public' AND l.is_active)
                      AS line_count,
                  (SELECT coalesce(sum(t.used_count), 0) FROM lines_trial t WHERE t.operator_id = o.id) AS used_count
           FROM operators_operator o LEFT JOIN lines_public_policies(:at) p ON p.operator_id = o.id
           LEFT JOIN LATERAL (
               SELECT c.policy, c.valid_from FROM lines_public_policy c
               WHERE (c.operator_id = o.id OR c.operator_id IS NULL) AND c.valid_from > :at
               ORDER BY c.valid_from, c.id LIMIT 1
           ) n ON true
           ORDER BY o.code""",
        at=at,
    )
