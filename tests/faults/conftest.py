"""A whole panel that really runs: database, Valkey, timetable, workers and simulated operators as processes."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

import psycopg
import pytest

from deploy.throwaway import ThrowAwayPanel, throw_away_panel
from tests.simulator.running import RunningSimulator

PARTS = ("tick", "worker")
# Everything that is waited for in earnest, only sooner.
_UNDER_WAY = "SELECT count(*) FROM outbox_batch WHERE state = 'submitting'"
HURRIED = """
UPDATE operators_gateway SET timeout_seconds = 2, slowest_accept_seconds = 0.5, lease_seconds = 8,
    lookup_after_seconds = 2.5, polling_plan_seconds = '{1,2,4}', report_horizon_seconds = 8, batch_size = 20
"""
SHARES = {"delivered": 91, "blocked": 4, "not_in_network": 2, "undelivered": 1, "refused": 1, "expired": 1}
_PATIENCE_SECONDS = 200


@dataclass
class Scene:
    """The running panel and the operators it talks to."""

    panel: ThrowAwayPanel
    simulator: RunningSimulator
    accepted_before: int = 0
    began_at: float = 0.0

    def send(self, count: int, *, line: str = "30004505", operator: str = "3000") -> "Popen[str]":
        """Accept a demo campaign; the command waits until it is closed."""
        self.accepted_before = self.simulator.truth("summary")[operator]["accepted"]
        self.began_at = time.time()
        words = ("--recipients", str(count), "--line", line, "--timeout", str(_PATIENCE_SECONDS), "--json")
        return self.panel.begin("demo-campaign", *words)

    def ask(self, sql: str) -> Any:
        """The first value of a question to the database, as its owner."""
        with psycopg.connect(self.panel.settings["DATABASE_URL"], autocommit=True) as owner:
            found = owner.execute(sql.encode()).fetchone()
        return found[0] if found else None

    def wait_for(self, sql: str, *, seconds: float = 30) -> None:
        """Return as soon as the database answers yes."""
        self.wait_until(lambda: bool(self.ask(sql)), what=sql, seconds=seconds)

    def wait_until(self, is_so: Callable[[], bool], *, what: str, seconds: float = 30) -> None:
        """Return as soon as something is so."""
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"still not after {seconds} s: {what}\n{self.logs()}"
            time.sleep(0.05)

    def submitted(self) -> int:
        """How many messages operators have taken and we know of."""
        return int(self.ask("SELECT count(*) FROM outbox_submission"))

    def hurry(self) -> None:
        """Once all is sent, ask at once: a question whose answer was lost would be repeated after a minute."""
        self.wait_for("SELECT count(*) = 0 FROM outbox_batch WHERE state IN ('queued', 'submitting')", seconds=120)
        self.ask("UPDATE outbox_unknown SET next_lookup_at = now() WHERE next_lookup_at IS NOT NULL RETURNING 1")
        self.ask("UPDATE outbox_batch SET poll_at = now() WHERE poll_at > now() RETURNING 1")

    def workers(self, part: str = "worker") -> list[int]:
        """The process ids of the workers a pool keeps."""
        pid = self.panel.children[part].pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_workers(self, *, times: int, pause_seconds: tuple[float, float], seed: int) -> int:
        """SIGKILL one worker after the other, whichever it hits. Returns how often batches were left on the wire, or
        claimed, by one that was dead."""
        random = Random(seed)
        left = 0
        for _ in range(times):
            self.wait_until(lambda: bool(self.workers()), what="a worker to kill")
            before = self.ask(_UNDER_WAY)
            os.kill(random.choice(self.workers()), signal.SIGKILL)
            time.sleep(random.uniform(*pause_seconds))
            left += before > 0 and self.ask(_UNDER_WAY) > 0
        return left

    def logs(self) -> str:
        """The last lines of every part's log, for a failed assertion."""
        found = sorted((self.panel.folder / "log").rglob("*.log"))
        return "\n".join(f"== {log.name}\n" + "\n".join(log.read_text().splitlines()[-15:]) for log in found)

    def finish(self, command: "Popen[str]", count: int) -> Mapping[str, Any]:
        """Wait for the campaign; then nothing is lost, nothing is twice, and every rial is accounted for."""
        output, errors = command.communicate(timeout=_PATIENCE_SECONDS + 10)
        assert command.returncode == 0, errors + self.logs()
        told: dict[str, Any] = json.loads(output)
        assert told["accepted"] == count
        assert told["by_outcome"] == {outcome: share * count // 100 for outcome, share in SHARES.items()}
        assert told["held_mrial"] == told["charged_mrial"] + told["released_mrial"]
        assert self._priced(told["campaign"], "blocked") == told["refunded_mrial"]
        assert self._priced(told["campaign"], "refused") == told["released_mrial"]
        self.check_truth(count - told["by_outcome"]["refused"])
        self.verify()
        return told

    def _priced(self, campaign_id: int, outcome: str) -> int:
        return int(
            self.ask(
                "SELECT coalesce(sum(price_mrial), 0)::bigint FROM outbox_message"  # noqa: S608 - our own numbers
                f" WHERE campaign_id = {campaign_id} AND outcome = '{outcome}'"
            )
        )

    def check_truth(self, expected: int) -> None:
        """The operator took each message exactly once."""
        truth = self.simulator.truth("summary")["3000"]
        assert self.simulator.truth("duplicates")["3000"] == {}
        assert self.simulator.truth(f"recipients?since={self.began_at}")["3000"] == {}
        assert truth["accepted"] - self.accepted_before == expected

    def verify(self) -> None:
        """All invariants hold."""
        code, output, errors = self.panel.run("verify", "--json")
        assert code == 0, output + errors


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with (
        RunningSimulator(tmp_path_factory.mktemp("simulator")) as simulator,
        throw_away_panel(SIMULATOR_URL=simulator.url, SIMULATOR_SMPP_URL=simulator.urls["1000"]) as panel,
    ):
        panel.start(*PARTS)
        yield Scene(panel, simulator)


@pytest.fixture
def scene(running: Scene) -> Iterator[Scene]:
    """The panel with all its parts up, and operators that are quick and well."""
    running.simulator.reset()
    running.ask(f"{HURRIED} RETURNING 1")
    yield running
    for part in [name for name in running.panel.children if name not in PARTS]:
        running.panel.stop(part)
