"""What a reseller looks at: its own prices beside those of its sub-accounts, and the dated rows behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.billing.price_lists.queries.chains import COLUMNS, IN_FORCE, chain, chain_below
from sms.billing.queries import Price, listed, rates_of
from sms.billing.rules import Dated, Language, Phase, together
from sms.core.db import row, rows
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.queries import usable_lines
from sms.operators.queries import networks, operators


@dataclass(frozen=True, slots=True)
class Offered:
    """What the owner pays for a part, and what its sub-accounts pay, in milli-rial."""

    own_mrial: int
    price_mrial: int

    @property
    def margin_mrial(self) -> int:
        """What is left of it; below zero at a loss."""
        return self.price_mrial - self.own_mrial


@dataclass(frozen=True, slots=True)
class OfferedNetworks:
    """Networks of the same prices; none named means all of them."""

    networks: tuple[Row[Any], ...]
    persian: Offered
    latin: Offered


@dataclass(frozen=True, slots=True)
class Sheet:
    """An operator, or one of its lines that has prices of its own."""

    operator: Row[Any]
    line_number: str
    prices: list[OfferedNetworks]


def sheets(owner_id: int, *, account_id: int | None, at: datetime) -> list[Sheet]:
    """A reseller's own prices beside those of one account right below it, or (None) of those without rows of their
    own; what has no tariff is left out."""
    own = chain(owner_id, at=at)
    theirs = chain_below(owner_id, at=at) if account_id is None else chain(account_id, at=at)
    lines, all_operators, all_networks = usable_lines(owner_id), operators(), networks()
    rates = rates_of([line.id for line in lines], [each.id for each in all_operators], at)
    dated: list[Dated] = [*rates, *theirs.asked]
    special = {each.scope.line_id for each in dated}
    found = []
    for operator in all_operators:
        places = [(0, "")] + [(line.id, line.number) for line in lines if line.operator_id == operator.id]
        for line_id, number in places:
            if line_id and line_id not in special:
                continue
            place = {"line_id": line_id, "operator_id": operator.id, "at": at}
            try:
                mine = listed(rates, all_networks, own, **place)
                asked = listed(rates, all_networks, theirs, **place)
            except Refusal:
                continue
            found.append(Sheet(operator, number, _rows(mine, asked, all_networks)))
    return found


def _rows(
    mine: dict[tuple[int, str], Price], asked: dict[tuple[int, str], Price], all_networks: Sequence[Row[Any]]
) -> list[OfferedNetworks]:
    pairs = {
        network.id: tuple(
            Offered(mine[network.id, str(spoken)].price_mrial, asked[network.id, str(spoken)].price_mrial)
            for spoken in Language
        )
        for network in all_networks
    }
    return [
        OfferedNetworks(
            () if len(ids) == len(all_networks) else tuple(each for each in all_networks if each.id in ids),
            persian=pair[0],
            latin=pair[1],
        )
        for ids, pair in together(pairs)
    ]


_PHASES = {
    "": "true",
    Phase.CURRENT: IN_FORCE,
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
        f"{COLUMNS}{_NAMES} WHERE p.owner_id = :owner_id AND {_PHASES[phase]}"
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
