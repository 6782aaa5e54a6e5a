"""What heals by itself: expired leases, doorbells that Redis lost, campaigns nobody looked at."""

from datetime import datetime

from sms.contacts.imports.queries import waiting
from sms.contacts.queries import has_news
from sms.contacts.words.queries import due
from sms.core.db import execute, rows, scalar
from sms.core.queue import GENERAL_QUEUE, INTAKE_QUEUE, Job, reports_queue, ring, sending_queue
from sms.operators.inbound import operations as inbound
from sms.operators.inbound import queries as arriving
from sms.operators.queries import bound_adapters
from sms.outbox.operations import control, refunds, unknown
from sms.outbox.queries.control import down_gateways, open_moves, stranded
from sms.outbox.queries.waiting import AWAITED

_QUEUED = """
SELECT g.id FROM operators_gateway g
WHERE g.adapter <> ALL(:bound) AND g.is_on AND g.stopped_reason = '' AND (g.retry_at IS NULL OR g.retry_at <= :at)
  AND EXISTS (SELECT FROM outbox_batch b WHERE b.gateway_id = g.id AND b.state = 'queued' AND b.not_before <= now())
"""
# One that stays bound runs as long as anything is to be sent or heard: only when nobody holds it is somebody called.
_BOUND = f"""
SELECT g.id FROM operators_gateway g
WHERE g.adapter = ANY(:bound) AND g.stopped_reason <> 'credentials' AND (g.retry_at IS NULL OR g.retry_at <= :at)
  AND (g.is_on OR {AWAITED})
  AND NOT EXISTS (SELECT FROM operators_bind h WHERE h.gateway_id = g.id AND h.lease_until > clock_timestamp())
"""  # noqa: S608 - our own words
_POLLS = """
SELECT g.id FROM operators_gateway g
WHERE EXISTS (SELECT FROM outbox_batch b WHERE b.gateway_id = g.id AND b.poll_at <= :at)
"""
_LOOKUPS = """
SELECT g.id FROM operators_gateway g WHERE EXISTS (
    SELECT FROM outbox_unknown u WHERE u.gateway_id = g.id AND u.next_lookup_at <= clock_timestamp())
"""
_REPORTS = """
SELECT EXISTS (SELECT FROM outbox_report_set WHERE applied_at IS NULL)
    OR EXISTS (SELECT FROM outbox_report_unmatched WHERE next_at <= :at)
"""


def sweep(*, at: datetime) -> None:
    """Everything that waits gets its doorbell rung again; ringing twice does nothing."""
    unknown.end_leases(at=at)
    bound = bound_adapters()
    for gateway in [*rows(_QUEUED, bound=bound, at=at), *rows(_BOUND, bound=bound, at=at)]:
        ring(Job.DISPATCH, queue=sending_queue(gateway.id), gateway_id=gateway.id)
    for gateway in rows(_POLLS, at=at):
        ring(Job.POLL_REPORTS, queue=reports_queue(gateway.id), gateway_id=gateway.id)
    for gateway in rows(_LOOKUPS):
        ring(Job.LOOK_UP_UNKNOWN, queue=reports_queue(gateway.id), gateway_id=gateway.id)
    if scalar(_REPORTS, at=at):
        ring(Job.APPLY_REPORTS, queue=GENERAL_QUEUE)
    if refunds.is_due(at=at):
        ring(Job.POST_REFUNDS, queue=GENERAL_QUEUE)
    _look_after_control(at=at)
    if scalar("SELECT 1 FROM outbox_batch WHERE state = 'cancelled' AND cancelled_count = 0 LIMIT 1"):
        ring(Job.FINISH_CANCELLED, queue=GENERAL_QUEUE)
    for gateway_id in arriving.due_gateways(at=at):
        ring(Job.POLL_INBOUND, queue=reports_queue(gateway_id), gateway_id=gateway_id)
    if arriving.has_arrived():
        ring(Job.TAKE_INBOUND, queue=GENERAL_QUEUE)
    _look_after_lists()


def _look_after_lists() -> None:
    for draft in rows("SELECT id FROM outbox_draft WHERE state = 'reading' ORDER BY id LIMIT 20"):
        ring(Job.READ_DRAFT, queue=INTAKE_QUEUE, draft_id=draft.id)
    if due(most=1):
        ring(Job.SEND_REPLIES, queue=GENERAL_QUEUE)
    for import_id in waiting():
        ring(Job.READ_CONTACTS, queue=INTAKE_QUEUE, import_id=import_id)


def _look_after_control(*, at: datetime) -> None:
    """Scheduled sends whose moment has come, lines that have closed, who has opted out, and sends whose operator is
    down."""
    control.release_due(at=at)
    control.refuse_out_of_hours(at=at)
    if has_news():
        ring(Job.LEAVE_OUT, queue=GENERAL_QUEUE)
    for move_id in open_moves():
        ring(Job.MOVE, queue=GENERAL_QUEUE, move_id=move_id)
    if stranded(down=down_gateways(at=at), most=1):
        ring(Job.FAIL_OVER, queue=GENERAL_QUEUE)


def keep_house(*, at: datetime) -> None:
    """Partitions for the coming months; every open campaign is settled again now and then, whatever mark was lost;
    inbound texts whose other parts never came are stored as they are."""
    scalar("SELECT outbox_make_periods(CAST(:at AS timestamptz) + interval '3 months')", at=at)
    execute("UPDATE outbox_campaign SET is_dirty = true WHERE closed_at IS NULL AND NOT is_dirty")
    inbound.give_up_waiting(at=at)
    inbound.forget(at=at)
