"""Reads of the line shop: the free numbers somebody may order, each with what it costs them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows
from sms.lines.formats.queries import prices, sellers
from sms.lines.formats.rules.offers import Offer, Terms
from sms.lines.formats.rules.tiers import Audience, Tier
from sms.lines.shop.rules.search import ANY, Pattern, Sold, shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody looks for."""

    operator_id: int | None = None
    digits: int | None = None
    tier: str = ""
    most_mrial: int | None = None
    pattern: Pattern = ANY


@dataclass(frozen=True, slots=True)
class Goods:
    """A free number of the shop, with its offer to whoever looks."""

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
    tier: Tier
    priced_tier: Tier
    offer: Offer

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return int(10 ** (self.digits - len(self.number)))


_SEARCH = """
SELECT n.id, n.operator_id, o.code AS operator_code, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en,
       o.colour, n.kind, n.number, n.digits, n.score, n.tier, s.priced_tier, s.amount_mrial
FROM lines_number n
JOIN unnest(CAST(:operators AS smallint[]), CAST(:lengths AS smallint[]), CAST(:tiers AS text[]),
            CAST(:priced_tiers AS text[]), CAST(:amounts AS bigint[]))
    AS s (operator_id, digits, tier, priced_tier, amount_mrial) USING (operator_id, digits, tier)
JOIN operators_operator o ON o.id = n.operator_id
WHERE n.state = 'free'
  AND (CAST(:operator_id AS int) IS NULL OR n.operator_id = :operator_id)
  AND (CAST(:digits AS int) IS NULL OR n.digits = :digits)
  AND (:tier = '' OR n.tier = :tier)
  AND (CAST(:most_mrial AS bigint) IS NULL OR s.amount_mrial <= :most_mrial)
  AND (:begins = '' OR n.number LIKE :begins || '%')
  AND (:ends = '' OR reverse(n.number) LIKE reverse(:ends) || '%')
  AND (:contains = '' OR n.number LIKE '%' || :contains || '%')
  AND (CAST(:before_score AS int) IS NULL OR (n.score, n.id) < (:before_score, :before_id))
  AND NOT EXISTS (
      SELECT FROM unnest(CAST(:first_operators AS smallint[]), CAST(:first_lengths AS smallint[]))
          AS p (operator_id, digits)
      JOIN lines_line l ON l.number = left(n.number, p.digits)
      WHERE p.operator_id = n.operator_id AND p.digits < length(n.number) AND l.account_id <> :account_id)
ORDER BY n.score DESC, n.id DESC LIMIT :most
"""


def goods_page(
    wanted: Wanted,
    *,
    account_id: int,
    audience: Audience,
    before: tuple[int, int] | None,
    most: int,
    at: datetime,
) -> list[Goods]:
    """Free numbers that fit, the roundest first, after (score, id) `before`. Those for which the owner of a shorter
    number comes first are shown to nobody else; those that are not priced to this audience to nobody."""
    selling = sellers(at)
    sold = _shelf(audience, at)
    first = [(each.id, form.digits) for each in selling for form in each.on_sale if form.gives_priority]
    found = rows(
        _SEARCH,
        operators=[each.operator_id for each in sold],
        lengths=[each.digits for each in sold],
        tiers=[str(each.tier) for each in sold],
        priced_tiers=[str(each.priced_tier) for each in sold],
        amounts=[each.offer.amount_mrial for each in sold],
        operator_id=wanted.operator_id,
        digits=wanted.digits,
        tier=wanted.tier,
        most_mrial=wanted.most_mrial,
        begins=wanted.pattern.begins,
        ends=wanted.pattern.ends,
        contains=wanted.pattern.contains,
        before_score=before[0] if before else None,
        before_id=before[1] if before else None,
        first_operators=[operator_id for operator_id, _ in first],
        first_lengths=[digits for _, digits in first],
        account_id=account_id,
        most=most,
    )
    return [_goods(each) for each in found]


def _shelf(audience: Audience, at: datetime) -> list[Sold]:
    lengths = {each.id: [(form.digits, form.tiers) for form in each.on_sale] for each in sellers(at)}
    return shelf(lengths, prices(at=at, audience=audience), audience)


def _goods(found: Row[Any]) -> Goods:
    facts = dict(found._mapping)
    amount = facts.pop("amount_mrial")
    facts["tier"], facts["priced_tier"] = Tier(facts["tier"]), Tier(facts["priced_tier"])
    return Goods(**facts, offer=Offer(Terms.INQUIRY if amount is None else Terms.PRICE, amount))
