"""Whose turn it is at a gateway: start-time fair queueing between accounts."""

from sms.core.db import scalar

_FIRST_TURN = """
SELECT coalesce(greatest(
    (SELECT max(turn) + 1 FROM outbox_batch
     WHERE state = 'queued' AND gateway_id = :gateway AND account_id = :account AND priority = :priority),
    (SELECT min(turn) FROM outbox_batch
     WHERE state = 'queued' AND gateway_id = :gateway AND priority = :priority)), 0)
"""


def first_turn(*, gateway_id: int, account_id: int, priority: int) -> int:
    """The turn at which what an account queues now begins: a newcomer starts at the turn now served, an account's own
    batches stand in one row."""
    return int(scalar(_FIRST_TURN, gateway=gateway_id, account=account_id, priority=priority))
