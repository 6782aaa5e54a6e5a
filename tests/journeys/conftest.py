"""The sample installation in this process: real pages, real operators, real jobs taken from the real queues."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from rq import Queue
from rq.serializers import JSONSerializer

from jobs import worker
from jobs.outbox import sweep
from sms.core import clock
from sms.core.config import Settings
from sms.core.db import execute, transaction
from sms.core.queue import connection, prefixed
from sms.dashboard.operations import make_sample
from sms.dashboard.rules import Simulator
from tests.journeys.walker import Walker
from tests.simulator.running import RunningSimulator

_PATIENCE_SECONDS = 60


class Hands:
    """Does what the workers would: takes every job from every queue, and moves the clock while nothing is to do."""

    def __init__(self) -> None:
        self.offset_seconds = 0.0

    def work(self) -> int:
        """Sweep, then do all jobs there are; returns how many."""
        sweep()
        return sum(self._empty(queue) for queue in worker.queues())

    def _empty(self, name: str) -> int:
        queue = Queue(prefixed(name), connection=connection(), serializer=JSONSerializer, job_class=worker.CleanJob)
        done = 0
        while queue.count:
            job = queue.fetch_job(queue.pop_job_id())
            assert job is not None
            job.perform()
            done += 1
        return done

    def work_until(self, is_done: Callable[[], bool], *, step_seconds: float = 2.0) -> None:
        """Work, letting time pass quickly, until something is so."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_done():
            assert time.monotonic() < deadline, "it never came to be"
            self.work()
            self.pass_time(step_seconds)

    def pass_time(self, seconds: float) -> None:
        """Move the installation's clock on."""
        self.offset_seconds += seconds
        clock.set_offset(self.offset_seconds)

    def pass_hours(self, hours: float) -> None:
        """The same, in hours."""
        self.pass_time(timedelta(hours=hours).total_seconds())


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    with RunningSimulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    """Both operators, quick and with nothing accepted yet."""
    simulator_process.reset()
    return simulator_process


@pytest.fixture
def hands(app: Flask, settings: Settings, simulator: RunningSimulator) -> Hands:
    """The sample installation at this simulator, and hands to work in it."""
    with transaction():
        make_sample(mode="sample", simulator=Simulator(simulator.url), seal_key=settings.seal_key, at=clock.now())
        execute("UPDATE operators_gateway SET lookup_after_seconds = 0.2, timeout_seconds = 2")
    return Hands()


@pytest.fixture
def walker(app: Flask, hands: Hands) -> Walker:
    """Somebody at the sign-in page."""
    return Walker(app.test_client())
