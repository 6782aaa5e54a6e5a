"""The workers: `python -m jobs.worker [QUEUE…]`. One parent loads the app once and keeps one RQ worker a queue.

One queue a process, so that a killed worker loses no job (reliability reference, "RQ facts that shape us")."""

import ctypes
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from sms.core.config import settings
from sms.core.db import db, release
from sms.core.queue import FORWARD_QUEUE, GENERAL_QUEUE, INTAKE_QUEUE, Job, prefixed, reports_queue, sending_queue
from sms.operators.queries import gateway_ids

log = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0
_WORKER_TTL_SECONDS = 60
_BACK_OFF_SECONDS = 1.0
_COLLECT_AFTER = 50_000  # new objects: a batch makes thousands, hardly any of them in circles
_ALLOWED = frozenset(str(job) for job in Job)


class ForbiddenJob(RuntimeError):
    """A job that is none of ours stood in the queue: whoever writes to Redis must not choose what runs here."""


class ListedJob(RqJob):
    """Runs the jobs listed in `sms.core.queue.Job` and nothing else: no other name, no callback, no web address."""

    @property
    def func(self) -> Callable[..., Any]:
        """The function, when its name is listed."""
        if self.func_name not in _ALLOWED or self.instance is not None:
            log.error("refused job %r", self.func_name)
            raise ForbiddenJob(self.func_name)
        found: Callable[..., Any] = super().func
        return found

    def send_webhooks(self, *_args: object, **_options: object) -> None:
        """Call no address that stands in Redis."""

    success_callback = failure_callback = stopped_callback = property(lambda _self: None)


class CleanJob(ListedJob):
    """Gives the database connection back after each job, whatever became of it."""

    def perform(self) -> Any:
        """Run the job."""
        try:
            return super().perform()
        finally:
            db.session.remove()


def queues() -> list[str]:
    """Every queue there is work on: two for each gateway, one for lists being read, one for other people's servers, one
    for the rest."""
    found = [GENERAL_QUEUE, INTAKE_QUEUE, FORWARD_QUEUE]
    for gateway_id in gateway_ids():
        found += [sending_queue(gateway_id), reports_queue(gateway_id)]
    release()
    return found


def work(queue: str) -> None:
    """Work on one queue until told to stop. Only lists are read in a forked process, which can be limited and thrown
    away."""
    connection = Redis.from_url(settings().redis_url, health_check_interval=30)
    kind = Worker if queue == INTAKE_QUEUE else SimpleWorker
    worker = kind(
        [Queue(prefixed(queue), connection=connection, serializer=JSONSerializer, job_class=CleanJob)],
        connection=connection,
        job_class=CleanJob,
        serializer=JSONSerializer,
        worker_ttl=_WORKER_TTL_SECONDS,
        log_job_description=False,
    )
    worker.work(logging_level="WARNING")


class Pool:
    """Keeps one child a queue alive, and starts one more for a gateway that was added meanwhile."""

    def __init__(self, chosen: Sequence[str]) -> None:
        self.chosen = chosen
        self.children: dict[int, str] = {}
        self.started_at: dict[str, float] = {}
        self.is_stopping = False

    def run(self) -> None:
        """Watch until SIGTERM or SIGINT, then let every child finish its job."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        _spare_collecting()
        looked_at = -_LOOK_SECONDS
        while not self.is_stopping:
            if time.monotonic() - looked_at >= _LOOK_SECONDS:
                looked_at = time.monotonic()
                self._look()
            if self._reap():
                looked_at = min(looked_at, time.monotonic() - _LOOK_SECONDS + _BACK_OFF_SECONDS)
            time.sleep(0.2)
        while self.children:
            self._reap()
            time.sleep(0.05)

    def _look(self) -> None:
        try:
            wanted = list(self.chosen) or queues()
        except SQLAlchemyError as error:
            log.warning("queues not read: %s", type(error).__name__)
            return
        finally:
            db.session.remove()
        for queue in wanted:
            if queue not in self.children.values():
                self._start(queue)

    def _start(self, queue: str) -> None:
        db.engine.dispose()  # closed, not only forgotten: else workers that keep ending use up the server
        pid = os.fork()
        if pid == 0:
            _child(queue)
        self.children[pid] = queue

    def _reap(self) -> bool:
        ended = False
        while self.children:
            pid, _status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            queue = self.children.pop(pid, None)
            ended = ended or queue is not None
        return ended

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.is_stopping = True
        for pid in self.children:
            os.kill(pid, signal.SIGTERM)


def _spare_collecting() -> None:
    """What is loaded stays: searching it for garbage again and again cost more than the work on a large batch, and
    unshared its memory in every child."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _child(queue: str) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _die_with_parent()
    code = 1
    try:
        work(queue)
        code = 0
    except Exception:
        log.exception("worker of %s ended", queue)
    finally:
        os._exit(code)


def _die_with_parent() -> None:
    """Linux only: a worker whose pool was killed ends too, instead of working on unseen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def main() -> None:
    """Serve the queues named on the command line, or all of them."""
    logging.basicConfig(level=settings().log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with create_app().app_context():
        Pool(sys.argv[1:]).run()


if __name__ == "__main__":
    main()
