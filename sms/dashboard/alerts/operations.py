"""Writes of alerts: what is noticed opens one, what is over closes it; staff acknowledge, and set the policy."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import execute, row
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.dashboard.alerts import queries
from sms.dashboard.alerts.rules import Kind, Noticed, Policy

_NOTE = """
INSERT INTO dashboard_alert AS t (kind, subject, account_id, details, since, seen_at)
SELECT :kind, n.subject, n.account_id, n.details, :at, :at
FROM unnest(CAST(:subjects AS text[]), CAST(:accounts AS bigint[]), CAST(:details AS jsonb[]))
    AS n (subject, account_id, details)
ON CONFLICT (kind, subject) WHERE until IS NULL DO UPDATE SET seen_at = excluded.seen_at, details = excluded.details
"""


def note(kind: Kind, noticed: Sequence[Noticed], *, at: datetime) -> int:
    """Open an alert for what is so now, keep those that are open already, close those that are over; returns how many
    were closed. One is open for a kind and a subject, however often it is noticed."""
    if noticed:
        execute(
            _NOTE,
            kind=str(kind),
            subjects=[each.subject for each in noticed],
            accounts=[each.account_id for each in noticed],
            details=[json.dumps(dict(each.details), ensure_ascii=False) for each in noticed],
            at=at,
        )
    return execute(
        "UPDATE dashboard_alert SET until = :at WHERE kind = :kind AND until IS NULL AND seen_at < :at",
        kind=str(kind),
        at=at,
    )


def watch(*, at: datetime) -> None:
    """Look at everything that is watched, and note what is found."""
    policy = queries.policy()
    note(Kind.PRICE_BELOW_COST, queries.prices_below_cost(policy, at=at), at=at)
    note(Kind.ASKED_BELOW_COST, queries.asked_below_cost(policy, at=at), at=at)
    note(Kind.CREDIT_LOW, queries.low_credits(), at=at)
    for kind, noticed in queries.unusual_spends(policy, at=at).items():
        note(kind, noticed, at=at)


def acknowledge(*, alert_id: int, note_text: str, by: Actor, at: datetime) -> None:
    """Somebody has seen it: it is told on its own page only, until it is over. Raises NotFound."""
    found = row(
        """UPDATE dashboard_alert SET acknowledged_at = :at, acknowledged_by = :user_id, note = :note
           WHERE id = :id RETURNING kind, subject, account_id""",
        at=at,
        user_id=by.id,
        note=note_text,
        id=alert_id,
    )
    if found is None:
        raise NotFound(N_("There is no such alert."))
    record(
        actor_id=by.id,
        account_id=found.account_id,
        action="alert.acknowledged",
        subject=f"alert:{alert_id}",
        details={"kind": found.kind, "subject": found.subject},
        at=at,
        address=by.address,
    )


def set_policy(policy: Policy, *, by: Actor, at: datetime) -> None:
    """Another policy from now on; the earlier ones stay readable."""
    execute(
        """INSERT INTO dashboard_alert_policy (least_margin_percent, spend_hours, spend_weeks, spend_least_days,
               spend_factor_percent, spend_floor_mrial, is_asked_told, asked_ahead_days, user_id, created_at)
           VALUES (:least_margin_percent, :spend_hours, :spend_weeks, :spend_least_days, :spend_factor_percent,
               :spend_floor_mrial, :is_asked_told, :asked_ahead_days, :user_id, :at)""",
        **asdict(policy),
        user_id=by.id,
        at=at,
    )
    record(
        actor_id=by.id,
        account_id=None,
        action="alert.policy",
        subject="",
        details=asdict(policy),
        at=at,
        address=by.address,
    )
