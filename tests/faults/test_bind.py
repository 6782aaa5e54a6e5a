"""The worker that holds the bind of operator 1000 is killed in the middle of a campaign."""

import os
import signal

import pytest

from tests.faults.conftest import Scene

pytestmark = pytest.mark.faults

RECIPIENTS = 4000
KILLS = 2
LINE = "10004505"
OURS = "gateway_id = (SELECT id FROM operators_gateway WHERE adapter = 'smpp')"
UNKNOWN = f"SELECT count(*) FROM outbox_unknown WHERE {OURS}"  # noqa: S608 - our own words, here and below


def test_a_killed_bind_is_back_soon_and_nothing_is_sent_twice(scene: Scene) -> None:
    # Slow enough that all kills fall into one campaign; reports come when what they left is known to be unknown.
    scene.simulator.control(
        "1000", is_cut_by_digits=False, accept_delay_ms=1000, report_delay_seconds=[20, 22], receipt_repeat_seconds=2
    )
    scene.ask("UPDATE operators_gateway SET report_horizon_seconds = 90 WHERE adapter = 'smpp' RETURNING 1")
    most = scene.ask("SELECT batch_size * concurrency FROM operators_gateway WHERE adapter = 'smpp'")
    scene.wait_for(_bound("true"))
    command = scene.send(RECIPIENTS, line=LINE, operator="1000")
    lost = []
    for _ in range(KILLS):
        before = scene.submitted()
        scene.wait_until(lambda before=before: scene.submitted() > before, what="answers")  # type: ignore[misc]
        lost.append(_kill(scene))
    assert all(0 < each <= most for each in lost), (lost, most)

    scene.wait_for(f"SELECT ({UNKNOWN}) <= {sum(lost) * 0.15}", seconds=60)
    scene.verify()
    scene.wait_for("SELECT count(*) = 0 FROM outbox_batch WHERE state IN ('queued', 'submitting')", seconds=60)
    command.kill()  # what stays unknown keeps its campaign open
    command.communicate()
    left = scene.ask(UNKNOWN)
    assert scene.simulator.truth(f"recipients?since={scene.began_at}&operator=1000")["1000"] == {}
    taken = scene.simulator.truth("summary")["1000"]["accepted"] - scene.accepted_before
    assert RECIPIENTS - left <= taken + RECIPIENTS // 100 <= RECIPIENTS  # one in a hundred is refused
    scene.verify()


def _bound(also: str) -> str:
    return (
        f"SELECT 1 FROM operators_bind WHERE {OURS} AND lease_until > clock_timestamp() AND bound_count > 0 AND {also}"  # noqa: S608
    )


def _kill(scene: Scene) -> int:
    """Kill whoever holds the bind; returns how many messages that made of unknown fate."""
    known = scene.ask(UNKNOWN)
    holder = scene.ask(f"SELECT holder FROM operators_bind WHERE {OURS} AND lease_until > clock_timestamp()")  # noqa: S608
    os.kill(int(holder.rpartition(":")[2]), signal.SIGKILL)
    killed_at = scene.ask("SELECT clock_timestamp()")
    scene.wait_for(_bound(f"holder <> '{holder}'"), seconds=30)
    scene.wait_for(
        f"SELECT count(*) = 0 FROM outbox_batch WHERE {OURS} AND state = 'submitting' AND wire_at < '{killed_at}'"  # noqa: S608
    )
    return int(scene.ask(UNKNOWN)) - known
