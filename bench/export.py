"""P13: one campaign as CSV, streamed by the page that people press."""

import time
from contextvars import Context

from flask import current_app

from bench.archive import Planned, Stage, write
from bench.figures import Figure
from bench.processes import forget_peak, peak_megabytes
from bench.shop import open_shop
from bench.visits import Reader
from sms.core import clock
from sms.core.db import release, scalar

_MB_FLAT = 1.1


def measure(rows: int) -> list[Figure]:
    """Read the whole stream; memory after a tenth of it and at its end must not differ."""
    shop = open_shop()
    write(shop, [Planned(shop.account_id, rows, clock.now().replace(hour=0, minute=0))], stage=Stage.CLOSED)
    campaign_id = scalar("SELECT id FROM outbox_campaign")
    release()
    reader = Reader(current_app._get_current_object())  # type: ignore[attr-defined]
    reader.open("/outbox", buffered=True)
    forget_peak()
    # The stream is read in the context it was begun in, as a web server's thread does.
    lines, seconds, early = Context().run(_read, reader, f"/campaigns/{campaign_id}/export.csv", rows)
    peak = peak_megabytes("self")
    if lines != rows + 1:
        raise AssertionError(f"the export has {lines - 1} rows of {rows}")
    return [
        Figure(
            code="P13",
            work=f"export of {rows:,} rows as CSV",
            value=rows / seconds,
            unit="rows/s",
            target=100_000,
            notes=[f"in {seconds:.1f} s; largest {peak:.0f} MB, after a tenth of the rows {early:.0f} MB"],
        ),
        Figure(
            code="P13",
            work="growth of memory while exporting",
            value=peak / early,
            unit="times",
            target=_MB_FLAT,
            is_ceiling=True,
        ),
    ]


def _read(reader: Reader, path: str, rows: int) -> tuple[int, float, float]:
    """(lines, seconds, peak memory after a tenth in MB)."""
    lines, early = 0, 0.0
    started = time.perf_counter()
    response = reader.client.get(path)
    for chunk in response.iter_encoded():
        lines += chunk.count(b"\n")
        if not early and lines > rows // 10:
            early = peak_megabytes("self")
    seconds = time.perf_counter() - started
    response.close()
    return lines, seconds, early or peak_megabytes("self")
