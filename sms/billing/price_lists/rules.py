"""What a reseller asks of the accounts below it. Plain Python: amounts in milli-rial a part."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sms.billing.rules import Language, Phase, Scope, fits, phase
from sms.billing.tiers.rules import discounted
from sms.core.errors import Refusal
from sms.core.text import N_

WHOLE = 1000
MOST_MARKUP_PERMILLE = 100 * WHOLE  # a hundred and one times one's own price: more is a slip of the finger


@dataclass(frozen=True, slots=True)
class Asked:
    """A row of a price list: what `owner_id` asks of one account right below it (None: of each), in one language or
    (None) both, as a markup on its own price or as a fixed price."""

    id: int
    owner_id: int
    account_id: int | None
    scope: Scope
    language: Language | None
    markup_permille: int | None
    price_mrial: int | None
    is_below_cost_confirmed: bool
    valid_from: datetime
    valid_until: datetime | None

    def of(self, own_mrial: int) -> int:
        """What it says, of a price that the owner pays itself; a markup is rounded down to a whole milli-rial."""
        if self.price_mrial is not None:
            return self.price_mrial
        return own_mrial + own_mrial * (self.markup_permille or 0) // WHOLE

    def price(self, own_mrial: int) -> int:
        """What is asked: never less than the owner pays itself, unless it has confirmed just that."""
        wanted = self.of(own_mrial)
        return wanted if self.is_below_cost_confirmed else max(wanted, own_mrial)


@dataclass(frozen=True, slots=True)
class Key:
    """What is asked the price of: a part over a line (0: any of its operator's) to a network in a language."""

    line_id: int
    operator_id: int
    network_id: int
    language: Language


def meant(found: Iterable[Asked], key: Key, *, account_id: int | None, at: datetime) -> Asked | None:
    """The row that is meant for an account (None: for those without rows of their own): one account's before
    everybody's, then as tariffs: a line's before its operator's, one network's before any's, one language's before
    both's, the later one."""
    fitting = [
        row
        for row in found
        if row.account_id in {None, account_id}
        and row.language in {None, key.language}
        and phase(valid_from=row.valid_from, valid_until=row.valid_until, at=at) is Phase.CURRENT
        and fits(row.scope, line_id=key.line_id, operator_id=key.operator_id, network_id=key.network_id)
    ]
    return max(fitting, key=_rank, default=None)


def _rank(row: Asked) -> tuple[bool, bool, bool, bool, datetime, int]:
    return (
        row.account_id is not None,
        row.scope.line_id is not None,
        row.scope.network_id is not None,
        row.language is not None,
        row.valid_from,
        row.id,
    )


@dataclass(frozen=True, slots=True)
class Chain:
    """An account and the resellers above it, nearest first, with all their rows that hold at a moment, and by how much
    the topmost one pays less than the tariff, by its tier."""

    account_id: int | None
    payers: tuple[int, ...]
    asked: Sequence[Asked]
    at: datetime
    discount_permille: int = 0

    def price(self, key: Key, tariff_mrial: int) -> tuple[int, tuple[int, ...]]:
        """What the account pays for a part that the installation sells for `tariff_mrial`, and what of it each
        reseller earns, nearest first (below zero where it pays more itself)."""
        own, shares = discounted(tariff_mrial, permille=self.discount_permille), list[int]()
        below = (self.account_id, *self.payers)[: len(self.payers)]
        for owner_id, account_id in zip(reversed(self.payers), reversed(below), strict=True):
            row = meant(
                (each for each in self.asked if each.owner_id == owner_id), key, account_id=account_id, at=self.at
            )
            price = own if row is None else row.price(own)
            shares.append(price - own)
            own = price
        return own, tuple(reversed(shares))


@dataclass(frozen=True, slots=True)
class NewAsked:
    """A row to add: a markup or a fixed price; `account_id` None means for all sub-accounts, `valid_from` None at
    once."""

    scope: Scope
    account_id: int | None = None
    language: Language | None = None
    markup_permille: int | None = None
    price_mrial: int | None = None
    valid_from: datetime | None = None

    def row(self, *, owner_id: int, is_confirmed: bool, at: datetime) -> Asked:
        """As it would stand in the list."""
        return Asked(
            id=2**31,
            owner_id=owner_id,
            account_id=self.account_id,
            scope=self.scope,
            language=self.language,
            markup_permille=self.markup_permille,
            price_mrial=self.price_mrial,
            is_below_cost_confirmed=is_confirmed,
            valid_from=self.valid_from or at,
            valid_until=None,
        )


_BELOW_COST = {
    Language.PERSIAN: N_(
        "%(where)s, Persian texts to %(network)s: %(price)s a part is less than the %(cost)s you pay yourself. Confirm"
        " that you want to sell at a loss."
    ),
    Language.LATIN: N_(
        "%(where)s, Latin texts to %(network)s: %(price)s a part is less than the %(cost)s you pay yourself. Confirm"
        " that you want to sell at a loss."
    ),
}


class BelowCost(Refusal):
    """The price would be below what its owner pays itself: it has to be said twice. `where` is an operator's prefix or
    a line's number."""

    def __init__(self, *, where: str, network: str, language: Language, price_mrial: int, cost_mrial: int) -> None:
        super().__init__(
            _BELOW_COST[language],
            where=where,
            network=network,
            price=_rial(price_mrial),
            cost=_rial(cost_mrial),
            price_mrial=price_mrial,
            cost_mrial=cost_mrial,
        )


def _rial(amount_mrial: int) -> str:
    whole, rest = divmod(amount_mrial, 1000)
    return f"{whole}.{rest:03} rial" if rest else f"{whole} rial"


def permille_of(text: str) -> int:
    """A markup somebody typed in percent, with one digit after the point at most; raises Refusal."""
    typed = _PERCENT.fullmatch(text.translate(_DIGITS).replace("%", "").replace("٪", "").strip())
    if typed is None or not (typed["whole"] or typed["rest"]):
        raise Refusal(N_("A markup is a percentage with one digit after the point at most."))
    found = int(typed["whole"] or "0") * 10 + int(typed["rest"] or "0")
    return -found if typed["sign"] == "-" else found


_PERCENT = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]{0,6})(?:\.(?P<rest>[0-9]?))?")
_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩٫", "01234567890123456789.")
