"""Reads of formats and prices: what holds at a moment, what was, and what comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.lines.formats.rules.grid import Grid, grid, offered
from sms.lines.formats.rules.offers import Cell, Format, Offer, Terms, not_on_sale
from sms.lines.formats.rules.tiers import Audience, Choice, Tier
from sms.operators.queries import operators
from sms.operators.rules import SaleMode

NO_SUCH_CHANGE = N_("There is no such change of prices.")
NO_SUCH_IMPORT = N_("This import is no longer there; upload the file again.")


# Formats


@dataclass(frozen=True, slots=True)
class Seller:
    """An operator with what it sells at a moment, and what was or is not sold any more."""

    id: int
    code: str
    name_fa: str
    name_en: str
    colour: str
    formats: Sequence[Format] = field(default=())

    @property
    def on_sale(self) -> list[Format]:
        """The formats that are sold, by length."""
        return [each for each in self.formats if each.is_on_sale]

    def format_of(self, digits: int) -> Format:
        """What is sold of a length; raises NotOnSale with the reason."""
        for each in self.formats:
            if each.digits == digits and each.is_on_sale:
                return each
        raise not_on_sale(self.code, digits, self.formats)


_FORMATS = """
SELECT DISTINCT ON (operator_id, digits) operator_id, digits, is_on_sale, sale_mode, range_digits, choosable_digits,
       tiers, gives_priority, renewal_percent, renewal_months, grace_days, note
FROM lines_format WHERE valid_from <= :at
ORDER BY operator_id, digits, valid_from DESC, id DESC
"""


def sellers(at: datetime) -> list[Seller]:
    """Every operator with its formats in force at a moment, by prefix."""
    found: dict[int, list[Format]] = {}
    for each in rows(_FORMATS, at=at):
        found.setdefault(each.operator_id, []).append(_format(each))
    return [
        Seller(each.id, each.code, each.name_fa, each.name_en, each.colour, tuple(found.get(each.id, ())))
        for each in operators()
    ]


def seller(operator_id: int, at: datetime) -> Seller:
    """One of them; raises NotFound."""
    for each in sellers(at):
        if each.id == operator_id:
            return each
    raise NotFound(N_("There is no such operator."))


def _format(found: Row[Any]) -> Format:
    facts = dict(found._mapping)
    del facts["operator_id"]
    facts["sale_mode"] = SaleMode(facts["sale_mode"])
    facts["tiers"] = tuple(Tier(tier) for tier in facts["tiers"])
    return Format(**facts)


def format_history(operator_id: int, digits: int) -> Sequence[Row[Any]]:
    """Every row of a format, the newest first, those that have not begun among them."""
    return rows(
        """SELECT f.*, u.full_name, u.username FROM lines_format f LEFT JOIN accounts_user u ON u.id = f.created_by
           WHERE f.operator_id = :operator_id AND f.digits = :digits ORDER BY f.valid_from DESC, f.id DESC""",
        operator_id=operator_id,
        digits=digits,
    )


def coming_formats(at: datetime) -> Sequence[Row[Any]]:
    """(operator id, digits, since when) of rows that have not begun."""
    return rows(
        "SELECT operator_id, digits, valid_from FROM lines_format WHERE valid_from > :at ORDER BY valid_from, id", at=at
    )


# Prices

_PRICES = """
SELECT DISTINCT ON (operator_id, digits, tier, choice, audience)
       operator_id, digits, tier, choice, audience, terms, amount_mrial
FROM lines_price
WHERE valid_from <= :at AND (CAST(:operator_id AS int) IS NULL OR operator_id = :operator_id)
  AND (CAST(:audience AS text) IS NULL OR audience = :audience)
  AND (CAST(:seen AS bigint) IS NULL OR change_id <= :seen)
ORDER BY operator_id, digits, tier, choice, audience, valid_from DESC, id DESC
"""


def prices(
    *, at: datetime, operator_id: int | None = None, audience: Audience | None = None, seen: int | None = None
) -> dict[Cell, Offer]:
    """What every cell says at a moment, as somebody knew it who has seen the changes up to `seen`; a cell nobody ever
    wrote into is not there."""
    who = str(audience) if audience else None
    found = rows(_PRICES, at=at, operator_id=operator_id, audience=who, seen=seen)
    return {cell_of(each): offer_of(each) for each in found}


def cell_of(found: Any) -> Cell:
    """The cell a row belongs to."""
    return Cell(found.operator_id, found.digits, Tier(found.tier), Choice(found.choice), Audience(found.audience))


def offer_of(found: Any) -> Offer:
    """What a row says."""
    return Offer(Terms(found.terms), found.amount_mrial)


def coming_prices(*, operator_id: int, audience: Audience, at: datetime) -> dict[Cell, tuple[datetime, Offer]]:
    """For each cell that will change: when first, and to what."""
    found = rows(
        """SELECT DISTINCT ON (digits, tier, choice) operator_id, digits, tier, choice, audience, terms, amount_mrial,
                  valid_from
           FROM lines_price WHERE operator_id = :operator_id AND audience = :audience AND valid_from > :at
           ORDER BY digits, tier, choice, valid_from, id DESC""",
        operator_id=operator_id,
        audience=str(audience),
        at=at,
    )
    return {cell_of(each): (each.valid_from, offer_of(each)) for each in found}


def filled_counts(at: datetime) -> dict[tuple[int, str], int]:
    """How many cells say something, by operator and audience."""
    counts: dict[tuple[int, str], int] = {}
    for cell, offer in prices(at=at).items():
        if offer.terms is not Terms.NONE:
            key = (cell.operator_id, str(cell.audience))
            counts[key] = counts.get(key, 0) + 1
    return counts


def audience_of(account_id: int) -> Audience:
    """Which prices an account sees: what staff decided for it, else what its kind says."""
    found = row(
        """SELECT a.kind, l.audience FROM accounts_account a LEFT JOIN lines_account l ON l.account_id = a.id
           WHERE a.id = :id""",
        id=account_id,
    )
    if found is None:
        raise NotFound(N_("There is no such account."))
    if found.audience:
        return Audience(found.audience)
    return Audience.RESELLER if found.kind == "reseller" else Audience.CUSTOMER


def special_accounts() -> Sequence[Row[Any]]:
    """(account id, name, audience) of the accounts that see other prices than their kind says."""
    return rows(
        """SELECT l.account_id, a.name, l.audience FROM lines_account l JOIN accounts_account a ON a.id = l.account_id
           ORDER BY a.name, l.account_id LIMIT 200"""
    )


def price_lists(*, audience: Audience, at: datetime) -> list[tuple[Seller, Grid]]:
    """What an audience sees of every operator that sells something to it: rows and columns with an offer only."""
    offers = prices(at=at, audience=audience)
    found = []
    for seller in sellers(at):
        whole = grid(tuple(seller.formats), offers, {}, operator_id=seller.id, audience=audience)
        shown = offered(whole)
        if shown.lines:
            found.append((seller, shown))
    return found


# Changes

_CHANGE = """
SELECT c.id, c.kind, c.undoes_id, c.undone_by, c.note, c.made_at, u.full_name, u.username,
       (SELECT count(*) FROM lines_price p WHERE p.change_id = c.id) AS cell_count,
       (SELECT min(p.valid_from) FROM lines_price p WHERE p.change_id = c.id) AS valid_from
FROM lines_price_change c LEFT JOIN accounts_user u ON u.id = c.actor_id
"""


def changes_page(*, before: int | None, most: int) -> Sequence[Row[Any]]:
    """Changes of prices, the newest first, older than change `before`."""
    return rows(
        _CHANGE + "WHERE (CAST(:before AS bigint) IS NULL OR c.id < :before) ORDER BY c.id DESC LIMIT :most",
        before=before,
        most=most,
    )


def change(change_id: int) -> Row[Any]:
    """One change; raises NotFound."""
    found = row(_CHANGE + "WHERE c.id = :id", id=change_id)
    if found is None:
        raise NotFound(NO_SUCH_CHANGE)
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """One cell of a change: what it said before, and since then."""

    cell: Cell
    before: Offer
    after: Offer
    valid_from: datetime


_STEPS = """
SELECT p.operator_id, p.digits, p.tier, p.choice, p.audience, p.terms, p.amount_mrial, p.valid_from,
       coalesce(b.terms, 'none') AS before_terms, b.amount_mrial AS before_mrial
FROM lines_price p LEFT JOIN LATERAL (
    SELECT q.terms, q.amount_mrial FROM lines_price q
    WHERE (q.operator_id, q.digits, q.tier, q.choice, q.audience)
        = (p.operator_id, p.digits, p.tier, p.choice, p.audience)
      AND q.valid_from <= p.valid_from AND q.id < p.id
    ORDER BY q.valid_from DESC, q.id DESC LIMIT 1) AS b ON true
WHERE p.change_id = :id
ORDER BY p.operator_id, p.audience, p.digits, p.tier, p.choice LIMIT :most
"""


def steps(change_id: int, *, most: int | None = None) -> list[Step]:
    """The cells of a change."""
    return [
        Step(cell_of(each), Offer(Terms(each.before_terms), each.before_mrial), offer_of(each), each.valid_from)
        for each in rows(_STEPS, id=change_id, most=most)
    ]


def newest_change() -> int:
    """The id of the newest change; 0 when there is none."""
    found = row("SELECT coalesce(max(id), 0) AS id FROM lines_price_change")
    return int(found.id) if found else 0


def undoable() -> Row[Any] | None:
    """The newest change that nobody has taken back."""
    return row(_CHANGE + "WHERE c.kind <> 'undo' AND c.undone_by IS NULL ORDER BY c.id DESC LIMIT 1")


def redoable() -> Row[Any] | None:
    """The newest change of all, when it took another one back."""
    newest = row(_CHANGE + "ORDER BY c.id DESC LIMIT 1")
    is_undo = newest is not None and newest.kind == "undo" and newest.undone_by is None
    return newest if newest is not None and is_undo and change(newest.undoes_id).kind != "undo" else None


# Files that were read and are shown before they are applied


def price_import(import_id: int) -> Row[Any]:
    """One of them; raises NotFound when it is another kind's or was thrown away."""
    found = row("SELECT * FROM lines_import WHERE id = :id AND kind = 'prices'", id=import_id)
    if found is None:
        raise NotFound(NO_SUCH_IMPORT)
    return found


def offers_of_import(found: Any) -> dict[Cell, Offer]:
    """The prices a stored import holds."""
    return {
        Cell(operator_id, digits, Tier(tier), Choice(choice), Audience(audience)): Offer(Terms(terms), amount_mrial)
        for operator_id, digits, tier, choice, audience, terms, amount_mrial in found.rows
    }


def differences(offers: Mapping[Cell, Offer], at: datetime) -> list[Step]:
    """What would change, and from what."""
    now = prices(at=at)
    nothing = Offer(Terms.NONE)
    return [
        Step(cell, now.get(cell, nothing), offer, at)
        for cell, offer in offers.items()
        if now.get(cell, nothing) != offer
    ]
