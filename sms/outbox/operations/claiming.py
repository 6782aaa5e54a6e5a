"""Which batches go next through a gateway: whose turn it is, and what may not be sent just now."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import execute, rows, scalar
from sms.outbox.rules import Priority

# Fair between accounts by turn, never of a paused send, nor from a line that was switched off meanwhile or of an
# account that is shut out, be it by a suspension far above it: `is_open` knows.
# A closed line holds back all but single texts of a service line.
_USABLE = "gateway_id = :gateway_id AND is_active AND suspended_at IS NULL"
_CLOCK = "(coalesce(CAST(:at AS timestamptz), now()) AT TIME ZONE 'Asia/Tehran')::time"
_OPEN = f"""(opens_at IS NULL OR CASE WHEN opens_at < closes_at THEN {_CLOCK} >= opens_at AND {_CLOCK} < closes_at
    ELSE {_CLOCK} >= opens_at OR {_CLOCK} < closes_at END)"""
# Whose line it still is: public as far as the policy allows (a trial is free, and only that goes while trials are all
# that is allowed), the account's own, or one that its owner shares with it.
_PUBLIC = """line_id IN (SELECT l.id FROM lines_line l
    JOIN lines_public_policies(coalesce(CAST(:at AS timestamptz), now())) p ON p.operator_id = l.operator_id
    WHERE l.gateway_id = :gateway_id AND l.kind = 'public' AND p.policy = """
_MAY = f"""({_PUBLIC} 'allowed')
    OR EXISTS (SELECT FROM lines_line l WHERE l.id = line_id AND l.account_id = outbox_batch.account_id)
    OR EXISTS (SELECT FROM lines_share s WHERE s.line_id = outbox_batch.line_id
               AND s.account_id = outbox_batch.account_id)
    OR ({_PUBLIC} 'trial')
        AND EXISTS (SELECT FROM outbox_campaign c WHERE c.id = outbox_batch.campaign_id AND c.is_free)))"""  # noqa: S608 - the words put in are our own
_MAY_GO = f"""gateway_id = :gateway_id AND state = 'queued' AND not_before <= now()
      AND coalesce(CAST(:epoch AS bigint) = (SELECT max(number) FROM core_epoch), true)
      AND (line_id IN (SELECT id FROM lines_line WHERE {_USABLE} AND {_OPEN}) OR (priority < :bulk
           AND line_id IN (SELECT id FROM lines_line WHERE {_USABLE} AND service_class = 'service')))
      AND {_MAY}
      AND campaign_id NOT IN (SELECT id FROM outbox_campaign WHERE paused_at IS NOT NULL)
      AND account_id NOT IN (SELECT id FROM accounts_account WHERE NOT is_open)"""  # noqa: S608 - our own words
_FREE = "line_id NOT IN (SELECT id FROM lines_line WHERE gateway_id = :gateway_id AND per_second IS NOT NULL)"
_IN_ORDER = "ORDER BY priority, turn, id"
_TAKE = """
UPDATE outbox_batch b
SET state = 'submitting', attempt = attempt + 1, wire_at = NULL, epoch = (SELECT max(number) FROM core_epoch),
    lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
FROM picked WHERE b.id = picked.id
RETURNING b.id, b.campaign_id, b.line_id, b.attempt, b.epoch, b.first_id, b.last_id, b.size
"""
_CLAIM = f"""
WITH picked AS (
    SELECT id FROM outbox_batch WHERE {_MAY_GO} AND {_FREE} {_IN_ORDER} LIMIT :most FOR UPDATE SKIP LOCKED
)
{_TAKE}
"""  # noqa: S608 - the words put in are our own

# Where lines have a rate, each gives as many as it may; they and the others stand in one order, so that a line's rate
# lets nobody go first.
_CLAIM_PACED = f"""
WITH candidates AS MATERIALIZED (
    SELECT id FROM (
        (SELECT id, priority, turn FROM outbox_batch WHERE {_MAY_GO} AND {_FREE} {_IN_ORDER} LIMIT :most)
        UNION ALL
        SELECT given.* FROM unnest(CAST(:lines AS int[]), CAST(:counts AS int[])) AS a (allowed_id, count)
        CROSS JOIN LATERAL (
            SELECT id, priority, turn FROM outbox_batch WHERE {_MAY_GO} AND line_id = a.allowed_id
            {_IN_ORDER} LIMIT a.count
        ) given
    ) together {_IN_ORDER} LIMIT :most
), picked AS (
    SELECT id FROM outbox_batch WHERE id IN (SELECT id FROM candidates) AND state = 'queued'
    {_IN_ORDER} FOR UPDATE SKIP LOCKED
)
{_TAKE}
"""  # noqa: S608 - the words put in are our own

# The lines of a gateway with a rate of their own, and the size of the batch each sends next. A line is a bucket that
# holds a second's worth, kept as the one moment since which it fills; whoever claims holds its row.
_PACED = """
SELECT l.id, l.per_second, least(next.size, l.per_second) AS least, next.size FROM lines_line l
CROSS JOIN LATERAL (
    SELECT b.size FROM outbox_batch b
    WHERE b.gateway_id = :gateway_id AND b.line_id = l.id AND b.state = 'queued' AND b.not_before <= now()
      AND b.size > 0
    ORDER BY b.priority, b.turn, b.id LIMIT 1
) next
WHERE l.gateway_id = :gateway_id AND l.is_active AND l.suspended_at IS NULL AND l.per_second IS NOT NULL ORDER BY l.id
"""
_TAP = """
INSERT INTO outbox_line_pace AS p (line_id, free_at) VALUES (:line_id, clock_timestamp() - interval '1 second')
ON CONFLICT (line_id) DO UPDATE SET free_at = greatest(p.free_at, clock_timestamp() - interval '1 second')
RETURNING extract(epoch FROM clock_timestamp() - p.free_at)
"""
_POUR = "UPDATE outbox_line_pace SET free_at = free_at + make_interval(secs => :seconds) WHERE line_id = :line_id"
_FILLED = "SELECT extract(epoch FROM clock_timestamp() - free_at) FROM outbox_line_pace WHERE line_id = :line_id"


def pick(*, gateway_id: int, most: int, lease_seconds: float, epoch: int | None, at: datetime | None) -> list[Any]:
    """Take up to `most` batches out of a gateway's queue, leased to the caller; rows as they stand then."""
    asked = {"gateway_id": gateway_id, "most": most, "lease_seconds": lease_seconds, "epoch": epoch, "at": at}
    asked |= {"bulk": int(Priority.BULK)}
    paced = rows(_PACED, gateway_id=gateway_id)
    if not paced:
        return list(rows(_CLAIM, **asked))
    allowed = {line.id: count for line in paced if (count := _allowed(line))}
    picked = list(rows(_CLAIM_PACED, lines=list(allowed), counts=list(allowed.values()), **asked))
    for line in paced:
        poured = sum(batch.size for batch in picked if batch.line_id == line.id)
        if poured:
            execute(_POUR, line_id=line.id, seconds=poured / line.per_second)
    return picked


def _allowed(line: Row[Any]) -> int:
    """How many batches a line's rate lets go now: what is in its bucket; of a batch larger than that, one when it is
    full."""
    budget = float(scalar(_TAP, line_id=line.id)) * line.per_second
    return 0 if budget < line.least else max(1, int(budget) // int(line.size))


def seconds_to_next(*, gateway_id: int) -> float | None:
    """How long until a line with a rate may send again what waits on it; None when nothing waits for that."""
    waits = []
    for line in rows(_PACED, gateway_id=gateway_id):
        filled = scalar(_FILLED, line_id=line.id)
        waits.append(0.0 if filled is None else line.least / line.per_second - float(filled))
    return min((seconds for seconds in waits if seconds > 0), default=None)
