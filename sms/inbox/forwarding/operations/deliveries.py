"""Deliveries: queued in the transaction that brings their text, leased while somebody tries, noted by their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sms.core.db import execute, rows
from sms.core.errors import NotFound
from sms.core.queue import FORWARD_QUEUE, Job, ring
from sms.core.text import N_
from sms.inbox.forwarding.rules import AT_A_HOST, KEPT_FOR, LEASE, Told, is_taken, next_try

_CLAIMS = 815_493_031  # one claim at a time: how many go to a host is counted before


def queue_all(*, text_ids: Sequence[int]) -> int:
    """Queue new texts for every address that takes all of their line, to be tried for three days from when they came;
    returns how many deliveries there are."""
    count = execute(
        """INSERT INTO inbox_delivery (hook_id, account_id, text_id, created_at, next_at, until)
           SELECT h.id, h.account_id, m.id, m.received_at, m.received_at, m.received_at + :kept_for
           FROM inbox_message m JOIN inbox_hook h ON h.line_id = m.line_id AND h.account_id = m.account_id
           WHERE m.id = ANY(:ids) AND h.takes_all AND h.is_on AND h.removed_at IS NULL
           ORDER BY m.id, h.id
           ON CONFLICT (hook_id, text_id) DO NOTHING""",
        ids=list(text_ids),
        kept_for=KEPT_FOR,
    )
    if count:
        ring(Job.FORWARD, queue=FORWARD_QUEUE)
    return count


def queue_chosen(*, hook_ids: Sequence[int], text_ids: Sequence[int], at: datetime) -> None:
    """Queue each of these texts for the address beside it, as long as that takes any."""
    if not hook_ids:
        return
    execute(
        """INSERT INTO inbox_delivery (hook_id, account_id, text_id, created_at, next_at, until)
           SELECT h.id, h.account_id, n.text_id, :at, :at, :until
           FROM unnest(CAST(:hooks AS int[]), CAST(:texts AS bigint[])) AS n (hook_id, text_id)
           JOIN inbox_hook h ON h.id = n.hook_id WHERE h.is_on AND h.removed_at IS NULL
           ORDER BY n.text_id, h.id
           ON CONFLICT (hook_id, text_id) DO NOTHING""",
        hooks=list(hook_ids),
        texts=list(text_ids),
        at=at,
        until=at + KEPT_FOR,
    )
    ring(Job.FORWARD, queue=FORWARD_QUEUE)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that may be tried now."""

    told: Told
    hook_id: int
    url: str
    secret_sealed: bytes
    until: datetime


# No host is called more than a few times at once, whoever owns the addresses there; the longest waiting come first.
_CLAIM = """
WITH busy AS (
    SELECT h.host, count(*) AS calls FROM inbox_delivery d JOIN inbox_hook h ON h.id = d.hook_id
    WHERE d.lease_until > :at GROUP BY h.host),
due AS (
    SELECT d.id, h.host, d.next_at, row_number() OVER (PARTITION BY h.host ORDER BY d.next_at, d.id) AS place
    FROM inbox_hook h CROSS JOIN LATERAL (
        SELECT w.id, w.next_at FROM inbox_delivery w WHERE w.hook_id = h.id AND w.state = 'waiting' AND w.next_at <= :at
          AND (w.lease_until IS NULL OR w.lease_until <= :at) ORDER BY w.next_at LIMIT :at_a_host) AS d
    WHERE h.is_on AND h.removed_at IS NULL),
chosen AS (
    SELECT due.id FROM due LEFT JOIN busy ON busy.host = due.host
    WHERE due.place + coalesce(busy.calls, 0) <= :at_a_host ORDER BY due.next_at, due.id LIMIT :most),
leased AS (
    UPDATE inbox_delivery d SET lease_until = :lease, attempt = d.attempt + 1 FROM chosen WHERE d.id = chosen.id
    RETURNING d.*)
SELECT d.id, d.text_id, d.attempt, d.hook_id, d.until, h.url, h.secret_sealed, m.line_number, m.sender, m.body,
       m.received_at
FROM leased d JOIN inbox_hook h ON h.id = d.hook_id JOIN inbox_message m ON m.id = d.text_id ORDER BY d.next_at, d.id
"""


def claim(*, most: int, at: datetime) -> list[Claimed]:
    """Lease deliveries that are due; commit before trying. Who dies over one leaves it to whoever comes after the
    lease."""
    execute(f"SELECT pg_advisory_xact_lock({_CLAIMS})")
    found = rows(_CLAIM, most=most, at=at, lease=at + LEASE, at_a_host=AT_A_HOST)
    return [
        Claimed(
            Told(each.id, each.text_id, each.line_number, each.sender, each.body, each.received_at, each.attempt),
            each.hook_id,
            each.url,
            bytes(each.secret_sealed),
            each.until,
        )
        for each in found
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a try: a status with the beginning of the answer, or the problem."""

    milliseconds: int
    status: int | None = None
    answer: str = ""
    problem: str = ""


def note(*, claimed: Claimed, outcome: Outcome, began_at: datetime, at: datetime, share: float) -> None:
    """Keep a try, and decide what follows: taken, tried again later, or given up after three days."""
    told = claimed.told
    execute(
        """INSERT INTO inbox_delivery_try (delivery_id, number, at, milliseconds, status, problem, answer)
           VALUES (:id, :number, :began_at, :milliseconds, :status, :problem, :answer) ON CONFLICT DO NOTHING""",
        id=told.delivery_id,
        number=told.attempt,
        began_at=began_at,
        milliseconds=outcome.milliseconds,
        status=outcome.status,
        problem=outcome.problem,
        answer=outcome.answer,
    )
    has_taken = outcome.status is not None and is_taken(outcome.status)
    following = next_try(attempt=told.attempt, at=at, share=share)
    state = "delivered" if has_taken else "given_up" if following > claimed.until else "waiting"
    execute(
        """UPDATE inbox_delivery SET state = :state, lease_until = NULL, next_at = :next_at,
               ended_at = CASE WHEN :state <> 'waiting' THEN CAST(:at AS timestamptz) END
           WHERE id = :id AND state = 'waiting' AND attempt = :attempt""",
        id=told.delivery_id,
        attempt=told.attempt,
        state=state,
        next_at=following,
        at=at,
    )
    execute(
        """UPDATE inbox_hook SET failing_since = CASE WHEN NOT :has_taken THEN coalesce(failing_since, :began_at) END
           WHERE id = :id AND (failing_since IS NULL) <> :has_taken""",
        id=claimed.hook_id,
        has_taken=has_taken,
        began_at=began_at,
    )


def again(*, hook_id: int, delivery_id: int | None, at: datetime) -> int:
    """Try a delivery now, also one that was taken or given up; with None every one that was not taken. Returns how
    many. Raises NotFound when there is no such delivery."""
    count = execute(
        """UPDATE inbox_delivery SET state = 'waiting', next_at = :at, until = :until, ended_at = NULL
           WHERE hook_id = :hook_id AND (lease_until IS NULL OR lease_until <= :at)
             AND (id = :id OR (CAST(:id AS bigint) IS NULL AND state <> 'delivered'))""",
        hook_id=hook_id,
        id=delivery_id,
        at=at,
        until=at + KEPT_FOR,
    )
    if (
        delivery_id is not None
        and not count
        and not rows(
            "SELECT FROM inbox_delivery WHERE id = :id AND hook_id = :hook_id", id=delivery_id, hook_id=hook_id
        )
    ):
        raise NotFound(N_("There is no such delivery."))
    ring(Job.FORWARD, queue=FORWARD_QUEUE)
    return count
