"""Batches as a whole: leases that go on while messages fly, and messages that move to a batch of their own."""

from collections.abc import Sequence

from sms.core.db import execute, rows, scalar

_RENEW = """
WITH ours AS (
    SELECT b.id FROM outbox_batch b
    JOIN unnest(CAST(:ids AS bigint[]), CAST(:attempts AS smallint[])) AS n (id, attempt)
        ON n.id = b.id AND n.attempt = b.attempt
    WHERE b.state = 'submitting' AND b.lease_until > clock_timestamp() ORDER BY b.id FOR NO KEY UPDATE OF b
)
UPDATE outbox_batch b SET lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
FROM ours WHERE b.id = ours.id
RETURNING b.id
"""


def renew_leases(batches: Sequence[tuple[int, int]], *, lease_seconds: float) -> set[int]:
    """Hold these (id, attempt) longer, as their messages are still on the wire; returns the ids that are still ours."""
    if not batches:
        return set()
    ids, attempts = zip(*sorted(batches), strict=True)
    renewed = rows(_RENEW, ids=list(ids), attempts=list(attempts), lease_seconds=lease_seconds)
    return {batch.id for batch in renewed}


def move_to_new_batch(
    batch_id: int, message_ids: Sequence[int], *, retry_seconds: float = 0.0, are_unknown: bool = False
) -> None:
    """Queue messages that the operator certainly does not have once more, in a batch of their own; their old one was
    counting them as of unknown fate when `are_unknown`: then the new one never goes over another line."""
    low, high = min(message_ids), max(message_ids)
    new_id = scalar(
        """INSERT INTO outbox_batch (campaign_id, account_id, line_id, gateway_id, state, priority, turn, attempt,
               first_id, last_id, size, not_before, is_pinned, suffix)
           SELECT campaign_id, account_id, line_id, gateway_id, 'queued', priority, turn, attempt, :low, :high, :size,
               clock_timestamp() + make_interval(secs => :seconds), is_pinned OR :are_unknown,
               suffix
           FROM outbox_batch WHERE id = :batch_id RETURNING id""",
        low=low,
        high=high,
        size=len(message_ids),
        seconds=retry_seconds,
        are_unknown=are_unknown,
        batch_id=batch_id,
    )
    execute(
        "INSERT INTO outbox_moved (move_id, batch_id)"
        " SELECT move_id, :new_id FROM outbox_moved WHERE batch_id = :old_id",
        new_id=new_id,
        old_id=batch_id,
    )
    execute(
        "UPDATE outbox_message SET batch_id = :new_id WHERE id = ANY(:ids) AND id BETWEEN :low AND :high",
        new_id=new_id,
        ids=list(message_ids),
        low=low,
        high=high,
    )
    execute(
        "UPDATE outbox_batch SET size = size - :moved, unknown_count = unknown_count - :unknown WHERE id = :batch_id",
        moved=len(message_ids),
        unknown=len(message_ids) if are_unknown else 0,
        batch_id=batch_id,
    )
