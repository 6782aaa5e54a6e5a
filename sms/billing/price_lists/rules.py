"""What a reseller asks of the accounts below it. Plain Python: amounts in milli-rial a part."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sms.billing.rules import Dated, Language, Phase, Rate, Scope, fits, most_specific, phase
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


# Fixed prices that came to stand below what their owner pays


@dataclass(frozen=True, slots=True)
class Place:
    """A line that some price names: the accounts that have it, and those that have somebody below who has it; None
    where it is everybody's."""

    line_id: int
    operator_id: int
    holders: frozenset[int] | None = None
    above: frozenset[int] = frozenset()

    def is_reached_by(self, row: Asked) -> bool:
        """Whether anybody who pays a row's price can send over the line."""
        if self.holders is None:
            return True
        return row.owner_id in self.above if row.account_id is None else row.account_id in self.holders | self.above

    @property
    def finders(self) -> Iterable[int | None]:
        """Whose rows may be about it; None: everybody's."""
        return [None] if self.holders is None else self.holders | self.above


@dataclass(frozen=True, slots=True)
class Loss:
    """A fixed price below what its owner pays itself: from when on (None: already), and what the owner pays by key."""

    row: Asked
    begins_at: datetime | None
    costs_mrial: Mapping[Key, int]


@dataclass(frozen=True, slots=True)
class Market:
    """All that resellers' prices follow from, of the whole installation, as it is known `at` a moment for the time
    `until` another.

    `above` are the resellers above each owner, nearest first; `discounts` the tiers of topmost ones at a moment, in
    thousandths. A discount is taken to go on: top-ups may renew it any day.
    """

    rates: Sequence[Rate]
    asked: Mapping[int, Sequence[Asked]]  # by owner
    above: Mapping[int, tuple[int, ...]]
    discounts: Mapping[tuple[int, datetime], int]
    places: Sequence[Place]
    network_ids: Sequence[int]
    at: datetime
    until: datetime

    def losses(self) -> Iterator[Loss]:
        """The fixed prices that are, or come to be, below what their owner pays, each at its first moment.

        What was confirmed below cost is none as long as the owner pays no more than when that price began."""
        rates, lines = _Rates(self.rates), _Lines(self.places)
        coming = {moment for rate in self.rates for moment in self._coming(rate)}
        for owner_id in self.above:
            fixed = [row for row in self.asked.get(owner_id, ()) if row.price_mrial is not None]
            if fixed:
                keys = {row.id: list(self._keys(row, lines)) for row in fixed}
                yield from self._losses_of(_Payer(self, owner_id, rates), fixed, keys, coming)

    def _coming(self, row: Dated) -> Iterator[datetime]:
        return (each for each in (row.valid_from, row.valid_until) if each and self.at < each <= self.until)

    def _losses_of(
        self, payer: "_Payer", fixed: Sequence[Asked], keys: Mapping[int, Sequence[Key]], coming: set[datetime]
    ) -> Iterator[Loss]:
        around = [row for each in (payer.id, *payer.above) for row in self.asked.get(each, ())]
        own = {moment for row in around for moment in self._coming(row)}
        told = set[int]()
        for moment in sorted({self.at} | coming | own):
            for row in fixed:
                if row.id in told or not _holds(row, moment):
                    continue
                costs = {key: cost for key in keys[row.id] if (cost := payer.loses(row, key, moment)) is not None}
                if costs:
                    told.add(row.id)
                    yield Loss(row, None if moment == self.at else moment, costs)

    def _keys(self, row: Asked, lines: "_Lines") -> Iterator[Key]:
        """What a row is about; of an operator the lines of their own prices are among it."""
        places = [(place.line_id, place.operator_id) for place in lines.of(row)]
        if row.scope.operator_id is not None:
            places.insert(0, (0, row.scope.operator_id))
        for line_id, operator_id in places:
            for network_id in self.network_ids if row.scope.network_id is None else [row.scope.network_id]:
                for language in [row.language] if row.language else list(Language):
                    yield Key(line_id, operator_id, network_id, language)


class _Lines:
    """Lines by whose they are."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._found = defaultdict[tuple[int | None, int], list[Place]](list)
        self._by_id = {place.line_id: place for place in places}
        for place in self._by_id.values():
            for account_id in place.finders:
                self._found[account_id, place.operator_id].append(place)

    def of(self, row: Asked) -> list[Place]:
        """Those that a row is about and that somebody who pays its price can send over."""
        if row.scope.operator_id is None:
            found = [self._by_id[row.scope.line_id]] if row.scope.line_id in self._by_id else []
        else:
            whose = row.owner_id if row.account_id is None else row.account_id
            found = [place for each in (None, whose) for place in self._found.get((each, row.scope.operator_id), ())]
        return [place for place in found if place.is_reached_by(row)]


class _Rates:
    """Tariffs by what they are for, each looked for once."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._by_scope = defaultdict[tuple[int | None, int | None, Language], list[Rate]](list)
        for rate in rates:
            self._by_scope[rate.scope.operator_id, rate.scope.line_id, rate.language].append(rate)
        self._known: dict[tuple[Key, datetime], int | None] = {}

    def price(self, key: Key, at: datetime) -> int | None:
        if (key, at) not in self._known:
            fitting = (
                self._by_scope[key.operator_id, None, key.language] + self._by_scope[None, key.line_id, key.language]
            )
            where = {"line_id": key.line_id, "operator_id": key.operator_id, "network_id": key.network_id}
            found = most_specific(fitting, **where, at=at)
            self._known[key, at] = None if found is None else found.price_mrial
        return self._known[key, at]


class _Payer:
    """A reseller that pays its own prices, each looked for once."""

    def __init__(self, market: Market, owner_id: int, rates: _Rates) -> None:
        self.id, self.above = owner_id, market.above[owner_id]
        self._market, self._rates = market, rates
        self._chains: dict[datetime, Chain] = {}
        self._known: dict[tuple[Key, datetime], int | None] = {}

    def loses(self, row: Asked, key: Key, at: datetime) -> int | None:
        """What it pays for a key whose price this row is, where that is more than it asks and than it knew of."""
        own = self._own(key, at)
        if own is None or row.of(own) >= own:
            return None
        if meant(self._market.asked[self.id], key, account_id=row.account_id, at=at) is not row:
            return None
        if row.is_below_cost_confirmed:
            known = self._own(key, row.valid_from)
            return None if known is not None and own <= known else own
        return own

    def _own(self, key: Key, at: datetime) -> int | None:
        if (key, at) not in self._known:
            tariff = self._rates.price(key, at)
            self._known[key, at] = None if tariff is None else self._chain(at).price(key, tariff)[0]
        return self._known[key, at]

    def _chain(self, at: datetime) -> Chain:
        if at not in self._chains:
            asked = [row for each in self.above for row in self._market.asked.get(each, ()) if _holds(row, at)]
            top = (self.id, *self.above)[-1]
            discount = self._market.discounts.get((top, min(at, self._market.at)), 0)
            self._chains[at] = Chain(self.id, self.above, asked, at, discount)
        return self._chains[at]


def _holds(row: Asked, at: datetime) -> bool:
    return phase(valid_from=row.valid_from, valid_until=row.valid_until, at=at) is Phase.CURRENT


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
