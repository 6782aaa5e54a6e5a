"""Jobs of reading lists. They run in a forked process that is limited, so that a bad file can hurt only its own
reading."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sms.contacts.imports import operations as contacts
from sms.core import clock
from sms.core.db import transaction
from sms.core.queue import Job, answered
from sms.core.sheets import limits
from sms.outbox.intake.operations import drafts, reading

_CPU_SECONDS = 120
_MEMORY_BYTES = 700_000_000  # on top of what the process has mapped already


def read_draft(*, draft_id: int) -> None:
    """Read the list of a draft. The bell is answered at the end: while a list is being read nobody else need come."""
    with transaction():
        is_there = reading.begin_reading(draft_id=draft_id)
    if is_there:
        with transaction(), _limited():
            reading.read_draft(draft_id=draft_id, at=clock.now())
    answered(Job.READ_DRAFT, draft_id)


def read_contacts(*, import_id: int) -> None:
    """Read a list of contacts, or of those not to write to."""
    with transaction():
        is_there = contacts.begin_reading(import_id=import_id)
    if is_there:
        with transaction(), _limited():
            contacts.read_stored(import_id=import_id, at=clock.now())
    answered(Job.READ_CONTACTS, import_id)


def tidy_drafts() -> None:
    """Throw away what nobody will send."""
    answered(Job.TIDY_DRAFTS)
    with transaction():
        drafts.tidy(at=clock.now())


@contextmanager
def _limited() -> Iterator[None]:
    """Soft limits of memory and CPU; they end as UnreadableList, not as a dead worker, and are taken off again."""
    memory = resource.getrlimit(resource.RLIMIT_AS)
    cpu = resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_SELF)
    before = signal.signal(signal.SIGXCPU, _out_of_time)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + _CPU_SECONDS)
    _lower(resource.RLIMIT_AS, _mapped_bytes() + _MEMORY_BYTES)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, memory)
        resource.setrlimit(resource.RLIMIT_CPU, cpu)
        signal.signal(signal.SIGXCPU, before)


def _lower(kind: int, wanted: int) -> None:
    soft, hard = resource.getrlimit(kind)
    known = [limit for limit in (soft, hard, wanted) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min(known), hard))


def _mapped_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except FileNotFoundError:  # not Linux
        return 2 * _MEMORY_BYTES
    return pages * resource.getpagesize()


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise limits.out_of_time()
