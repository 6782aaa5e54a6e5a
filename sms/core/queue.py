"""Doorbells: RQ jobs that carry ids only. The work itself stands in PostgreSQL, so a lost job costs seconds."""

import logging
from enum import StrEnum
from functools import cache

from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from sms.core.config import settings
from sms.core.db import after_commit

log = logging.getLogger(__name__)
_RUNG_SECONDS = 20
_KEPT_SECONDS = 10  # of a job that goes on: killed, it is called for again so soon


class Job(StrEnum):
    """Every job there is, by its import path; the worker runs no other name."""

    DISPATCH = "jobs.outbox.dispatch"
    POLL_REPORTS = "jobs.outbox.poll_reports"
    LOOK_UP_UNKNOWN = "jobs.outbox.look_up_unknown"
    APPLY_REPORTS = "jobs.outbox.apply_reports"
    POST_REFUNDS = "jobs.outbox.post_refunds"
    FINISH_CANCELLED = "jobs.outbox.finish_cancelled"
    LEAVE_OUT = "jobs.outbox.leave_out"
    FAIL_OVER = "jobs.control.fail_over"
    MOVE = "jobs.control.move"
    SWEEP = "jobs.outbox.sweep"
    READ_DRAFT = "jobs.intake.read_draft"
    KEEP_HOUSE = "jobs.outbox.keep_house"
    TIDY_DRAFTS = "jobs.intake.tidy_drafts"
    CHECK_GATEWAYS = "jobs.operators.check_gateways"
    JUDGE_GATEWAYS = "jobs.health.judge_gateways"
    KEEP_ORDERS = "jobs.orders.keep_orders"
    KEEP_RENEWALS = "jobs.orders.keep_renewals"
    END_SESSIONS = "jobs.accounts.end_sessions"
    END_RESERVATIONS = "jobs.lines.end_reservations"
    COUNT_HOURS = "jobs.traffic.count_hours"
    POLL_INBOUND = "jobs.inbox.poll_inbound"
    TAKE_INBOUND = "jobs.inbox.take_inbound"
    COMPARE_STATEMENT = "jobs.watching.compare_statement"
    WATCH = "jobs.watching.watch"
    LOOK_UP_TOPUPS = "jobs.payments.look_up_topups"
    COUNT_CLICKS = "jobs.links.count_clicks"
    SEND_REPLIES = "jobs.inbox.send_replies"
    READ_CONTACTS = "jobs.intake.read_contacts"
    AUTOMATE = "jobs.automations.automate"
    FORWARD = "jobs.forwarding.forward"


GENERAL_QUEUE = "general"
INTAKE_QUEUE = "intake"
FORWARD_QUEUE = "forward"  # other people's servers may be slow; nobody else waits for them


def sending_queue(gateway_id: int) -> str:
    """The queue on which the one worker that sends through a gateway listens."""
    return f"send-{gateway_id}"


def reports_queue(gateway_id: int) -> str:
    """The queue on which a gateway is asked for reports and look-ups."""
    return f"reports-{gateway_id}"


def connection() -> "Redis":
    """One Redis client a process."""
    return _connected(settings().redis_url)


@cache
def _connected(url: str) -> "Redis":
    return Redis.from_url(url, socket_timeout=30, socket_connect_timeout=3, health_check_interval=30)


def ring(job: Job, *, queue: str, key: str = "", **ids: int) -> None:
    """Ask for a job once the current transaction is committed. One ring is enough until the job has begun."""
    after_commit(lambda: ring_now(job, queue=queue, key=key, **ids))


def ring_now(job: Job, *, queue: str, key: str = "", **ids: int) -> None:
    """Ask for a job at once. A silent Redis is no failure: the sweeper rings again from the database."""
    bell = _bell(job, key or "-".join(map(str, ids.values())))
    try:
        if connection().set(bell, 1, nx=True, ex=_RUNG_SECONDS):
            Queue(prefixed(queue), connection=connection(), serializer=JSONSerializer).enqueue(
                str(job), kwargs=ids, job_timeout=600, result_ttl=0, failure_ttl=86400
            )
        else:
            connection().publish(bell, "")  # whoever keeps the bell rung, because it goes on for long, listens
    except RedisError as error:
        log.warning("doorbell %s not rung: %s", job, type(error).__name__)


def answered(job: Job, *ids: int) -> None:
    """The job has begun: whoever rings from now on is heard again."""
    connection().delete(_bell(job, "-".join(map(str, ids))))


def keep_rung(job: Job, *ids: int) -> None:
    """For a job that goes on for long: no further one is asked for meanwhile. Call it every second; when it is killed,
    the next one is asked for within seconds."""
    try:
        connection().set(_bell(job, "-".join(map(str, ids))), 1, ex=_KEPT_SECONDS)
    except RedisError as error:
        log.warning("doorbell %s not kept: %s", job, type(error).__name__)


def listen(job: Job, *ids: int) -> PubSub:
    """Hears each ring for a job whose bell is kept rung; close it after use. Raises RedisError."""
    ears: PubSub = connection().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    ears.subscribe(_bell(job, "-".join(map(str, ids))))
    return ears


def silence() -> None:
    """Forget every doorbell that was rung; the sweeper rings again for what waits."""
    try:
        for key in connection().scan_iter(f"{Queue.redis_queue_namespace_prefix}{settings().queue_prefix}*"):
            queue = Queue.from_queue_key(key.decode(), connection=connection(), serializer=JSONSerializer)
            queue.empty()  # type: ignore[no-untyped-call]
        bells = list(connection().scan_iter(_bell("*", "*")))
        if bells:
            connection().delete(*bells)
    except RedisError as error:
        log.warning("doorbells not silenced: %s", type(error).__name__)


def prefixed(queue: str) -> str:
    """The queue's name in Redis; several installations may share a server."""
    return f"{settings().queue_prefix}{queue}"


def _bell(job: Job | str, key: str) -> str:
    return f"{settings().queue_prefix}bell:{job}:{key}"
