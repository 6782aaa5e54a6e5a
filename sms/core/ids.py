"""Time-sortable ids of messages: seconds since 2020 in the high bits, a running number in the low 20 (about 50 bits,
so they survive JavaScript). A period of time is therefore a range of ids, and an id says when it was made."""

from datetime import UTC, datetime

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
SEQUENCE_BITS = 20


def first_id_at(moment: datetime) -> int:
    """The lowest id that can have been made at `moment`."""
    return int((moment - EPOCH).total_seconds()) << SEQUENCE_BITS


def moment_of(message_id: int) -> datetime:
    """The second in which `message_id` was made."""
    return datetime.fromtimestamp((message_id >> SEQUENCE_BITS) + EPOCH.timestamp(), UTC)
