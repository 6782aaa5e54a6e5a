"""Reads of the numbers that can be sold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.lines.formats.rules.tiers import Tier
from sms.lines.stock.rules import Item, NumberKind

NO_SUCH_NUMBER = N_("There is no such number.")


@dataclass(frozen=True, slots=True)
class NumberView:
    """A number as pages show it; of a range `number` is what all its numbers begin with."""

    id: int
    operator_id: int
    operator_code: str
    operator_name_fa: str
    operator_name_en: str
    colour: str
    kind: str
    number: str
    digits: int
    score: int
    scored_tier: str
    override_tier: str | None
    tier: str
    state: str
    reserved_until: datetime | None
    account_id: int | None
    account_name: str | None
    line_id: int | None
    note: str
    created_at: datetime
    state_at: datetime

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return int(10 ** (self.digits - len(self.number)))


_VIEW = """
SELECT n.id, n.operator_id, o.code AS operator_code, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en,
       o.colour, n.kind, n.number, n.digits, n.score, n.scored_tier, n.override_tier, n.tier, n.state,
       n.reserved_until, n.account_id, a.name AS account_name, n.line_id, n.note, n.created_at, n.state_at
FROM lines_number n JOIN operators_operator o ON o.id = n.operator_id
LEFT JOIN accounts_account a ON a.id = n.account_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFilter:
    """What the staff's list is narrowed to."""

    operator_id: int | None = None
    digits: int | None = None
    tier: str = ""
    state: str = ""
    begins: str = ""
    ends: str = ""


_FILTERED = """
WHERE (CAST(:before AS int) IS NULL OR n.id < :before)
  AND (CAST(:operator_id AS int) IS NULL OR n.operator_id = :operator_id)
  AND (CAST(:digits AS int) IS NULL OR n.digits = :digits)
  AND (:tier = '' OR n.tier = :tier) AND (:state = '' OR n.state = :state)
  AND (:begins = '' OR n.number LIKE :begins || '%')
  AND (:ends = '' OR reverse(n.number) LIKE reverse(:ends) || '%')
ORDER BY n.id DESC LIMIT :most
"""


def numbers_page(wanted: StockFilter, *, before: int | None, most: int) -> list[NumberView]:
    """The newest numbers that fit, older than number `before`."""
    found = rows(
        _VIEW + _FILTERED,
        before=before,
        operator_id=wanted.operator_id,
        digits=wanted.digits,
        tier=wanted.tier,
        state=wanted.state,
        begins=wanted.begins,
        ends=wanted.ends,
        most=most,
    )
    return [NumberView(**each._mapping) for each in found]


def number(number_id: int) -> NumberView:
    """One of them; raises NotFound."""
    found = row(_VIEW + "WHERE n.id = :id", id=number_id)
    if found is None:
        raise NotFound(NO_SUCH_NUMBER)
    return NumberView(**found._mapping)


def number_by_digits(digits: str) -> NumberView | None:
    """The single number with these digits, or the range that begins so."""
    found = rows(_VIEW + "WHERE n.number = :number ORDER BY n.digits LIMIT 1", number=digits)
    return NumberView(**found[0]._mapping) if found else None


def steps(number_id: int) -> Sequence[Row[Any]]:
    """Everything that became of a number, the newest first."""
    return rows(
        """SELECT s.from_state, s.to_state, s.reason, s.moved_at, u.full_name, u.username, a.name AS account_name
           FROM lines_number_step s LEFT JOIN accounts_user u ON u.id = s.actor_id
           LEFT JOIN accounts_account a ON a.id = s.account_id
           WHERE s.number_id = :id ORDER BY s.id DESC LIMIT 200""",
        id=number_id,
    )


_PRIORITY = """
SELECT a.id AS account_id, a.name, l.number
FROM lines_line l JOIN accounts_account a ON a.id = l.account_id
JOIN LATERAL (
    SELECT f.gives_priority FROM lines_format f
    WHERE f.operator_id = l.operator_id AND f.digits = length(l.number) AND f.valid_from <= :at
    ORDER BY f.valid_from DESC, f.id DESC LIMIT 1) AS f ON f.gives_priority
WHERE l.operator_id = :operator_id AND l.number = ANY(:beginnings)
ORDER BY length(l.number) DESC LIMIT 1
"""


def priority_owner(*, operator_id: int, number: str, at: datetime) -> Row[Any] | None:
    """(account id, name, number) of whoever owns a shorter number that this one begins with, where its format gives
    priority; the longest such number counts."""
    beginnings = [number[:length] for length in range(3, len(number))]
    return row(_PRIORITY, operator_id=operator_id, beginnings=beginnings, at=at)


def counts() -> dict[tuple[int, str], int]:
    """How many numbers there are by operator and state."""
    found = rows("SELECT operator_id, state, count(*) AS amount FROM lines_number GROUP BY 1, 2")
    return {(each.operator_id, each.state): each.amount for each in found}


def taken(items: Sequence[Item]) -> dict[tuple[str, int], str]:
    """Which of these cannot be added, by (number, digits): "line" when a line has the number already, "there" when the
    inventory has it or a range with it."""
    found = rows(
        """SELECT w.number, w.digits,
                  EXISTS (SELECT FROM lines_line l WHERE l.number = w.number AND length(l.number) = w.digits) AS is_line
           FROM unnest(CAST(:numbers AS text[]), CAST(:digits AS smallint[])) AS w (number, digits)
           WHERE EXISTS (SELECT FROM lines_line l WHERE l.number = w.number AND length(l.number) = w.digits)
              OR EXISTS (SELECT FROM lines_number n WHERE n.span && numrange(
                     w.digits * 1e20 + rpad(w.number, w.digits, '0')::numeric,
                     w.digits * 1e20 + rpad(w.number, w.digits, '9')::numeric, '[]'))""",
        numbers=[item.number for item in items],
        digits=[item.digits for item in items],
    )
    return {(each.number, each.digits): "line" if each.is_line else "there" for each in found}


def number_import(import_id: int) -> Row[Any]:
    """A list that was read; raises NotFound when it is another kind's or was thrown away."""
    found = row("SELECT * FROM lines_import WHERE id = :id AND kind = 'numbers'", id=import_id)
    if found is None:
        raise NotFound(N_("This import is no longer there; upload the file again."))
    return found


def items_of_import(found: Any) -> list[Item]:
    """The numbers a stored list holds."""
    return [
        Item(operator_id, NumberKind(kind), digits_text, digits, score, Tier(tier), Tier(over) if over else None, note)
        for operator_id, kind, digits_text, digits, score, tier, over, note in found.rows
    ]
