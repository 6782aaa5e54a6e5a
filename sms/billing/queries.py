"""Reads of prices and refund rules: what is meant now, and the dated rows behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.billing.price_lists.queries.chains import chain, payers
from sms.billing.price_lists.rules import Chain, Key
from sms.billing.rules import (
    REFUNDABLE,
    Dated,
    Language,
    Phase,
    Rate,
    Refund,
    RefundResolver,
    Rule,
    Scope,
    most_specific,
    refund_of,
    together,
)
from sms.billing.taxes.queries import levy_mrial
from sms.billing.tiers.queries import tier_of
from sms.core.db import row, rows
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.queries import UsableLine, usable_lines
from sms.operators.queries import networks
from sms.operators.rules import Outcome

# What the outbox is promised
__all__ = ["Price", "RefundResolver", "levy_mrial", "payers", "price_list", "price_lists", "refund_rules", "tier_of"]


@dataclass(frozen=True, slots=True)
class Price:
    """What a part costs the account, what it costs us, and what of it each reseller in between earns, nearest first
    (none where the installation is right above), in milli-rial."""

    price_mrial: int
    cost_mrial: int
    shares_mrial: tuple[int, ...] = ()

    def levied(self, levy_mrial: int) -> "Price":
        """The same with what the state asks of each part on top."""
        return Price(self.price_mrial + levy_mrial, self.cost_mrial + levy_mrial, self.shares_mrial)

    def of(self, parts: int) -> "Price":
        """The same of a message of so many parts."""
        shares = tuple(share * parts for share in self.shares_mrial)
        return Price(self.price_mrial * parts, self.cost_mrial * parts, shares)


PriceList = dict[tuple[int, str], Price]  # by network id and language

_NO_PRICE = {
    Language.PERSIAN: N_("This line has no price for Persian texts to %(network)s; ask the staff."),
    Language.LATIN: N_("This line has no price for Latin texts to %(network)s; ask the staff."),
}

_RATES = """
SELECT id, operator_id, line_id, network_id, language, price_mrial, cost_mrial, valid_from, valid_until
FROM billing_tariff
WHERE valid_from <= :until AND (valid_until IS NULL OR valid_until > :since)
"""


def price_list(*, account_id: int, line_id: int, operator_id: int, at: datetime) -> PriceList:
    """What an account pays for a part over a line at a moment, by (network id, language): all networks, both languages.

    Right under the installation that is the tariff less the account's tier; below a reseller, what the reseller asks.
    Raises Refusal when one of them has no price: a send must not begin that could not be priced to its end.
    """
    found = price_lists(account_id=account_id, operators={line_id: operator_id}, at=at)[line_id]
    if isinstance(found, Refusal):
        raise found
    return found


def price_lists(*, account_id: int, operators: Mapping[int, int], at: datetime) -> dict[int, PriceList | Refusal]:
    """The same over several lines, in as many statements as over one: by line, or the refusal of one that has not all
    prices. `operators` are theirs, by line. The levy on a part is in the price and in the cost: nobody earns of it."""
    rates = rates_of(list(operators), sorted(set(operators.values())), at)
    prices, all_networks, levy = chain(account_id, at=at), networks(), levy_mrial(at)
    found: dict[int, PriceList | Refusal] = {}
    for line_id, operator_id in operators.items():
        try:
            each = listed(rates, all_networks, prices, line_id=line_id, operator_id=operator_id, at=at)
            found[line_id] = {key: price.levied(levy) for key, price in each.items()} if levy else each
        except Refusal as refusal:
            found[line_id] = refusal
    return found


def rates_of(line_ids: Sequence[int], operator_ids: Sequence[int], at: datetime) -> list[Rate]:
    """The installation's tariffs for these lines and operators that hold at a moment."""
    narrowed = f"{_RATES} AND (operator_id = ANY(:operator_ids) OR line_id = ANY(:line_ids))"
    found = rows(narrowed, line_ids=list(line_ids), operator_ids=list(operator_ids), since=at, until=at)
    return [_rate(rate) for rate in found]


def all_rates(*, since: datetime, until: datetime) -> list[Rate]:
    """All tariffs of the installation that hold at some moment between two."""
    return [_rate(rate) for rate in rows(_RATES, since=since, until=until)]


def listed(
    rates: Sequence[Rate],
    all_networks: Sequence[Row[Any]],
    prices: Chain,
    *,
    line_id: int,
    operator_id: int,
    at: datetime,
) -> PriceList:
    """Tariffs as the account of a chain pays them; raises Refusal where one is lacking."""
    found: dict[tuple[int, str], Price] = {}
    for language in Language:
        spoken = [rate for rate in rates if rate.language is language]
        for network in all_networks:
            rate = most_specific(spoken, line_id=line_id, operator_id=operator_id, network_id=network.id, at=at)
            if rate is None:
                raise Refusal(_NO_PRICE[language], network=f"{network.name_fa} ({network.name_en})")
            key = Key(line_id, operator_id, network.id, language)
            price_mrial, shares = prices.price(key, rate.price_mrial)
            found[network.id, str(language)] = Price(price_mrial, rate.cost_mrial, shares)
    return found


def _rate(found: Row[Any]) -> Rate:
    return Rate(
        id=found.id,
        scope=Scope(found.operator_id, found.line_id, found.network_id),
        valid_from=found.valid_from,
        valid_until=found.valid_until,
        language=Language(found.language),
        price_mrial=found.price_mrial,
        cost_mrial=found.cost_mrial,
    )


_RULES = """
SELECT r.id, r.operator_id, r.line_id, r.network_id, r.outcome, r.percent, r.delay_seconds, r.note, r.valid_from,
       r.valid_until
FROM billing_refund_rule r
WHERE (r.line_id = ANY(:line_ids) OR r.operator_id IN (SELECT operator_id FROM lines_line WHERE id = ANY(:line_ids)))
  AND r.valid_from <= :at AND (r.valid_until IS NULL OR r.valid_until > :at)
"""


def refund_rules(*, line_ids: Sequence[int], at: datetime) -> RefundResolver:
    """The refund rules that held at a moment for these lines, ready to be asked message by message."""
    ids = list(line_ids)
    lines = rows("SELECT id, operator_id FROM lines_line WHERE id = ANY(:line_ids)", line_ids=ids)
    return RefundResolver(
        rules=[_rule(found) for found in rows(_RULES, line_ids=ids, at=at)],
        operators={line.id: line.operator_id for line in lines},
        at=at,
    )


def _rule(found: Row[Any]) -> Rule:
    return Rule(
        id=found.id,
        scope=Scope(found.operator_id, found.line_id, found.network_id),
        valid_from=found.valid_from,
        valid_until=found.valid_until,
        outcome=found.outcome,
        percent=found.percent,
        delay_seconds=found.delay_seconds,
        note=found.note,
    )


# What a customer is shown


@dataclass(frozen=True, slots=True)
class PricedNetworks:
    """The customer's price of a part to some networks; no networks named means all of them."""

    networks: tuple[Row[Any], ...]
    persian_mrial: int
    latin_mrial: int


@dataclass(frozen=True, slots=True)
class RefundedNetworks:
    """What comes back for an outcome on some networks; no networks named means all of them."""

    outcome: Outcome
    networks: tuple[Row[Any], ...]
    refund: Refund


@dataclass(frozen=True, slots=True)
class PriceSheet:
    """Lines of an operator that cost the same and pay back the same; without prices they cannot be sent from."""

    lines: list[UsableLine]
    prices: list[PricedNetworks]
    refunds: list[RefundedNetworks]


def price_sheets(*, account_id: int, at: datetime) -> list[PriceSheet]:
    """What an account's lines cost now and what comes back, lines that are alike together."""
    lines = usable_lines(account_id)
    line_ids = [line.id for line in lines]
    rates = rates_of(line_ids, sorted({line.operator_id for line in lines}), at)
    prices = chain(account_id, at=at)
    resolver = refund_rules(line_ids=line_ids, at=at)
    own: list[Dated] = [*rates, *prices.asked, *resolver.rules]  # a line with something of its own stands apart
    special = {each.scope.line_id for each in own}
    groups: dict[tuple[int, int | None], list[UsableLine]] = {}
    for line in lines:
        groups.setdefault((line.operator_id, line.id if line.id in special else None), []).append(line)
    all_networks = networks()
    return [
        PriceSheet(
            alike,
            _prices(rates, all_networks, prices, line=alike[0], at=at),
            _refunds(resolver, all_networks, line_id=alike[0].id),
        )
        for alike in groups.values()
    ]


def _prices(
    rates: Sequence[Rate], all_networks: Sequence[Row[Any]], prices: Chain, *, line: UsableLine, at: datetime
) -> list[PricedNetworks]:
    try:
        found = listed(rates, all_networks, prices, line_id=line.id, operator_id=line.operator_id, at=at)
    except Refusal:
        return []
    pairs = {
        network.id: tuple(found[network.id, str(language)].price_mrial for language in Language)
        for network in all_networks
    }
    return [
        PricedNetworks(_named(ids, all_networks), persian_mrial=pair[0], latin_mrial=pair[1])
        for ids, pair in together(pairs)
    ]


def _refunds(resolver: RefundResolver, all_networks: Sequence[Row[Any]], *, line_id: int) -> list[RefundedNetworks]:
    found: list[RefundedNetworks] = []
    for outcome in REFUNDABLE:
        refunds = {
            network.id: refund_of(resolver.rule(line_id=line_id, network_id=network.id, outcome=outcome))
            for network in all_networks
        }
        found += [RefundedNetworks(outcome, _named(ids, all_networks), refund) for ids, refund in together(refunds)]
    return found


def _named(ids: Sequence[int], all_networks: Sequence[Row[Any]]) -> tuple[Row[Any], ...]:
    """The networks of these ids; none at all where they are all of them."""
    return () if len(ids) == len(all_networks) else tuple(network for network in all_networks if network.id in ids)


# Lists for the staff


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list of dated rows is narrowed to; `phase` empty means all."""

    at: datetime
    phase: str = ""
    operator_id: int | None = None
    line_number: str = ""


_PHASES: Mapping[str, str] = {
    "": "true",
    Phase.CURRENT: "d.valid_from <= :at AND (d.valid_until IS NULL OR d.valid_until > :at)",
    Phase.COMING: "d.valid_from > :at AND (d.valid_until IS NULL OR d.valid_until > d.valid_from)",
    Phase.ENDED: "d.valid_until <= greatest(:at, d.valid_from)",
}

_NAMES = """
    d.operator_id, d.line_id, d.network_id, d.valid_from, d.valid_until, u.username AS author,
    o.code AS operator_code, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en, o.colour,
    l.number AS line_number, n.code AS network_code, n.name_fa AS network_name_fa, n.name_en AS network_name_en
"""

_JOINS = """
LEFT JOIN lines_line l ON l.id = d.line_id
JOIN operators_operator o ON o.id = coalesce(d.operator_id, l.operator_id)
LEFT JOIN operators_network n ON n.id = d.network_id LEFT JOIN accounts_user u ON u.id = d.created_by
"""

_NARROWED = """
(CAST(:operator_id AS int) IS NULL OR o.id = :operator_id) AND (:line_number = '' OR l.number = :line_number)
AND (CAST(:before AS int) IS NULL OR d.id < :before)
"""

_TARIFFS = "SELECT d.id, d.language, d.price_mrial, d.cost_mrial," + _NAMES + "FROM billing_tariff d" + _JOINS
_REFUND_RULES = (
    "SELECT d.id, d.outcome, d.percent, d.delay_seconds, d.note," + _NAMES + "FROM billing_refund_rule d" + _JOINS
)


def tariffs_of_operators(*, at: datetime) -> Sequence[Row[Any]]:
    """The operators' own tariffs that are in force, by operator, network and language; lines' own are not among
    them."""
    return rows(
        f"{_TARIFFS} WHERE d.operator_id IS NOT NULL AND {_PHASES[Phase.CURRENT]}"
        " ORDER BY o.code, n.id NULLS FIRST, d.language DESC, d.id",
        at=at,
    )


def tariffs_in(scope: Scope, *, at: datetime) -> dict[Language, Price]:
    """The prices of exactly this scope that are in force, to begin a change from."""
    found = rows(
        """SELECT language, price_mrial, cost_mrial FROM billing_tariff
           WHERE operator_id IS NOT DISTINCT FROM :operator_id AND line_id IS NOT DISTINCT FROM :line_id
             AND network_id IS NOT DISTINCT FROM :network_id
             AND valid_from <= :at AND (valid_until IS NULL OR valid_until > :at) ORDER BY id""",
        operator_id=scope.operator_id,
        line_id=scope.line_id,
        network_id=scope.network_id,
        at=at,
    )
    return {Language(tariff.language): Price(tariff.price_mrial, tariff.cost_mrial) for tariff in found}


def tariff_page(narrowed: Listed, *, before: int | None = None, most: int = 26) -> Sequence[Row[Any]]:
    """A page of tariffs of all times, the last added first, below the id `before`."""
    return _page(_TARIFFS, narrowed, before=before, most=most)


def rules_of_operators(*, at: datetime) -> Sequence[Row[Any]]:
    """The operators' own refund rules that are in force, by operator, outcome and network."""
    return rows(
        f"{_REFUND_RULES} WHERE d.operator_id IS NOT NULL AND {_PHASES[Phase.CURRENT]}"
        " ORDER BY o.code, d.outcome, n.id NULLS FIRST, d.id",
        at=at,
    )


def rule_page(narrowed: Listed, *, before: int | None = None, most: int = 26) -> Sequence[Row[Any]]:
    """A page of refund rules of all times, the last added first, below the id `before`."""
    return _page(_REFUND_RULES, narrowed, before=before, most=most)


def _page(select: str, narrowed: Listed, *, before: int | None, most: int) -> Sequence[Row[Any]]:
    return rows(
        f"{select} WHERE {_PHASES[narrowed.phase]} AND {_NARROWED} ORDER BY d.id DESC LIMIT :most",
        operator_id=narrowed.operator_id,
        line_number=narrowed.line_number,
        before=before,
        most=most,
        **({"at": narrowed.at} if narrowed.phase else {}),
    )


def operators_without_price(*, at: datetime) -> Sequence[Row[Any]]:
    """Operators whose lines cannot be sent from: (code, language) with no price towards all networks."""
    return rows(
        """SELECT o.id, o.code, o.name_fa, o.name_en, g.language FROM operators_operator o
           CROSS JOIN (VALUES ('persian'), ('latin')) AS g (language)
           WHERE NOT EXISTS (
               SELECT FROM billing_tariff d WHERE d.operator_id = o.id AND d.language = g.language
               AND d.network_id IS NULL AND d.valid_from <= :at AND (d.valid_until IS NULL OR d.valid_until > :at))
           ORDER BY o.code, g.language DESC""",
        at=at,
    )


def operators_without_rules(*, at: datetime) -> Sequence[Row[Any]]:
    """Operators that pay nothing back for blocked recipients, which every operator does: a rule is missing."""
    return rows(
        """SELECT o.id, o.code, o.name_fa, o.name_en FROM operators_operator o
           WHERE NOT EXISTS (
               SELECT FROM billing_refund_rule d WHERE d.operator_id = o.id AND d.outcome = 'blocked'
               AND d.valid_from <= :at AND (d.valid_until IS NULL OR d.valid_until > :at))
           ORDER BY o.code""",
        at=at,
    )


def line_called(number: str) -> int:
    """The id of the line with this number; raises NotFound."""
    found = row("SELECT id FROM lines_line WHERE number = :number", number=number)
    if found is None:
        raise NotFound(N_("There is no line %(number)s."), number=number)
    return int(found.id)
