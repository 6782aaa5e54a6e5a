"""The stage of the fault runner: the whole panel as processes, a network of our own between it and each of its
operators, and hands that kill, stop, cut and mend any of it."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from deploy.process import Child
from deploy.throwaway import ThrowAwayPanel, throw_away_panel
from tests.faults.proxy import RunningProxy
from tests.simulator.running import RunningSimulator

PARTS = ("tick", "worker", "web")
HTTP_CODES = ("2000", "3000", "5000")
# Everything is waited for in earnest, only sooner. Reports do not expire while operators are away: time is passed at
# the end.
TIMES: Mapping[str, object] = {
    "timeout_seconds": 3,
    "slowest_accept_seconds": 1,
    "lease_seconds": 10,
    "lookup_after_seconds": 5,
    "polling_plan_seconds": "{1,3,6,12}",
    "report_horizon_seconds": 7200,
    "batch_size": 50,
}
_AWAY_SECONDS = 20
_RESTART_SECONDS = 0.5


class GaveUp(RuntimeError):
    """What was waited for did not come."""


@dataclass
class Stage:
    """The running panel, the operators it talks to and the network between."""

    panel: ThrowAwayPanel
    simulator: RunningSimulator
    proxy: RunningProxy
    codes: Sequence[str]  # of the operators
    truth_dir: Path
    tickets: Path
    kills: Counter[str] = field(default_factory=Counter)
    _own: threading.local = field(default_factory=threading.local)
    _ended_at: dict[str, float] = field(default_factory=dict)

    # The database, as its owner

    def rows(self, sql: str, **params: object) -> list[Any]:
        """The rows of a question; a server that is just away is waited for."""
        deadline = time.monotonic() + _AWAY_SECONDS
        while True:
            try:
                found = self._connection().execute(sql.encode(), params or None)
                return found.fetchall() if found.description else []
            except psycopg.OperationalError:
                self.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _connection(self) -> "psycopg.Connection[Any]":
        """One a thread."""
        if getattr(self._own, "connection", None) is None:
            url = self.panel.settings["DATABASE_URL"]
            self._own.connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
        connection: psycopg.Connection[Any] = self._own.connection
        return connection

    def ask(self, sql: str, **params: object) -> Any:
        """The first value of the first row, or None."""
        found = self.rows(sql, **params)
        return found[0][0] if found else None

    def wait_until(self, is_so: Callable[[], object], *, what: str, seconds: float = 30) -> float:
        """Look after the processes until something is so; returns how long that took."""
        began = time.monotonic()
        while not is_so():
            if time.monotonic() - began > seconds:
                raise GaveUp(f"not after {seconds:.0f} s: {what}\n{self.logs()}")
            self.tend()
            time.sleep(0.05)
        return time.monotonic() - began

    # Processes

    def tend(self) -> None:
        """Start again what ended, as the launcher's supervisor does."""
        for name, child in list(self.panel.children.items()):
            if child.exit_code() is None:
                continue
            if time.monotonic() - self._ended_at.setdefault(name, time.monotonic()) >= _RESTART_SECONDS:
                del self._ended_at[name]
                self.panel.children[name] = Child(child.program)

    def children_of(self, part: str) -> list[int]:
        """The processes that a part keeps: the workers of the pool, those of the web server."""
        pid = self.panel.children[part].pid
        with suppress(OSError):
            return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def worker_pids(self) -> list[int]:
        """The workers of all pools."""
        return [pid for part in self.panel.children if part.startswith("worker") for pid in self.children_of(part)]

    def kill(self, pid: int, victim: str) -> bool:
        """SIGKILL; False when it was gone already."""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills[victim] += 1
        return True

    def sender_pid(self, code: str) -> int | None:
        """The worker that is just sending to an operator, as Redis has it."""
        queue, mine = f"payamgah-send-{self.gateway(code)}".encode(), self.worker_pids()
        with suppress(RedisError), self.valkey() as valkey:
            for key in valkey.smembers("rq:workers"):
                queues, pid, state = valkey.hmget(key, "queues", "pid", "state")
                if (queues, state) == (queue, b"busy") and int(pid) in mine:
                    return int(pid)
        return None

    def restart_postgres(self) -> None:
        """An immediate shutdown, as after a power cut, and a start with recovery."""
        child = self.panel.servers["postgres"]
        os.kill(child.pid, signal.SIGQUIT)
        while child.exit_code() is None:
            time.sleep(0.02)
        self.kills["postgres"] += 1
        self.panel.begin_server("postgres")

    def kill_valkey(self, *, away_seconds: float, is_emptied: bool = False) -> None:
        """End Valkey the hard way; after a while it is back, with what it wrote to disk or with nothing."""
        child = self.panel.servers["valkey"]
        self.kill(child.pid, "valkey")
        while child.exit_code() is None:
            time.sleep(0.02)
        until = time.monotonic() + away_seconds
        while time.monotonic() < until:
            self.tend()
            time.sleep(0.05)
        self.panel.begin_server("valkey")
        if is_emptied:
            self.wait_until(self._is_flushed, what="Valkey to have read what it wrote", seconds=30)

    def _is_flushed(self) -> bool:
        with self.valkey() as valkey:
            try:
                valkey.flushall()
            except BusyLoadingError:
                return False
        return True

    def valkey(self) -> "Redis":
        """A client of the panel's Valkey."""
        return Redis.from_url(self.panel.settings["REDIS_URL"], socket_timeout=5)

    # Operators

    def gateway(self, code: str) -> int:
        """The gateway of an operator."""
        return int(
            self.ask(
                "SELECT g.id FROM operators_gateway g JOIN operators_operator o ON o.id = g.operator_id"
                " WHERE o.code = %(code)s",
                code=code,
            )
        )

    def breaker(self, code: str) -> str:
        """The state of an operator's breaker."""
        sql = "SELECT breaker FROM operators_health WHERE gateway_id = %(id)s"
        return str(self.ask(sql, id=self.gateway(code)) or "closed")

    def line(self, code: str) -> int:
        """The public line of an operator."""
        return int(
            self.ask(
                "SELECT l.id FROM lines_line l JOIN operators_operator o ON o.id = l.operator_id"
                " WHERE o.code = %(code)s AND l.kind = 'public'",
                code=code,
            )
        )

    def set_times(self, **times: object) -> None:
        """Change what all gateways go by."""
        chosen = ", ".join(f"{name} = %({name})s" for name in times)
        self.rows(f"UPDATE operators_gateway SET {chosen}", **times)  # noqa: S608 - our own names

    def heal(self) -> None:
        """Nothing is wrong with any operator or its network any more; what was accepted stays accepted."""
        for code in self.codes:
            self.proxy.heal(code)
            self.heal_operator(code)

    def heal_operator(self, code: str) -> None:
        """Nothing is wrong with an operator itself any more."""
        self.simulator.control(code, **_well(self.simulator.control(code)))

    def hurry(self) -> None:
        """Ask at once about everything that will be asked about sooner or later; about unknown fates no sooner than the
        operator's slowest moment allows."""
        self.rows(
            "UPDATE outbox_unknown SET next_lookup_at = now() WHERE next_lookup_at > now()"
            " AND wire_at < now() - make_interval(secs => %(seconds)s)",
            seconds=TIMES["lookup_after_seconds"],
        )
        self.rows("UPDATE outbox_batch SET poll_at = now() WHERE poll_at > now()")

    def logs(self) -> str:
        """The last lines of every log."""
        found = sorted((self.panel.folder / "log").rglob("*.log"))
        return "\n".join(f"== {log.name}\n" + "\n".join(log.read_text().splitlines()[-12:]) for log in found)

    def close(self) -> None:
        """Let go of this thread's connection to the database."""
        connection = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
            self._own.connection = None


_QUIET = {"accept_delay_ms": 20, "report_delay_seconds": [0.2, 1.5], "late_seconds": 10.0, "enquire_seconds": 30.0}

_WELL_WHEN_ON = frozenset({"is_reference_echoed"})
_LIMITS = frozenset(
    {"refuse_status", "status_unknown_seconds", "bind_status", "max_per_second", "window", "close_with_unanswered"}
)


def _well(knobs: Mapping[str, object]) -> dict[str, object]:
    """The knobs of an operator that is well, of those it has."""
    well: dict[str, object] = {}
    for name, value in knobs.items():
        if name in _QUIET:
            well[name] = _QUIET[name]
        elif name in _WELL_WHEN_ON:
            well[name] = True
        elif isinstance(value, bool):
            well[name] = False
        elif name in _LIMITS or name.endswith("_share"):
            well[name] = 0
    return well


# One broken answer after the other opens a breaker: that is not what a point is about, and would keep its next trial
# waiting.
_TRUSTED = """
INSERT INTO operators_health (gateway_id, override, override_until, override_reason)
SELECT id, 'closed', now() + interval '1 day', 'trials of named points' FROM operators_gateway
ON CONFLICT (gateway_id) DO UPDATE SET override = excluded.override, override_until = excluded.override_until,
    override_reason = excluded.override_reason
"""


@contextmanager
def staged(*, seed: int, parts: Sequence[str] = PARTS, is_pointed: bool = False) -> Iterator[Stage]:
    """Everything started and well; with `is_pointed` processes die where a ticket tells them to."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="payamgah-faults-")))
        tickets = folder / "tickets"
        tickets.mkdir()
        simulator = stack.enter_context(RunningSimulator(folder / "truth", seed=seed, own_port_of=HTTP_CODES))
        targets = {code: ("127.0.0.1", int(simulator.urls[code].rpartition(":")[2])) for code in ("1000", *HTTP_CODES)}
        proxy = stack.enter_context(RunningProxy(targets, seed=seed))
        given = {"SIMULATOR_URL": simulator.url, "SIMULATOR_SMPP_URL": f"smpp://127.0.0.1:{proxy.ports['1000']}"}
        if is_pointed:
            given["CRASH_AT"] = f"{tickets}{os.sep}"
        panel = stack.enter_context(throw_away_panel(durable=True, **given))
        stage = Stage(panel, simulator, proxy, (), folder / "truth", tickets)
        stack.callback(stage.close)
        stage.codes = [found[0] for found in stage.rows("SELECT code FROM operators_operator ORDER BY code")]
        for code in HTTP_CODES:
            stage.rows(
                "UPDATE operators_gateway SET base_url = replace(base_url, %(before)s, %(after)s) WHERE id = %(id)s",
                before=simulator.url,
                after=f"http://127.0.0.1:{proxy.ports[code]}",
                id=stage.gateway(code),
            )
        stage.set_times(**TIMES)
        stage.heal()
        if is_pointed:
            stage.rows(_TRUSTED)
        panel.start(*parts)
        yield stage
