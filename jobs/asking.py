"""Asking a gateway for delivery reports and for messages of unknown fate, in threads, outside any transaction."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from jobs.health import Pulse, give_back_calls, take_calls
from sms.core import clock
from sms.core.config import settings
from sms.core.crash import crash_point
from sms.core.db import release, transaction
from sms.core.errors import SmsError
from sms.operators import operations as operators
from sms.operators import queries as operator_queries
from sms.operators.contract import Operator, Report
from sms.operators.health.rules.talks import TalkKind
from sms.operators.queries import GatewayWay
from sms.operators.rules import Capability
from sms.outbox.operations import reports, unknown

log = logging.getLogger(__name__)
_BATCHES_AT_ONCE = 50
_LOOKUPS_AT_ONCE = 200
_LEASE_SECONDS = 60  # of a look-up: two that ask at once must not count as two that found nothing
_LEAST_POLL_SECONDS, _POLL_TIMEOUTS = 10.0, 2
_ROUNDS = 200  # then the job ends, and the next ring goes on
_TURN_SECONDS = 0.1
_TURNS = 20  # so often it is looked whether sends leave room for questions; then the job ends, to be rung for again

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
    pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        self.pulse = Pulse(self.gateway, TalkKind.ASK, hears_silence=False)

    def turns(self, wanted: int) -> int:
        """How many questions may be asked now: what sends leave of the gateway's requests a second, 0 when nothing."""
        for _ in range(_TURNS):
            granted = take_calls(self.gateway, TalkKind.ASK, wanted)
            if granted:
                return granted
            time.sleep(_TURN_SECONDS)
        return 0

    @property
    def is_hopeless(self) -> bool:
        """Whether asking on is of no use now."""
        return self.refusal is not None or (not self.answer_count and self.failure_count >= self.gateway.concurrency)

    def ask(self, question: Callable[[Asked], Answered], about: Asked) -> Answered | None:
        """One question, in a thread; None when it was not answered, or not asked. Counts need not be exact."""
        if self.is_hopeless:
            return None
        ticket = object()
        self.pulse.began(ticket)
        try:
            answer = question(about)
        except SmsError as error:
            self.pulse.ended(ticket, error)
            log.warning("gateway %s does not tell: %s", self.gateway.id, type(error).__name__)
            self.failure_count += 1
            if operators.stop_reason(error):
                self.refusal = error
            return None
        except Exception as error:
            self.pulse.ended(ticket, SmsError(operators.ADAPTER_FAILED, kind=type(error).__name__))
            log.exception("adapter failed")
            self.failure_count += 1
            return None
        self.pulse.ended(ticket)
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
    if operator_queries.is_bound(gateway):
        return _without_asking(gateway)
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
        asker.pulse.tell(at_once=True)
        if asker.refusal is not None:
            _note_refusal(gateway_id, asker.refusal)


def _without_asking(gateway: GatewayWay) -> int:
    """An operator we stay bound to sends its reports by itself and cannot look anything up: what has no report at its
    horizon expires, what is of unknown fate waits for a late report or a person."""
    plan = reports.PollPlan((gateway.report_horizon_seconds,), gateway.report_horizon_seconds)
    looked_at = 0
    for _ in range(_ROUNDS):
        with transaction():
            unknown.park(
                unknown.claim_lookups(gateway_id=gateway.id, most=_LOOKUPS_AT_ONCE, lease_seconds=_LEASE_SECONDS)
            )
            due = reports.claim_polls(
                gateway_id=gateway.id, most=_BATCHES_AT_ONCE, lease_seconds=_poll_lease(gateway), at=clock.now()
            )
            if due.batches:
                reports.record_poll(
                    due, reports=[], unasked=frozenset(), gateway_id=gateway.id, plan=plan, at=clock.now()
                )
        if not due.batches:
            break
        looked_at += len(due.pending)
    return looked_at


def _note_refusal(gateway_id: int, error: SmsError) -> None:
    """An operator that does not know us is not asked again until somebody has seen to it."""
    log.warning("gateway %s is not asked: %s", gateway_id, type(error).__name__)
    with transaction():
        operators.note_failure(gateway_id=gateway_id, error=error, at=clock.now())


def _poll_rounds(asker: Asker) -> Iterator[int]:
    gateway = asker.gateway
    with ThreadPoolExecutor(gateway.concurrency, thread_name_prefix="poll") as pool:
        while not asker.is_hopeless and (turns := asker.turns(_BATCHES_AT_ONCE)):
            with transaction():
                due = reports.claim_polls(
                    gateway_id=gateway.id, most=turns, lease_seconds=_poll_lease(gateway), at=clock.now()
                )
            slices = _slices(due, asker.adapter.max_statuses)
            give_back_calls(gateway, turns - len(slices))
            if not due.batches:
                return
            answers = list(pool.map(lambda some: asker.ask(asker.adapter.statuses, some), slices))
            told = list(zip(slices, answers, strict=True))
            with transaction():
                _record_poll(gateway, due, told)
                crash_point("poll_stored")
            asker.pulse.tell()
            yield sum(map(len, slices))


def _slices(due: reports.Poll, most: int) -> list[list[str]]:
    """The references to ask for, as many in one question as the operator takes."""
    refs = [message.operator_ref for message in due.pending if message.operator_ref]
    return [refs[start : start + most] for start in range(0, len(refs), most)]


def _record_poll(gateway: GatewayWay, due: reports.Poll, told: Sequence[tuple[list[str], list[Report] | None]]) -> None:
    reports.record_poll(
        due,
        reports=[report for _, answer in told if answer is not None for report in answer],
        unasked=frozenset(ref for some, answer in told if answer is None for ref in some),
        gateway_id=gateway.id,
        plan=reports.PollPlan(gateway.polling_plan_seconds, gateway.report_horizon_seconds),
        at=clock.now(),
    )


def _lookup_rounds(asker: Asker) -> Iterator[int]:
    gateway, adapter = asker.gateway, asker.adapter
    with ThreadPoolExecutor(gateway.concurrency, thread_name_prefix="lookup") as pool:
        while not asker.is_hopeless and (turns := asker.turns(_LOOKUPS_AT_ONCE)):
            with transaction():
                ids = unknown.claim_lookups(gateway_id=gateway.id, most=turns, lease_seconds=_LEASE_SECONDS)
            give_back_calls(gateway, turns - len(ids))
            if not ids:
                return
            told = pool.map(lambda message_id: asker.ask(_reference_of(adapter), message_id), ids)
            answers = {message_id: ref for message_id, ref in zip(ids, told, strict=True) if ref is not None}
            with transaction():
                _record_lookups(gateway, adapter, ids, answers)
                crash_point("lookups_stored")
            asker.pulse.tell()
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


def _poll_lease(gateway: GatewayWay) -> float:
    """How long questions for reports are one asker's, in seconds. When it dies others ask soon: a report that is told
    twice changes nothing."""
    return max(_LEAST_POLL_SECONDS, _POLL_TIMEOUTS * gateway.timeout_seconds)
