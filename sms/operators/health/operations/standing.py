"""How a gateway's health is kept: locked, compared, stored, and every change of weight written into the history."""

import json
import logging
from collections.abc import Mapping
from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import PANEL, Actor
from sms.core.db import execute
from sms.operators.health import queries
from sms.operators.health.queries import Standing
from sms.operators.health.rules.breaker import BreakerState
from sms.operators.health.rules.judging import Event

log = logging.getLogger(__name__)
_AUDITED = frozenset({Event.OPENED, Event.CLOSED, Event.HELD, Event.FORCED, Event.RELEASED, Event.LIMITS})

_STORE = """
UPDATE operators_health
SET breaker = :breaker, cause = :cause, since = :since, trial_at = :trial_at, opened_count = :opened_count,
    failures_in_row = :failures_in_row, lately = CAST(:lately AS jsonb), figures = CAST(:figures AS jsonb),
    brownout = :brownout, brownout_cause = :brownout_cause, brownout_at = :brownout_at, is_slow = :is_slow,
    are_reports_slow = :are_reports_slow, alerts = :alerts
WHERE gateway_id = :gateway_id
"""


def locked(gateway_id: int) -> Standing:
    """A gateway's standing, nobody else's to change until the transaction ends; raises NotFound."""
    query = "SELECT 1 FROM operators_health WHERE gateway_id = :id FOR UPDATE"
    if not execute(query, id=gateway_id):
        execute(
            "INSERT INTO operators_health (gateway_id) SELECT id FROM operators_gateway WHERE id = :id"
            " ON CONFLICT DO NOTHING",
            id=gateway_id,
        )
        execute(query, id=gateway_id)
    return queries.standing(gateway_id)


def store(before: Standing, after: Standing, *, slowed_by: Mapping[str, object] | None = None, at: datetime) -> None:
    """Store what changed of breaker, brownout and judgement, and write down what is worth remembering; `slowed_by`
    are the figures of a brownout that begins."""
    if after == before:
        return
    breaker = after.breaker
    execute(
        _STORE,
        gateway_id=after.gateway_id,
        breaker=str(breaker.state),
        cause=breaker.cause or "",
        since=breaker.since,
        trial_at=breaker.trial_at,
        opened_count=breaker.opened_count,
        failures_in_row=breaker.failures_in_row,
        lately=json.dumps(breaker.lately),
        figures=json.dumps(dict(breaker.figures)),
        brownout=after.brownout.factor,
        brownout_cause=after.brownout.cause or "",
        brownout_at=after.brownout.at,
        is_slow=after.is_slow,
        are_reports_slow=after.are_reports_slow,
        alerts=list(after.noticed),
    )
    _note_breaker(before, after, at=at)
    _note_brownout(before, after, slowed_by or {}, at=at)


def _note_breaker(before: Standing, after: Standing, *, at: datetime) -> None:
    was, now = before.breaker, after.breaker
    if was.state is BreakerState.CLOSED and now.state is BreakerState.OPEN:
        log.error("gateway %s: breaker opened: %s", after.gateway_id, now.cause)
        write(after.gateway_id, Event.OPENED, cause=now.cause or "", figures=now.figures, at=at)
    elif was.state is not BreakerState.CLOSED and now.state is BreakerState.CLOSED:
        log.warning("gateway %s: breaker closed", after.gateway_id)
        seconds = round((at - was.since).total_seconds()) if was.since else 0
        write(after.gateway_id, Event.CLOSED, figures={"seconds": seconds}, at=at)


def _note_brownout(before: Standing, after: Standing, figures: Mapping[str, object], *, at: datetime) -> None:
    was, now = before.brownout.factor, after.brownout.factor
    if was >= 1 > now:
        told = {"factor_share": round(now, 4)} | dict(figures)
        write(after.gateway_id, Event.SLOWED, cause=after.brownout.cause or "", figures=told, at=at)
    elif was < 1 <= now:
        write(after.gateway_id, Event.SPED_UP, at=at)


def write(
    gateway_id: int,
    event: Event,
    *,
    cause: str = "",
    figures: Mapping[str, object] | None = None,
    reason: str = "",
    by: Actor = PANEL,
    at: datetime,
) -> None:
    """Append to the history of a gateway; what changed what it sends, to the audit too."""
    execute(
        "INSERT INTO operators_event (gateway_id, at, kind, cause, figures, reason, actor_id)"
        " VALUES (:gateway_id, :at, :kind, :cause, CAST(:figures AS jsonb), :reason, :actor_id)",
        gateway_id=gateway_id,
        at=at,
        kind=str(event),
        cause=cause,
        figures=json.dumps(dict(figures or {})),
        reason=reason,
        actor_id=by.id,
    )
    if event in _AUDITED:
        told = {"cause": cause, "reason": reason} | dict(figures or {})
        record(
            actor_id=by.id,
            account_id=None,
            action=f"gateway.{event}",
            subject=f"gateway:{gateway_id}",
            details={name: value for name, value in told.items() if value != ""},
            at=at,
            address=by.address,
        )
