"""Reads about campaigns; always within one account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, select

from sms.core.db import db, row, rows, scalar
from sms.core.ids import first_id_at
from sms.outbox.models import Campaign
from sms.outbox.rules import CampaignState

_MAX_ID = 2**62


@dataclass(frozen=True, slots=True)
class CampaignFilter:
    """What a list of campaigns is narrowed to; moments are half-open, [since, until)."""

    state: str = ""
    line_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


_LIST = """
SELECT c.id, c.first_id, c.title, left(c.body, 120) AS body, c.state, c.total_count, c.sendable_count, c.held_mrial,
       c.charged_mrial, c.released_mrial, c.refunded_mrial, c.refund_due_mrial, c.counts, c.accepted_at, c.closed_at,
       c.cancelled_at, c.paused_at, c.scheduled_at, l.number AS line_number, l.alias AS line_alias,
       o.code AS operator_code, o.colour
FROM outbox_campaign c JOIN lines_line l ON l.id = c.line_id JOIN operators_operator o ON o.id = l.operator_id
WHERE c.account_id = :account_id AND c.first_id >= :low AND c.first_id < :high {and_more}
ORDER BY c.first_id DESC LIMIT :most
"""


def campaigns(
    *, account_id: int, narrowed: CampaignFilter, before: int | None = None, most: int = 26
) -> Sequence[Row[Any]]:
    """A page of campaigns, newest first, below the first message's id `before`; their day is read from that id."""
    low = first_id_at(narrowed.since) if narrowed.since else 0
    high = first_id_at(narrowed.until) if narrowed.until else _MAX_ID
    more, params = "", dict[str, object]()
    if narrowed.line_id is not None:
        more, params = "AND c.line_id = :line_id ", {"line_id": narrowed.line_id}
    if narrowed.state:
        is_open = "" if narrowed.state == CampaignState.CLOSED else "AND c.closed_at IS NULL "  # they have an index
        more, params = more + is_open + "AND c.state = :state", params | {"state": narrowed.state}
    return rows(
        _LIST.format(and_more=more),
        account_id=account_id,
        low=low,
        high=min(high, before) if before is not None else high,
        most=most,
        **params,
    )


def campaign(*, account_id: int, campaign_id: int) -> Campaign | None:
    """One campaign of an account."""
    return db.session.scalar(
        select(Campaign)
        .where(Campaign.id == campaign_id, Campaign.account_id == account_id)
        .execution_options(populate_existing=True)
    )


def owner_of(*, campaign_id: int) -> int | None:
    """The account a campaign belongs to; for commands, which see all accounts."""
    found = scalar("SELECT account_id FROM outbox_campaign WHERE id = :id", id=campaign_id)
    return int(found) if found is not None else None


def of_draft(*, account_id: int, draft_id: int) -> int | None:
    """The campaign that was made of a draft."""
    found = scalar(
        "SELECT id FROM outbox_campaign WHERE account_id = :account_id AND key = :key",
        account_id=account_id,
        key=f"draft:{draft_id}",
    )
    return int(found) if found is not None else None


def line_of(*, campaign_id: int) -> Row[Any]:
    """The line a campaign goes out on, with its operator and how long that one reports."""
    (found,) = rows(
        """SELECT l.id, l.number, l.alias, o.code AS operator_code, o.name_fa, o.name_en, o.colour,
                  g.report_horizon_seconds
           FROM outbox_campaign c JOIN lines_line l ON l.id = c.line_id
           JOIN operators_operator o ON o.id = l.operator_id JOIN operators_gateway g ON g.id = l.gateway_id
           WHERE c.id = :id""",
        id=campaign_id,
    )
    return found


@dataclass(frozen=True, slots=True)
class Refunds:
    """What a campaign gave back and will give back, by outcome."""

    outcome: str
    percent: int
    is_posted: bool
    count: int
    amount_mrial: int
    first_due_at: datetime


def refunds(*, campaign_id: int) -> list[Refunds]:
    """The refunds of a campaign, by outcome and by whether they are posted."""
    found = rows(
        """SELECT r.outcome::text AS outcome, b.percent, r.transfer_id IS NOT NULL AS is_posted, count(*) AS count,
                  sum(r.amount_mrial)::bigint AS amount_mrial, min(r.due_at) AS first_due_at
           FROM outbox_refund r JOIN billing_refund_rule b ON b.id = r.rule_id
           WHERE r.campaign_id = :id GROUP BY 1, 2, 3 ORDER BY 1, 3""",
        id=campaign_id,
    )
    return [Refunds(**refund._mapping) for refund in found]


def refund_due(*, campaign_id: int) -> Row[Any] | None:
    """When the refunds that a campaign still waits for fall due: the first and the last; None once all are posted, be
    it a moment after its counters were read."""
    return row(
        "SELECT min(due_at) AS first_at, max(due_at) AS last_at FROM outbox_refund"
        " WHERE campaign_id = :id AND transfer_id IS NULL HAVING count(*) > 0",
        id=campaign_id,
    )


@dataclass(frozen=True, slots=True)
class NetworkShare:
    """What of a campaign went to one network."""

    name_fa: str
    name_en: str
    count: int
    delivered_count: int
    blocked_count: int
    price_mrial: int


@lru_cache(maxsize=512)
def networks(
    *, campaign_id: int, first_id: int, last_id: int, counted: tuple[tuple[str, int], ...]
) -> tuple[NetworkShare, ...]:
    """How a closed campaign's messages spread over the networks; reads them all, and remembers that while the campaign
    counts (outcome, number) as it did then."""
    found = rows(
        """SELECT n.name_fa, n.name_en, s.count, s.delivered_count, s.blocked_count, s.price_mrial
           FROM (
               SELECT network_id, count(*) AS count, count(*) FILTER (WHERE outcome = 'delivered') AS delivered_count,
                      count(*) FILTER (WHERE outcome = 'blocked') AS blocked_count,
                      sum(price_mrial)::bigint AS price_mrial
               FROM outbox_message WHERE id BETWEEN :low AND :high AND campaign_id = :id AND batch_id IS NOT NULL
               GROUP BY network_id
           ) s JOIN operators_network n ON n.id = s.network_id ORDER BY s.count DESC, n.id""",
        id=campaign_id,
        low=first_id,
        high=last_id,
    )
    return tuple(NetworkShare(**network._mapping) for network in found)


def used_lines(*, account_id: int) -> Sequence[Row[Any]]:
    """The lines an account ever sent from, for filters."""
    return rows(
        """WITH RECURSIVE used AS (
               (SELECT line_id FROM outbox_campaign WHERE account_id = :account_id ORDER BY line_id LIMIT 1)
               UNION ALL
               SELECT (SELECT c.line_id FROM outbox_campaign c
                       WHERE c.account_id = :account_id AND c.line_id > used.line_id ORDER BY c.line_id LIMIT 1)
               FROM used WHERE used.line_id IS NOT NULL
           )
           SELECT l.id, l.number, l.alias FROM used JOIN lines_line l ON l.id = used.line_id ORDER BY l.number""",
        account_id=account_id,
    )


def gateway_trouble(*, line_id: int) -> Row[Any] | None:
    """Why a line does not send now, when it does not: switched off itself, or its gateway is switched off, held back by
    staff (both: not `is_on`), stopped, or failing since when, be it that its breaker is open."""
    found = rows(
        """WITH found AS (
               SELECT l.is_active AND l.suspended_at IS NULL AS is_active,
                      g.is_on AND decided.state IS DISTINCT FROM 'open' AS is_on, g.stopped_reason,
                      coalesce(g.failing_since, CASE WHEN decided.state IS NULL AND h.breaker <> 'closed' THEN h.since
                               END) AS failing_since, g.last_error, g.retry_at
               FROM lines_line l JOIN operators_gateway g ON g.id = l.gateway_id
               LEFT JOIN operators_health h ON h.gateway_id = g.id
               LEFT JOIN LATERAL (SELECT h.override AS state WHERE h.override_until > now()) decided ON true
               WHERE l.id = :line_id)
           SELECT * FROM found
           WHERE NOT is_active OR NOT is_on OR stopped_reason <> '' OR failing_since IS NOT NULL""",
        line_id=line_id,
    )
    return found[0] if found else None


def today(*, account_id: int, since: datetime) -> Row[Any]:
    """An account's sums since a moment (its day's beginning), read from campaign totals, not from messages."""
    (found,) = rows(
        """SELECT count(*) AS campaigns, coalesce(sum(sendable_count), 0)::bigint AS messages,
                  coalesce(sum((counts->>'delivered')::int), 0)::bigint AS delivered,
                  coalesce(sum((counts->>'blocked')::int), 0)::bigint AS blocked,
                  coalesce(sum((counts->>'waiting')::int + (counts->>'queued')::int + (counts->>'sending')::int
                      + (counts->>'unknown')::int), 0)::bigint AS open,
                  coalesce(sum(charged_mrial), 0)::bigint AS charged_mrial,
                  coalesce(sum(refunded_mrial), 0)::bigint AS refunded_mrial,
                  coalesce(sum(refund_due_mrial), 0)::bigint AS refund_due_mrial
           FROM outbox_campaign WHERE account_id = :account_id AND accepted_at >= :since""",
        account_id=account_id,
        since=since,
    )
    return found
