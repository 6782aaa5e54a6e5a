"""P5: pushed reports, stored raw here and applied by a worker beside it, every tenth of them a repetition."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from bench.archive import Planned, Stage, write
from bench.checks import verify
from bench.figures import Figure
from bench.processes import postgres_pid, watching
from bench.running import wait_for, worker
from bench.shop import Shop, open_shop
from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, scalar, transaction
from sms.core.queue import GENERAL_QUEUE, Job, ring_now
from sms.operators.contract import Report
from sms.operators.rules import Outcome
from sms.outbox.operations import reports

_SET_ROWS = 1_000  # as large as an operator pushes at once
_MEANWHILE = 5_000  # a repetition comes so many messages later


def measure(rows: int) -> list[Figure]:
    """Store and apply `rows` reports about nine tenths as many messages."""
    shop = open_shop()
    size = rows * 9 // 10
    write(shop, [Planned(shop.account_id, size, clock.now() - timedelta(minutes=1))], stage=Stage.WAITING)
    first_id = int(scalar("SELECT min(id) FROM outbox_message"))
    release()
    with worker(GENERAL_QUEUE) as worker_pid:
        pids = {"storing": os.getpid(), "applying": worker_pid, "PostgreSQL": postgres_pid(settings().database_url)}
        with watching(pids) as watch:
            started = time.perf_counter()
            _store(_reports(first_id, size), shop)
            stored = time.perf_counter() - started
            wait_for(lambda: not _number("SELECT count(*) FROM outbox_report_set WHERE applied_at IS NULL"), what="all")
            seconds = time.perf_counter() - started
        wait_for(lambda: _number("SELECT count(*) FROM outbox_campaign WHERE closed_at IS NOT NULL"), what="the end")
    _check(rows, size)
    cpu = ", ".join(f"{name} {used / rows * 1e6:.0f}" for name, used in watch.cpu_seconds.items())
    return [
        Figure(
            code="P5",
            work="pushed reports stored and applied",
            value=rows / seconds,
            unit="reports/s",
            target=0.5,
            share_of="updates",
            notes=[
                f"{rows:,} reports of {size:,} messages in sets of {_SET_ROWS:,}: stored raw after {stored:.1f} s, the"
                f" last applied after {seconds:.1f} s, a tenth of them blocked and refunded; CPU µs a report: {cpu}"
            ],
        )
    ]


def _reports(first_id: int, size: int) -> Iterator[Report]:
    """One report a message, and every ninth of them once more some thousands later."""
    now = clock.now()

    def about(place: int) -> Report:
        is_blocked = place % 10 == 9
        outcome = Outcome.BLOCKED if is_blocked else Outcome.DELIVERED
        return Report(str(first_id + place), "27" if is_blocked else "1", outcome, reported_at=now)

    for place in range(size):
        yield about(place)
        if place % 9 == 8:
            yield about(max(0, place - _MEANWHILE))


def _store(told: Iterator[Report], shop: Shop) -> None:
    while some := list(islice(told, _SET_ROWS)):
        with transaction():
            reports.store(some, gateway_id=shop.gateway_id, source="push", at=clock.now())
        ring_now(Job.APPLY_REPORTS, queue=GENERAL_QUEUE)


def _number(sql: str) -> int:
    found = int(scalar(sql))
    release()
    return found


def _check(rows: int, size: int) -> None:
    stored = _number("SELECT count(*) FROM outbox_report")
    ended = _number("SELECT count(outcome) FROM outbox_message")
    if (stored, ended) != (rows, size):
        raise AssertionError(f"{rows} reports of {size} messages: {stored} stored, {ended} messages ended")
    verify()
