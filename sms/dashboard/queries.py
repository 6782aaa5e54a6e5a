"""Reads that look across capabilities: the home pages, and whether every invariant holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.core.calendar import day_of
from sms.core.db import execute, row, rows, scalar
from sms.ledger import queries as ledger
from sms.lines.orders import queries as orders
from sms.operators.rules import Outcome
from sms.outbox.queries import invariants as outbox
from sms.outbox.queries.control import silent_gateways
from sms.outbox.rules import COUNT_COLUMNS, COUNTED

DAYS = 14

_BY_DAY = """
SELECT day, sum(messages)::bigint AS messages, {outcomes}, sum(refund_due_mrial)::bigint AS refund_due_mrial,
       sum(refund_due_count)::bigint AS refund_due_count
FROM outbox_day WHERE account_id = :account_id AND day >= :first GROUP BY day
"""
_ENDED = tuple(outcome for outcome in COUNTED if outcome is not Outcome.OPTED_OUT)  # what was never sent is no result

# Of the lines on which something waits, so a send that has gone on over another line is not among them.
_WAITING = """
SELECT DISTINCT ON (c.id) c.id, c.title, left(c.body, 80) AS body, l.number AS line_number,
       o.name_fa AS operator_name_fa, o.name_en AS operator_name_en
FROM outbox_campaign c JOIN LATERAL (
    SELECT DISTINCT b.line_id FROM outbox_batch b WHERE b.campaign_id = c.id AND b.state IN ('queued', 'submitting')
) waiting ON true
JOIN lines_line l ON l.id = waiting.line_id JOIN operators_operator o ON o.id = l.operator_id
WHERE c.account_id = :account_id AND c.closed_at IS NULL AND c.state IN ('queued', 'sending')
  AND c.paused_at IS NULL AND l.gateway_id = ANY(:silent)
ORDER BY c.id DESC, l.number LIMIT 5
"""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of an account's sends."""

    day: date
    messages: int


@dataclass(frozen=True, slots=True)
class Fortnight:
    """An account's last fourteen days, read from the totals kept by day: by day, and by outcome."""

    days: Sequence[Day]
    outcomes: Mapping[Outcome, int]
    messages: int
    refund_due_mrial: int
    refund_due_count: int


def fortnight(*, account_id: int, at: datetime) -> Fortnight:
    """What became of the messages of the last fourteen days, today included."""
    first = day_of(at) - timedelta(days=DAYS - 1)
    columns = ", ".join(f"sum({COUNT_COLUMNS[code]})::bigint AS {code}" for code in _ENDED)
    found = rows(_BY_DAY.format(outcomes=columns), account_id=account_id, first=first)
    by_day = {each.day: each for each in found}
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return Fortnight(
        days=[Day(day, by_day[day].messages if day in by_day else 0) for day in days],
        outcomes={outcome: sum(getattr(each, outcome) for each in found) for outcome in _ENDED},
        messages=sum(each.messages for each in found),
        refund_due_mrial=sum(each.refund_due_mrial for each in found),
        refund_due_count=sum(each.refund_due_count for each in found),
    )


def held_up(*, account_id: int, at: datetime) -> Sequence[Row[Any]]:
    """An account's campaigns that wait because a gateway does not send now, be it switched off, stopped, failing, held
    back by staff or its breaker open; five at most."""
    silent = silent_gateways(at=at)
    return rows(_WAITING, account_id=account_id, silent=sorted(silent)) if silent else []


def has_sent(*, account_id: int) -> bool:
    """Whether an account ever sent anything: a newcomer is shown the first steps instead."""
    return scalar("SELECT 1 FROM outbox_campaign WHERE account_id = :id LIMIT 1", id=account_id) is not None


# For the staff


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is under way in the whole installation."""

    queued: int
    unknown: int
    parked: int
    unmatched: int
    open_campaigns: int
    escrow_mrial: int


def backlog() -> Backlog:
    """Sums over the partial indexes of what is open; nothing that is finished is read."""
    found = row(
        """SELECT (SELECT coalesce(sum(size), 0) FROM outbox_batch WHERE state = 'queued')::bigint AS queued,
                  (SELECT count(*) FROM outbox_unknown) AS unknown,
                  (SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NULL) AS parked,
                  (SELECT count(*) FROM outbox_report_unmatched) AS unmatched, o.campaigns AS open_campaigns,
                  o.escrow_mrial
           FROM (SELECT count(*) AS campaigns, coalesce(sum(w.balance_mrial), 0)::bigint AS escrow_mrial
                 FROM outbox_campaign c JOIN ledger_wallet w ON w.id = c.escrow_wallet_id
                 WHERE c.closed_at IS NULL) o"""
    )
    return Backlog(**found._mapping) if found else Backlog(0, 0, 0, 0, 0, 0)


def queued_by_gateway() -> dict[int, int]:
    """How many messages wait for each gateway; gateways without any are left out."""
    found = rows(
        "SELECT gateway_id, sum(size)::bigint AS messages FROM outbox_batch WHERE state = 'queued' GROUP BY gateway_id"
    )
    return {each.gateway_id: each.messages for each in found}


def latest_campaigns(*, most: int = 10) -> Sequence[Row[Any]]:
    """The newest campaigns of all accounts, for the staff only."""
    return rows(
        """SELECT c.id, c.account_id, a.name AS account_name, c.title, left(c.body, 80) AS body, c.state,
                  c.sendable_count, c.charged_mrial, c.counts, c.accepted_at, c.paused_at, c.scheduled_at,
                  l.number AS line_number
           FROM outbox_campaign c JOIN accounts_account a ON a.id = c.account_id JOIN lines_line l ON l.id = c.line_id
           ORDER BY c.id DESC LIMIT :most""",
        most=most,
    )


# Whether all is well


def is_database_up() -> bool:
    """One round trip to the database; raises SQLAlchemyError when it does not answer."""
    return bool(scalar("SELECT true"))


def broken() -> dict[str, list[dict[str, Any]]]:
    """The offending rows of every invariant I1 to I7 and I13 (design §9), at one moment; an empty list where it holds.

    Must be the first thing in its transaction: all statements see one snapshot, so that what is being sent meanwhile
    raises no false alarm. Reads every message and every entry.
    """
    execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    found: dict[str, list[dict[str, Any]]] = {}
    for part in (ledger.broken(), outbox.broken(), orders.broken()):
        for name, problems in part.items():
            found.setdefault(name, []).extend(problems)
    return found
