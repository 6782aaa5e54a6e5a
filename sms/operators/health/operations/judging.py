"""What is judged of all gateways together, a few times a minute: reports, latency, credit, and decisions whose time is
over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sms.core.db import execute, rows
from sms.operators.health import queries
from sms.operators.health.operations.standing import locked, store, write
from sms.operators.health.queries import Lately, Standing
from sms.operators.health.rules import breaker as breakers
from sms.operators.health.rules import judging, pace, talks
from sms.operators.health.rules.judging import NOTICED, Deliveries, Event

KEPT_DAYS = 15
SLOW_MINUTES = 2
REPORT_MINUTES = 10  # of submission are looked at together

_USUAL = """
UPDATE operators_health SET usual_ms = :usual_ms, usual_p95_ms = :usual_p95_ms WHERE gateway_id = :id
  AND (usual_ms, usual_p95_ms) IS DISTINCT FROM (CAST(:usual_ms AS integer), CAST(:usual_p95_ms AS integer))
"""


@dataclass(frozen=True, slots=True)
class Handed:
    """Of the messages a gateway handed over in a minute, how many were delivered some minutes later."""

    gateway_id: int
    minute: datetime
    submitted: int
    delivered: int


def note_queues(queued: Mapping[int, int], *, at: datetime) -> None:
    """Keep how many messages wait for each gateway, as told by whoever keeps the queue."""
    for gateway_id in _ids():
        locked(gateway_id)
        execute(
            "UPDATE operators_health SET queued_count = :queued, queued_at = :at WHERE gateway_id = :id",
            id=gateway_id,
            queued=queued.get(gateway_id, 0),
            at=at,
        )


def note_deliveries(handed: Sequence[Handed], *, at: datetime) -> bool:
    """Keep what was delivered in time; returns whether something was new. What is older than 15 days is forgotten."""
    made = sum(
        execute(
            "INSERT INTO operators_delivery (gateway_id, minute, submitted, delivered)"
            " VALUES (:gateway_id, :minute, :submitted, :delivered) ON CONFLICT DO NOTHING",
            gateway_id=each.gateway_id,
            minute=each.minute,
            submitted=each.submitted,
            delivered=min(each.delivered, each.submitted),
        )
        for each in handed
        if each.submitted
    )
    for table in ("operators_delivery", "operators_minute"):
        execute(
            f"DELETE FROM {table} WHERE gateway_id = ANY(:ids) AND minute < :before",  # noqa: S608 - names are our own
            ids=_ids(),
            before=at - timedelta(days=KEPT_DAYS),
        )
    return made > 0


def judge_reports(*, at: datetime) -> None:
    """Compare what was delivered in time with what is usual; open the breaker of one that is slow while most others are
    not."""
    deliveries = queries.deliveries(since=at - timedelta(minutes=REPORT_MINUTES))
    alone = judging.slow_alone({gateway_id: found.is_slow for gateway_id, found in deliveries.items()})
    for gateway_id in _ids():
        before = locked(gateway_id)
        found = deliveries.get(gateway_id, Deliveries(0, 0, None))
        after = replace(before, are_reports_slow=bool(found.is_slow))
        if gateway_id in alone:
            after = replace(after, breaker=breakers.after_reports(before.breaker, _told(found), at=at))
        store(before, after, at=at)
        execute(
            "UPDATE operators_health SET share = :share, usual_share = :usual, share_at = :at WHERE gateway_id = :id",
            id=gateway_id,
            share=found.share,
            usual=found.usual,
            at=at if found.submitted else None,
        )


def _told(found: Deliveries) -> dict[str, object]:
    return {"delivered": found.delivered, "submitted": found.submitted, "usual_share": round(found.usual or 0, 4)}


def judge_latency(*, at: datetime) -> None:
    """Compare the slow answers of the last minutes with the usual ones; halve the requests at once of a gateway that is
    slow while most others are not."""
    this_minute = talks.minute_of(at)
    now = queries.lately(since=this_minute - timedelta(minutes=SLOW_MINUTES - 1))
    usual = queries.lately(since=this_minute - timedelta(days=1), until=this_minute - timedelta(minutes=SLOW_MINUTES))
    is_slow = {
        gateway_id: judging.is_slow_to_answer(
            calls=found.calls, p95_ms=found.p95_ms, usual_ms=usual.get(gateway_id, queries.NOTHING_LATELY).median_ms
        )
        for gateway_id, found in now.items()
    }
    alone = judging.slow_alone(is_slow)
    for gateway_id in _ids():
        before = locked(gateway_id)
        normal = usual.get(gateway_id, queries.NOTHING_LATELY)
        execute(_USUAL, id=gateway_id, usual_ms=normal.median_ms, usual_p95_ms=normal.p95_ms)
        _judge_speed(
            before,
            is_slow=bool(is_slow.get(gateway_id)),
            is_alone=gateway_id in alone,
            figures=_latencies(now.get(gateway_id, queries.NOTHING_LATELY), normal),
            at=at,
        )


def _latencies(now: Lately, usual: Lately) -> dict[str, object]:
    return {"p95_ms": now.p95_ms, "usual_ms": usual.median_ms}


def _judge_speed(
    before: Standing, *, is_slow: bool, is_alone: bool, figures: Mapping[str, object], at: datetime
) -> None:
    brownout = before.brownout
    if is_alone:
        brownout = pace.after_slowness(brownout, at=at)
    elif not is_slow:
        brownout = pace.recovering(brownout, at=at)
    store(before, replace(before, brownout=brownout, is_slow=is_slow), slowed_by=figures if is_alone else None, at=at)


def judge_conditions(*, at: datetime) -> None:
    """Write down which alerts came and went, and end what staff decided for a time that is over."""
    for gateway_id in _ids():
        before = locked(gateway_id)
        if before.override.state is not None and not before.override.holds(at):
            execute(
                "UPDATE operators_health SET override = '', override_until = NULL, override_reason = ''"
                " WHERE gateway_id = :id",
                id=gateway_id,
            )
            write(gateway_id, Event.TIME_OVER, at=at)
        now = {alert for alert in judging.alerts_of(before.condition, at=at) if alert in NOTICED}
        was = {judging.Alert(alert) for alert in before.noticed}
        figures = {"credit_mrial": before.credit_mrial, "least_mrial": before.credit_alert_mrial}
        for alert in sorted(now - was):
            write(gateway_id, NOTICED[alert][0], cause=alert, figures=_figures(alert, before, figures), at=at)
        for alert in sorted(was - now):
            write(gateway_id, NOTICED[alert][1], cause=alert, at=at)
        store(before, replace(before, noticed=sorted(now)), at=at)


def _figures(alert: judging.Alert, found: Standing, credit: Mapping[str, object]) -> Mapping[str, object]:
    if alert is judging.Alert.CREDIT_LOW:
        return credit
    if alert is judging.Alert.REPORTS_SLOW:
        return {"delivered_share": found.share, "usual_share": found.usual_share}
    return {}


def _ids() -> list[int]:
    return [found.id for found in rows("SELECT id FROM operators_gateway ORDER BY id")]
