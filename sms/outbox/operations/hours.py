"""Traffic by the hour, counted batch by batch.

A batch whose counts change is marked by the database; some time later its messages are read once and what they add is
written into the hours. What it added before is remembered with it, so that the hours change by the difference only:
counting twice, dying between two sets or a report after weeks all end at the sums of the messages.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.core.db import execute, rows, scalar
from sms.lines.traffic.rules import DELAY_SECONDS, STEPS
from sms.outbox.rules import runs

PATIENCE = timedelta(seconds=30)  # for the other reports of a batch; so a batch is read a few times, not with each
MESSAGES_AT_ONCE = 5_000  # a report waits for its batch while that is counted: tens of ms
_BATCHES_AT_ONCE = 500

_WAITING = """
SELECT id, size FROM outbox_batch WHERE uncounted_at <= :before ORDER BY uncounted_at LIMIT :most
"""

# A report that is just being applied holds the batch: it is left for the next time.
_TAKE = """
WITH taken AS (SELECT id FROM outbox_batch WHERE id = ANY(:ids) AND uncounted_at IS NOT NULL
               ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
UPDATE outbox_batch b SET uncounted_at = NULL FROM taken WHERE b.id = taken.id RETURNING b.id, b.first_id, b.last_id
"""

_PLACES = range(1, STEPS + 1)
_STEPS = ", ".join(f"count(*) FILTER (WHERE step = {place - 1}) AS d{place}" for place in _PLACES)
_OF_BATCH = ", ".join(f"f.d{place}::int" for place in _PLACES)
_MORE = ", ".join(f"sum(f.d{place} - coalesce(o.delay_counts[{place}], 0)) AS d{place}" for place in _PLACES)
_ADDED = ", ".join(f"coalesce(h.delay_counts[{place}], 0) + d.d{place}" for place in _PLACES)
_GROUPED = ", ".join(f"sum(d.d{place}) AS d{place}" for place in _PLACES)
_COUNTS = ("submitted_count", "delivered_count", "failed_count", "delay_counts")
_OVERWRITE = ", ".join(f"{column} = excluded.{column}" for column in _COUNTS)

# One statement: what the batches hold now, what is new of it, and the hours with that added.
_COUNT = f"""
WITH messages AS MATERIALIZED (
    SELECT m.batch_id, date_trunc('hour', s.submitted_at, 'Asia/Tehran') AS hour_at, m.line_id, m.network_id,
           m.account_id, m.outcome,
           CASE WHEN m.outcome <> 'expired' THEN
               width_bucket(extract(epoch FROM m.final_at - s.submitted_at)::float8, CAST(:steps AS float8[])) END
               AS step
    FROM outbox_message m JOIN outbox_submission s ON s.message_id = m.id
    WHERE m.id BETWEEN :low AND :high AND s.message_id BETWEEN :low AND :high AND m.batch_id = ANY(:ids)
), fresh AS MATERIALIZED (
    SELECT batch_id, hour_at, line_id, network_id, account_id, count(*) AS submitted_count,
           count(*) FILTER (WHERE outcome = 'delivered') AS delivered_count,
           count(*) FILTER (WHERE outcome <> 'delivered') AS failed_count, {_STEPS}
    FROM messages GROUP BY batch_id, hour_at, line_id, network_id, account_id
), delta AS MATERIALIZED (
    SELECT f.hour_at, f.line_id, f.network_id, f.account_id,
           sum(f.submitted_count - coalesce(o.submitted_count, 0)) AS submitted_count,
           sum(f.delivered_count - coalesce(o.delivered_count, 0)) AS delivered_count,
           sum(f.failed_count - coalesce(o.failed_count, 0)) AS failed_count, {_MORE}
    FROM fresh f LEFT JOIN outbox_batch_hour o USING (batch_id, hour_at, network_id)
    GROUP BY f.hour_at, f.line_id, f.network_id, f.account_id
), remembered AS (
    INSERT INTO outbox_batch_hour (batch_id, hour_at, network_id, {", ".join(_COUNTS)})
    SELECT f.batch_id, f.hour_at, f.network_id, f.submitted_count, f.delivered_count, f.failed_count, ARRAY[{_OF_BATCH}]
    FROM fresh f ON CONFLICT (batch_id, hour_at, network_id) DO UPDATE SET {_OVERWRITE}
), by_account AS (
    INSERT INTO lines_hour (hour_at, line_id, network_id, account_id, {", ".join(_COUNTS)})
    SELECT d.hour_at, d.line_id, d.network_id, d.account_id, coalesce(h.submitted_count, 0) + d.submitted_count,
           coalesce(h.delivered_count, 0) + d.delivered_count, coalesce(h.failed_count, 0) + d.failed_count,
           ARRAY[{_ADDED}]::int[]
    FROM delta d LEFT JOIN lines_hour h USING (hour_at, line_id, network_id, account_id)
    ON CONFLICT (hour_at, line_id, network_id, account_id) DO UPDATE SET {_OVERWRITE}
), of_operators AS (
    SELECT d.hour_at, l.operator_id, d.network_id, sum(d.submitted_count) AS submitted_count,
           sum(d.delivered_count) AS delivered_count, sum(d.failed_count) AS failed_count, {_GROUPED}
    FROM delta d JOIN lines_line l ON l.id = d.line_id GROUP BY 1, 2, 3
)
INSERT INTO lines_operator_hour (hour_at, operator_id, network_id, {", ".join(_COUNTS)})
SELECT d.hour_at, d.operator_id, d.network_id, coalesce(h.submitted_count, 0) + d.submitted_count,
       coalesce(h.delivered_count, 0) + d.delivered_count, coalesce(h.failed_count, 0) + d.failed_count,
       ARRAY[{_ADDED}]::bigint[]
FROM of_operators d LEFT JOIN lines_operator_hour h USING (hour_at, operator_id, network_id)
ON CONFLICT (hour_at, operator_id, network_id) DO UPDATE SET {_OVERWRITE}
"""  # noqa: S608 - the words put in are our own


def count_some(*, at: datetime) -> int:
    """Count the batches that have waited longest, as a set; returns how many. Only one worker counts at a time: the
    others find nothing to do."""
    if not scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('lines_hour', 0))"):
        return 0
    ids = _few(rows(_WAITING, before=at - PATIENCE, most=_BATCHES_AT_ONCE))
    taken = rows(_TAKE, ids=ids) if ids else []
    for run in runs([(batch.id, batch.first_id, batch.last_id) for batch in taken]):
        execute(
            _COUNT, low=run.low, high=run.high, ids=list(run.batch_ids), steps=[float(each) for each in DELAY_SECONDS]
        )
    return len(taken)


def _few(waiting: Sequence[Row[Any]]) -> list[int]:
    ids: list[int] = []
    count = 0
    for batch in waiting:
        count += batch.size
        if ids and count > MESSAGES_AT_ONCE:
            break
        ids.append(batch.id)
    return ids
