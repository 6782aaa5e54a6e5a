"""Reads of reports: sums over the hours that the jobs keep, never over messages."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row as Found

from sms.core.calendar import next_day, start_of_day
from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.dashboard.reports.rules import OUTCOMES, Group, Row, Scope, Sums, Whose
from sms.outbox.rules import COUNT_COLUMNS

MOST_ROWS = 1_000

# What was paid and what it cost, as the viewer's own level sees it, from what each level above the sender earns of it:
# a reseller is paid what its own sub-account paid, and pays that less its share; of its own messages it earns nothing.
# The house is paid what the topmost level paid.
_PAID = {
    Whose.HOUSE: "h.price_mrial - s.all_mrial",
    Whose.TREE: "h.price_mrial - s.below_mrial",
    Whose.OWN: "h.price_mrial",
}
_PAID_BACK = {
    Whose.HOUSE: "h.refund_mrial - s.all_back_mrial",
    Whose.TREE: "h.refund_mrial - s.below_back_mrial",
    Whose.OWN: "h.refund_mrial",
}
_COST = {
    Whose.HOUSE: "h.cost_mrial",
    Whose.TREE: "h.price_mrial - s.below_mrial - s.own_mrial",
    Whose.OWN: "CAST(0 AS bigint)",
}
_COST_BACK = {
    Whose.HOUSE: "h.refund_cost_mrial",
    Whose.TREE: "h.refund_mrial - s.below_back_mrial - s.own_back_mrial",
    Whose.OWN: "CAST(0 AS bigint)",
}
_SHARES = """
CROSS JOIN LATERAL (
    SELECT coalesce(sum(x.share_mrial), 0) AS all_mrial, coalesce(sum(x.refund_share_mrial), 0) AS all_back_mrial,
           coalesce(sum(x.share_mrial) FILTER (WHERE x.level < {distance}), 0) AS below_mrial,
           coalesce(sum(x.refund_share_mrial) FILTER (WHERE x.level < {distance}), 0) AS below_back_mrial,
           coalesce(sum(x.share_mrial) FILTER (WHERE x.level = {distance}), 0) AS own_mrial,
           coalesce(sum(x.refund_share_mrial) FILTER (WHERE x.level = {distance}), 0) AS own_back_mrial
    FROM lines_share_hour x WHERE x.hour_at = h.hour_at AND x.line_id = h.line_id AND x.network_id = h.network_id
      AND x.account_id = h.account_id AND x.gateway_id = h.gateway_id
) s
"""
# How many levels the sender stands below the viewer; each account's path is the ids from the root, with a dot each.
_DISTANCE = """
(SELECT length(a.path) - length(replace(a.path, '.', '')) - length(v.path) + length(replace(v.path, '.', ''))
 FROM accounts_account a, accounts_account v WHERE a.id = h.account_id AND v.id = :viewer_id)
"""
_JOINED = {Whose.HOUSE: _SHARES.format(distance="0"), Whose.TREE: _SHARES.format(distance=_DISTANCE), Whose.OWN: ""}

_SUMS = ", ".join(
    f"coalesce(sum({column}), 0)::bigint AS {name}"
    for name, column in {
        "submitted": "h.submitted_count",
        "delivered": "h.delivered_count",
        "failed": "h.failed_count",
        "unsent": "h.unsent_count",
        "parts": "h.parts_count",
        "price_mrial": "{paid}",
        "cost_mrial": "{cost}",
        "refund_count": "h.refund_count",
        "refund_mrial": "{paid_back}",
        "refund_cost_mrial": "{cost_back}",
    }.items()
)
_OUTCOMES = ", ".join(f"coalesce(sum(h.{column}), 0)::bigint AS {column}" for column in COUNT_COLUMNS.values())
_NAMES = [field.name for field in fields(Sums)]


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """What a report is narrowed to; both days belong to it."""

    first: date
    last: date
    operator_id: int | None = None
    network_id: int | None = None
    line_id: int | None = None

    @property
    def params(self) -> dict[str, object]:
        """For the statement."""
        values = {
            "operator_id": self.operator_id,
            "network_id": self.network_id,
            "line_id": self.line_id,
            "since": start_of_day(self.first),
            "until": start_of_day(next_day(self.last)),
        }
        return {name: value for name, value in values.items() if value is not None}

    @property
    def sql(self) -> str:
        """What the hours must be, besides."""
        conditions = {
            "operator_id": "AND l.operator_id = :operator_id",
            "network_id": "AND h.network_id = :network_id",
            "line_id": "AND h.line_id = :line_id",
        }
        return " ".join(conditions[name] for name in conditions if name in self.params)


_SCOPES = {
    Whose.HOUSE: "",
    Whose.OWN: "AND h.account_id = :account_id",
    Whose.TREE: "AND h.account_id IN (SELECT a.id FROM accounts_account a JOIN accounts_account top"
    " ON top.id = :account_id WHERE starts_with(a.path, top.path))",
}

# Below a reseller each row is one of its own sub-accounts with all below it, and it itself.
_CHILD = """
(SELECT coalesce(max(c.id), :account_id) FROM accounts_account a JOIN accounts_account c
 ON c.parent_id = :account_id AND starts_with(a.path, c.path) WHERE a.id = h.account_id)
"""
_KEYS = {
    Group.DAY: "(h.hour_at AT TIME ZONE 'Asia/Tehran')::date",
    Group.LINE: "h.line_id",
    Group.OPERATOR: "l.operator_id",
    Group.NETWORK: "h.network_id",
    Group.ACCOUNT: "h.account_id",
}
_LABELS = {
    Group.DAY: "CAST(NULL AS text) AS name_fa, CAST(NULL AS text) AS name_en FROM found f",
    Group.LINE: "x.number AS name_fa, x.number AS name_en FROM found f JOIN lines_line x ON x.id = f.key",
    Group.OPERATOR: "x.code || ' · ' || x.name_fa AS name_fa, x.code || ' · ' || x.name_en AS name_en"
    " FROM found f JOIN operators_operator x ON x.id = f.key",
    Group.NETWORK: "x.name_fa, x.name_en FROM found f JOIN operators_network x ON x.id = f.key",
    Group.ACCOUNT: "x.name AS name_fa, x.name AS name_en FROM found f JOIN accounts_account x ON x.id = f.key",
}
_REPORT = """
WITH by_account AS (
    SELECT {inner_key} AS key, {account} AS account_id, {sums}, {outcomes}
    FROM lines_hour h JOIN lines_line l ON l.id = h.line_id {shares}
    WHERE h.hour_at >= :since AND h.hour_at < :until {scope} {narrowed}
    GROUP BY 1, 2
), found AS (
    SELECT {key} AS key, {again} FROM by_account h GROUP BY 1
)
SELECT f.*, {labels}
ORDER BY {order} LIMIT :most
"""
_ALL_SUMS = (*_NAMES, *COUNT_COLUMNS.values())
_AGAIN = ", ".join(f"sum(h.{name})::bigint AS {name}" for name in _ALL_SUMS)


def report(scope: Scope, narrowed: ReportFilter, group: Group, *, most: int = MOST_ROWS + 1) -> list[Row]:
    """The rows of a report: days in order, everything else by how much was sent."""
    is_by_child = group is Group.ACCOUNT and scope.whose is Whose.TREE
    is_by_account = group is Group.ACCOUNT
    sql = _REPORT.format(
        inner_key="0" if is_by_account else _KEYS[group],
        account="h.account_id" if is_by_account else "0",
        sums=_sums(scope),
        shares=_JOINED[scope.viewer],
        outcomes=_OUTCOMES,
        scope=_SCOPES[scope.whose],
        narrowed=narrowed.sql,
        key=_CHILD if is_by_child else "h.account_id" if is_by_account else "h.key",
        again=_AGAIN,
        labels=_LABELS[group],
        order="f.key" if group is Group.DAY else "f.submitted + f.unsent DESC, f.key",
    )
    return [_row(found) for found in rows(sql, most=most, **_of(scope), **narrowed.params)]


def _sums(scope: Scope) -> str:
    """The sums of a report, with the money of its viewer's level."""
    places = {"paid": _PAID, "paid_back": _PAID_BACK, "cost": _COST, "cost_back": _COST_BACK}
    return _SUMS.format(**{name: by_viewer[scope.viewer] for name, by_viewer in places.items()})


def _of(scope: Scope) -> dict[str, object]:
    whose: dict[str, object] = {} if scope.account_id is None else {"account_id": scope.account_id}
    return whose | ({"viewer_id": scope.viewer_id} if scope.viewer is Whose.TREE else {})


def _row(found: Found[Any]) -> Row:
    return Row(
        found.key,
        (found.name_fa or "", found.name_en or ""),
        Sums(**{name: getattr(found, name) for name in _NAMES}),
        {outcome: getattr(found, COUNT_COLUMNS[outcome]) for outcome in OUTCOMES},
    )


_TOTAL = """
SELECT {sums}, {outcomes} FROM lines_hour h JOIN lines_line l ON l.id = h.line_id {shares}
WHERE h.hour_at >= :since AND h.hour_at < :until {scope} {narrowed}
"""


def total(scope: Scope, narrowed: ReportFilter) -> Row:
    """All rows of a report together."""
    sql = _TOTAL.format(
        sums=_sums(scope),
        shares=_JOINED[scope.viewer],
        outcomes=_OUTCOMES,
        scope=_SCOPES[scope.whose],
        narrowed=narrowed.sql,
    )
    (found,) = rows(sql, **_of(scope), **narrowed.params)
    return Row(
        None,
        ("", ""),
        Sums(**{name: getattr(found, name) for name in _NAMES}),
        {outcome: getattr(found, COUNT_COLUMNS[outcome]) for outcome in OUTCOMES},
    )


def is_behind(*, at: datetime) -> bool:
    """Whether the hours lack something for longer than they usually do."""
    return bool(
        scalar(
            "SELECT EXISTS (SELECT FROM outbox_batch WHERE uncounted_at < CAST(:at AS timestamptz)"
            " - interval '5 minutes')",
            at=at,
        )
    )


def below(account_id: int, *, top_id: int | None) -> Found[Any]:
    """An account (id, kind, name) at or below `top_id`, or (None) anywhere; raises NotFound."""
    found = row(
        """SELECT a.id, a.kind, a.name FROM accounts_account a LEFT JOIN accounts_account top ON top.id = :top_id
           WHERE a.id = :id AND (CAST(:top_id AS bigint) IS NULL OR starts_with(a.path, top.path))""",
        id=account_id,
        top_id=top_id,
    )
    if found is None:
        raise NotFound(N_("There is no such account."))
    return found


def line_numbered(number: str) -> int | None:
    """The id of the line with this number; None when there is none."""
    found = scalar("SELECT id FROM lines_line WHERE number = :number", number=number)
    return int(found) if found is not None else None


def sub_accounts(account_id: int, most: int = 500) -> Sequence[Found[Any]]:
    """The accounts right below one, by name, for filters."""
    return rows(
        "SELECT id, name FROM accounts_account WHERE parent_id = :id ORDER BY name, id LIMIT :most",
        id=account_id,
        most=most,
    )
