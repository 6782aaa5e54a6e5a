"""P6: a mountain of refunds of one account is paid back while that account goes on sending."""

import time
from datetime import timedelta

from flask import current_app

from bench.archive import Planned, Stage, write
from bench.checks import verify
from bench.figures import Figure, percentile
from bench.running import wait_for, worker
from bench.shop import Shop, draft, open_shop
from bench.tree import put_below_two_resellers
from bench.visits import Reader
from sms.core import clock
from sms.core.db import release, scalar
from sms.core.queue import GENERAL_QUEUE, Job, ring_now
from sms.outbox.operations import refunds

_CAMPAIGNS = 12
_SENDS = 100
_PAUSE_SECONDS = 0.05


def measure(rows: int) -> list[Figure]:
    """Pay `rows` refunds by a worker and accept single messages beside it."""
    shop = open_shop()
    _owe(shop, rows)
    return _paid(shop, rows, of="one account")


def measure_in_a_tree(rows: int) -> list[Figure]:
    """The same of an account below two resellers, each of which gives its share back."""
    shop = open_shop()
    _owe(shop, rows)
    put_below_two_resellers(shop)
    return _paid(shop, rows, of="an account below two resellers")


def _owe(shop: Shop, rows: int) -> None:
    at = clock.now() - timedelta(minutes=1)
    write(shop, [Planned(shop.account_id, rows // _CAMPAIGNS, at)] * _CAMPAIGNS, stage=Stage.DUE)


def _paid(shop: Shop, rows: int, *, of: str) -> list[Figure]:
    drafts = [draft(shop, 1) for _ in range(_SENDS)]
    reader = Reader(current_app._get_current_object())  # type: ignore[attr-defined]
    reader.confirm(drafts.pop())  # what is slow at the first time is not what is measured
    with worker(GENERAL_QUEUE):
        started = time.perf_counter()
        ring_now(Job.POST_REFUNDS, queue=GENERAL_QUEUE)
        sends = _send_meanwhile(reader, drafts)
        wait_for(lambda: not _is_due(), what="the last refund")
        seconds = time.perf_counter() - started
    _check(rows)
    return [
        Figure(
            code="P6",
            work=f"{rows:,} due refunds of {of}",
            value=seconds,
            unit="s",
            target=10,
            is_ceiling=True,
            notes=[f"in {_CAMPAIGNS} campaigns, by one worker"],
        ),
        Figure(
            code="P6",
            work="a send of that account meanwhile, slowest",
            value=max(sends),
            unit="ms",
            target=200,
            is_ceiling=True,
            notes=[f"{len(sends)} single messages confirmed meanwhile, median {percentile(sends, 50):.0f} ms"],
        ),
    ]


def _send_meanwhile(reader: Reader, drafts: list[int]) -> list[float]:
    """Milliseconds of each confirmation, as long as refunds are being paid."""
    taken: list[float] = []
    while drafts and (not taken or _is_due()):
        started = time.perf_counter()
        reader.confirm(drafts.pop())
        taken.append((time.perf_counter() - started) * 1000)
        time.sleep(_PAUSE_SECONDS)
    return taken


def _is_due() -> bool:
    found = refunds.is_due(at=clock.now())
    release()
    return found


def _check(rows: int) -> None:
    paid = scalar("SELECT sum(refunded_count) FROM outbox_campaign")
    release()
    if paid != rows // _CAMPAIGNS * _CAMPAIGNS:
        raise AssertionError(f"{paid} of {rows} refunds are paid")
    verify()
