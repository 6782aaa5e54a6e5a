"""Parts of a running panel are killed, cut off and doubled; afterwards nothing is lost and nothing is twice."""

import time

import pytest
from redis import Redis

from tests.faults.conftest import Scene

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]  # slow is not wrong

RECIPIENTS = 3000
GARBAGE = ["error_500", "html", "empty", "truncated", "wrong_charset", "redirect", "wrong_count", "reordered"]


def test_twenty_killed_workers_cost_nobody_a_message_or_a_rial(scene: Scene) -> None:
    scene.simulator.control("3000", accept_delay_ms=600)
    command = scene.send(RECIPIENTS)
    scene.wait_for("SELECT 1 FROM outbox_batch WHERE state = 'submitting' LIMIT 1")
    left = scene.kill_workers(times=10, pause_seconds=(0.1, 0.7), seed=20261123)
    scene.verify()  # in the middle of it all, too
    left += scene.kill_workers(times=10, pause_seconds=(0.1, 0.7), seed=20261124)
    scene.hurry()
    scene.finish(command, RECIPIENTS)
    assert left > 0, "no kill hit a batch"


def test_an_emptied_redis_stops_a_campaign_for_seconds_only(scene: Scene) -> None:
    scene.simulator.control("3000", accept_delay_ms=400)
    before = scene.submitted()
    command = scene.send(RECIPIENTS)
    scene.wait_until(lambda: scene.submitted() > before, what="the first answers")
    with Redis.from_url(scene.panel.settings["REDIS_URL"]) as valkey:
        valkey.flushall()
    scene.kill_workers(times=len(scene.workers()), pause_seconds=(0, 0), seed=1)  # nobody is left who remembers
    with Redis.from_url(scene.panel.settings["REDIS_URL"]) as valkey:
        valkey.flushall()
    done = scene.submitted()
    began = time.monotonic()
    scene.wait_until(lambda: scene.submitted() > done, what="the campaign to go on", seconds=30)
    assert time.monotonic() - began < 30
    scene.finish(command, RECIPIENTS)


def test_an_operator_that_fails_in_every_way_makes_a_campaign_wait_and_go_on(scene: Scene) -> None:
    # Its trouble may outlast the usual hurried horizon: what it delivered meanwhile is not to be called silence.
    scene.ask("UPDATE operators_gateway SET report_horizon_seconds = 40 RETURNING 1")
    scene.simulator.control("3000", accept_delay_ms=300)
    command = scene.send(RECIPIENTS)
    before = scene.submitted()
    scene.wait_until(lambda: scene.submitted() > before, what="the first answers")
    scene.simulator.control("3000", is_cut_off=True)
    scene.wait_for("SELECT 1 FROM operators_gateway WHERE failing_since IS NOT NULL")  # it says so
    assert scene.ask("SELECT count(*) FROM outbox_campaign WHERE closed_at IS NULL") == 1
    scene.simulator.control("3000", is_cut_off=False, is_silent=True)
    time.sleep(3)
    scene.simulator.control("3000", is_silent=False, garbage_share=0.4, garbage_kinds=GARBAGE, cut_reply_share=0.2)
    time.sleep(6)
    scene.simulator.control("3000", garbage_share=0, cut_reply_share=0)
    scene.hurry()
    scene.finish(command, RECIPIENTS)
    assert scene.ask("SELECT count(*) FROM operators_gateway WHERE failing_since IS NOT NULL") == 0


def test_two_timetables_and_two_pools_of_workers_do_everything_once(scene: Scene) -> None:
    scene.panel.start("tick-2", "worker-2")
    scene.simulator.control("3000", accept_delay_ms=100)
    scene.finish(scene.send(RECIPIENTS), RECIPIENTS)


def test_a_database_that_drops_every_connection_is_found_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.simulator.control("3000", accept_delay_ms=400)
    monkeypatch.setenv("PGAPPNAME", "onlooker")  # the command that waits is no part of the panel
    before = scene.submitted()
    command = scene.send(RECIPIENTS)
    scene.wait_until(lambda: scene.submitted() > before, what="the first answers")
    for _ in range(3):
        scene.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name <> 'onlooker'"
        )
        time.sleep(0.7)
    scene.hurry()
    scene.finish(command, RECIPIENTS)
