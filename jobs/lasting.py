"""What a job needs that goes on for hours, in a queue whose jobs end within minutes."""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Thread, current_thread, main_thread
from types import FrameType
from typing import Any

from redis.exceptions import RedisError
from rq import get_current_job
from sqlalchemy.exc import DBAPIError

from sms.core.db import apart, release

log = logging.getLogger(__name__)
_FAILED_SECONDS = 0.5
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_TTL_SECONDS = 660


def attempt(work: Callable[[], object], *, gateway_id: int) -> bool:
    """Whether it was done; False, a moment later, when the database is away."""
    try:
        work()
    except DBAPIError as error:
        log.warning("gateway %s: database: %s", gateway_id, type(error).__name__)
        release()
        time.sleep(_FAILED_SECONDS)
        return False
    return True


class Beside(Thread):
    """One half of a job, beside the other: it takes its turns in a thread with a database session of its own, so that
    neither waits for what the other asks of the database. `wake` is what a turn waits for."""

    def __init__(self, turn: Callable[[], None], *, name: str, gateway_id: int, wake: Event) -> None:
        super().__init__(name=name, daemon=True)
        self._turn = turn
        self._gateway_id = gateway_id
        self._wake = wake
        self._is_stopped = False
        self._work = apart(self._take_turns)

    def run(self) -> None:
        """Take turns until stopped."""
        try:
            self._work()
        except Exception:
            log.exception("gateway %s: the %s has ended", self._gateway_id, self.name)

    def _take_turns(self) -> None:
        while not self._is_stopped:
            attempt(self._turn, gateway_id=self._gateway_id)

    def stop(self, *, seconds: float) -> bool:
        """No more turns; returns whether it has ended."""
        self._is_stopped = True
        self._wake.set()
        self.join(seconds)
        return not self.is_alive()


@contextmanager
def lasting(stop: Callable[[], None]) -> Iterator[None]:
    """No time limit; `stop` is called when the worker is told to end, before whoever listened for that until now."""
    if current_thread() is not main_thread():
        yield
        return
    signal.alarm(0)  # of RQ, for jobs that end
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def tell(number: int, frame: FrameType | None) -> None:
        stop()
        _listen(before)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    _listen(dict.fromkeys(_SIGNALS, tell))
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is tell:  # else told, and whoever was told may listen anew by now
            _listen(before)


def _listen(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def heartbeat() -> None:
    """Tell RQ that this job and its worker are alive: neither is declared dead after ten minutes."""
    job = get_current_job()
    if job is None:
        return
    try:
        with job.connection.pipeline() as pipeline:
            for execution in job.get_executions():
                execution.heartbeat(job.started_job_registry, _TTL_SECONDS, pipeline)
            job.heartbeat(datetime.now(UTC), _TTL_SECONDS, pipeline=pipeline)
            pipeline.expire(f"rq:worker:{job.worker_name}", _TTL_SECONDS)
            pipeline.execute()
    except RedisError as error:
        log.warning("no heartbeat: %s", type(error).__name__)
