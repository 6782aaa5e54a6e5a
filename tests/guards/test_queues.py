"""Doorbells ring something: every job exists, may run twice, and somebody works on its queue."""

import ast
import inspect
from importlib import import_module
from itertools import pairwise

import pytest
from flask import Flask

from jobs import worker
from jobs.timetable import TIMETABLE
from sms.core.queue import FORWARD_QUEUE, GENERAL_QUEUE, INTAKE_QUEUE, Job, reports_queue, sending_queue
from tests.factories import make_gateway
from tests.guards import source


@pytest.mark.parametrize("job", list(Job), ids=str)
def test_every_job_can_be_imported_and_takes_only_ids(job: Job) -> None:
    module, _, name = job.rpartition(".")
    function = getattr(import_module(module), name)
    signature = inspect.signature(function, eval_str=True)
    assert function.__module__ == module
    assert all(
        parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.annotation is int
        for parameter in signature.parameters.values()
    )
    assert signature.return_annotation is None


def test_every_queue_that_is_rung_is_worked(app: Flask) -> None:
    _, gateway_id = make_gateway()
    wanted = {GENERAL_QUEUE, INTAKE_QUEUE, FORWARD_QUEUE, sending_queue(gateway_id), reports_queue(gateway_id)}
    assert set(worker.queues()) == wanted


def test_every_ring_names_one_of_those_queues() -> None:
    names = {"GENERAL_QUEUE", "INTAKE_QUEUE", "FORWARD_QUEUE", "sending_queue", "reports_queue", "queue"}
    found = [
        f"{source.name(path)}:{node.lineno}"
        for path in source.modules("sms", "jobs")
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"ring", "ring_now"}
        for keyword in node.keywords
        if keyword.arg == "queue" and not source.words(keyword.value) & names
    ]
    assert found == []


def test_every_job_is_rung_from_somewhere() -> None:
    used = {
        node.attr
        for path in source.modules("sms", "jobs")
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Job"
    }
    assert used == set(Job.__members__)


def test_the_timetable_names_each_job_once() -> None:
    names = sorted(str(job) for job, _ in TIMETABLE)
    assert all(first != second for first, second in pairwise(names))
    assert all(seconds > 0 for _, seconds in TIMETABLE)
