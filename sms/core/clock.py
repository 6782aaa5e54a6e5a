"""The only place that asks the time."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sms.core.config import settings

_CHECK_SECONDS = 0.5
_cached: tuple[float, timedelta] = (-1.0, timedelta())


def now() -> datetime:
    """This moment in UTC; outside production it may be moved by `set_offset`, so that 48 hours need not be waited
    for."""
    return datetime.now(UTC) + _offset()


def _offset() -> timedelta:
    global _cached  # noqa: PLW0603 - one cache a process, re-read twice a second
    if settings().mode == "production":
        return timedelta()
    checked_at, offset = _cached
    if time.monotonic() - checked_at > _CHECK_SECONDS:
        offset = timedelta(seconds=_read(_file()))
        _cached = (time.monotonic(), offset)
    return offset


def _file() -> Path:
    return settings().var_dir / "clock"


def _read(path: Path) -> float:
    try:
        return float(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0.0


def set_offset(seconds: float) -> None:
    """Move the clock of every process of this (non-production) installation by `seconds` from the real time."""
    global _cached  # noqa: PLW0603 - the mover sees its own move at once
    if settings().mode == "production":
        raise RuntimeError("the clock of a production installation cannot be moved")
    _file().parent.mkdir(parents=True, exist_ok=True)
    _file().write_text(str(seconds))
    _cached = (-1.0, timedelta())
