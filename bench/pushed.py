"""P5 at the door: reports pushed over HTTP to the web server, one by one and by the hundred, and applied meanwhile."""

import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from urllib.parse import urlsplit

from bench.archive import Planned, Stage, write
from bench.checks import verify
from bench.figures import Figure, percentile
from bench.processes import watching
from bench.running import panel, started, wait_for, wait_for_workers
from bench.shop import Shop, open_shop
from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import release, scalar, transaction
from sms.core.queue import GENERAL_QUEUE
from sms.operators.push.operations import renew
from sms.operators.push.rules import path_of

_CONNECTIONS = 16  # at once
_A_CONNECTION = 20  # requests over one, then it is made anew: so they spread over the web server's processes
_TOGETHER = 100  # reports in one push, where they come together
_LATEST_MS = 200
_LEAST_PER_SECOND = 1_000


def pushed_reports(rows: int) -> list[Figure]:
    """Push `rows` reports, half of them one by one, and wait until all are applied."""
    shop = open_shop()
    write(shop, [Planned(shop.account_id, rows, clock.now() - timedelta(minutes=1))], stage=Stage.WAITING)
    first_id = int(scalar("SELECT min(id) FROM outbox_message"))
    with transaction():
        token = renew(gateway_id=shop.gateway_id, by=PANEL, at=clock.now())
    half = rows // 2
    path = path_of(shop.gateway_id, token)
    programs = panel()
    with started(programs, "web", "worker") as pids:
        wait_for_workers([GENERAL_QUEUE])
        host = urlsplit(programs.url).netloc
        with watching(pids | {"pushing": os.getpid()}) as watch:
            single = _push(host, [_single(host, path, first_id + place) for place in range(half)])
        sets = _number("SELECT count(*) FROM outbox_report_set")
        places = iter(range(half, rows))
        batches = iter(lambda: list(islice(places, _TOGETHER)), [])
        together = _push(host, [_batch(host, path, [first_id + place for place in some]) for some in batches])
        wait_for(lambda: not _number("SELECT count(*) FROM outbox_report_set WHERE applied_at IS NULL"), what="all")
        wait_for(lambda: _number("SELECT count(*) FROM outbox_campaign WHERE closed_at IS NOT NULL"), what="the end")
    _check(shop, rows)
    cpu = ", ".join(f"{name} {used / half * 1e6:.0f}" for name, used in watch.cpu_seconds.items())
    return [
        *_figures("one by one", half, single, f", in {sets:,} commits; CPU µs a report: {cpu}"),
        *_figures(f"{_TOGETHER} at once", rows - half, together),
    ]


def _figures(how: str, reports: int, taken: tuple[float, list[float]], more: str = "") -> list[Figure]:
    seconds, latencies = taken
    return [
        Figure(
            code="P5",
            work=f"reports pushed over HTTP, {how}",
            value=reports / seconds,
            unit="reports/s",
            target=_LEAST_PER_SECOND,
            notes=[
                f"{reports:,} reports {how} over {_CONNECTIONS} connections, applied meanwhile: half of the requests"
                f" answered in {percentile(latencies, 50):.1f} ms, the slowest after {max(latencies):.0f} ms{more}"
            ],
        ),
        Figure(
            code="P5",
            work=f"reports pushed over HTTP, {how}, 99 of 100",
            value=percentile(latencies, 99),
            unit="ms",
            target=_LATEST_MS,
            is_ceiling=True,
        ),
    ]


def _single(host: str, path: str, ref: int) -> bytes:
    return f"GET {path}?mid={ref}&status=1 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def _batch(host: str, path: str, refs: Sequence[int]) -> bytes:
    body = json.dumps([{"mid": ref, "status": 1} for ref in refs])
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


def _push(host: str, requests: Sequence[bytes]) -> tuple[float, list[float]]:
    """Send them over a few connections that each wait for an answer; (seconds in all, milliseconds of each)."""
    waiting = iter(requests)
    started_at = time.perf_counter()
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        asked = [pool.submit(lambda: list(_talk(host, waiting))) for _ in range(_CONNECTIONS)]
    seconds = time.perf_counter() - started_at
    return seconds, [latency for each in asked for latency in each.result()]


def _talk(host: str, waiting: Iterator[bytes]) -> Iterator[float]:
    while some := list(islice(waiting, _A_CONNECTION)):
        with _connected(host) as connection:
            for request in some:
                at = time.perf_counter()
                connection.sendall(request)
                answer = b""
                while not answer.endswith(b"\r\n\r\nok\n"):
                    got = connection.recv(4096)
                    if not got:
                        raise RuntimeError(f"pushed, and told {answer[:60]!r}")
                    answer += got
                yield (time.perf_counter() - at) * 1000


def _connected(host: str) -> socket.socket:
    name, _, port = host.partition(":")
    connection = socket.create_connection((name, int(port)), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _number(sql: str) -> int:
    found = int(scalar(sql))
    release()
    return found


def _check(shop: Shop, rows: int) -> None:
    stored = _number("SELECT count(*) FROM outbox_report")
    ended = _number("SELECT count(*) FROM outbox_message WHERE outcome = 'delivered'")
    if (stored, ended) != (rows, rows):
        raise AssertionError(f"{rows} pushed to gateway {shop.gateway_id}: {stored} stored, {ended} delivered")
    verify()
