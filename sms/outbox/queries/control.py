"""Reads for the control of sends: which lines are closed, which gateways are down, what is stranded, the ways on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.billing.queries import Price, price_list
from sms.core.db import row, rows, scalar
from sms.core.errors import Refusal, SmsError
from sms.lines.queries import UsableLine, usable_line, usable_lines
from sms.lines.rules import ServiceClass, check_window
from sms.outbox.intake.rules.pricing import language_of, measured
from sms.outbox.rules import PlanLine, Priority

_PATIENCE = timedelta(seconds=30)  # a gateway that fails for longer is down, whatever its breaker says
_TRY_AGAIN = timedelta(minutes=5)  # after a way on that could not be taken


def closed_lines(*, at: datetime) -> list[int]:
    """The lines that are closed at a moment."""
    found = rows("SELECT id, opens_at, closes_at FROM lines_line WHERE opens_at IS NOT NULL")
    windows = ((line.id, check_window(line.opens_at, line.closes_at)) for line in found)
    return [line_id for line_id, window in windows if window is not None and not window.is_open(at)]


_SILENT = """
SELECT g.id FROM operators_gateway g LEFT JOIN operators_health h ON h.gateway_id = g.id
WHERE NOT g.is_on OR g.stopped_reason <> ''
   OR CASE WHEN h.override_until > :at THEN h.override = 'open'
           ELSE coalesce(h.breaker = 'open', false) OR coalesce(g.failing_since <= :since, false) END
"""


def down_gateways(*, at: datetime) -> frozenset[int]:
    """The gateways that are to be gone round: switched off, stopped, breaker open, or failing for long; what staff have
    said of a breaker stands above what it says itself."""
    return frozenset(gateway.id for gateway in rows(_SILENT, at=at, since=at - _PATIENCE))


def silent_gateways(*, at: datetime) -> frozenset[int]:
    """The gateways that take nothing just now: those that are down, and those that have only begun to fail."""
    return frozenset(gateway.id for gateway in rows(_SILENT, at=at, since=at))


@dataclass(frozen=True, slots=True)
class Stranded:
    """What of a campaign with a plan is queued on a line whose gateway is down."""

    campaign_id: int
    account_id: int
    line_id: int
    priority: int


def stranded(*, down: frozenset[int], most: int) -> list[Stranded]:
    """Sends that wait for a gateway which is down and have a line in their plan whose gateway is not."""
    if not down:
        return []
    found = rows(
        """SELECT DISTINCT b.campaign_id, b.account_id, b.line_id, b.priority FROM outbox_batch b
           WHERE b.state = 'queued' AND b.gateway_id = ANY(:down) AND NOT b.is_pinned
             AND EXISTS (
                 SELECT FROM outbox_campaign_line p JOIN lines_line l ON l.id = p.line_id
                 WHERE p.campaign_id = b.campaign_id AND p.line_id <> b.line_id AND l.is_active
                   AND l.gateway_id <> ALL(:down))
             AND NOT EXISTS (
                 SELECT FROM outbox_campaign c WHERE c.id = b.campaign_id AND c.paused_at IS NOT NULL)
           ORDER BY b.campaign_id LIMIT :most""",
        down=sorted(down),
        most=most,
    )
    return [Stranded(**each._mapping) for each in found]


def way_on(waiting: Stranded, *, down: frozenset[int], at: datetime) -> PlanLine | None:
    """The first line of a send's plan that it can go on over now; None when there is none, or when all that there are
    were tried lately and could not be taken."""
    for planned in rows(
        """SELECT p.line_id, p.cap_mrial FROM outbox_campaign_line p
           WHERE p.campaign_id = :campaign_id AND p.line_id <> :line_id AND NOT EXISTS (
               SELECT FROM outbox_move v WHERE v.campaign_id = p.campaign_id AND v.to_line_id = p.line_id
               AND v.problem <> '' AND v.ended_at > :since)
           ORDER BY p.place""",
        campaign_id=waiting.campaign_id,
        line_id=waiting.line_id,
        since=at - _TRY_AGAIN,
    ):
        line = usable_line(waiting.account_id, planned.line_id)
        is_single = waiting.priority < Priority.BULK
        if line is None or line.paid_refusal is not None:
            continue
        if line.gateway_id not in down and not line.is_held(at, is_single=is_single):
            return PlanLine(planned.line_id, planned.cap_mrial)
    return None


def open_moves() -> list[int]:
    """Moves that are not through yet."""
    return [move.id for move in rows("SELECT id FROM outbox_move WHERE ended_at IS NULL ORDER BY id")]


def waiting_elsewhere(*, campaign_id: int, line_id: int) -> list[int]:
    """The lines, other than this one, on which something of a send waits that may go over another."""
    found = rows(
        "SELECT DISTINCT line_id FROM outbox_batch WHERE campaign_id = :id AND line_id <> :line_id"
        " AND state IN ('queued', 'paused') AND NOT is_pinned ORDER BY line_id",
        id=campaign_id,
        line_id=line_id,
    )
    return [batch.line_id for batch in found]


def is_moving(*, campaign_id: int, to_line_id: int) -> bool:
    """Whether a send is just going over to this line, by hand."""
    return bool(
        scalar(
            "SELECT 1 FROM outbox_move WHERE campaign_id = :id AND to_line_id = :line_id AND reason = 'by_hand'"
            " AND ended_at IS NULL LIMIT 1",
            id=campaign_id,
            line_id=to_line_id,
        )
    )


def was_switched(*, campaign_id: int, line_id: int) -> bool:
    """Whether something of a send went over to this line by hand."""
    return bool(
        scalar(
            "SELECT 1 FROM outbox_move WHERE campaign_id = :id AND to_line_id = :line_id AND reason = 'by_hand'"
            " AND message_count > 0 LIMIT 1",
            id=campaign_id,
            line_id=line_id,
        )
    )


# What a campaign's page shows

_MOVES = """
SELECT v.id, v.reason, v.message_count, v.difference_mrial, v.problem, v.problem_params, v.begun_at, v.ended_at,
       f.number AS from_number, t.number AS to_number, coalesce(nullif(u.full_name, ''), u.username) AS actor
FROM outbox_move v JOIN lines_line f ON f.id = v.from_line_id JOIN lines_line t ON t.id = v.to_line_id
LEFT JOIN accounts_user u ON u.id = v.actor_id
"""


def moves(*, campaign_id: int, most: int = 20) -> Sequence[Row[Any]]:
    """What went over to other lines, the newest first; what came to nothing without a word is left out."""
    return rows(
        _MOVES + "WHERE v.campaign_id = :id AND (v.message_count > 0 OR v.problem <> '' OR v.ended_at IS NULL)"
        " ORDER BY v.id DESC LIMIT :most",
        id=campaign_id,
        most=most,
    )


def moves_of_message(*, batch_id: int) -> Sequence[Row[Any]]:
    """The moves that took a message along, in their order."""
    return rows(
        _MOVES + "JOIN outbox_moved d ON d.move_id = v.id WHERE d.batch_id = :batch_id ORDER BY v.id",
        batch_id=batch_id,
    )


def plan(*, campaign_id: int) -> Sequence[Row[Any]]:
    """The lines a campaign may go on over, in their order, without its first one."""
    return rows(
        """SELECT p.line_id, p.cap_mrial, l.number, l.alias FROM outbox_campaign_line p
           JOIN lines_line l ON l.id = p.line_id WHERE p.campaign_id = :id AND p.place > 0 ORDER BY p.place""",
        id=campaign_id,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a campaign is not on its way yet, and on which lines it waits."""

    queued_count: int
    paused_count: int
    is_begun: bool
    line_ids: tuple[int, ...]


NOTHING_LEFT = Standing(0, 0, True, ())


def standing(*, campaign_id: int) -> Standing:
    """How what is left of a campaign stands just now."""
    found = row(
        """SELECT coalesce(sum(size) FILTER (WHERE state = 'queued'), 0)::int AS queued,
                  coalesce(sum(size) FILTER (WHERE state = 'paused'), 0)::int AS paused,
                  coalesce(bool_or(attempt > 0 OR state NOT IN ('queued', 'paused')), true) AS is_begun,
                  array_agg(DISTINCT line_id) FILTER (WHERE state IN ('queued', 'paused', 'submitting')) AS line_ids
           FROM outbox_batch WHERE campaign_id = :id""",
        id=campaign_id,
    )
    if found is None:
        return NOTHING_LEFT
    return Standing(found.queued, found.paused, found.is_begun, tuple(found.line_ids or ()))


def used_lines(*, campaign_id: int) -> Sequence[Row[Any]]:
    """The lines a campaign went out on, its first one first."""
    return rows(
        """SELECT l.id, l.number, o.name_fa, o.name_en FROM lines_line l
           JOIN operators_operator o ON o.id = l.operator_id
           JOIN outbox_campaign c ON c.id = :id
           WHERE l.id = c.line_id OR (c.moved_count > 0 AND l.id IN (
               SELECT v.to_line_id FROM outbox_move v WHERE v.campaign_id = c.id AND v.message_count > 0))
           ORDER BY l.id <> c.line_id, l.number""",
        id=campaign_id,
    )


# Another line for the rest


@dataclass(frozen=True, slots=True)
class OtherLine:
    """What the rest of a send would cost over another line; with a `problem` (a refusal) it cannot go over it."""

    line: UsableLine
    total_mrial: int | None
    difference_mrial: int
    is_down: bool
    is_closed: bool
    loses_service: bool
    problem: SmsError | None


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a send can still go over another line: how many messages, their price now, and each line it could be."""

    count: int
    price_mrial: int
    lines: tuple[OtherLine, ...]


def rest(*, account_id: int, campaign_id: int, at: datetime) -> Rest:
    """Price what is left of a campaign over every other line of the account; reads each of its messages."""
    batches = rows(
        "SELECT b.id, b.line_id, l.service_class FROM outbox_batch b JOIN lines_line l ON l.id = b.line_id"
        " WHERE b.campaign_id = :id AND b.account_id = :account_id AND b.state IN ('queued', 'paused')"
        " AND NOT b.is_pinned",
        id=campaign_id,
        account_id=account_id,
    )
    if not batches:
        return Rest(0, 0, ())
    counted = rows(
        """SELECT m.network_id, count(*) AS n, sum(m.price_mrial)::bigint AS price_mrial
           FROM outbox_campaign c JOIN outbox_message m ON m.id BETWEEN c.first_id AND c.last_id
           WHERE c.id = :id AND m.batch_id = ANY(:batches) AND m.outcome IS NULL GROUP BY 1""",
        id=campaign_id,
        batches=[batch.id for batch in batches],
    )
    counts = {network.network_id: int(network.n) for network in counted}
    price = sum(int(network.price_mrial) for network in counted)
    body = str(scalar("SELECT body FROM outbox_campaign WHERE id = :id", id=campaign_id))
    is_service = any(batch.service_class == ServiceClass.SERVICE for batch in batches)
    here, down = {batch.line_id for batch in batches}, down_gateways(at=at)
    others = [line for line in usable_lines(account_id) if {line.id} != here]
    return Rest(
        sum(counts.values()),
        price,
        tuple(
            _other(line, body, counts, price, account_id=account_id, is_service=is_service, down=down, at=at)
            for line in others
        ),
    )


def _other(
    line: UsableLine,
    body: str,
    counts: Mapping[int, int],
    price_mrial: int,
    *,
    account_id: int,
    is_service: bool,
    down: frozenset[int],
    at: datetime,
) -> OtherLine:
    total, problem = None, None
    try:
        prices = prices_over(line, body, account_id=account_id, at=at)
        total = sum(count * prices.by_network[network_id].price_mrial for network_id, count in counts.items())
    except Refusal as refusal:
        problem = refusal
    return OtherLine(
        line=line,
        total_mrial=total,
        difference_mrial=(total or 0) - price_mrial,
        is_down=line.gateway_id in down,
        is_closed=line.is_held(at, is_single=sum(counts.values()) == 1),
        loses_service=is_service and line.service_class != ServiceClass.SERVICE,
        problem=problem,
    )


@dataclass(frozen=True, slots=True)
class MessagePrices:
    """A text over a line: its parts, and by network the price of a whole message."""

    parts: int
    by_network: Mapping[int, Price]


def prices_over(line: UsableLine, body: str, *, account_id: int, at: datetime) -> MessagePrices:
    """What a message costs an account over a line now; raises Refusal when it cannot be sent there, or has no price."""
    if line.paid_refusal is not None:
        raise line.paid_refusal
    refusal = line.link_refusal(body)
    if refusal is not None:
        raise refusal
    text = measured(line.text_of(body), joined_units=line.joined_units)
    language = language_of(text.encoding)
    listed = price_list(account_id=account_id, line_id=line.id, operator_id=line.operator_id, at=at)
    return MessagePrices(
        text.parts,
        {network_id: price.of(text.parts) for (network_id, spoken), price in listed.items() if spoken == language},
    )
