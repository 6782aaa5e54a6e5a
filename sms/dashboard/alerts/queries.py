"""Reads of alerts: what is so now, by the policy; what is open and what was; and the policy itself."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.billing.price_lists.queries.losses import losses
from sms.billing.price_lists.rules import Loss
from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.dashboard.alerts.rules import OF_SPEND, Kind, Noticed, Policy, Worst, last_full_hour
from sms.operators.health.queries import standings
from sms.operators.health.rules.judging import is_credit_low
from sms.operators.queries import networks

_FIELDS = ", ".join(field.name for field in fields(Policy))


def policy() -> Policy:
    """The policy in force."""
    found = row(f"SELECT {_FIELDS} FROM dashboard_alert_policy ORDER BY id DESC LIMIT 1")  # noqa: S608 - our own names
    if found is None:
        raise NotFound(N_("There is no policy of alerts."))
    return Policy(**found._mapping)


# What is so now

_BELOW_COST = """
SELECT t.id, t.price_mrial, t.cost_mrial, t.language, o.code AS operator_code, l.number AS line_number,
       n.name_fa AS network_fa, n.name_en AS network_en
FROM billing_tariff t LEFT JOIN lines_line l ON l.id = t.line_id
JOIN operators_operator o ON o.id = coalesce(t.operator_id, l.operator_id)
LEFT JOIN operators_network n ON n.id = t.network_id
WHERE t.valid_from <= :at AND (t.valid_until IS NULL OR t.valid_until > :at)
  AND t.price_mrial * 100 < t.cost_mrial * (100 + :percent) ORDER BY t.id
"""


def prices_below_cost(policy: Policy, *, at: datetime) -> list[Noticed]:
    """Each tariff in force (a key: operator or line, network, language) that sells below its cost and the least
    margin."""
    return [
        Noticed(
            f"tariff:{each.id}",
            None,
            {
                "operator": each.operator_code,
                "line": each.line_number or "",
                "network_fa": each.network_fa or "",
                "network_en": each.network_en or "",
                "language": each.language,
                "price_mrial": each.price_mrial,
                "cost_mrial": each.cost_mrial,
            },
        )
        for each in rows(_BELOW_COST, at=at, percent=policy.least_margin_percent)
    ]


def low_credits() -> list[Noticed]:
    """The gateways whose credit is lower than staff want, as their health judges it."""
    return [
        Noticed(
            f"gateway:{found.gateway_id}",
            None,
            {
                "gateway": found.name,
                "credit_mrial": found.credit_mrial or 0,
                "limit_mrial": found.credit_alert_mrial or 0,
            },
        )
        for found in standings()
        if found.is_on and is_credit_low(found.condition)
    ]


_ASKED = """
SELECT p.id, p.operator_id, p.network_id, w.name AS owner, coalesce(a.name, '') AS account, o.code AS operator_code,
       coalesce(l.number, '') AS line_number
FROM billing_price_list p JOIN accounts_account w ON w.id = p.owner_id
LEFT JOIN accounts_account a ON a.id = p.account_id LEFT JOIN lines_line l ON l.id = p.line_id
JOIN operators_operator o ON o.id = coalesce(p.operator_id, l.operator_id) WHERE p.id = ANY(:ids)
"""


def asked_below_cost(policy: Policy, *, at: datetime) -> list[Noticed]:
    """The fixed prices of resellers that are, or within the policy's days will be, below what they pay themselves."""
    if not policy.is_asked_told:
        return []
    found = [(loss, Worst.of(loss)) for loss in losses(at=at, until=at + timedelta(days=policy.asked_ahead_days))]
    named = {each.id: each for each in rows(_ASKED, ids=[loss.row.id for loss, _ in found])}
    lines = rows("SELECT id, number FROM lines_line WHERE id = ANY(:ids)", ids=[worst.line_id for _, worst in found])
    numbers = {line.id: line.number for line in lines}
    names = {each.id: {"fa": each.name_fa, "en": each.name_en} for each in networks()}
    return [
        Noticed(f"price_list:{loss.row.id}", loss.row.owner_id, _asked(loss, worst, named[loss.row.id], numbers, names))
        for loss, worst in found
    ]


def _asked(
    loss: Loss, worst: Worst, named: Row[Any], numbers: Mapping[int, str], names: Mapping[int, Mapping[str, str]]
) -> dict[str, object]:
    return {
        "owner": named.owner,
        "account": named.account,
        "operator": named.operator_code,
        "line": numbers.get(worst.line_id, ""),
        "networks": [names[network_id] for network_id in worst.named(len(names))],
        "language": worst.language,
        "price_mrial": loss.row.price_mrial,
        "cost_mrial": worst.cost_mrial,
        "is_highest": worst.is_highest,
        "is_confirmed": loss.row.is_below_cost_confirmed,
        "begins_at": loss.begins_at.isoformat() if loss.begins_at else "",
        "key": {
            "account_id": loss.row.account_id,
            "operator_id": named.operator_id,
            "line": named.line_number or None,
            "network_id": named.network_id,
            "language": loss.row.language,
        },
    }


# The last hours beside the same hours of earlier days. Each day of an account counts, also those on which it spent
# nothing, but none from before it was there. A median is not moved by single days, nor is the median of the deviations
# from it; times 1.4826 the latter is a standard deviation where days are spread normally.
_SPEND = """
WITH spent AS (
    SELECT h.account_id, x.days_ago, sum(h.price_mrial) AS spent_mrial
    FROM lines_hour h CROSS JOIN LATERAL (
        SELECT CAST(floor((extract(epoch FROM CAST(:until AS timestamptz) - h.hour_at) - 1) / 86400) AS int) AS days_ago
    ) x
    WHERE h.hour_at >= CAST(:until AS timestamptz)
          - make_interval(days => CAST(:days AS int), hours => CAST(:hours AS int))
      AND h.hour_at < :until
      AND extract(epoch FROM CAST(:until AS timestamptz) - h.hour_at) - x.days_ago * 86400 <= CAST(:hours AS int) * 3600
    GROUP BY 1, 2
), accounts AS (
    SELECT a.id, a.name, least(:days, CAST(floor(extract(epoch FROM CAST(:until AS timestamptz) - a.created_at) / 86400)
               AS int)) AS days
    FROM accounts_account a WHERE a.id IN (SELECT account_id FROM spent)
), samples AS (
    SELECT a.id, coalesce(s.spent_mrial, 0) AS spent_mrial
    FROM accounts a CROSS JOIN LATERAL generate_series(1, a.days) AS d (days_ago)
    LEFT JOIN spent s ON s.account_id = a.id AND s.days_ago = d.days_ago WHERE a.days >= :least_days
), medians AS (
    SELECT id, percentile_disc(0.5) WITHIN GROUP (ORDER BY spent_mrial) AS usual_mrial FROM samples GROUP BY id
), deviations AS (
    SELECT m.id, m.usual_mrial,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY abs(s.spent_mrial - m.usual_mrial)) AS off_mrial
    FROM medians m JOIN samples s ON s.id = m.id GROUP BY m.id, m.usual_mrial
)
SELECT a.id, a.name, coalesce(s.spent_mrial, 0)::bigint AS spent_mrial, d.usual_mrial::bigint AS usual_mrial
FROM deviations d JOIN accounts a ON a.id = d.id LEFT JOIN spent s ON s.account_id = d.id AND s.days_ago = 0
WHERE abs(coalesce(s.spent_mrial, 0) - d.usual_mrial)
    > greatest(:floor, d.off_mrial * 1.4826 * CAST(:factor AS int) / 100) ORDER BY a.id
"""


def unusual_spends(policy: Policy, *, at: datetime) -> dict[Kind, list[Noticed]]:
    """The accounts whose spending of the last full hours is far off that of the same hours of earlier days."""
    found = rows(
        _SPEND,
        until=last_full_hour(at),
        hours=policy.spend_hours,
        days=policy.days,
        least_days=policy.spend_least_days,
        floor=policy.spend_floor_mrial,
        factor=policy.spend_factor_percent,
    )
    noticed: dict[Kind, list[Noticed]] = {kind: [] for kind in OF_SPEND}
    for each in found:
        kind = Kind.SPEND_HIGH if each.spent_mrial > each.usual_mrial else Kind.SPEND_LOW
        details = {
            "account": each.name,
            "spent_mrial": each.spent_mrial,
            "usual_mrial": each.usual_mrial,
            "hours": policy.spend_hours,
        }
        noticed[kind].append(Noticed(f"account:{each.id}", each.id, details))
    return noticed


# What was told

_ALERT = """
SELECT t.id, t.kind, t.subject, t.account_id, t.details, t.since, t.seen_at, t.until, t.acknowledged_at, t.note,
       coalesce(nullif(u.full_name, ''), u.username) AS acknowledged_by
FROM dashboard_alert t LEFT JOIN accounts_user u ON u.id = t.acknowledged_by
"""


def open_alerts(*, is_acknowledged: bool | None = None, most: int = 200) -> Sequence[Row[Any]]:
    """What is open, the newest first, without resellers' prices; for the staff only."""
    state = {None: "", True: "AND t.acknowledged_at IS NOT NULL", False: "AND t.acknowledged_at IS NULL"}
    return rows(
        f"{_ALERT} WHERE t.until IS NULL AND t.kind <> :kind {state[is_acknowledged]} ORDER BY t.id DESC LIMIT :most",
        kind=str(Kind.ASKED_BELOW_COST),
        most=most,
    )


def ended_alerts(*, before: int | None = None, most: int = 51) -> Sequence[Row[Any]]:
    """A page of what is over, the newest first, below the id `before`; for the staff only."""
    return rows(
        f"{_ALERT} WHERE t.until IS NOT NULL AND (CAST(:before AS bigint) IS NULL OR t.id < :before)"
        " ORDER BY t.id DESC LIMIT :most",
        before=before,
        most=most,
    )


def alerts_of_tree(account_id: int, *, since: datetime, most: int = 100) -> Sequence[Row[Any]]:
    """The spending of an account and of all below it that is, or was lately, far off its habit."""
    return rows(
        f"""{_ALERT} JOIN accounts_account a ON a.id = t.account_id JOIN accounts_account top ON top.id = :account_id
            WHERE starts_with(a.path, top.path) AND t.kind = ANY(:kinds) AND (t.until IS NULL OR t.until > :since)
            ORDER BY t.until IS NULL DESC, t.id DESC LIMIT :most""",
        account_id=account_id,
        kinds=[str(kind) for kind in OF_SPEND],
        since=since,
        most=most,
    )


def alerts_of_prices(
    account_id: int | None, *, since: datetime | None = None, before: int | None = None, most: int = 51
) -> Sequence[Row[Any]]:
    """A page of a reseller's prices that are, or (with `since`) lately were, told, the newest first, below the id
    `before`: its own only, what those below it ask is their business. None: of all resellers, for the staff only."""
    return rows(
        f"""{_ALERT} WHERE t.kind = :kind AND (CAST(:account_id AS bigint) IS NULL OR t.account_id = :account_id)
            AND (t.until IS NULL OR t.until > :since) AND (CAST(:before AS bigint) IS NULL OR t.id < :before)
            ORDER BY t.id DESC LIMIT :most""",
        kind=str(Kind.ASKED_BELOW_COST),
        account_id=account_id,
        since=since,
        before=before,
        most=most,
    )


def count_prices(account_id: int) -> int:
    """How many of a reseller's own prices are told now."""
    return int(
        scalar(
            "SELECT count(*) FROM dashboard_alert WHERE kind = :kind AND account_id = :account_id AND until IS NULL",
            kind=str(Kind.ASKED_BELOW_COST),
            account_id=account_id,
        )
    )


LATELY = timedelta(days=7)
