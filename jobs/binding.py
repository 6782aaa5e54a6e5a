"""The long job of a gateway that stays bound to its operator: one process holds it while its lease lasts.

The talking is done by the line's own thread. Here is the database's work: in passes, claim; and beside it, each in a
thread of its own, store what was settled and take what arrived. Killed, it leaves a lease that ends within seconds; the
sweeper then calls for the next one.
"""

import logging
import os
import socket
import sys
import time
from dataclasses import dataclass, replace
from threading import Event, Thread

from redis.exceptions import RedisError

from jobs.health import Pulse
from jobs.incoming import Incoming
from jobs.lasting import Beside, attempt, heartbeat, lasting
from jobs.outgoing import Outgoing
from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.core.errors import SmsError
from sms.core.queue import GENERAL_QUEUE, Job, keep_rung, listen, ring_now
from sms.operators import operations as operators
from sms.operators import queries as operator_queries
from sms.operators.contract import Line
from sms.operators.health.rules.talks import TalkKind
from sms.operators.queries import GatewayWay
from sms.outbox.operations import binds
from sms.outbox.queries.waiting import awaits_reports, current_epoch

log = logging.getLogger(__name__)
LEASE_SECONDS = 10.0
_FENCE_SECONDS = 8.0  # after a renewal things are sent no longer than this: the lease has not ended by then
_RENEW_SECONDS = 1.0
_FLYING_SECONDS = 0.05
_PATIENCE_SECONDS = 10.0
_LAST_TRIES = 10
_HEARTBEAT_SECONDS = 20.0
_SWITCH_SECONDS = 0.0005  # four threads wait for each other's answers: a tenth faster than with Python's 5 ms


@dataclass(slots=True)
class Binding:
    """Keeps one gateway bound until told to stop, or until it should not be bound any more."""

    gateway: GatewayWay
    line: Line
    outgoing: Outgoing
    incoming: Incoming
    holder: str
    is_stopped: bool = False
    renewed_at: float = -1e9
    beat_at: float = -1e9
    trouble_count: int = 0

    def run(self) -> None:
        """Work until stopped. A database that is away is waited for: nothing is forgotten meanwhile, and when it stays
        away, nothing more is sent."""
        gateway_id, line, outgoing, incoming = self.gateway.id, self.line, self.outgoing, self.incoming
        ears = Ears(gateway_id, outgoing.rung, line.wake)
        ears.start()
        line.start()
        keeper = Beside(outgoing.turn, name="keeper", gateway_id=gateway_id, wake=outgoing.landed)
        listener = Beside(incoming.turn, name="listener", gateway_id=gateway_id, wake=line.heard)
        keeper.start()
        listener.start()
        try:
            while not self.is_stopped and keeper.is_alive() and listener.is_alive():
                attempt(self._pass, gateway_id=gateway_id)
        finally:
            if listener.stop(seconds=_PATIENCE_SECONDS):
                attempt(lambda: incoming.take(is_quiet=True), gateway_id=gateway_id)
            line.stop()
            if keeper.stop(seconds=_PATIENCE_SECONDS):
                outgoing.gather()
                _ = any(attempt(outgoing.store, gateway_id=gateway_id) for _ in range(_LAST_TRIES))
            attempt(self._leave, gateway_id=gateway_id)
            ears.is_stopped = True

    def stop(self) -> None:
        """Say goodbye soon; may be called from a signal."""
        self.is_stopped = True
        self.line.wake.set()

    def _pass(self) -> None:
        now = time.monotonic()
        if now - self.renewed_at >= _RENEW_SECONDS:
            self._renew(now)
        self.outgoing.claim()
        if not self.outgoing.is_hungry:
            self.line.wake.wait(_FLYING_SECONDS if self.outgoing.flights else _RENEW_SECONDS)
            self.line.wake.clear()
        self.outgoing.gather()

    # Once a second

    def _renew(self, now: float) -> None:
        """Hold the bind and what is on the wire, and look whether to go on. The fence is counted from before the
        lease."""
        state = self.line.state
        with transaction():
            is_ours = binds.hold_on(
                gateway_id=self.gateway.id,
                holder=self.holder,
                seconds=LEASE_SECONDS,
                bound_count=state.bound_count,
                trouble=None if state.bound_count else state.trouble,
            )
            self.outgoing.renew(now)
        if not is_ours:
            log.error("gateway %s: somebody else holds the bind", self.gateway.id)
            self.is_stopped = True
            return
        self.line.allow(_FENCE_SECONDS - (time.monotonic() - now))
        self._have_settled()
        self.outgoing.has_more = True  # a ring may have been missed
        self.renewed_at = now
        self._note_news()
        self._look_at_gateway()
        self._stay_known(now)

    def _have_settled(self) -> None:
        """Refunds are paid, and the totals of campaigns taken, by another job, a second after what they follow from."""
        if self.outgoing.has_stored or self.incoming.has_ended:
            self.outgoing.has_stored = self.incoming.has_ended = False
            ring_now(Job.POST_REFUNDS, queue=GENERAL_QUEUE)

    def _note_news(self) -> None:
        """What the line has found out, and how it fares: one failure for each time it could not connect, while nothing
        is connected."""
        state = self.line.state
        if state.learnt:
            with transaction():
                operators.learn(gateway_id=self.gateway.id, found_out=state.learnt, at=clock.now())
            self.gateway = replace(self.gateway, settings={**self.gateway.settings, **state.learnt})
            state.learnt = {}
        trouble, is_news = state.trouble, state.trouble_count != self.trouble_count
        is_stopping = trouble is not None and operators.stop_reason(trouble) is not None
        if trouble is not None and is_news and (is_stopping or not state.bound_count):
            self._note_failure(trouble)
        elif state.bound_count and self.gateway.failure_count:
            with transaction():
                operators.note_success(gateway_id=self.gateway.id, at=clock.now())
            self.gateway = replace(self.gateway, failure_count=0)
        self.trouble_count = state.trouble_count
        self.is_stopped = self.is_stopped or is_stopping

    def _note_failure(self, trouble: SmsError) -> None:
        log.warning("gateway %s: %s", self.gateway.id, type(trouble).__name__)
        with transaction():
            operators.note_failure(gateway_id=self.gateway.id, error=trouble, at=clock.now())
        self.gateway = replace(self.gateway, failure_count=self.gateway.failure_count + 1)

    def _look_at_gateway(self) -> None:
        """Staff may have switched it off or changed it; a restored backup ends all that was begun before."""
        way = wanted(self.gateway.id)
        sendable = operator_queries.sendable_gateway(self.gateway.id, at=clock.now())
        is_same_life = current_epoch() == self.outgoing.epoch
        release()
        self.outgoing.go_by(sendable)
        if way is None or not is_same_life or _reach(way) != _reach(self.gateway):
            self.is_stopped = True

    def _stay_known(self, now: float) -> None:
        keep_rung(Job.DISPATCH, self.gateway.id)
        if now - self.beat_at >= _HEARTBEAT_SECONDS:
            self.beat_at = now
            heartbeat()

    def _leave(self) -> None:
        with transaction():
            binds.leave(gateway_id=self.gateway.id, holder=self.holder)


def wanted(gateway_id: int) -> GatewayWay | None:
    """The gateway, if it should be bound: also switched off, as long as reports are awaited."""
    way = operator_queries.reachable_gateway(gateway_id)
    is_on = operator_queries.is_switched_on(gateway_id)
    return way if way is not None and (is_on or awaits_reports(gateway_id=gateway_id)) else None


def _reach(way: GatewayWay) -> tuple[object, ...]:
    """All that a line is made of: with another one of these it is made anew."""
    return (
        *(way.base_url, bytes(way.credentials_sealed), dict(way.settings), way.timeout_seconds, way.lease_seconds),
        *(way.batch_size, way.report_horizon_seconds, way.concurrency, way.per_second),
    )


def bind(gateway_id: int) -> None:
    """Hold a gateway's bind for as long as it should be held; returns at once when somebody else does."""
    binding = open_binding(gateway_id, holder=f"{socket.gethostname()}:{os.getpid()}")
    if binding is not None:
        sys.setswitchinterval(_SWITCH_SECONDS)
        with lasting(binding.stop):
            binding.run()


def open_binding(gateway_id: int, *, holder: str) -> Binding | None:
    """Take the lease of a gateway that should be bound, and make its line; None when there is nothing to be done."""
    way = wanted(gateway_id)
    epoch = current_epoch()
    release()
    if way is None:
        return None
    with transaction():
        if not binds.hold(gateway_id=gateway_id, holder=holder, seconds=LEASE_SECONDS, at=clock.now()):
            return None
    try:
        line = operator_queries.open_bound(way, seal_key=settings().seal_key).line()
    except SmsError as error:
        log.warning("gateway %s cannot be opened: %s", gateway_id, type(error).__name__)
        with transaction():
            operators.note_failure(gateway_id=gateway_id, error=error, at=clock.now())
            binds.leave(gateway_id=gateway_id, holder=holder)
        return None
    outgoing = Outgoing(way, line, epoch, Pulse(way, TalkKind.SEND, hears_silence=False))
    release()
    incoming = Incoming(way, line, outgoing.known, outgoing.lock, is_quiet=lambda: not outgoing.flights)
    return Binding(way, line, outgoing, incoming, holder)


class Ears(Thread):
    """Hears the doorbell of a gateway whose job is running, and wakes it. Without Redis it is deaf; the job looks by
    itself every second."""

    def __init__(self, gateway_id: int, rung: Event, wake: Event) -> None:
        super().__init__(name="ears", daemon=True)
        self.is_stopped = False
        self._gateway_id = gateway_id
        self._rung = rung
        self._wake = wake

    def run(self) -> None:
        """Listen until stopped."""
        while not self.is_stopped:
            try:
                with listen(Job.DISPATCH, self._gateway_id) as bell:
                    while not self.is_stopped:
                        if bell.get_message(timeout=_RENEW_SECONDS) is not None:
                            self._rung.set()
                            self._wake.set()
            except RedisError:
                time.sleep(_RENEW_SECONDS)
