"""Reports that operators push to us: kept raw, as one set a gateway, and rung for."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sms.core.queue import GENERAL_QUEUE, Job, ring
from sms.operators.contract import Report
from sms.outbox.operations.reports import store


def keep(told: Mapping[int, Sequence[Report]], *, at: datetime) -> int:
    """Keep what was pushed to gateways (by id); it is applied by a job once this is committed. Returns how many reports
    that were."""
    count = 0
    for gateway_id, reports in sorted(told.items()):
        if store(reports, gateway_id=gateway_id, source="push", at=at) is not None:
            count += len(reports)
    if count:
        ring(Job.APPLY_REPORTS, queue=GENERAL_QUEUE)
    return count
