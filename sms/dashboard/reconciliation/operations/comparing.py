"""Operators' statements compared with our messages, in sets: what is matched, what one side alone knows,
what differs."""

from datetime import date, datetime, timedelta

from sms.core.calendar import next_day, start_of_day
from sms.core.db import execute, row, rows, scalar
from sms.core.errors import NotFound
from sms.core.ids import first_id_at
from sms.core.text import N_
from sms.dashboard.reconciliation.rules import MOST_DIFFERENCES, Kind

# A message may have waited long before it was handed over; ids tell when it was accepted.
_LONGEST_WAIT = timedelta(days=60)

# A reference that came back is that of the latest message; a part's is its message's.
_MATCH = """
UPDATE dashboard_statement_row r SET message_id = found.message_id
FROM (
    SELECT x.number, coalesce(s.message_id, p.message_id, o.message_id) AS message_id
    FROM dashboard_statement_row x
    LEFT JOIN LATERAL (
        SELECT message_id FROM outbox_submission WHERE gateway_id = :gateway_id AND operator_ref = x.operator_ref
          AND x.operator_ref <> '' AND message_id >= :low ORDER BY message_id DESC LIMIT 1
    ) s ON true
    LEFT JOIN LATERAL (
        SELECT message_id FROM outbox_part WHERE gateway_id = :gateway_id AND operator_ref = x.operator_ref
          AND x.operator_ref <> '' AND s.message_id IS NULL AND message_id >= :low
        ORDER BY message_id DESC LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT message_id FROM outbox_submission WHERE gateway_id = :gateway_id AND message_id = x.our_id
          AND s.message_id IS NULL AND p.message_id IS NULL AND message_id >= :low LIMIT 1
    ) o ON true
    WHERE x.statement_id = :id
) found
WHERE r.statement_id = :id AND r.number = found.number AND r.message_id IS DISTINCT FROM found.message_id
"""


def compare(*, statement_id: int, at: datetime) -> None:
    """Find our message for each row of a statement, and what differs on its day; again changes only what changed."""
    statement = row(
        "SELECT id, gateway_id, day, voided_at FROM dashboard_statement WHERE id = :id FOR UPDATE", id=statement_id
    )
    if statement is None:
        raise NotFound(N_("There is no such statement."))
    if statement.voided_at is None:
        execute(
            _MATCH,
            id=statement_id,
            gateway_id=statement.gateway_id,
            low=first_id_at(start_of_day(statement.day) - _LONGEST_WAIT),
        )
    compare_day(gateway_id=statement.gateway_id, day=statement.day, at=at)
    execute("UPDATE dashboard_statement SET compared_at = :at WHERE id = :id", at=at, id=statement_id)


_DESK = """
DROP TABLE IF EXISTS pg_temp.theirs, pg_temp.ours;
CREATE TEMPORARY TABLE ours (
    id bigint PRIMARY KEY, recipient bigint, parts integer, cost_mrial bigint, operator_ref text) ON COMMIT DROP;
CREATE TEMPORARY TABLE theirs (
    message_id bigint PRIMARY KEY, parts bigint, cost_mrial bigint, statement_id bigint, row_number integer)
    ON COMMIT DROP;
"""

# Ours of a day are found by what the hours remember of batches, and by the batch's own moment where that is forgotten.
_OURS = """
INSERT INTO ours (id, recipient, parts, cost_mrial, operator_ref)
SELECT m.id, m.recipient, m.parts, m.cost_mrial, s.operator_ref
FROM (
    SELECT batch_id FROM outbox_batch_hour
    WHERE hour_at >= :since AND hour_at < :until AND gateway_id = :gateway_id AND submitted_count > 0
    UNION
    SELECT id FROM outbox_batch WHERE gateway_id = :gateway_id AND submitted_at >= :since AND submitted_at < :until
) wanted JOIN outbox_batch b ON b.id = wanted.batch_id
CROSS JOIN LATERAL (
    SELECT id, recipient, parts, cost_mrial FROM outbox_message
    WHERE id BETWEEN b.first_id AND b.last_id AND batch_id = b.id OFFSET 0) m
CROSS JOIN LATERAL (
    SELECT operator_ref, submitted_at FROM outbox_submission
    WHERE message_id = m.id AND gateway_id = :gateway_id ORDER BY attempt LIMIT 1) s
WHERE s.submitted_at >= :since AND s.submitted_at < :until
"""

_THEIRS = """
INSERT INTO theirs (message_id, parts, cost_mrial, statement_id, row_number)
SELECT r.message_id, sum(r.parts) AS parts, sum(r.cost_mrial) AS cost_mrial, min(r.statement_id) AS statement_id,
       min(r.number) AS row_number
FROM ours o JOIN dashboard_statement_row r ON r.message_id = o.id
JOIN dashboard_statement t ON t.id = r.statement_id AND t.voided_at IS NULL AND t.gateway_id = :gateway_id
GROUP BY r.message_id
"""

_STATED = "SELECT id FROM dashboard_statement WHERE gateway_id = :gateway_id AND day = :day AND voided_at IS NULL"

_DIFFERING = """
(t.parts IS NOT NULL AND t.parts <> o.parts) OR (t.cost_mrial IS NOT NULL AND t.cost_mrial <> o.cost_mrial)
"""

_SUMS = f"""
INSERT INTO dashboard_reconciliation (gateway_id, day, our_count, our_parts, our_cost_mrial, their_count, their_parts,
    their_cost_mrial, matched_count, only_ours_count, only_ours_mrial, only_theirs_count, only_theirs_mrial,
    differs_count, differs_mrial, elsewhere_count, compared_at)
SELECT :gateway_id, :day, u.n, u.parts, u.cost, s.n, s.parts, s.cost, u.known - u.differing, u.n - u.known, u.lost_cost,
       s.strange, s.strange_cost, u.differing, u.more, s.elsewhere, :at
FROM (
    SELECT count(*) AS n, coalesce(sum(o.parts), 0) AS parts, coalesce(sum(o.cost_mrial), 0) AS cost,
           count(t.message_id) AS known, count(*) FILTER (WHERE {_DIFFERING}) AS differing,
           coalesce(sum(t.cost_mrial - o.cost_mrial) FILTER (WHERE {_DIFFERING}), 0) AS more,
           coalesce(sum(o.cost_mrial) FILTER (WHERE t.message_id IS NULL), 0) AS lost_cost
    FROM ours o LEFT JOIN theirs t ON t.message_id = o.id
) u, (
    SELECT count(*) AS n, sum(r.parts) AS parts, sum(r.cost_mrial) AS cost,
           count(*) FILTER (WHERE r.message_id IS NULL) AS strange,
           coalesce(sum(r.cost_mrial) FILTER (WHERE r.message_id IS NULL), 0) AS strange_cost,
           count(*) FILTER (WHERE r.message_id IS NOT NULL AND o.id IS NULL) AS elsewhere
    FROM dashboard_statement_row r LEFT JOIN ours o ON o.id = r.message_id WHERE r.statement_id IN ({_STATED})
) s
ON CONFLICT (gateway_id, day) DO UPDATE SET our_count = excluded.our_count, our_parts = excluded.our_parts,
    our_cost_mrial = excluded.our_cost_mrial, their_count = excluded.their_count, their_parts = excluded.their_parts,
    their_cost_mrial = excluded.their_cost_mrial, matched_count = excluded.matched_count,
    only_ours_count = excluded.only_ours_count, only_ours_mrial = excluded.only_ours_mrial,
    only_theirs_count = excluded.only_theirs_count, only_theirs_mrial = excluded.only_theirs_mrial,
    differs_count = excluded.differs_count, differs_mrial = excluded.differs_mrial,
    elsewhere_count = excluded.elsewhere_count, compared_at = excluded.compared_at
"""  # noqa: S608 - our own words

_DIFFERENCES = {
    Kind.ONLY_OURS: """
        SELECT o.id, CAST(NULL AS bigint), CAST(NULL AS int), o.operator_ref, o.recipient, o.parts,
               CAST(NULL AS int), o.cost_mrial, CAST(NULL AS bigint)
        FROM ours o LEFT JOIN theirs t ON t.message_id = o.id WHERE t.message_id IS NULL ORDER BY o.id""",
    Kind.DIFFERS: f"""
        SELECT o.id, t.statement_id, t.row_number, o.operator_ref, o.recipient, o.parts, t.parts::int, o.cost_mrial,
               t.cost_mrial::bigint
        FROM ours o JOIN theirs t ON t.message_id = o.id WHERE {_DIFFERING} ORDER BY o.id""",  # noqa: S608 - as above
    Kind.ONLY_THEIRS: f"""
        SELECT CAST(NULL AS bigint), r.statement_id, r.number, r.operator_ref, r.recipient, CAST(NULL AS int), r.parts,
               CAST(NULL AS bigint), r.cost_mrial
        FROM dashboard_statement_row r WHERE r.message_id IS NULL AND r.statement_id IN ({_STATED})
        ORDER BY r.statement_id, r.number""",  # noqa: S608 - as above
}

# What was explained stays so while its figures stay; other figures are another difference.
_NOTE = """
INSERT INTO dashboard_difference AS d (gateway_id, day, kind, seen_at, message_id, statement_id, row_number,
    operator_ref, recipient, our_parts, their_parts, our_cost_mrial, their_cost_mrial)
SELECT :gateway_id, :day, '{kind}', :at, found.* FROM ({found} LIMIT :most) AS found
ON CONFLICT ON CONSTRAINT uq_dashboard_difference DO UPDATE SET seen_at = excluded.seen_at,
    our_parts = excluded.our_parts, their_parts = excluded.their_parts, our_cost_mrial = excluded.our_cost_mrial,
    their_cost_mrial = excluded.their_cost_mrial,
    reason = CASE WHEN {same} THEN d.reason ELSE '' END, note = CASE WHEN {same} THEN d.note ELSE '' END,
    explained_by = CASE WHEN {same} THEN d.explained_by END, explained_at = CASE WHEN {same} THEN d.explained_at END
"""
_SAME = """
(d.our_parts, d.their_parts, d.our_cost_mrial, d.their_cost_mrial) IS NOT DISTINCT FROM
(excluded.our_parts, excluded.their_parts, excluded.our_cost_mrial, excluded.their_cost_mrial)
"""


def compare_day(*, gateway_id: int, day: date, at: datetime) -> None:
    """Compare what we handed over to a gateway on a day with its statements of that day, in sets."""
    period = {"since": start_of_day(day), "until": start_of_day(next_day(day)), "gateway_id": gateway_id}
    key: dict[str, object] = {"gateway_id": gateway_id, "day": day}
    for statement in _DESK.split(";")[:-1]:
        execute(statement)
    execute(_OURS, **period)
    execute(_THEIRS, gateway_id=gateway_id)
    execute("ANALYZE pg_temp.ours, pg_temp.theirs")
    has_any = scalar(f"SELECT EXISTS ({_STATED})", **key)
    if has_any:
        execute(_SUMS, at=at, **key)
        for kind, found in _DIFFERENCES.items():
            execute(_NOTE.format(kind=kind, found=found, same=_SAME), at=at, most=MOST_DIFFERENCES, **key)
    else:
        execute("DELETE FROM dashboard_reconciliation WHERE gateway_id = :gateway_id AND day = :day", **key)
    execute(
        "DELETE FROM dashboard_difference WHERE gateway_id = :gateway_id AND day = :day AND kind <> 'credit'"
        " AND seen_at <> :at",
        at=at,
        **key,
    )


def waiting(*, most: int) -> list[int]:
    """Statements that were not compared yet, be it that their doorbell was lost."""
    found = rows(
        "SELECT id FROM dashboard_statement WHERE compared_at IS NULL ORDER BY id LIMIT :most",
        most=most,
    )
    return [each.id for each in found]
