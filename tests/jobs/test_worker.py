"""What a worker runs: the jobs of one list, whatever else stands in Redis."""

import gc
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Callback
from rq.serializers import JSONSerializer

from jobs import worker
from jobs.worker import CleanJob, ForbiddenJob, ListedJob
from sms.core.config import Settings
from sms.core.db import db, scalar
from sms.core.queue import Job


@pytest.fixture
def valkey(settings: Settings) -> Iterator[Redis]:
    with Redis.from_url(settings.redis_url) as connection:
        yield connection


def _run(valkey: Redis, name: str, *, kwargs: dict[str, Any] | None = None, **options: Any) -> str | None:
    """Put a job into the queue as anybody could who writes to Redis, and let a worker loose on it."""
    queue = Queue("tested", connection=valkey, serializer=JSONSerializer)
    job = queue.enqueue(name, kwargs=kwargs or {}, **options)
    worker = SimpleWorker([queue], connection=valkey, job_class=CleanJob, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")
    status = ListedJob.fetch(job.id, connection=valkey, serializer=JSONSerializer).get_status()
    return str(status.value) if status else None


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("os.system", {"command": "touch {marker}"}),
        ("subprocess.check_call", {"args": ["touch", "{marker}"]}),
        ("builtins.eval", {}),
        ("jobs.sending.drain", {"gateway_id": 1}),
        ("jobs.outbox.dispatch.__call__", {}),
        ("sms.ledger.operations.adjust", {}),
    ],
)
def test_a_job_that_is_not_listed_is_not_run(
    app: Flask, valkey: Redis, tmp_path: Path, name: str, kwargs: dict[str, Any]
) -> None:
    marker = tmp_path / "marker"
    told = {
        key: [word.format(marker=marker) for word in value]
        if isinstance(value, list)
        else value.format(marker=marker)
        if isinstance(value, str)
        else value
        for key, value in kwargs.items()
    }

    assert _run(valkey, name, kwargs=told) == "failed"
    assert not marker.exists()


def test_a_listed_job_is_run(app: Flask, valkey: Redis) -> None:
    assert _run(valkey, str(Job.CHECK_GATEWAYS)) == "finished"


def test_no_callback_is_called(app: Flask, valkey: Redis, tmp_path: Path) -> None:
    called = Callback("os.getcwd")

    assert _run(valkey, str(Job.CHECK_GATEWAYS), on_success=called, on_failure=called) == "finished"


def test_the_refusal_names_the_job(valkey: Redis) -> None:
    job = ListedJob.create("os.system", connection=valkey, serializer=JSONSerializer)
    with pytest.raises(ForbiddenJob, match=r"os\.system"):
        _ = job.func


def test_every_listed_job_is_a_function_of_the_jobs_folder() -> None:
    for name in Job:
        module, _, function = name.rpartition(".")
        assert module.split(".")[0] == "jobs"
        assert callable(getattr(importlib.import_module(module), function))


def test_workers_that_keep_ending_cost_the_database_no_connections(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", lambda: 1)
    pool, backends = worker.Pool([]), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    gc.collect()  # what others left open is not counted
    before = scalar(backends)
    gc.disable()  # it would tidy up, at some time
    try:
        for _ in range(5):
            worker.queues()
            db.session.remove()
            pool._start("general")
        assert scalar(backends) <= before
    finally:
        gc.enable()
