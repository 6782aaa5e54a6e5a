"""Reads of reconciliation: gateways by day, one day with its credit and its statements, and what differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from sms.core.calendar import next_day, start_of_day
from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.dashboard.reconciliation.rules import CreditDay, Kind


@dataclass(frozen=True, slots=True)
class GatewayDay:
    """One gateway on one day: ours, its credit, and what is known of its statements; `is_credit_explained` says that
    somebody explained just this difference."""

    gateway_id: int
    gateway_name: str
    operator_code: str
    day: date
    count: int
    parts: int
    credit: CreditDay
    is_credit_explained: bool
    statement_count: int
    compared_at: datetime | None
    their_count: int | None
    matched_count: int | None
    open_count: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened: no message, no credit that went or was bought, no statement."""
        is_quiet = not self.credit.drop_mrial and not self.credit.bought_mrial and not self.credit.paid_back_mrial
        return is_quiet and not self.count and not self.statement_count

    @property
    def is_open(self) -> bool:
        """Whether somebody has to look."""
        return self.open_count > 0 or (bool(self.credit.difference_mrial) and not self.is_credit_explained)


# The last reading before a moment is what the credit was then, unless it is older than a day.
_DAYS = """
WITH days AS (
    SELECT d.day, d.since, d.until FROM unnest(CAST(:days AS date[]), CAST(:sinces AS timestamptz[]),
        CAST(:untils AS timestamptz[])) AS d (day, since, until)
), sums AS MATERIALIZED (
    SELECT h.gateway_id, d.day, sum(h.submitted_count) AS count, sum(h.parts_count) AS parts,
           sum(h.cost_mrial) AS cost_mrial, sum(h.refund_cost_mrial) AS paid_back_mrial
    FROM days d JOIN lines_hour h ON h.hour_at >= d.since AND h.hour_at < d.until GROUP BY 1, 2
)
SELECT g.id AS gateway_id, g.name AS gateway_name, o.code AS operator_code, d.day,
       coalesce(h.count, 0)::bigint AS count, coalesce(h.parts, 0)::bigint AS parts,
       coalesce(h.cost_mrial, 0)::bigint AS cost_mrial, coalesce(h.paid_back_mrial, 0)::bigint AS paid_back_mrial,
       first.credit_mrial AS start_mrial, last.credit_mrial AS end_mrial,
       coalesce(p.bought_mrial, 0)::bigint AS bought_mrial, e.our_cost_mrial AS explained_ours,
       e.their_cost_mrial AS explained_theirs, coalesce(t.statement_count, 0) AS statement_count, x.compared_at,
       x.their_count, x.matched_count, coalesce(n.open_count, 0) AS open_count
FROM operators_gateway g JOIN operators_operator o ON o.id = g.operator_id CROSS JOIN days d
LEFT JOIN sums h ON h.gateway_id = g.id AND h.day = d.day
LEFT JOIN LATERAL (
    SELECT credit_mrial FROM operators_credit_reading
    WHERE gateway_id = g.id AND at <= d.since AND at > d.since - interval '1 day' ORDER BY at DESC LIMIT 1
) first ON true
LEFT JOIN LATERAL (
    SELECT credit_mrial FROM operators_credit_reading
    WHERE gateway_id = g.id AND at <= d.until AND at > d.since ORDER BY at DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT sum(amount_mrial) AS bought_mrial FROM dashboard_credit_purchase
    WHERE gateway_id = g.id AND bought_at >= d.since AND bought_at < d.until AND voided_at IS NULL
) p ON true
LEFT JOIN dashboard_difference e ON e.gateway_id = g.id AND e.day = d.day AND e.kind = 'credit'
    AND e.explained_at IS NOT NULL
LEFT JOIN LATERAL (
    SELECT count(*) AS statement_count FROM dashboard_statement
    WHERE gateway_id = g.id AND day = d.day AND voided_at IS NULL
) t ON true
LEFT JOIN dashboard_reconciliation x ON x.gateway_id = g.id AND x.day = d.day
LEFT JOIN LATERAL (
    SELECT count(*) AS open_count FROM dashboard_difference
    WHERE gateway_id = g.id AND day = d.day AND explained_at IS NULL AND kind <> 'credit'
) n ON true
WHERE CAST(:gateway_id AS int) IS NULL OR g.id = :gateway_id
ORDER BY d.day DESC, o.code, g.name
"""


def days(*, wanted: Sequence[date], gateway_id: int | None = None) -> list[GatewayDay]:
    """Gateways on these days, the last day first."""
    found = rows(
        _DAYS,
        days=list(wanted),
        sinces=[start_of_day(day) for day in wanted],
        untils=[start_of_day(next_day(day)) for day in wanted],
        gateway_id=gateway_id,
    )
    return [_day(each) for each in found]


def day_of_gateway(*, gateway_id: int, day: date) -> GatewayDay:
    """One gateway on one day; raises NotFound."""
    found = days(wanted=[day], gateway_id=gateway_id)
    if not found:
        raise NotFound(N_("There is no such gateway."))
    return found[0]


def credit_day(*, gateway_id: int, day: date) -> CreditDay:
    """The credit of a gateway on a day; raises NotFound."""
    return day_of_gateway(gateway_id=gateway_id, day=day).credit


def _day(found: Row[Any]) -> GatewayDay:
    values = dict(found._mapping)
    names = ("start_mrial", "end_mrial", "bought_mrial", "cost_mrial", "paid_back_mrial")
    credit = CreditDay(**{name: values.pop(name) for name in names})
    told = (values.pop("explained_ours"), values.pop("explained_theirs"))
    return GatewayDay(credit=credit, is_credit_explained=told == (credit.expected_mrial, credit.drop_mrial), **values)


def comparison(*, gateway_id: int, day: date) -> Row[Any] | None:
    """The sums of a day that was compared with its statements; None when none was."""
    return row(
        "SELECT * FROM dashboard_reconciliation WHERE gateway_id = :gateway_id AND day = :day",
        gateway_id=gateway_id,
        day=day,
    )


def statements(*, gateway_id: int, day: date) -> Sequence[Row[Any]]:
    """The statements of a day, those that were taken out again too."""
    return rows(
        """SELECT t.id, t.file_name, t.row_count, t.problem_count, t.problems, t.created_at, t.compared_at, t.voided_at,
                  coalesce(nullif(u.full_name, ''), u.username) AS author
           FROM dashboard_statement t LEFT JOIN accounts_user u ON u.id = t.user_id
           WHERE t.gateway_id = :gateway_id AND t.day = :day ORDER BY t.id""",
        gateway_id=gateway_id,
        day=day,
    )


def purchases(*, gateway_id: int, day: date) -> Sequence[Row[Any]]:
    """What was bought at a gateway's operator on a day, what was taken back too."""
    return rows(
        """SELECT p.id, p.amount_mrial, p.bought_at, p.note, p.voided_at,
                  coalesce(nullif(u.full_name, ''), u.username) AS author
           FROM dashboard_credit_purchase p LEFT JOIN accounts_user u ON u.id = p.user_id
           WHERE p.gateway_id = :gateway_id AND p.bought_at >= :since AND p.bought_at < :until ORDER BY p.bought_at""",
        gateway_id=gateway_id,
        since=start_of_day(day),
        until=start_of_day(next_day(day)),
    )


_DIFFERENCES = """
SELECT d.id, d.gateway_id, d.day, d.kind, d.message_id, d.statement_id, d.row_number, d.operator_ref, d.recipient,
       d.our_parts, d.their_parts, d.our_cost_mrial, d.their_cost_mrial, d.reason, d.note, d.explained_at,
       coalesce(nullif(u.full_name, ''), u.username) AS explained_by, r.status
FROM dashboard_difference d LEFT JOIN accounts_user u ON u.id = d.explained_by
LEFT JOIN dashboard_statement_row r ON r.statement_id = d.statement_id AND r.number = d.row_number
"""


def differences(
    *, gateway_id: int, day: date, kind: str = "", is_open: bool | None = None, after: int = 0, most: int = 51
) -> Sequence[Row[Any]]:
    """A page of what differs on a day, by id, behind the id `after`; the credit's is not among them."""
    state = {None: "", True: "AND d.explained_at IS NULL", False: "AND d.explained_at IS NOT NULL"}[is_open]
    return rows(
        f"""{_DIFFERENCES} WHERE d.gateway_id = :gateway_id AND d.day = :day AND d.id > :after {state}
            AND (:kind = '' OR d.kind = :kind) AND d.kind <> 'credit' ORDER BY d.id LIMIT :most""",
        gateway_id=gateway_id,
        day=day,
        kind=kind,
        after=after,
        most=most,
    )


def difference(difference_id: int) -> Row[Any]:
    """One difference; raises NotFound."""
    found = row(f"{_DIFFERENCES} WHERE d.id = :id", id=difference_id)
    if found is None:
        raise NotFound(N_("There is no such difference."))
    return found


def credit_explanation(*, gateway_id: int, day: date) -> Row[Any] | None:
    """What was said of the credit of a day, whatever its figures are by now."""
    return row(
        f"{_DIFFERENCES} WHERE d.gateway_id = :gateway_id AND d.day = :day AND d.kind = 'credit'",
        gateway_id=gateway_id,
        day=day,
    )


def open_counts(*, gateway_id: int, day: date) -> dict[Kind, tuple[int, int]]:
    """By kind, how many differences there are, and how many of them nobody explained."""
    found = rows(
        """SELECT kind, count(*) AS n, count(*) FILTER (WHERE explained_at IS NULL) AS open_count
           FROM dashboard_difference WHERE gateway_id = :gateway_id AND day = :day AND kind <> 'credit'
           GROUP BY kind""",
        gateway_id=gateway_id,
        day=day,
    )
    return {Kind(each.kind): (each.n, each.open_count) for each in found}
