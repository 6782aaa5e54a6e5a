"""What the owner of an inbox does with its texts: they are read, put away, and brought back."""

from collections.abc import Sequence
from datetime import datetime

from sms.core.db import execute


def mark_read(*, account_id: int, ids: Sequence[int], is_read: bool = True, at: datetime) -> int:
    """These texts were read, or are to count as unread again; returns how many changed."""
    return execute(
        """UPDATE inbox_message SET read_at = CASE WHEN :is_read THEN CAST(:at AS timestamptz) END
           WHERE account_id = :account_id AND id = ANY(:ids) AND (read_at IS NULL) = :is_read""",
        account_id=account_id,
        ids=list(ids),
        is_read=is_read,
        at=at,
    )


def mark_conversation_read(*, account_id: int, line_id: int, sender: str, at: datetime) -> int:
    """Everything that somebody wrote to a line was read; returns how many texts that were."""
    return execute(
        """UPDATE inbox_message SET read_at = :at
           WHERE account_id = :account_id AND line_id = :line_id AND sender = :sender AND read_at IS NULL""",
        account_id=account_id,
        line_id=line_id,
        sender=sender,
        at=at,
    )


def archive(*, account_id: int, ids: Sequence[int], is_archived: bool = True, at: datetime) -> int:
    """Put these texts away, or back; what is put away counts as read. Returns how many changed."""
    return execute(
        """UPDATE inbox_message SET archived_at = CASE WHEN :is_archived THEN CAST(:at AS timestamptz) END,
               read_at = coalesce(read_at, :at)
           WHERE account_id = :account_id AND id = ANY(:ids) AND (archived_at IS NULL) = :is_archived""",
        account_id=account_id,
        ids=list(ids),
        is_archived=is_archived,
        at=at,
    )
