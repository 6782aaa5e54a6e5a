"""P3 and P4: a list of a million rows, from the file to messages that are priced, held and committed."""

from bench.figures import Figure
from bench.ingest import measured


def measure(rows: int) -> list[Figure]:
    """Take a CSV and an XLSX of `rows` rows in."""
    csv, xlsx = measured("csv", rows), measured("xlsx", rows)
    return [
        Figure(
            code="P3",
            work=f"CSV of {rows:,} lines, read and accepted",
            value=csv["per_second"],
            unit="lines/s",
            target=100_000,
            notes=[_note(csv)],
        ),
        _peak("P3", "CSV", csv, 250),
        Figure(
            code="P4",
            work=f"XLSX of {rows:,} rows, read and accepted",
            value=xlsx["seconds"],
            unit="s",
            target=30,
            is_ceiling=True,
            notes=[_note(xlsx)],
        ),
        _peak("P4", "XLSX", xlsx, 600),
    ]


def _note(found: dict[str, float]) -> str:
    return (
        f"{found['seconds']:.1f} s, of them {found['read_seconds']:.1f} s reading; {found['cpu_us_per_row']:.1f} µs CPU"
        " a row, PostgreSQL's among it; seven spellings, Persian digits, 5 % doubles, 1 % bad, 10 % opted out"
    )


def _peak(code: str, kind: str, found: dict[str, float], most: float) -> Figure:
    return Figure(
        code=code, work=f"its peak memory, {kind}", value=found["peak_mb"], unit="MB", target=most, is_ceiling=True
    )
