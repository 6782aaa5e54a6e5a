"""Jobs of the outbox: ids in, operations called, nothing else. Each may run twice, and beside itself."""

import time

from jobs import asking, binding, sending
from jobs.automations import ring_waiting
from sms.core import clock
from sms.core.crash import crash_point
from sms.core.db import execute, transaction
from sms.core.queue import GENERAL_QUEUE, Job, answered, ring_now, sending_queue
from sms.operators.queries import is_bound_gateway
from sms.outbox.operations import campaigns, days, hours, refunds, reports, withdrawing
from sms.outbox.operations.sweep import keep_house as keep_house_at
from sms.outbox.operations.sweep import sweep as sweep_at
from sms.outbox.queries.waiting import has_queued

_REFUNDS_AT_ONCE = 2_000  # the wallet is held while they are stamped: 20 ms
_SETS_AT_ONCE = 500
_ROUNDS = 20
_GATHER_SECONDS = 0.1
_UNMATCHED_AT_ONCE = 10_000
_CANCELLED_AT_ONCE = 200
_OPT_OUTS_AT_ONCE = 1_000
_CAMPAIGNS_AT_ONCE = 50


def dispatch(*, gateway_id: int) -> None:
    """Send what waits for a gateway; one that stays bound is held until the worker ends."""
    crash_point("job_taken")
    answered(Job.DISPATCH, gateway_id)
    if is_bound_gateway(gateway_id):
        binding.bind(gateway_id)
    elif sending.drain(gateway_id) and has_queued(gateway_id=gateway_id):
        ring_now(Job.DISPATCH, queue=sending_queue(gateway_id), gateway_id=gateway_id)
    settle_dirty()


def poll_reports(*, gateway_id: int) -> None:
    """Ask a gateway for the reports that are due, then pay what they make due."""
    answered(Job.POLL_REPORTS, gateway_id)
    if asking.poll(gateway_id):
        post_due()
    settle_dirty()


def look_up_unknown(*, gateway_id: int) -> None:
    """Ask a gateway about messages of unknown fate."""
    answered(Job.LOOK_UP_UNKNOWN, gateway_id)
    asking.look_up(gateway_id)
    settle_dirty()


def apply_reports() -> None:
    """Apply the report sets that wait, with those that come in the next moment: a hundred cost little more than one."""
    time.sleep(_GATHER_SECONDS)
    answered(Job.APPLY_REPORTS)
    for _ in range(_ROUNDS):
        with transaction():
            applied = reports.apply_waiting(most=_SETS_AT_ONCE, at=clock.now())
        if not applied:
            break
    else:  # refunds and totals have their turn, then the rest
        ring_now(Job.APPLY_REPORTS, queue=GENERAL_QUEUE)
    looked_at = _UNMATCHED_AT_ONCE
    while looked_at == _UNMATCHED_AT_ONCE:
        with transaction():
            looked_at = reports.match_again(most=_UNMATCHED_AT_ONCE, at=clock.now())
    post_due()
    settle_dirty()


def post_refunds() -> None:
    """Pay back what is due."""
    answered(Job.POST_REFUNDS)
    post_due()
    settle_dirty()


def finish_cancelled() -> None:
    """Give the messages of cancelled batches their outcome."""
    answered(Job.FINISH_CANCELLED)
    finished = 1
    while finished:
        with transaction():
            finished = campaigns.finish_cancelled(most=_CANCELLED_AT_ONCE, at=clock.now())
    settle_dirty()


def leave_out() -> None:
    """Take those who have just opted out, out of the sends that wait."""
    answered(Job.LEAVE_OUT)
    found = _OPT_OUTS_AT_ONCE
    while found == _OPT_OUTS_AT_ONCE:
        with transaction():
            found = withdrawing.withdraw_news(most=_OPT_OUTS_AT_ONCE, at=clock.now())
    settle_dirty()


def sweep() -> None:
    """Find what was left lying and ring for it."""
    answered(Job.SWEEP)
    with transaction():
        sweep_at(at=clock.now())
    ring_waiting()
    settle_dirty()


def keep_house() -> None:
    """Make the coming months' partitions, mark open campaigns so that none is forgotten, add up the days,
    forget what the hours need no more."""
    answered(Job.KEEP_HOUSE)
    with transaction():
        execute("SET LOCAL lock_timeout = '3s'")
        keep_house_at(at=clock.now())
    with transaction():
        days.fold()
    with transaction():
        hours.prune(at=clock.now())


def post_due() -> None:
    """Post due refunds in steps, so that a customer's wallet is never locked for long."""
    posted = 1
    while posted:
        with transaction():
            posted = refunds.post_due(most=_REFUNDS_AT_ONCE, at=clock.now())
            if posted:
                crash_point("refunds_posted")


def settle_dirty() -> None:
    """Settle the campaigns whose totals changed, each in its own transaction."""
    with transaction():
        ids = campaigns.dirty(most=_CAMPAIGNS_AT_ONCE)
    for campaign_id in ids:
        with transaction():
            campaigns.settle(campaign_id=campaign_id, at=clock.now())
            crash_point("settled")
