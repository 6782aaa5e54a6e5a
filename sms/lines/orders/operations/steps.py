"""The steps of an order, as both sides read them."""

import json
from collections.abc import Mapping
from datetime import datetime

from sms.core.actor import Actor
from sms.core.db import execute
from sms.lines.orders.rules import OrderState


def note_step(
    *,
    order_id: int,
    before: OrderState | None,
    after: OrderState,
    by: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    """Write one step; `details` hold amounts and moments, never a secret."""
    told = {name: value for name, value in (details or {}).items() if value is not None}
    execute(
        """INSERT INTO lines_order_step (order_id, from_state, to_state, actor_id, reason, details, moved_at)
           VALUES (:order_id, :before, :after, :actor_id, :reason, CAST(:details AS jsonb), :at)""",
        order_id=order_id,
        before=str(before) if before else "",
        after=str(after),
        actor_id=by.id,
        reason=reason,
        details=json.dumps(told, ensure_ascii=False, default=str),
        at=at,
    )


def mark_seen(*, order_id: int, account_id: int, at: datetime) -> int:
    """The customer has read what others did; returns how many steps that were."""
    return execute(
        """UPDATE lines_order_step s SET seen_at = :at FROM lines_order o
           WHERE o.id = s.order_id AND o.id = :order_id AND o.account_id = :account_id AND s.seen_at IS NULL""",
        order_id=order_id,
        account_id=account_id,
        at=at,
    )
