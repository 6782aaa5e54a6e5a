"""The timetable: one list of what is rung for, how often."""

from sms.core.db import rows, transaction
from sms.core.queue import GENERAL_QUEUE, Job, ring

TIMETABLE: tuple[tuple[Job, int], ...] = (
    (Job.SWEEP, 2),
    (Job.KEEP_HOUSE, 30),
    (Job.CHECK_GATEWAYS, 60),
    (Job.JUDGE_GATEWAYS, 10),
    (Job.KEEP_ORDERS, 60),
    (Job.KEEP_RENEWALS, 600),
    (Job.END_SESSIONS, 600),
    (Job.TIDY_DRAFTS, 300),
    (Job.END_RESERVATIONS, 60),
    (Job.COUNT_HOURS, 15),
    (Job.WATCH, 300),
    (Job.LOOK_UP_TOPUPS, 15),
    (Job.COUNT_CLICKS, 10),
)

# A slot is claimed in the database: two timetables side by side ring once.
_CLAIM = """
INSERT INTO core_tick AS t (job, due_at)
SELECT n.job, now() + make_interval(secs => n.seconds)
FROM unnest(CAST(:jobs AS text[]), CAST(:seconds AS int[])) AS n (job, seconds)
ON CONFLICT (job) DO UPDATE SET due_at = excluded.due_at WHERE t.due_at <= now()
RETURNING job
"""


def tick() -> list[str]:
    """Ring for every job whose slot has come; returns their names."""
    with transaction():
        due = rows(_CLAIM, jobs=[str(job) for job, _ in TIMETABLE], seconds=[seconds for _, seconds in TIMETABLE])
        for slot in due:
            ring(Job(slot.job), queue=GENERAL_QUEUE)
    return [slot.job for slot in due]
