"""Reads of taxes: what holds at a moment, and all that ever did."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows, scalar

_HOLDS = """
SELECT coalesce(permille, part_mrial) FROM billing_tax WHERE kind = :kind AND valid_from <= :at
ORDER BY valid_from DESC, id DESC LIMIT 1
"""


def vat_permille(at: datetime) -> int:
    """VAT on what is paid in at a moment, in thousandths of the net amount; 0 where none was ever stated."""
    return int(scalar(_HOLDS, kind="vat", at=at) or 0)


def levy_mrial(at: datetime) -> int:
    """The levy on a part at a moment, in milli-rial; 0 where none was ever stated.

    It is part of the price of a part: whatever prices a send adds it to `Price.price_mrial` and to `Price.cost_mrial`
    (it is passed on, nothing of it is earned) once a part, after every discount.
    """
    return int(scalar(_HOLDS, kind="levy", at=at) or 0)


def taxes(*, at: datetime, before: int | None = None, most: int = 26) -> Sequence[Row[Any]]:
    """A page of all rows, the last written first, below the id `before`; `holds` where it is in force."""
    return rows(
        """SELECT t.id, t.kind, t.permille, t.part_mrial, t.note, t.valid_from, u.username AS author, t.id = (
               SELECT h.id FROM billing_tax h WHERE h.kind = t.kind AND h.valid_from <= :at
               ORDER BY h.valid_from DESC, h.id DESC LIMIT 1) AS holds, t.valid_from > :at AS is_coming
           FROM billing_tax t LEFT JOIN accounts_user u ON u.id = t.created_by
           WHERE CAST(:before AS int) IS NULL OR t.id < :before ORDER BY t.id DESC LIMIT :most""",
        at=at,
        before=before,
        most=most,
    )
