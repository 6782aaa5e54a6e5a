"""Asking a gateway for delivery reports and for messages of unknown fate, in threads, outside any transaction."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.operators import queries as operator_queries
from sms.operators.contract import Operator, OperatorError, Report
from sms.operators.models import Gateway
from sms.operators.rules import Capability
from sms.outbox.operations import reports, unknown

log = logging.getLogger(__name__)
_BATCHES_AT_ONCE = 50
_LOOKUPS_AT_ONCE = 200
_LEASE_SECONDS = 60
_ROUNDS = 200  # then the job ends, and the next ring goes on


def poll(gateway_id: int) -> int:
    """Ask for all reports that are due; returns how many messages were asked about."""
    gateway = operator_queries.reachable_gateway(gateway_id)
    if gateway is None:
        release()
        return 0
    adapter = operator_queries.open_adapter(gateway, seal_key=settings().seal_key)
    release()
    try:
        return sum(_rounds(gateway, adapter))
    finally:
        adapter.close()


def _rounds(gateway: Gateway, adapter: Operator) -> Iterator[int]:
    with ThreadPoolExecutor(gateway.concurrency, thread_name_prefix="poll") as pool:
        for _ in range(_ROUNDS):
            with transaction():
                due = reports.claim_polls(
                    gateway_id=gateway.id, most=_BATCHES_AT_ONCE, lease_seconds=_LEASE_SECONDS, at=clock.now()
                )
            if not due.batches:
                return
            refs = [message.operator_ref for message in due.pending if message.operator_ref]
            asked = list(pool.map(lambda some: _statuses(adapter, some), _slices(refs, adapter.max_statuses)))
            with transaction():
                reports.record_poll(
                    due,
                    reports=[report for answered, _ in asked for report in answered],
                    unasked=frozenset(ref for _, unasked in asked for ref in unasked),
                    gateway_id=gateway.id,
                    plan=reports.PollPlan(gateway.polling_plan_seconds, gateway.report_horizon_seconds),
                    at=clock.now(),
                )
            yield len(refs)


def _statuses(adapter: Operator, refs: Sequence[str]) -> tuple[list[Report], Sequence[str]]:
    """The reports of some references, and the references nothing could be learnt about."""
    try:
        return adapter.statuses(refs), ()
    except OperatorError as error:
        log.warning("statuses of %s messages not told: %s", len(refs), type(error).__name__)
        return [], refs


def _slices(refs: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(refs), size):
        yield refs[start : start + size]


def look_up(gateway_id: int) -> int:
    """Ask a gateway by our own ids about messages of unknown fate; returns how many were asked about."""
    gateway = operator_queries.reachable_gateway(gateway_id)
    if gateway is None:
        release()
        return 0
    adapter = operator_queries.open_adapter(gateway, seal_key=settings().seal_key)
    release()
    try:
        return sum(_lookup_rounds(gateway, adapter))
    finally:
        adapter.close()


def _lookup_rounds(gateway: Gateway, adapter: Operator) -> Iterator[int]:
    with ThreadPoolExecutor(gateway.concurrency, thread_name_prefix="lookup") as pool:
        for _ in range(_ROUNDS):
            with transaction():
                ids = unknown.claim_lookups(gateway_id=gateway.id, most=_LOOKUPS_AT_ONCE, lease_seconds=_LEASE_SECONDS)
            if not ids:
                return
            answers = dict(zip(ids, pool.map(lambda message_id: _lookup(adapter, message_id), ids), strict=True))
            with transaction():
                _record_lookups(gateway, adapter.capability, answers)
            yield len(ids)


def _record_lookups(gateway: Gateway, capability: Capability, answers: dict[int, str | None]) -> None:
    refs = {message_id: ref for message_id, ref in answers.items() if ref}
    unknown.found(refs, gateway_id=gateway.id, at=clock.now())
    unknown.absent(
        [message_id for message_id, ref in answers.items() if ref is None],
        gateway_id=gateway.id,
        capability=capability,
        on_absent=gateway.on_absent,
        ask_again_seconds=gateway.lookup_after_seconds,
    )


def _lookup(adapter: Operator, message_id: int) -> str | None:
    """The operator's reference; None when it says it has none; "" when it could not be asked (its lease asks again)."""
    if adapter.capability not in {Capability.LOOKS_UP, Capability.DEDUPES}:
        return None
    try:
        return adapter.lookup(message_id)
    except OperatorError as error:
        log.warning("look-up not answered: %s", type(error).__name__)
        return ""
