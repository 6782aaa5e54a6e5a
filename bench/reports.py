"""P5: pushed reports, stored raw and applied, every tenth of them a repetition."""

import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from bench.archive import Planned, Stage, write
from bench.checks import verify
from bench.figures import Figure
from bench.shop import open_shop
from sms.core import clock
from sms.core.db import release, row, scalar, transaction
from sms.operators.contract import Report
from sms.operators.rules import Outcome
from sms.outbox.operations import campaigns, reports

_SET_ROWS = 1_000  # as large as an operator pushes at once
_SETS_AT_ONCE = 20
_MEANWHILE = 5_000  # a repetition comes so much later


def measure(rows: int) -> list[Figure]:
    """Store and apply `rows` reports about nine tenths as many messages."""
    shop = open_shop()
    size = rows * 9 // 10
    write(shop, [Planned(shop.account_id, size, clock.now() - timedelta(minutes=1))], stage=Stage.WAITING)
    first_id = int(scalar("SELECT min(id) FROM outbox_message"))
    release()
    started, cpu = time.perf_counter(), time.process_time()
    _store(_reports(first_id, size), shop.gateway_id)
    stored = time.perf_counter() - started
    _apply()
    seconds = time.perf_counter() - started
    cpu = time.process_time() - cpu
    _settle_and_check(rows, size)
    return [
        Figure(
            code="P5",
            work="pushed reports stored and applied",
            value=rows / seconds,
            unit="reports/s",
            target=0.5,
            share_of="updates",
            notes=[
                f"{rows:,} reports of {size:,} messages in sets of {_SET_ROWS:,}: stored raw in {stored:.1f} s, applied"
                f" in {seconds - stored:.1f} s, a tenth of them blocked and noted for refund;"
                f" {cpu / rows * 1e6:.0f} µs CPU a report beside PostgreSQL's"
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


def _store(told: Iterator[Report], gateway_id: int) -> None:
    while some := list(islice(told, _SET_ROWS)):
        with transaction():
            reports.store(some, gateway_id=gateway_id, source="push", at=clock.now())


def _apply() -> None:
    applied = 1
    while applied:
        with transaction():
            applied = reports.apply_waiting(most=_SETS_AT_ONCE, at=clock.now())


def _settle_and_check(rows: int, size: int) -> None:
    for campaign_id in campaigns.dirty(most=10):
        with transaction():
            campaigns.settle(campaign_id=campaign_id, at=clock.now())
    found = row(
        "SELECT (SELECT count(*) FROM outbox_report) AS stored, (SELECT count(outcome) FROM outbox_message) AS ended,"
        " (SELECT count(*) FROM outbox_campaign WHERE closed_at IS NOT NULL) AS closed"
    )
    release()
    if found is None or (found.stored, found.ended, found.closed) != (rows, size, 1):
        raise AssertionError(f"of {rows} reports of {size} messages: {found}")
    verify()
