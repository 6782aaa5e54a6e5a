"""Jobs of operators: every gateway's credit and health, looked at each minute."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.core.queue import Job, answered
from sms.operators import operations, queries

_AT_ONCE = 8
_AT_MOST_SECONDS = 10.0


def check_gateways() -> None:
    """Ask every gateway for its balance and store what came of it; one that answers is failing no more."""
    answered(Job.CHECK_GATEWAYS)
    ways = queries.gateways_to_check()
    release()
    for checked in _ask(ways, seal_key=settings().seal_key):
        with transaction():
            operations.note_checked(checked, at=clock.now())


def _ask(ways: list[queries.GatewayWay], *, seal_key: str) -> Iterator[operations.Checked]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="check") as pool:
        yield from pool.map(
            lambda way: operations.ask_balance(way, seal_key=seal_key, at_most_seconds=_AT_MOST_SECONDS), ways
        )
