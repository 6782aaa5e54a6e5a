"""Credit that we bought at operators, as staff enter it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import row, scalar
from sms.core.errors import NotFound
from sms.core.text import N_


def buy_credit(
    *, gateway_id: int, amount_mrial: int, bought_at: datetime, note: str = "", by: Actor, at: datetime
) -> int:
    """Write down credit that was bought at an operator; a negative amount is credit that it took back. Returns its
    id."""
    purchase_id: int = scalar(
        """INSERT INTO dashboard_credit_purchase (gateway_id, amount_mrial, bought_at, note, user_id, created_at)
           VALUES (:gateway_id, :amount, :bought_at, :note, :user_id, :at) RETURNING id""",
        gateway_id=gateway_id,
        amount=amount_mrial,
        bought_at=bought_at,
        note=note,
        user_id=by.id,
        at=at,
    )
    note_in_audit("credit.bought", gateway_id, {"purchase": purchase_id, "amount_mrial": amount_mrial}, by=by, at=at)
    return purchase_id


def void_purchase(*, purchase_id: int, by: Actor, at: datetime) -> Row[Any]:
    """Take back what was entered wrongly; it stays readable. Raises NotFound."""
    found = row(
        """UPDATE dashboard_credit_purchase SET voided_at = :at, voided_by = :user_id
           WHERE id = :id AND voided_at IS NULL RETURNING gateway_id, bought_at""",
        at=at,
        user_id=by.id,
        id=purchase_id,
    )
    if found is None:
        raise NotFound(N_("There is no such purchase."))
    note_in_audit("credit.voided", found.gateway_id, {"purchase": purchase_id}, by=by, at=at)
    return found


def note_in_audit(action: str, gateway_id: int, details: dict[str, object], *, by: Actor, at: datetime) -> None:
    """Write down who did what about a gateway."""
    record(
        actor_id=by.id,
        account_id=None,
        action=action,
        subject=f"gateway:{gateway_id}",
        details=details,
        at=at,
        address=by.address,
    )
