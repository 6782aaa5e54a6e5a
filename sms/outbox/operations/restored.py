"""After a backup was restored: what may have been sent since it was taken becomes unknown; nothing is sent by itself.

The database has gone back in time and the operators have not. Whatever could be claimed at the moment of the backup may
have been handed over before the restore, so it is looked up, or waits for a report or a person, like any other message
of unknown fate, and so is a scheduled send whose moment has come since. Cancelled and paused batches stay as they are,
and so does what may not be sent before a moment that still lies ahead.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from sms.accounts.operations import end_all_sessions, record
from sms.accounts.queries import find_root
from sms.core.db import after_commit, execute, row, rows, scalar
from sms.core.queue import silence
from sms.operators.queries import bound_adapters

# The number carries the second of the restore: the same backup, restored twice, must not come to the same epoch.
_BEGIN = """
INSERT INTO core_epoch (number, began_at, restored_to)
SELECT greatest(max(number) + 1, floor(extract(epoch FROM clock_timestamp()))::bigint - 1577836800), clock_timestamp(),
       CAST(:taken_at AS timestamptz)
FROM core_epoch RETURNING number
"""

# Looked up by when the operator has certainly heard of them; counted as old as the backup, since the operator may have
# had them from then on: a memory that does not reach back so far proves nothing. Nor does its *no*, where the send may
# have gone on over a line of another gateway meanwhile. A gateway that stays bound has nothing to look up with.
_LOSE = """
WITH open AS (
    SELECT b.id, g.lookup_after_seconds, g.adapter = ANY(:bound) AS is_bound,
           NOT b.is_pinned AND EXISTS (SELECT FROM lines_line l WHERE l.gateway_id <> b.gateway_id
               AND coalesce(l.account_id, b.account_id) = b.account_id) AS may_be_elsewhere
    FROM outbox_batch b JOIN operators_gateway g ON g.id = b.gateway_id
    WHERE b.state = 'submitting' OR (b.state = 'queued' AND b.not_before <= clock_timestamp())
      OR (b.state = 'paused' AND EXISTS (
          SELECT FROM outbox_campaign c WHERE c.id = b.campaign_id AND c.paused_at IS NULL AND c.scheduled_at <= :at))
    ORDER BY b.id FOR UPDATE OF b
), lost AS (
    INSERT INTO outbox_unknown (message_id, batch_id, campaign_id, gateway_id, attempt, wire_at, next_lookup_at,
        may_be_elsewhere)
    SELECT m.id, b.id, b.campaign_id, b.gateway_id, b.attempt + 1, :taken_at,
           CASE WHEN NOT open.is_bound THEN clock_timestamp() + make_interval(secs => open.lookup_after_seconds) END,
           open.may_be_elsewhere
    FROM open JOIN outbox_batch b ON b.id = open.id
    JOIN outbox_message m ON m.id BETWEEN b.first_id AND b.last_id AND m.batch_id = b.id AND m.outcome IS NULL
    WHERE NOT EXISTS (SELECT FROM outbox_submission s WHERE s.message_id = m.id)
    ON CONFLICT (message_id) DO NOTHING RETURNING batch_id
), counted AS (SELECT batch_id, count(*) AS messages FROM lost GROUP BY batch_id)
UPDATE outbox_batch b
SET state = 'submitted', attempt = b.attempt + 1, epoch = :epoch, wire_at = :taken_at, lease_until = NULL,
    submitted_at = :at, poll_at = NULL, unknown_count = b.unknown_count + coalesce(c.messages, 0)
FROM open LEFT JOIN counted c ON c.batch_id = open.id WHERE b.id = open.id
RETURNING b.campaign_id, coalesce(c.messages, 0) AS messages
"""

_UNTOUCHED = """
SELECT coalesce(sum(b.size) FILTER (WHERE c.paused_at IS NOT NULL), 0) AS paused,
       coalesce(sum(b.size) FILTER (WHERE c.paused_at IS NULL), 0) AS later
FROM outbox_batch b JOIN outbox_campaign c ON c.id = b.campaign_id WHERE b.state IN ('queued', 'paused')
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to: the new epoch, and how many messages it left how."""

    epoch: int
    campaign_count: int
    unknown_count: int  # may have been sent since: looked up, or waiting for a person
    paused_count: int  # stay paused; whoever resumes them orders the sending
    later_count: int  # wait for a moment that still lies ahead
    session_count: int


def after_restore(*, taken_at: datetime, at: datetime) -> Restored:
    """Begin a new epoch in a database as it was at `taken_at` (by the database's clock), in the caller's transaction.

    To be done before any worker sees the restored data. Doing it twice does no harm.
    """
    epoch = int(scalar(_BEGIN, taken_at=taken_at))
    lost = rows(_LOSE, bound=bound_adapters(), taken_at=taken_at, epoch=epoch, at=at)
    untouched = row(_UNTOUCHED)
    _ask_anew(at=at)
    execute(
        "UPDATE outbox_campaign SET is_dirty = true WHERE closed_at IS NULL OR id = ANY(:ids)",
        ids=sorted({batch.campaign_id for batch in lost}),
    )
    restored = Restored(
        epoch=epoch,
        campaign_count=len({batch.campaign_id for batch in lost}),
        unknown_count=sum(int(batch.messages) for batch in lost),
        paused_count=int(untouched.paused) if untouched else 0,
        later_count=int(untouched.later) if untouched else 0,
        session_count=end_all_sessions(),
    )
    record(
        actor_id=None,
        account_id=find_root(),
        action="installation.restored",
        details={"taken_at": taken_at.isoformat(), **asdict(restored)},
        at=at,
    )
    after_commit(silence)
    return restored


def _ask_anew(*, at: datetime) -> None:
    """Reports that came since the backup are fetched once more; what was being looked up is looked up afresh."""
    execute("DELETE FROM core_tick")
    execute("UPDATE outbox_batch SET poll_at = :at, poll_step = 0 WHERE poll_at IS NOT NULL", at=at)
    execute("UPDATE outbox_unknown SET absent_count = 0 WHERE next_lookup_at IS NOT NULL")
