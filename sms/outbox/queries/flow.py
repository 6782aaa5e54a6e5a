"""How messages flow through each gateway: what waits, and what became of what was handed over."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows


def queued_by_gateway() -> dict[int, int]:
    """How many messages wait for each gateway; gateways without any are left out."""
    found = rows(
        "SELECT gateway_id, sum(size)::bigint AS messages FROM outbox_batch WHERE state = 'queued' GROUP BY gateway_id"
    )
    return {each.gateway_id: each.messages for each in found}


def handed_over(*, since: datetime, until: datetime) -> Sequence[Row[Any]]:
    """By gateway and minute: the messages handed over then, and how many of them are delivered by now."""
    return rows(
        """SELECT gateway_id, date_trunc('minute', submitted_at) AS minute, sum(submitted_count)::int AS submitted,
                  sum(delivered_count)::int AS delivered
           FROM outbox_batch WHERE submitted_at >= :since AND submitted_at < :until
           GROUP BY gateway_id, date_trunc('minute', submitted_at) ORDER BY 2, 1""",
        since=since,
        until=until,
    )
