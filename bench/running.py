"""The panel's real programs beside a measurement, on its database."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rq import Queue, Worker
from rq.serializers import JSONSerializer

from bench.processes import postgres_pid, valkey_pid
from deploy.environment import ROOT
from deploy.process import Child, Program, free_port
from deploy.programs import environment, python_command
from deploy.throwaway import ThrowAwayPanel
from sms.core.config import settings
from sms.core.queue import GENERAL_QUEUE, INTAKE_QUEUE, connection, prefixed

_PATIENCE_SECONDS = 900


class GaveUp(RuntimeError):
    """What was waited for did not come."""


def panel() -> ThrowAwayPanel:
    """The programs of this installation, none of them started."""
    chosen = settings()
    port = free_port()
    return ThrowAwayPanel(
        {
            "PAYAMGAH_MODE": chosen.mode,
            "DATABASE_URL": chosen.database_url,
            "REDIS_URL": chosen.redis_url,
            "SECRET_KEY": chosen.secret_key,
            "SEAL_KEY": chosen.seal_key,
            "VAR_DIR": str(chosen.var_dir),
            "QUEUE_PREFIX": chosen.queue_prefix,
            "SIMULATOR_URL": f"http://127.0.0.1:{free_port()}",
            "SIMULATOR_SMPP_URL": f"smpp://127.0.0.1:{free_port()}",
            "PORT": str(port),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "LOG_LEVEL": "WARNING",
        }
    )


@contextmanager
def started(programs: ThrowAwayPanel, *names: str) -> Iterator[dict[str, int]]:
    """Parts of the panel for as long as the block lasts; yields the process ids by name, the servers' among them."""
    try:
        programs.start(*names)
        yield {
            **{name: programs.children[name].pid for name in names},
            "PostgreSQL": postgres_pid(settings().database_url),
            "Valkey": valkey_pid(settings().redis_url),
        }
    finally:
        programs.stop(*[name for name in reversed(names) if name in programs.children])


@contextmanager
def worker(queue: str) -> Iterator[int]:
    """One worker on one queue; yields its process id."""
    child = Child(
        Program(
            name="worker",
            command=python_command("jobs.worker", queue),
            environ=environment(panel().settings),
            cwd=ROOT,
            log=settings().var_dir / "worker.log",
        )
    )
    try:
        wait_for_workers([queue])
        yield child.pid
    finally:
        child.stop()


def wait_for_workers(queues: list[str]) -> None:
    """Return when each queue has a worker listening."""
    wait_for(lambda: all(_listening(queue) for queue in queues), what="the workers")


def _listening(queue: str) -> int:
    named = Queue(prefixed(queue), connection=connection(), serializer=JSONSerializer)
    return Worker.count(connection=connection(), queue=named)


def gateway_queues(gateway_id: int) -> list[str]:
    """Every queue of an installation with one gateway."""
    return [GENERAL_QUEUE, INTAKE_QUEUE, f"send-{gateway_id}", f"reports-{gateway_id}"]


def wait_for(is_there: Callable[[], object], *, what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Look twenty times a second until it is there; raises GaveUp."""
    deadline = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > deadline:
            raise GaveUp(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.05)


def simulator(programs: ThrowAwayPanel, path: str, body: dict[str, object] | None = None) -> Any:
    """Ask the simulator, or with a body turn its knobs."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(programs.settings["SIMULATOR_URL"] + path, data) as reply:  # noqa: S310 - our own http address
        return json.loads(reply.read())
