"""Writes of price lists: rows are added and ended, never edited, so the past stays as it was."""

from collections.abc import Iterator
from datetime import datetime

from sms.accounts.operations import record
from sms.billing.operations import begins_at, checked_scope, end_dated, end_neighbours
from sms.billing.price_lists.queries.chains import chain
from sms.billing.price_lists.queries.sheets import sub_account
from sms.billing.price_lists.rules import (
    MOST_MARKUP_PERMILLE,
    WHOLE,
    Asked,
    BelowCost,
    Key,
    NewAsked,
)
from sms.billing.queries import rates_of
from sms.billing.rules import MOST_PRICE_MRIAL, Language, most_specific
from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.operators.queries import networks

_NOBODYS = N_("There is no such row.")


def add_asked(new: NewAsked, *, owner_id: int, confirm_below_cost: bool, actor_id: int | None, at: datetime) -> int:
    """Add a price of a reseller's for its sub-accounts; the row of the same key that is in force then ends at that
    moment. Returns the new row's id.

    Raises BelowCost, which names the key, the price and the own price, unless that is confirmed; Refusal for an
    impossible price, key or beginning; NotFound for an account or a line that is not in the owner's tree.
    """
    _check(new, owner_id)
    begins = begins_at(new.valid_from, at)
    is_confirmed = _is_below_cost(new.row(owner_id=owner_id, is_confirmed=False, at=begins), begins, confirm_below_cost)
    where = {
        "owner_id": owner_id,
        "account_id": new.account_id,
        **checked_scope(new.scope),
        "language": str(new.language) if new.language else None,
    }
    values = {
        "markup_permille": new.markup_permille,
        "price_mrial": new.price_mrial,
        "is_below_cost_confirmed": is_confirmed,
    }
    until = end_neighbours("billing_price_list", where, begins)
    made = scalar(
        """INSERT INTO billing_price_list (owner_id, account_id, operator_id, line_id, network_id, language,
               markup_permille, price_mrial, is_below_cost_confirmed, valid_from, valid_until, created_by)
           VALUES (:owner_id, :account_id, :operator_id, :line_id, :network_id, :language, :markup_permille,
               :price_mrial, :is_below_cost_confirmed, :begins, :until, :actor) RETURNING id""",
        **where,
        **values,
        begins=begins,
        until=until,
        actor=actor_id,
    )
    record(
        actor_id=actor_id,
        account_id=owner_id,
        action="price_list.added",
        subject=f"price_list:{made}",
        details={**where, **values, "valid_from": begins.isoformat()},
        at=at,
    )
    return int(made)


def end_asked(*, owner_id: int, row_id: int, actor_id: int | None, at: datetime) -> None:
    """End a price of this owner now; one that has not begun is withdrawn. Raises NotFound, Ended."""
    if scalar("SELECT owner_id FROM billing_price_list WHERE id = :id", id=row_id) != owner_id:
        raise NotFound(_NOBODYS)
    end_dated("billing_price_list", row_id, ends_at=None, at=at)
    record(
        actor_id=actor_id,
        account_id=owner_id,
        action="price_list.ended",
        subject=f"price_list:{row_id}",
        details={},
        at=at,
    )


def _check(new: NewAsked, owner_id: int) -> None:
    if (new.markup_permille is None) == (new.price_mrial is None):
        raise Refusal(N_("State either a markup or a fixed price."))
    if new.price_mrial is not None and not 0 <= new.price_mrial <= MOST_PRICE_MRIAL:
        raise Refusal(N_("A price is an amount from zero to a million rial."))
    if new.markup_permille is not None and not -WHOLE <= new.markup_permille <= MOST_MARKUP_PERMILLE:
        raise Refusal(N_("A markup is from minus 100 to 10,000 percent."))
    if new.account_id is not None:
        sub_account(owner_id, new.account_id)
    if new.scope.line_id is not None and row(_LINE, id=new.scope.line_id, owner_id=owner_id) is None:
        raise NotFound(N_("There is no such line."))


# A public line, or one that belongs to somebody of the owner's tree.
_LINE = """
SELECT l.id FROM lines_line l LEFT JOIN accounts_account a ON a.id = l.account_id
WHERE l.id = :id AND (l.account_id IS NULL OR EXISTS (
    SELECT FROM accounts_account me WHERE me.id = :owner_id AND a.path LIKE me.path || '%'))
"""

_LINES = """
SELECT l.id, l.number, l.operator_id, o.code FROM lines_line l JOIN operators_operator o ON o.id = l.operator_id
WHERE l.id = :line_id OR (l.operator_id = :operator_id AND EXISTS (SELECT FROM billing_tariff t WHERE t.line_id = l.id))
ORDER BY l.id
"""


def _is_below_cost(asked: Asked, at: datetime, is_confirmed: bool) -> bool:
    """Whether a row asks less than its owner pays for anything that it is about; raises BelowCost unless confirmed."""
    prices = chain(asked.owner_id, at=at)
    for where, name, key, tariff_mrial in _keys(asked, at):
        own, _ = prices.price(key, tariff_mrial)
        if asked.of(own) < own:
            if is_confirmed:
                return True
            raise BelowCost(where=where, network=name, language=key.language, price_mrial=asked.of(own), cost_mrial=own)
    return False


def _keys(asked: Asked, at: datetime) -> Iterator[tuple[str, str, Key, int]]:
    """What a row is about, as far as it has a tariff: the operator's or line's name, the network's, the key, the
    tariff. Of an operator its lines with tariffs of their own are among it."""
    lines = rows(_LINES, line_id=asked.scope.line_id, operator_id=asked.scope.operator_id)
    places = [(line.number, line.id, line.operator_id) for line in lines]
    if asked.scope.operator_id is not None:
        code = scalar("SELECT code FROM operators_operator WHERE id = :id", id=asked.scope.operator_id)
        places.insert(0, (str(code), 0, asked.scope.operator_id))
    rates = rates_of([line_id for _, line_id, _ in places], [operator_id for _, _, operator_id in places], at)
    for where, line_id, operator_id in places:
        for network in networks():
            if asked.scope.network_id not in {None, network.id}:
                continue
            for language in [asked.language] if asked.language else list(Language):
                spoken = [rate for rate in rates if rate.language is language]
                found = most_specific(spoken, line_id=line_id, operator_id=operator_id, network_id=network.id, at=at)
                if found is not None:
                    name = f"{network.name_fa} ({network.name_en})"
                    yield where, name, Key(line_id, operator_id, network.id, language), found.price_mrial
