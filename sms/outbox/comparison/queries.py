"""Reads of comparisons: what every operator's public line did with the same text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.billing.queries import price_list, refund_rules
from sms.billing.rules import Refund, refund_of
from sms.core.db import row, rows
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.lines.formats.queries import audience_of, prices, sellers
from sms.lines.public.queries import numbers, verified
from sms.lines.queries import UsableLine, usable_lines
from sms.lines.rules import LineKind, Window, check_window
from sms.lines.suffix.rules import ending_of
from sms.operators.queries import network_guess
from sms.operators.rules import Outcome
from sms.outbox.comparison.rules import Advice, Tried, advise
from sms.outbox.intake.rules.pricing import language_of, measured
from sms.outbox.rules import CampaignState

NO_SUCH_COMPARISON = N_("There is no such comparison.")

_LINES = """
SELECT cl.line_id, cl.problem, cl.problem_params, l.number, l.joined_units, l.opens_at, l.closes_at,
       o.id AS operator_id, o.code AS operator_code, o.name_fa AS operator_name_fa, o.name_en AS operator_name_en,
       o.colour, c.id AS campaign_id, c.suffix AS ending,
       CASE WHEN coalesce(l.demands_suffix, f.is_demanded) THEN coalesce(f.suffix, 'لغو11') ELSE '' END AS suffix,
       c.state, c.is_free, c.held_mrial, c.accepted_at, m.*
FROM outbox_comparison_line cl JOIN lines_line l ON l.id = cl.line_id JOIN operators_operator o ON o.id = l.operator_id
LEFT JOIN lines_suffix f ON f.operator_id = o.id
LEFT JOIN outbox_campaign c ON c.id = cl.campaign_id
LEFT JOIN LATERAL (
    SELECT count(*) AS count, count(*) FILTER (WHERE m.outcome = 'delivered') AS delivered_count,
           count(*) FILTER (WHERE m.outcome IS NOT NULL) AS ended_count,
           array_agg(DISTINCT m.outcome::text) FILTER (WHERE m.outcome IS NOT NULL) AS outcomes,
           count(s.message_id) AS taken_count,
           avg(extract(epoch FROM s.submitted_at - c.accepted_at))::float AS accepted,
           avg(extract(epoch FROM m.final_at - s.submitted_at)) FILTER (WHERE m.outcome <> 'expired')::float
               AS reported,
           avg(extract(epoch FROM r.reported_at - s.submitted_at)) FILTER (WHERE m.outcome = 'delivered')::float
               AS delivered
    FROM outbox_message m LEFT JOIN outbox_submission s ON s.message_id = m.id
    LEFT JOIN LATERAL (
        SELECT r.reported_at FROM (
            SELECT t.id FROM outbox_report_set t WHERE t.gateway_id = s.gateway_id
            AND t.received_at BETWEEN m.final_at - interval '1 minute' AND m.final_at
            ORDER BY t.received_at DESC LIMIT 20
        ) near JOIN outbox_report r ON r.set_id = near.id
        WHERE r.operator_ref = s.operator_ref AND r.reported_at >= s.submitted_at LIMIT 1
    ) r ON m.outcome = 'delivered'
    WHERE m.id BETWEEN c.first_id AND c.last_id AND m.campaign_id = c.id AND m.batch_id IS NOT NULL
) m ON true
WHERE cl.comparison_id = :id ORDER BY o.code, l.number
"""


@dataclass(frozen=True, slots=True)
class ComparedLine:
    """A line of a comparison: what it did (times in seconds), and what it would cost."""

    line_id: int
    number: str
    operator_id: int
    operator_code: str
    operator_name_fa: str
    operator_name_en: str
    colour: str
    campaign_id: int | None
    state: str
    is_free: bool
    problem: str
    problem_params: Mapping[str, object]
    count: int
    taken_count: int
    ended_count: int
    delivered_count: int
    outcomes: tuple[str, ...]
    accepted: float | None
    delivered: float | None
    reported: float | None
    parts: int
    price_mrial: int | None
    refunds: tuple[tuple[str, Refund], ...]
    window: Window | None
    line_from_mrial: int | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is heard of it."""
        return self.campaign_id is None or self.state == CampaignState.CLOSED

    @property
    def tried(self) -> Tried:
        """As the rules judge it."""
        return Tried(
            line_id=self.line_id,
            operator_code=self.operator_code,
            count=self.count,
            delivered_count=self.delivered_count,
            accepted=self.accepted,
            reported=self.reported,
            price_mrial=self.price_mrial,
            pays_back=any(outcome == Outcome.NOT_IN_NETWORK and refund.percent > 0 for outcome, refund in self.refunds),
            line_from_mrial=self.line_from_mrial,
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same text over every operator's public line."""

    id: int
    body: str
    begun_at: datetime
    lines: tuple[ComparedLine, ...]

    @property
    def is_finished(self) -> bool:
        """Whether all lines have said all they will."""
        return all(line.is_finished for line in self.lines)

    @property
    def advice(self) -> Advice | None:
        """Which line to choose, by what is known so far."""
        return advise([line.tried for line in self.lines])


def comparison(account_id: int, comparison_id: int, *, at: datetime) -> Comparison:
    """One comparison of an account as it stands now; raises NotFound."""
    found = row(
        "SELECT id, body, begun_at FROM outbox_comparison WHERE id = :id AND account_id = :account_id",
        id=comparison_id,
        account_id=account_id,
    )
    if found is None:
        raise NotFound(NO_SUCH_COMPARISON)
    return Comparison(found.id, found.body, found.begun_at, _lines(account_id, found, at))


def _lines(account_id: int, found: Row[Any], at: datetime) -> tuple[ComparedLine, ...]:
    lines = rows(_LINES, id=found.id)
    resolver = refund_rules(line_ids=[line.line_id for line in lines], at=found.begun_at)
    network_id = _network(account_id)
    cheapest = line_prices(account_id, at=at)
    made = []
    for line in lines:
        ending = ending_of(found.body, line.suffix) if line.ending is None else line.ending
        text = measured(found.body + ending, joined_units=line.joined_units)
        refunds = [
            (str(outcome), refund_of(resolver.rule(line_id=line.line_id, network_id=network_id, outcome=outcome)))
            for outcome in (Outcome.BLOCKED, Outcome.NOT_IN_NETWORK)
        ]
        price = _part_price(account_id, line, network_id, language_of(text.encoding), found.begun_at)
        made.append(
            ComparedLine(
                **{name: line._mapping[name] for name in _TAKEN},
                state=line.state or "",
                is_free=bool(line.is_free),
                outcomes=tuple(line.outcomes or ()),
                parts=text.parts,
                price_mrial=None if price is None else price * text.parts,
                refunds=tuple(refunds),
                window=check_window(line.opens_at, line.closes_at),
                line_from_mrial=cheapest.get(line.operator_id),
            )
        )
    return tuple(made)


_TAKEN = (
    *("line_id", "number", "operator_id", "operator_code", "operator_name_fa", "operator_name_en", "colour"),
    *("campaign_id", "problem", "problem_params", "count", "taken_count", "ended_count", "delivered_count"),
    *("accepted", "delivered", "reported"),
)


def _network(account_id: int) -> int:
    """The network prices and refunds are shown for: that of the account's first number."""
    known = numbers(account_id)
    return network_guess().of(known[0].recipient) if known else 0


def _part_price(account_id: int, line: Row[Any], network_id: int, language: str, at: datetime) -> int | None:
    try:
        listed = price_list(account_id=account_id, line_id=line.line_id, operator_id=line.operator_id, at=at)
    except Refusal:
        return None
    return listed[network_id, language].price_mrial


def line_prices(account_id: int, *, at: datetime) -> dict[int, int]:
    """What a line of each operator costs an account at least, by the operator's id; those without a listed price are
    left out."""
    on_sale = {seller.id: {each.digits for each in seller.on_sale} for seller in sellers(at)}
    least: dict[int, int] = {}
    for cell, offer in prices(at=at, audience=audience_of(account_id)).items():
        if offer.amount_mrial is not None and cell.digits in on_sale.get(cell.operator_id, ()):
            least[cell.operator_id] = min(offer.amount_mrial, least.get(cell.operator_id, offer.amount_mrial))
    return least


def lines_to_try(account_id: int, *, at: datetime) -> list[UsableLine]:
    """The public line of each operator, by operator."""
    first: dict[int, UsableLine] = {}
    for line in usable_lines(account_id, at=at):
        if line.kind == LineKind.PUBLIC:
            first.setdefault(line.operator_id, line)
    return list(first.values())


def own_numbers(account_id: int, wanted: Sequence[int]) -> list[int]:
    """Those of an account's verified numbers that are wanted."""
    known = verified(account_id)
    return [number for number in dict.fromkeys(wanted) if number in known]


def comparisons(account_id: int, *, most: int = 10) -> Sequence[Row[Any]]:
    """The last comparisons of an account, newest first."""
    return rows(
        "SELECT id, left(body, 80) AS body, begun_at FROM outbox_comparison WHERE account_id = :id"
        " ORDER BY id DESC LIMIT :most",
        id=account_id,
        most=most,
    )
