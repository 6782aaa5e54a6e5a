"""Delivery reports: stored raw first, then applied in sets — forward only, idempotent, in any order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple

from sms.core.db import array, bulk, copy_in, copy_text, execute, rows, scalar
from sms.operators.contract import Report
from sms.operators.rules import Outcome
from sms.outbox.operations.counters import lock_batches, touch
from sms.outbox.operations.outcomes import Final, apply, overrule
from sms.outbox.rules import next_poll, runs

UNMATCHED_HOURS = 72
MOST_REPORTS = 20_000  # applied in one transaction

_CLAIM_POLLS = """
WITH due AS (
    SELECT id FROM outbox_batch WHERE gateway_id = :gateway_id AND poll_at <= :at
    ORDER BY poll_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE outbox_batch b SET poll_at = CAST(:at AS timestamptz) + make_interval(secs => :lease_seconds)
FROM due WHERE b.id = due.id
RETURNING b.id, b.campaign_id, b.first_id, b.last_id, b.poll_step, b.submitted_at
"""

# The inner selects cannot be turned round: when the statistics do not know of ids so new yet, the planner would else
# compare every message with every submission.
_PENDING = """
SELECT m.id, m.batch_id, s.operator_ref
FROM outbox_message m CROSS JOIN LATERAL (
    SELECT operator_ref FROM outbox_submission WHERE message_id = m.id AND message_id BETWEEN :low AND :high OFFSET 0
) s
WHERE m.id BETWEEN :low AND :high AND m.batch_id = ANY(CAST(:batch_ids AS bigint[])) AND m.outcome IS NULL
ORDER BY m.id
"""

# A report may overtake the answer to its own submit: it waits, and is looked at again, for 72 hours. What is matched
# comes back by what it says, as thousands say the same.
_MATCH = """
WITH told AS MATERIALIZED (
    SELECT r.set_id, r.gateway_id, r.operator_ref, r.code, r.outcome, r.reported_at,
           coalesce(r.message_id, s.message_id) AS message_id
    FROM outbox_report r LEFT JOIN LATERAL (
        SELECT message_id FROM outbox_submission
        WHERE r.message_id IS NULL AND gateway_id = r.gateway_id AND operator_ref = r.operator_ref OFFSET 0
    ) s ON true
    WHERE r.set_id = ANY(CAST(:set_ids AS bigint[])) AND r.set_id BETWEEN :low AND :high AND r.outcome IS NOT NULL
), strangers AS (
    INSERT INTO outbox_report_unmatched (gateway_id, operator_ref, code, outcome, reported_at, received_at, next_at)
    SELECT gateway_id, operator_ref, code, outcome, reported_at, :at, :at FROM told WHERE message_id IS NULL
    ON CONFLICT DO NOTHING
)
SELECT outcome::text, code, array_agg(message_id), array_agg(set_id) FROM told WHERE message_id IS NOT NULL
GROUP BY told.outcome, code
"""

# Each look at a report that nobody knows comes after as long a wait as it has waited so far, at most an hour.
_MATCH_AGAIN = """
WITH due AS (
    SELECT gateway_id, operator_ref, code, outcome, received_at FROM outbox_report_unmatched
    WHERE next_at <= :at ORDER BY next_at LIMIT :most FOR UPDATE SKIP LOCKED
), matched AS (
    SELECT DISTINCT ON (d.gateway_id, d.operator_ref, d.code) d.*, s.message_id
    FROM due d LEFT JOIN outbox_submission s ON s.gateway_id = d.gateway_id AND s.operator_ref = d.operator_ref
), gone AS (
    DELETE FROM outbox_report_unmatched u USING matched m
    WHERE m.message_id IS NOT NULL
      AND (u.gateway_id, u.operator_ref, u.code) = (m.gateway_id, m.operator_ref, m.code)
), later AS (
    UPDATE outbox_report_unmatched u
    SET next_at = CAST(:at AS timestamptz) + least(
        interval '1 hour', greatest(interval '1 second', CAST(:at AS timestamptz) - u.received_at))
    FROM matched m
    WHERE m.message_id IS NULL AND (u.gateway_id, u.operator_ref, u.code) = (m.gateway_id, m.operator_ref, m.code)
)
SELECT message_id, outcome::text AS outcome, code FROM matched
"""


class Pending(NamedTuple):
    """A message whose report is awaited, by the reference the operator gave."""

    message_id: int
    batch_id: int
    operator_ref: str


@dataclass(frozen=True, slots=True)
class PollBatch:
    """A batch that is being asked about."""

    id: int
    campaign_id: int
    poll_step: int
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Poll:
    """What to ask a gateway for now."""

    batches: Sequence[PollBatch]
    pending: Sequence[Pending]


@dataclass(frozen=True, slots=True)
class PollPlan:
    """An operator's polling: the ages to look at, and the age after which it knows nothing any more."""

    plan_seconds: Sequence[int]
    horizon_seconds: int


def claim_polls(*, gateway_id: int, most: int, lease_seconds: float, at: datetime) -> Poll:
    """Take the batches whose next look is due, with their messages that have no outcome yet."""
    batches = rows(_CLAIM_POLLS, gateway_id=gateway_id, most=most, lease_seconds=lease_seconds, at=at)
    pending: list[Pending] = []
    for run in runs([(batch.id, batch.first_id, batch.last_id) for batch in batches]):
        pending += map(Pending._make, bulk(_PENDING, low=run.low, high=run.high, batch_ids=array(run.batch_ids)))
    return Poll(
        [PollBatch(batch.id, batch.campaign_id, batch.poll_step, batch.submitted_at) for batch in batches], pending
    )


def record_poll(
    poll: Poll, *, reports: Iterable[Report], unasked: frozenset[str], gateway_id: int, plan: PollPlan, at: datetime
) -> None:
    """Store and apply the answers of a poll, then set when each batch is looked at next; at the horizon, expire the
    rest.

    `unasked` are the references the operator gave no answer about because the asking failed: they are never expired.
    """
    lock_batches(batch.id for batch in poll.batches)
    by_ref = {message.operator_ref: message for message in poll.pending}
    final = [
        (by_ref[report.operator_ref], report) for report in reports if report.outcome and report.operator_ref in by_ref
    ]
    set_id = store(
        [report for _, report in final],
        gateway_id=gateway_id,
        source="poll",
        message_ids=[message.message_id for message, _ in final],
        at=at,
    )
    ended = apply(
        [Final(message.message_id, report.outcome, report.code) for message, report in final if report.outcome], at=at
    )
    if set_id is not None:
        _sets_applied({set_id: (len(ended), 0)}, at=at)
    _plan_next(poll, ended=frozenset(ended), unasked=unasked, plan=plan, at=at)
    touch({batch.campaign_id for batch in poll.batches})


def _plan_next(poll: Poll, *, ended: frozenset[int], unasked: frozenset[str], plan: PollPlan, at: datetime) -> None:
    waiting: dict[int, list[Pending]] = defaultdict(list)
    for message in poll.pending:
        if message.message_id not in ended:
            waiting[message.batch_id].append(message)
    next_at: list[datetime | None] = []
    steps: list[int] = []
    expired: list[Final] = []
    for batch in poll.batches:
        left = waiting.get(batch.id, [])
        coming = next_poll(
            submitted_at=batch.submitted_at,
            after_step=batch.poll_step,
            plan_seconds=plan.plan_seconds,
            horizon_seconds=plan.horizon_seconds,
            at=at,
        )
        steps.append(coming.step)
        if left and coming.is_last and coming.at <= at:
            expired.extend(
                Final(each.message_id, Outcome.EXPIRED, "") for each in left if each.operator_ref not in unasked
            )
            left = [each for each in left if each.operator_ref in unasked]
        next_at.append(max(coming.at, at + timedelta(seconds=1)) if left else None)
    apply(expired, at=at)
    execute(
        """UPDATE outbox_batch b SET poll_at = n.poll_at, poll_step = n.step
           FROM unnest(CAST(:ids AS bigint[]), CAST(:poll_at AS timestamptz[]), CAST(:steps AS int[])) AS n (id,
           poll_at, step)
           WHERE b.id = n.id""",
        ids=[batch.id for batch in poll.batches],
        poll_at=next_at,
        steps=steps,
    )


def store(
    reports: Sequence[Report],
    *,
    gateway_id: int,
    source: str,
    at: datetime,
    message_ids: Sequence[int | None] | None = None,
) -> int | None:
    """Keep reports raw, as one set; returns its id, or None when there is nothing to keep."""
    if not reports:
        return None
    known = message_ids if message_ids is not None else repeat(None, len(reports))
    set_id = int(
        scalar(
            "INSERT INTO outbox_report_set (id, gateway_id, source, received_at, report_count)"
            " VALUES (outbox_reserve_ids(1), :gateway_id, :source, :at, :count) RETURNING id",
            gateway_id=gateway_id,
            source=source,
            at=at,
            count=len(reports),
        )
    )
    head = f"{set_id}\t{gateway_id}\t"
    copy_in(
        "outbox_report",
        ("set_id", "gateway_id", "operator_ref", "code", "outcome", "message_id", "reported_at"),
        [
            "".join(
                f"{head}{copy_text(ref)}\t{copy_text(code)}\t{outcome or _NULL}"
                f"\t{_NULL if message_id is None else message_id}\t{_moment(reported_at)}\n"
                for (ref, code, outcome, reported_at, _), message_id in zip(reports, known, strict=True)
            )
        ],
    )
    return set_id


_NULL = "\\N"


@lru_cache(maxsize=4096)  # the reports of one set share a few seconds
def _moment(moment: datetime | None) -> str:
    return moment.isoformat() if moment else _NULL


def apply_waiting(*, most: int, at: datetime) -> int:
    """Apply the oldest sets that nobody has applied yet, one at least and together about `MOST_REPORTS` reports;
    returns how many sets that were."""
    waiting = rows(
        "SELECT id, report_count FROM outbox_report_set WHERE applied_at IS NULL ORDER BY id LIMIT :most"
        " FOR UPDATE SKIP LOCKED",
        most=most,
    )
    set_ids = _taken(waiting)
    if not set_ids:
        return 0
    final: list[Final] = []
    first_in: dict[int, int] = {}
    for outcome, code, message_ids, in_sets in bulk(
        _MATCH, set_ids=array(set_ids), low=set_ids[0], high=set_ids[-1], at=at
    ):
        final += map(Final, message_ids, repeat(Outcome(outcome)), repeat(code))
        for message_id, set_id in zip(message_ids, in_sets, strict=True):
            if set_id <= first_in.get(message_id, set_id):
                first_in[message_id] = set_id
    ended = set(apply(final, at=at))
    overruled = overrule([each for each in final if each.message_id not in ended], at=at)
    per_set = Counter(first_in[message_id] for message_id in ended)
    _sets_applied({set_id: (per_set[set_id], overruled if set_id == set_ids[0] else 0) for set_id in set_ids}, at=at)
    return len(set_ids)


def _taken(waiting: Sequence[Any]) -> list[int]:
    set_ids: list[int] = []
    count = 0
    for found in waiting:
        count += found.report_count
        if set_ids and count > MOST_REPORTS:
            break
        set_ids.append(found.id)
    return set_ids


def _sets_applied(counts: Mapping[int, tuple[int, int]], *, at: datetime) -> None:
    """Mark sets as applied, each with how many messages it ended and how many outcomes it overruled."""
    execute(
        """UPDATE outbox_report_set s SET applied_at = :at, applied_count = n.applied, conflict_count = n.conflicts
           FROM unnest(CAST(:ids AS bigint[]), CAST(:applied AS int[]), CAST(:conflicts AS int[])) AS n (id, applied,
           conflicts)
           WHERE s.id = n.id""",
        ids=list(counts),
        applied=[applied for applied, _ in counts.values()],
        conflicts=[conflicts for _, conflicts in counts.values()],
        at=at,
    )


def match_again(*, most: int, at: datetime) -> int:
    """Apply unmatched reports whose message has been found meanwhile, forget those older than 72 hours; returns how
    many were looked at."""
    looked_at = rows(_MATCH_AGAIN, most=most, at=at)
    found = [report for report in looked_at if report.message_id is not None]
    final = [Final(report.message_id, Outcome(report.outcome), report.code) for report in found if report.outcome]
    ended = set(apply(final, at=at))
    overrule([each for each in final if each.message_id not in ended], at=at)
    execute(
        "DELETE FROM outbox_report_unmatched WHERE received_at < :before", before=at - timedelta(hours=UNMATCHED_HOURS)
    )
    return len(looked_at)
