"""Asking a gateway for delivery reports and for messages of unknown fate, in threads, outside any transaction."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.core.errors import SmsError
from sms.operators import operations as operators
from sms.operators import queries as operator_queries
from sms.operators.contract import Operator
from sms.operators.queries import GatewayWay
from sms.operators.rules import Capability
from sms.outbox.operations import reports, unknown

log = logging.getLogger(__name__)
_BATCHES_AT_ONCE = 50
_LOOKUPS_AT_ONCE = 200
_LEASE_SECONDS = 60
_ROUNDS = 200  # then the job ends, and the next ring goes on

Answered = TypeVar("Answered")
Asked = TypeVar("Asked")


@dataclass(slots=True)
class Asker:
    """Talks to one operator in threads; once it has failed as often as there are threads and never answered, nothing
    more is asked: a silent operator costs one time limit, not hundreds."""

    gateway: GatewayWay
    adapter: Operator
    answer_count: int = 0
    failure_count: int = 0
    refusal: SmsError | None = None

    @property
    def is_hopeless(self) -> bool:
        """Whether asking on is of no use now."""
        return self.refusal is not None or (not self.answer_count and self.failure_count >= self.gateway.concurrency)

    def ask(self, question: Callable[[Asked], Answered], about: Asked) -> Answered | None:
        """One question, in a thread; None when it was not answered, or not asked. Counts need not be exact."""
        if self.is_hopeless:
            return None
        try:
            answer = question(about)
        except SmsError as error:
            log.warning("gateway %s does not tell: %s", self.gateway.id, type(error).__name__)
            self.failure_count += 1
            if operators.stop_reason(error):
                self.refusal = error
            return None
        except Exception:
            log.exception("adapter failed")
            self.failure_count += 1
            return None
        self.answer_count += 1
        return answer


def poll(gateway_id: int) -> int:
    """Ask for all reports that are due; returns how many messages were asked about."""
    return _talk(gateway_id, _poll_rounds)


def look_up(gateway_id: int) -> int:
    """Ask a gateway by our own ids about messages of unknown fate; returns how many were asked about."""
    return _talk(gateway_id, _lookup_rounds)


def _talk(gateway_id: int, rounds: Callable[[Asker], Iterator[int]]) -> int:
    gateway = operator_queries.reachable_gateway(gateway_id)
    release()
    if gateway is None:
        return 0
    try:
        adapter = operator_queries.open_adapter(gateway, seal_key=settings().seal_key)
    except SmsError as error:
        _note_refusal(gateway_id, error)
        return 0
    asker = Asker(gateway, adapter)
    try:
        return sum(islice(rounds(asker), _ROUNDS))
    finally:
        adapter.close()
        if asker.refusal is not None:
            _note_refusal(gateway_id, asker.refusal)


def _note_refusal(gateway_id: int, error: SmsError) -> None:
    """An operator that does not know us is not asked again until somebody has seen to it."""
    log.warning("gateway %s is not asked: %s", gateway_id, type(error).__name__)
    with transaction():
        operators.note_failure(gateway_id=gateway_id, error=error, at=clock.now())


def _poll_rounds(asker: Asker) -> Iterator[int]:
    gateway, adapter = asker.gateway, asker.adapter
    with ThreadPoolExecutor(gateway.concurrency, thread_name_prefix="poll") as pool:
        while not asker.is_hopeless:
            with transaction():
                due = reports.claim_polls(
                    gateway_id=gateway.id, most=_BATCHES_AT_ONCE, lease_seconds=_LEASE_SECONDS, at=clock.now()
                )
            if not due.batches:
                return
            refs = [message.operator_ref for message in due.pending if message.operator_ref]
            slices = [refs[start : start + adapter.max_statuses] for start in range(0, len(refs), adapter.max_statuses)]
            answers = list(pool.map(lambda some: asker.ask(adapter.statuses, some), slices))
            with transaction():
                reports.record_poll(
                    due,
                    reports=[report for told in answers if told is not None for report in told],
                    unasked=frozenset(
                        ref for some, told in zip(slices, answers, strict=True) if told is None for ref in some
                    ),
                    gateway_id=gateway.id,
                    plan=reports.PollPlan(gateway.polling_plan_seconds, gateway.report_horizon_seconds),
                    at=clock.now(),
                )
            yield len(refs)


def _lookup_rounds(asker: Asker) -> Iterator[int]:
    gateway, adapter = asker.gateway, asker.adapter
    with ThreadPoolExecutor(gateway.concurrency, thread_name_prefix="lookup") as pool:
        while not asker.is_hopeless:
            with transaction():
                ids = unknown.claim_lookups(gateway_id=gateway.id, most=_LOOKUPS_AT_ONCE, lease_seconds=_LEASE_SECONDS)
            if not ids:
                return
            told = pool.map(lambda message_id: asker.ask(_reference_of(adapter), message_id), ids)
            answers = {message_id: ref for message_id, ref in zip(ids, told, strict=True) if ref is not None}
            with transaction():
                _record_lookups(gateway, adapter, ids, answers)
            yield len(ids)


def _reference_of(adapter: Operator) -> Callable[[int], str]:
    """Asks for the operator's reference of our id; "" when it has none."""
    if adapter.capability in {Capability.LOOKS_UP, Capability.DEDUPES}:
        return lambda message_id: adapter.lookup(message_id) or ""
    return lambda _message_id: ""


def _record_lookups(gateway: GatewayWay, adapter: Operator, asked: Sequence[int], answers: Mapping[int, str]) -> None:
    """What was not told is left alone: the lease of its look-up ends, and it is asked about again."""
    unknown.found(
        {message_id: ref for message_id, ref in answers.items() if ref}, gateway_id=gateway.id, at=clock.now()
    )
    unknown.absent(
        [message_id for message_id, ref in answers.items() if not ref],
        capability=adapter.capability,
        on_absent=gateway.on_absent,
        ask_again_seconds=gateway.lookup_after_seconds,
        remembers_seconds=adapter.remembers_seconds,
    )
    unknown.untold(
        [message_id for message_id in asked if message_id not in answers], remembers_seconds=adapter.remembers_seconds
    )
