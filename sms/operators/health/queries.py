"""Reads of the health of gateways: how each stands, what happened to it, and what staff are to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows, scalar
from sms.core.errors import NotFound
from sms.operators.health.rules import judging, talks
from sms.operators.health.rules.breaker import Breaker, BreakerState, Cause, Override, Second, is_open_now
from sms.operators.health.rules.judging import Alert, Condition, Deliveries
from sms.operators.health.rules.pace import BUDGET_MINUTES, Brownout, BrownoutCause, retries_left
from sms.operators.health.rules.talks import TalkKind
from sms.operators.queries import NO_SUCH_GATEWAY

_HEALTH = """
       coalesce(h.breaker, 'closed') AS breaker, coalesce(h.cause, '') AS cause, h.since, h.trial_at,
       coalesce(h.opened_count, 0) AS opened_count, coalesce(h.failures_in_row, 0) AS failures_in_row,
       coalesce(h.lately, '[]') AS lately, coalesce(h.figures, '{}') AS figures,
       coalesce(h.override, '') AS override, h.override_until, coalesce(h.override_reason, '') AS override_reason,
       coalesce(h.brownout, 1) AS brownout, coalesce(h.brownout_cause, '') AS brownout_cause, h.brownout_at,
       coalesce(h.is_slow, false) AS is_slow, h.usual_ms, h.usual_p95_ms, h.share, h.usual_share, h.share_at,
       coalesce(h.are_reports_slow, false) AS are_reports_slow, coalesce(h.alerts, '{}') AS alerts,
       h.queued_count, h.queued_at
"""
_GATEWAY = f"""
SELECT g.id AS gateway_id, g.name, g.is_on, g.stopped_reason, g.failing_since, g.concurrency, g.credit_mrial,
       g.credit_alert_mrial, g.credit_checked_at, g.per_second, o.code AS operator_code, o.colour,
       {_HEALTH}
FROM operators_gateway g JOIN operators_operator o ON o.id = g.operator_id
LEFT JOIN operators_health h ON h.gateway_id = g.id
"""  # noqa: S608 - the columns are our own


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A gateway and all that is known of its health."""

    gateway_id: int
    name: str
    operator_code: str
    colour: str
    is_on: bool
    stopped_reason: str
    failing_since: datetime | None
    concurrency: int
    credit_mrial: int | None
    credit_alert_mrial: int | None
    credit_checked_at: datetime | None
    per_second: float | None
    breaker: Breaker
    override: Override
    override_reason: str
    brownout: Brownout
    is_slow: bool
    usual_ms: int | None
    usual_p95_ms: int | None
    share: float | None
    usual_share: float | None
    share_at: datetime | None
    are_reports_slow: bool
    noticed: Sequence[str]
    queued_count: int | None
    queued_at: datetime | None

    @property
    def condition(self) -> Condition:
        """What alerts follow from."""
        return Condition(
            is_on=self.is_on,
            stopped_reason=self.stopped_reason,
            breaker=self.breaker,
            override=self.override,
            brownout=self.brownout,
            is_slow=self.is_slow,
            are_reports_slow=self.are_reports_slow,
            credit_mrial=self.credit_mrial,
            credit_alert_mrial=self.credit_alert_mrial,
        )


def standings() -> list[Standing]:
    """All gateways, by operator and name."""
    return [_standing(found) for found in rows(_GATEWAY + "ORDER BY o.code, g.name")]


def standing(gateway_id: int) -> Standing:
    """One gateway; raises NotFound."""
    found = row(_GATEWAY + "WHERE g.id = :id", id=gateway_id)
    if found is None:
        raise NotFound(NO_SUCH_GATEWAY)
    return _standing(found)


def _standing(found: Row[Any]) -> Standing:
    values = dict(found._mapping)
    values["breaker"] = Breaker(
        state=BreakerState(values.pop("breaker")),
        cause=Cause(cause) if (cause := values.pop("cause")) else None,
        lately=tuple(Second(*second) for second in values.pop("lately")),
        **{name: values.pop(name) for name in ("since", "trial_at", "opened_count", "failures_in_row", "figures")},
    )
    state = values.pop("override")
    values["override"] = Override(BreakerState(state) if state else None, values.pop("override_until"))
    slow = values.pop("brownout_cause")
    values["brownout"] = Brownout(
        values.pop("brownout"), BrownoutCause(slow) if slow else None, values.pop("brownout_at")
    )
    values["noticed"] = values.pop("alerts")
    return Standing(**values)


def is_open(gateway_id: int, *, at: datetime) -> bool:
    """Whether a gateway is to be gone round: its breaker is open, by itself or by staff."""
    return gateway_id in open_gateways(at=at)


def open_gateways(*, at: datetime) -> frozenset[int]:
    """The gateways whose breaker is open."""
    found = rows("SELECT gateway_id, breaker, override, override_until FROM operators_health")
    return frozenset(
        each.gateway_id
        for each in found
        if is_open_now(each.breaker, override=each.override, until=each.override_until, at=at)
    )


def budget(gateway_id: int, *, at: datetime) -> int:
    """How many batches a gateway may send again now."""
    since = talks.minute_of(at) - timedelta(minutes=BUDGET_MINUTES - 1)
    found = row(
        "SELECT coalesce(sum(calls), 0)::int AS calls, coalesce(sum(retries), 0)::int AS retries,"
        " coalesce(sum(failures + throttles), 0)::int AS failures FROM operators_minute"
        " WHERE gateway_id = :id AND kind = 'send' AND minute >= :since",
        id=gateway_id,
        since=since,
    )
    return retries_left(calls=found.calls, retries=found.retries, failures=found.failures) if found else 0


# What staff are told


@dataclass(frozen=True, slots=True)
class Told:
    """One alert of a gateway: its sentence is `judging.ALERT_SENTENCES[alert]` with these params."""

    gateway_id: int
    alert: Alert
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def tone(self) -> str:
        """How bad it is."""
        return judging.ALERT_TONES[self.alert]

    @property
    def sentence(self) -> str:
        """Its message id."""
        return judging.ALERT_SENTENCES[self.alert]


def alerts(*, at: datetime) -> list[Told]:
    """What needs a look of all gateways, the worst first; for the staff's home and the page of health."""
    told = [each for found in standings() for each in alerts_of(found, at=at)]
    return sorted(told, key=lambda each: each.tone != "danger")


def alerts_of(found: Standing, *, at: datetime) -> list[Told]:
    """What needs a look of one gateway."""
    params = {
        "gateway": found.name,
        "credit_mrial": found.credit_mrial,
        "until": found.override.until,
        "reason": found.override_reason,
    }
    return [Told(found.gateway_id, alert, params) for alert in judging.alerts_of(found.condition, at=at)]


# What was counted


@dataclass(frozen=True, slots=True)
class Lately:
    """The sends of a gateway within the last minutes."""

    calls: int = 0
    failures: int = 0
    throttles: int = 0
    retries: int = 0
    submitted: int = 0
    median_ms: int | None = None
    p95_ms: int | None = None


NOTHING_LATELY = Lately()


def lately(*, since: datetime, until: datetime | None = None) -> dict[int, Lately]:
    """The sends of every gateway since a minute; gateways without any are left out."""
    found = rows(
        """SELECT gateway_id, sum(calls)::int AS calls, sum(failures)::int AS failures,
                  sum(throttles)::int AS throttles, sum(retries)::int AS retries, sum(submitted)::int AS submitted,
                  array_agg(histogram) AS histograms
           FROM operators_minute WHERE kind = :kind AND minute >= :since
             AND (CAST(:until AS timestamptz) IS NULL OR minute < :until)
           GROUP BY gateway_id""",
        kind=str(TalkKind.SEND),
        since=since,
        until=until,
    )
    return {each.gateway_id: _lately(each) for each in found}


def _lately(found: Row[Any]) -> Lately:
    histogram = talks.summed(found.histograms)
    return Lately(
        calls=found.calls,
        failures=found.failures,
        throttles=found.throttles,
        retries=found.retries,
        submitted=found.submitted,
        median_ms=talks.percentile_ms(histogram, 0.5),
        p95_ms=talks.percentile_ms(histogram, 0.95),
    )


def minutes(gateway_id: int, *, since: datetime) -> Sequence[Row[Any]]:
    """The sends of one gateway minute by minute (minute, calls, failures, submitted), oldest first."""
    return rows(
        "SELECT minute, calls, failures, throttles, submitted FROM operators_minute"
        " WHERE gateway_id = :id AND kind = 'send' AND minute >= :since ORDER BY minute",
        id=gateway_id,
        since=since,
    )


_DELIVERIES = """
WITH now_ AS (
    SELECT d.gateway_id, sum(d.submitted) AS submitted, sum(d.delivered) AS delivered FROM operators_delivery d
    LEFT JOIN operators_health h ON h.gateway_id = d.gateway_id
    WHERE d.minute >= :since AND (h.since IS NULL OR d.minute >= h.since) GROUP BY d.gateway_id
), hour AS (
    SELECT gateway_id, sum(submitted) AS submitted, sum(delivered) AS delivered FROM operators_delivery
    WHERE minute < CAST(:since AS timestamptz) - interval '12 hours'
      AND date_part('hour', minute) = date_part('hour', CAST(:since AS timestamptz)) GROUP BY gateway_id
), day AS (
    SELECT gateway_id, sum(submitted) AS submitted, sum(delivered) AS delivered FROM operators_delivery
    WHERE minute < :since AND minute >= CAST(:since AS timestamptz) - interval '1 day' GROUP BY gateway_id
)
SELECT n.gateway_id, n.submitted::int AS submitted, n.delivered::int AS delivered,
       CASE WHEN hour.submitted >= :enough THEN hour.delivered::real / hour.submitted
            WHEN day.submitted >= :enough THEN day.delivered::real / day.submitted END AS usual
FROM now_ n LEFT JOIN hour USING (gateway_id) LEFT JOIN day USING (gateway_id)
"""


def deliveries(*, since: datetime) -> dict[int, Deliveries]:
    """What was delivered in time of what each gateway handed over since a minute, and since its breaker last closed;
    beside it the usual share: of the same hour of earlier days, or of its last day while it is new."""
    found = rows(_DELIVERIES, since=since, enough=judging.LEAST_USUAL_MESSAGES)
    return {each.gateway_id: Deliveries(each.submitted, each.delivered, each.usual) for each in found}


# History


def events(*, gateway_id: int | None = None, before: int | None = None, most: int) -> Sequence[Row[Any]]:
    """What happened to a gateway, or to all of them, newest first."""
    return rows(
        """SELECT e.id, e.gateway_id, g.name AS gateway_name, e.at, e.kind, e.cause, e.figures, e.reason,
                  coalesce(nullif(u.full_name, ''), u.username) AS actor
           FROM operators_event e JOIN operators_gateway g ON g.id = e.gateway_id
           LEFT JOIN accounts_user u ON u.id = e.actor_id
           WHERE (CAST(:gateway_id AS int) IS NULL OR e.gateway_id = :gateway_id)
             AND (CAST(:before AS bigint) IS NULL OR e.id < :before)
           ORDER BY e.id DESC LIMIT :most""",
        gateway_id=gateway_id,
        before=before,
        most=most,
    )


def last_delivery(*, since: datetime) -> datetime | None:
    """The last minute whose deliveries were counted, if that was lately."""
    found: datetime | None = scalar("SELECT max(minute) FROM operators_delivery WHERE minute >= :since", since=since)
    return found
