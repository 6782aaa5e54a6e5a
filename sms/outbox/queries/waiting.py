"""What still waits to be done."""

from sms.core.db import scalar


def has_queued(*, gateway_id: int) -> bool:
    """Whether batches of a gateway may be claimed now."""
    return bool(
        scalar(
            "SELECT 1 FROM outbox_batch WHERE gateway_id = :id AND state = 'queued' AND not_before <= now() LIMIT 1",
            id=gateway_id,
        )
    )


def current_epoch() -> int:
    """Which life of the database this is: 0, until the first backup is restored."""
    return int(scalar("SELECT max(number) FROM core_epoch"))


def awaits_reports(*, gateway_id: int) -> bool:
    """Whether anything sent through a gateway may still be reported."""
    found = scalar("SELECT 1 FROM outbox_batch WHERE gateway_id = :id AND poll_at IS NOT NULL LIMIT 1", id=gateway_id)
    return bool(found)
