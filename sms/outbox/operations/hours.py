"""Messages and their money by the hour, counted batch by batch; refunds by the hour in which they were posted.

A batch whose counts change is marked by the database; some time later its messages are read once and what they add is
written into the hours. What it added before is remembered with it, so that the hours change by the difference only:
counting twice, dying between two sets or a report after weeks all end at the sums of the messages. A refund is posted
once and never changes: each transfer's are added once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from sms.core.db import execute, row, rows, scalar
from sms.lines.traffic.rules import DELAY_SECONDS, STEPS
from sms.operators.rules import Outcome
from sms.outbox.operations import shares
from sms.outbox.rules import COUNT_COLUMNS, runs

PATIENCE = timedelta(seconds=30)  # for the other reports of a batch; so a batch is read a few times, not with each
MESSAGES_AT_ONCE = 5_000  # a report waits for its batch while that is counted: tens of ms
KEPT = timedelta(days=30)  # what is remembered of a batch, beyond the last moment at which anything of it may change
_BATCHES_AT_ONCE = 500
_PRUNED_AT_ONCE = 5_000

_WAITING = """
SELECT id, size FROM outbox_batch WHERE uncounted_at <= :before ORDER BY uncounted_at LIMIT :most
"""

# A report that is just being applied holds the batch: it is left for the next time.
_TAKE = """
WITH taken AS (SELECT id FROM outbox_batch WHERE id = ANY(:ids) AND uncounted_at IS NOT NULL AND NOT is_counted_off
               ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
UPDATE outbox_batch b SET uncounted_at = NULL FROM taken WHERE b.id = taken.id RETURNING b.id, b.first_id, b.last_id
"""

_PLACES = range(1, STEPS + 1)
_FAILURES = tuple(outcome for outcome in COUNT_COLUMNS if outcome is not Outcome.DELIVERED)
_OF_TAKEN = ("submitted_count", "delivered_count", "failed_count")
_NUMBERS = (
    *(*_OF_TAKEN, "unsent_count", "parts_count", "price_mrial", "cost_mrial"),
    *(COUNT_COLUMNS[outcome] for outcome in _FAILURES),
)
_KEY = "hour_at, line_id, network_id, account_id, gateway_id"
_REMEMBERED = "batch_id, hour_at, network_id, line_id, gateway_id"


def _each(form: str, names: Sequence[str] = _NUMBERS) -> str:
    """A piece of SQL for each of these columns; {c} is its name."""
    return ", ".join(form.format(c=name) for name in names)


def _steps(form: str) -> str:
    """A piece of SQL for each step of the delays; {n} is its place."""
    return ", ".join(form.format(n=place) for place in _PLACES)


_BY_OUTCOME = ", ".join(
    f"count(*) FILTER (WHERE outcome = '{outcome}') AS {COUNT_COLUMNS[outcome]}" for outcome in _FAILURES
)

# One statement: what the batches hold now, what is new of it, and the hours with that added. A message has one place:
# the hour in which the operator took it, or else the one in which it ended. Where it was counted before and is no more,
# the old row has no new one beside it and is taken away as a whole.
_COUNT = f"""
WITH messages AS MATERIALIZED (
    SELECT m.batch_id, date_trunc('hour', coalesce(s.submitted_at, m.final_at), 'Asia/Tehran') AS hour_at, m.line_id,
           m.network_id, m.account_id, coalesce(s.gateway_id, b.gateway_id) AS gateway_id, m.outcome, m.parts,
           m.price_mrial, m.cost_mrial, s.submitted_at IS NOT NULL AS is_taken,
           CASE WHEN m.outcome <> 'expired' THEN
               width_bucket(extract(epoch FROM m.final_at - s.submitted_at)::float8, CAST(:steps AS float8[])) END
               AS step
    FROM outbox_message m JOIN outbox_batch b ON b.id = m.batch_id LEFT JOIN LATERAL (
        SELECT submitted_at, gateway_id FROM outbox_submission
        WHERE message_id = m.id AND message_id BETWEEN :low AND :high ORDER BY attempt LIMIT 1
    ) s ON true
    WHERE m.id BETWEEN :low AND :high AND m.batch_id = ANY(:ids)
      AND (s.submitted_at IS NOT NULL OR m.outcome IS NOT NULL)
), fresh AS MATERIALIZED (
    SELECT batch_id, {_KEY}, count(*) FILTER (WHERE is_taken) AS submitted_count,
           count(*) FILTER (WHERE is_taken AND outcome = 'delivered') AS delivered_count,
           count(*) FILTER (WHERE is_taken AND outcome <> 'delivered') AS failed_count,
           count(*) FILTER (WHERE NOT is_taken) AS unsent_count,
           coalesce(sum(parts) FILTER (WHERE is_taken), 0) AS parts_count,
           coalesce(sum(price_mrial) FILTER (WHERE is_taken), 0) AS price_mrial,
           coalesce(sum(cost_mrial) FILTER (WHERE is_taken), 0) AS cost_mrial, {_BY_OUTCOME},
           ARRAY[{_steps("count(*) FILTER (WHERE step = {n} - 1)::int")}] AS delay_counts
    FROM messages GROUP BY batch_id, {_KEY}
), known AS MATERIALIZED (
    SELECT * FROM outbox_batch_hour WHERE batch_id = ANY(:ids)
), delta AS MATERIALIZED (
    SELECT hour_at, line_id, network_id, coalesce(f.account_id, o.account_id) AS account_id, gateway_id,
           {_each("sum(coalesce(f.{c}, 0) - coalesce(o.{c}, 0)) AS {c}")},
           {_steps("sum(coalesce(f.delay_counts[{n}], 0) - coalesce(o.delay_counts[{n}], 0)) AS d{n}")},
           sum(coalesce(f.submitted_count, 0) + coalesce(o.submitted_count, 0)) AS ever_taken
    FROM fresh f FULL JOIN known o USING ({_REMEMBERED})
    GROUP BY hour_at, line_id, network_id, coalesce(f.account_id, o.account_id), gateway_id
), forgotten AS (
    DELETE FROM outbox_batch_hour h USING known k LEFT JOIN fresh f USING ({_REMEMBERED})
    WHERE f.batch_id IS NULL AND h.batch_id = k.batch_id AND h.hour_at = k.hour_at AND h.network_id = k.network_id
      AND h.line_id = k.line_id AND h.gateway_id = k.gateway_id
), remembered AS (
    INSERT INTO outbox_batch_hour (batch_id, {_KEY}, {_each("{c}")}, delay_counts)
    SELECT batch_id, {_KEY}, {_each("{c}")}, delay_counts FROM fresh
    ON CONFLICT ({_REMEMBERED}) DO UPDATE SET {_each("{c} = excluded.{c}")}, delay_counts = excluded.delay_counts
), by_account AS (
    INSERT INTO lines_hour ({_KEY}, {_each("{c}")}, delay_counts)
    SELECT {_KEY}, {_each("coalesce(h.{c}, 0) + d.{c}")},
           ARRAY[{_steps("coalesce(h.delay_counts[{n}], 0) + d.d{n}")}]::int[]
    FROM delta d LEFT JOIN lines_hour h USING ({_KEY})
    ON CONFLICT ({_KEY}) DO UPDATE SET {_each("{c} = excluded.{c}")}, delay_counts = excluded.delay_counts
), of_operators AS (
    SELECT d.hour_at, l.operator_id, d.network_id, {_each("sum(d.{c}) AS {c}", _OF_TAKEN)},
           {_steps("sum(d.d{n}) AS d{n}")}
    FROM delta d JOIN lines_line l ON l.id = d.line_id WHERE d.ever_taken > 0 GROUP BY 1, 2, 3
)
INSERT INTO lines_operator_hour (hour_at, operator_id, network_id, {_each("{c}", _OF_TAKEN)}, delay_counts)
SELECT d.hour_at, d.operator_id, d.network_id, {_each("coalesce(h.{c}, 0) + d.{c}", _OF_TAKEN)},
       ARRAY[{_steps("coalesce(h.delay_counts[{n}], 0) + d.d{n}")}]::bigint[]
FROM of_operators d LEFT JOIN lines_operator_hour h USING (hour_at, operator_id, network_id)
ON CONFLICT (hour_at, operator_id, network_id)
    DO UPDATE SET {_each("{c} = excluded.{c}", _OF_TAKEN)}, delay_counts = excluded.delay_counts
"""  # noqa: S608 - the words put in are our own


def count_some(*, at: datetime) -> int:
    """Count the batches that have waited longest, as a set; returns how many. Only one worker counts at a time: the
    others find nothing to do."""
    if not _is_alone():
        return 0
    waiting = rows(_WAITING, before=at - PATIENCE, most=_BATCHES_AT_ONCE)
    ids = _few([(batch.id, batch.size) for batch in waiting])
    taken = rows(_TAKE, ids=ids) if ids else []
    for run in runs([(batch.id, batch.first_id, batch.last_id) for batch in taken]):
        execute(
            _COUNT, low=run.low, high=run.high, ids=list(run.batch_ids), steps=[float(each) for each in DELAY_SECONDS]
        )
        shares.count(run)
    return len(taken)


def _is_alone() -> bool:
    return bool(scalar("SELECT pg_try_advisory_xact_lock(hashtextextended('lines_hour', 0))"))


def _few(waiting: Sequence[tuple[int, int]]) -> list[int]:
    """The ids of the first of these (id, size) that are together no more than is counted at once; one at least."""
    ids: list[int] = []
    count = 0
    for each, size in waiting:
        count += size
        if ids and count > MESSAGES_AT_ONCE:
            break
        ids.append(each)
    return ids


# Refunds

_POSTED = """
SELECT id, refund_count FROM outbox_refund_posted WHERE uncounted_at IS NOT NULL ORDER BY id LIMIT :most
FOR UPDATE SKIP LOCKED
"""

_COUNT_POSTED = f"""
WITH posted AS MATERIALIZED (
    UPDATE outbox_refund_posted SET uncounted_at = NULL WHERE id = ANY(:ids) RETURNING *
), refunds AS MATERIALIZED (
    SELECT date_trunc('hour', p.posted_at, 'Asia/Tehran') AS hour_at, m.line_id, m.network_id, m.account_id,
           m.gateway_id, count(*) AS refund_count, sum(r.amount_mrial) AS refund_mrial,
           sum(r.cost_mrial) AS refund_cost_mrial
    FROM posted p JOIN LATERAL (
        SELECT message_id, amount_mrial, cost_mrial FROM outbox_refund
        WHERE message_id BETWEEN p.first_id AND p.last_id AND transfer_id = p.transfer_id
          AND campaign_id = p.campaign_id AND rule_id = p.rule_id AND outcome = p.outcome OFFSET 0
    ) r ON true JOIN LATERAL (
        SELECT x.line_id, x.network_id, x.account_id, coalesce(s.gateway_id, b.gateway_id) AS gateway_id
        FROM outbox_message x JOIN outbox_batch b ON b.id = x.batch_id LEFT JOIN LATERAL (
            SELECT gateway_id FROM outbox_submission WHERE message_id = x.id ORDER BY attempt LIMIT 1) s ON true
        WHERE x.id = r.message_id OFFSET 0
    ) m ON true GROUP BY 1, 2, 3, 4, 5
)
INSERT INTO lines_hour AS h ({_KEY}, refund_count, refund_mrial, refund_cost_mrial)
SELECT {_KEY}, refund_count, refund_mrial, refund_cost_mrial FROM refunds
ON CONFLICT ({_KEY}) DO UPDATE SET refund_count = h.refund_count + excluded.refund_count,
    refund_mrial = h.refund_mrial + excluded.refund_mrial,
    refund_cost_mrial = h.refund_cost_mrial + excluded.refund_cost_mrial
"""  # noqa: S608 - the words put in are our own


def count_refunds() -> int:
    """Add refunds that were posted to the hours in which that was; returns how many rows of transfers."""
    if not _is_alone():
        return 0
    waiting = rows(_POSTED, most=_BATCHES_AT_ONCE)
    ids = _few([(each.id, each.refund_count) for each in waiting])
    if ids:
        execute(_COUNT_POSTED, ids=ids)
        shares.count_posted(ids)
    return len(ids)


# What is remembered of batches ends

_HORIZON = """
SELECT (SELECT coalesce(max(report_horizon_seconds), 0) FROM operators_gateway) AS report_seconds,
       (SELECT coalesce(max(delay_seconds), 0) FROM billing_refund_rule) AS refund_seconds
"""

_ENDED = " + ".join(f"b.{column}" for column in COUNT_COLUMNS.values())
_PRUNE = f"""
WITH old AS MATERIALIZED (
    SELECT DISTINCT h.batch_id FROM outbox_batch_hour h WHERE h.hour_at < :before ORDER BY h.batch_id LIMIT :most
), over AS (
    SELECT b.id FROM old JOIN outbox_batch b ON b.id = old.batch_id
    WHERE b.uncounted_at IS NULL AND b.unknown_count = 0 AND {_ENDED} = b.size
      AND NOT EXISTS (SELECT FROM outbox_batch_hour h WHERE h.batch_id = b.id AND h.hour_at >= :before)
    ORDER BY b.id FOR NO KEY UPDATE OF b SKIP LOCKED
)
UPDATE outbox_batch b SET is_counted_off = true FROM over WHERE b.id = over.id RETURNING b.id
"""  # noqa: S608 - the words put in are our own


def prune(*, at: datetime) -> int:
    """Forget what batches added to the hours once nothing of them can change any more: every message has its outcome,
    and the longest delays of reports and refunds are over since a month. Returns how many rows went."""
    horizon: Row[Any] | None = row(_HORIZON)
    seconds = (horizon.report_seconds + horizon.refund_seconds) if horizon else 0
    closed = rows(_PRUNE, before=at - timedelta(seconds=seconds) - KEPT, most=_PRUNED_AT_ONCE)
    ids = [batch.id for batch in closed]
    shares.forget(ids)
    return execute("DELETE FROM outbox_batch_hour WHERE batch_id = ANY(:ids)", ids=ids)
