"""Two transactions of the outbox at the same moment, each on a connection of its own."""

import time
from threading import Event, Thread

import psycopg
import pytest
from flask import Flask

from sms.core.config import Settings
from sms.core.db import rows, scalar, transaction
from sms.operators.contract import Report
from sms.operators.rules import Outcome
from sms.outbox.operations import refunds, reports
from tests.factories import AT, Shop, make_campaign
from tests.outbox.conftest import Steps

_PATIENCE_SECONDS = 10


def _wait_until_somebody_waits(settings: Settings) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with psycopg.connect(settings.database_url, autocommit=True) as observer:
        while not observer.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone():
            assert time.monotonic() < deadline, "nobody waits for a lock"
            time.sleep(0.01)


@pytest.mark.parametrize("count", [1, 5])
def test_delivered_that_meets_its_own_refund_being_paid_stays_blocked(
    app: Flask, settings: Settings, shop: Shop, steps: Steps, count: int
) -> None:
    make_campaign(shop, size=5)
    steps.send()
    refs = [found.operator_ref for found in rows("SELECT operator_ref FROM outbox_submission ORDER BY message_id")]
    blocked = [Report(ref, "27", Outcome.BLOCKED) for ref in refs]
    delivered = [Report(ref, "1", Outcome.DELIVERED) for ref in refs[:count]]
    for said in (blocked, delivered):
        with transaction():
            reports.store(said, gateway_id=shop.gateway_id, source="push", at=AT)
            if said is blocked:
                reports.apply_waiting(most=10, at=AT)
    is_paying = Event()

    def pay() -> None:
        with app.app_context(), transaction():
            refunds.post_due(most=100, at=AT)
            is_paying.set()
            _wait_until_somebody_waits(settings)

    payer = Thread(target=pay)
    payer.start()
    is_paying.wait(_PATIENCE_SECONDS)
    with transaction():
        reports.apply_waiting(most=10, at=AT)
    payer.join()

    assert scalar("SELECT count(*) FROM outbox_refund WHERE transfer_id IS NOT NULL") == 5
    assert scalar("SELECT count(*) FROM outbox_message WHERE outcome = 'blocked'") == 5
    steps.verify()
