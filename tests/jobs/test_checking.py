"""The minute's look at every gateway."""

import threading
import time

from flask import Flask

from jobs import operators as jobs
from sms.core.db import execute, scalar, transaction
from sms.operators import operations
from sms.operators.contract import NOTHING_LEFT, Unreachable
from sms.operators.rules import GatewayState
from tests.factories import AT
from tests.jobs.conftest import Desk, make_desk
from tests.simulator.running import RunningSimulator


def test_credit_is_stored_and_an_answer_ends_a_failure(desk: Desk) -> None:
    desk.simulator.control("3000", credit_mrial=42_000)
    with transaction():
        operations.note_failure(gateway_id=desk.shop.gateway_id, error=Unreachable(NOTHING_LEFT), at=AT)
    jobs.check_gateways()

    gateway = desk.gateway
    assert (gateway.credit_mrial, gateway.state) == (42_000, GatewayState.ON)
    assert gateway.last_ok_at == gateway.credit_checked_at


def test_one_bad_gateway_does_not_keep_the_others_from_being_looked_at(app: Flask, simulator: RunningSimulator) -> None:
    wrong = make_desk(simulator, credentials={"password": "wrong"})
    gone = make_desk(simulator, base_url="http://127.0.0.1:9/")
    unsealed = make_desk(simulator)
    with transaction():
        execute("UPDATE operators_gateway SET credentials_sealed = 'x' WHERE id = :id", id=unsealed.shop.gateway_id)
    good = make_desk(simulator)
    jobs.check_gateways()

    assert [desk.gateway.state for desk in (wrong, gone, unsealed, good)] == [
        GatewayState.STOPPED,
        GatewayState.FAILING,
        GatewayState.STOPPED,
        GatewayState.ON,
    ]


def test_what_is_off_or_refused_us_is_not_asked(app: Flask, simulator: RunningSimulator) -> None:
    off, refused = make_desk(simulator), make_desk(simulator)
    with transaction():
        execute("UPDATE operators_gateway SET is_on = false WHERE id = :id", id=off.shop.gateway_id)
        execute(
            "UPDATE operators_gateway SET stopped_reason = 'credentials' WHERE id = :id", id=refused.shop.gateway_id
        )
    asked = off.accepted()["requests"]
    jobs.check_gateways()

    assert off.accepted()["requests"] == asked
    assert (off.gateway.last_ok_at, refused.gateway.last_ok_at) == (None, None)


def test_no_transaction_is_open_while_an_operator_is_silent(app: Flask, simulator: RunningSimulator) -> None:
    desk = make_desk(simulator, timeout_seconds=1)
    simulator.control("3000", is_silent=True)
    job = threading.Thread(target=_in_context, args=(app,))
    job.start()
    time.sleep(0.4)
    waiting = scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
    )
    job.join(timeout=10)

    assert waiting == 0
    assert desk.gateway.state is GatewayState.FAILING


def _in_context(app: Flask) -> None:
    with app.app_context():
        jobs.check_gateways()
