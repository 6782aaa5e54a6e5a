"""Who keeps a gateway bound: one process at a time, while its lease lasts by the database's clock."""

from datetime import datetime

from sms.core.db import execute, row
from sms.core.errors import SmsError
from sms.operators.rules import remembered

_HOLD = """
INSERT INTO operators_bind (gateway_id, slot, holder, lease_until, since)
VALUES (:gateway_id, 0, :holder, clock_timestamp() + make_interval(secs => :seconds), :at)
ON CONFLICT (gateway_id, slot) DO UPDATE
SET holder = excluded.holder, lease_until = excluded.lease_until, since = excluded.since, bound_count = 0, trouble = ''
WHERE operators_bind.lease_until <= clock_timestamp()
RETURNING gateway_id
"""

_RENEW = """
UPDATE operators_bind
SET lease_until = clock_timestamp() + make_interval(secs => :seconds), bound_count = :bound_count, trouble = :trouble
WHERE gateway_id = :gateway_id AND slot = 0 AND holder = :holder AND lease_until > clock_timestamp()
RETURNING gateway_id
"""


def hold(*, gateway_id: int, holder: str, seconds: float, at: datetime) -> bool:
    """Take the lease; False while somebody else has it."""
    return row(_HOLD, gateway_id=gateway_id, holder=holder, seconds=seconds, at=at) is not None


def hold_on(*, gateway_id: int, holder: str, seconds: float, bound_count: int, trouble: SmsError | None) -> bool:
    """Keep the lease and say how the line stands; False when it is lost: then nothing may be sent any more."""
    told = remembered(trouble) if trouble is not None else ""
    return (
        row(_RENEW, gateway_id=gateway_id, holder=holder, seconds=seconds, bound_count=bound_count, trouble=told)
        is not None
    )


def leave(*, gateway_id: int, holder: str) -> None:
    """Give the lease back, so that the next one need not wait for its end."""
    execute(
        "UPDATE operators_bind SET lease_until = clock_timestamp(), bound_count = 0"
        " WHERE gateway_id = :gateway_id AND slot = 0 AND holder = :holder",
        gateway_id=gateway_id,
        holder=holder,
    )
