"""Jobs of the outbox that do a part and ask for the rest."""

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from jobs import outbox
from sms.core.config import Settings
from sms.core.db import scalar, transaction
from sms.core.queue import GENERAL_QUEUE, Job, prefixed
from sms.operators.contract import Report
from sms.outbox.operations import reports
from tests.factories import AT, make_gateway


def _waiting() -> int:
    return int(scalar("SELECT count(*) FROM outbox_report_set WHERE applied_at IS NULL"))


def test_reports_left_after_the_last_round_are_rung_for_at_once(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_ROUNDS", 1)
    monkeypatch.setattr(outbox, "_SETS_AT_ONCE", 1)
    _, gateway_id = make_gateway()
    for ref in ("a", "b"):
        with transaction():
            reports.store([Report(ref, "1", None)], gateway_id=gateway_id, source="push", at=AT)

    outbox.apply_reports()

    assert _waiting() == 1
    with Redis.from_url(settings.redis_url) as valkey:
        asked = [
            job.func_name for job in Queue(prefixed(GENERAL_QUEUE), connection=valkey, serializer=JSONSerializer).jobs
        ]
    assert asked == [Job.APPLY_REPORTS]
