"""The listening half of a gateway that stays bound: receipts and texts are committed, then acknowledged."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock

from sms.core import clock
from sms.core.db import transaction
from sms.operators.contract import InboundPart, InboundText, Line, Receipt
from sms.operators.inbound import operations as inbound
from sms.operators.queries import GatewayWay
from sms.outbox.operations import receipts
from sms.outbox.operations.parts import Known

_GATHER_SECONDS = 0.01  # what arrives this close together shares a commit
_AGAIN_SECONDS = 0.05  # after something came, or while something is held
_IDLE_SECONDS = 1.0
_OVERTAKEN_SECONDS = 1.0  # so long a receipt waits in memory for the answer to its own submit
_LOOK_AGAIN_SECONDS, _NEW_SECONDS = 1.0, 120.0  # at what nobody knew, as long as it is new
_RARELY_SECONDS, _RARELY_HOURS = 60.0, 72
_LOOK_AGAIN_MOST = 2000


@dataclass(slots=True)
class Incoming:
    """What has arrived and is not committed yet; `known` is shared with the sending half."""

    gateway: GatewayWay
    line: Line
    known: dict[str, Known]
    lock: Lock  # of `known`
    is_quiet: Callable[[], bool]  # nothing is under way now, so there is no answer that a receipt may have overtaken
    held: deque[tuple[float, Receipt]] = field(default_factory=deque)
    texts: list[InboundText] = field(default_factory=list)
    parts: list[InboundPart] = field(default_factory=list)
    handles: list[object] = field(default_factory=list)  # of texts and parts
    has_ended: bool = False  # messages, since somebody last looked
    unmatched_at: float = -1e9
    looked_again_at: float = -1e9
    looked_rarely_at: float = -1e9
    pause_seconds: float = _AGAIN_SECONDS

    def turn(self) -> None:
        """Wait for what arrives, take it, and look again at what nobody knew."""
        if self.line.heard.wait(self.pause_seconds):
            self.line.heard.clear()
            time.sleep(_GATHER_SECONDS)
        has_come = self.take(is_quiet=self.is_quiet())
        self.look_again()
        self.pause_seconds = _AGAIN_SECONDS if has_come or self.held else _IDLE_SECONDS

    def take(self, *, is_quiet: bool) -> bool:
        """Commit what came and acknowledge it; returns whether anything had come. No answer is waited for when it
        `is_quiet`."""
        now = time.monotonic()
        arrived = self.line.arrivals()
        self.held.extend((now, receipt) for receipt in arrived.receipts)
        self.texts += arrived.texts
        self.parts += arrived.parts
        self.handles += arrived.handles
        ready, waiting = self._sorted(now, is_quiet=is_quiet)
        if ready or self.handles:
            self._commit(ready, now)
            self.held = waiting
        return bool(arrived.receipts or arrived.handles)

    def _commit(self, ready: list[Receipt], now: float) -> None:
        at = clock.now()
        with transaction():
            taken = receipts.take(ready, gateway_id=self.gateway.id, known=self.known, at=at)
            inbound.keep(self.texts, self.parts, gateway_id=self.gateway.id, at=at)
        self.line.acknowledge([receipt.handle for receipt in ready] + self.handles)
        self.texts, self.parts, self.handles = [], [], []
        for receipt, ref in taken.matched:
            self.line.matched(receipt, ref)
        with self.lock:
            for receipt, ref in taken.matched:
                if receipt.report.outcome is not None:
                    self.known.pop(ref, None)
        self.has_ended |= bool(taken.matched)
        if taken.unmatched_count:
            self.unmatched_at = now

    def _sorted(self, now: float, *, is_quiet: bool) -> tuple[list[Receipt], deque[tuple[float, Receipt]]]:
        """Receipts that are matched from memory or will not wait any longer; and those that may have overtaken the
        answer to their own submit."""
        ready: list[Receipt] = []
        waiting: deque[tuple[float, Receipt]] = deque()
        known = self.known
        overdue = now - _OVERTAKEN_SECONDS
        for each in self.held:
            came_at, receipt = each
            refs = receipt.refs
            # Nearly always there is one; without any, nothing can be waited for.
            is_known = not refs or refs[0] in known or any(ref in known for ref in refs[1:])
            if is_known or is_quiet or came_at < overdue:
                ready.append(receipt)
            else:
                waiting.append(each)
        return ready, waiting

    def look_again(self) -> None:
        """At reports nobody knew: often while there are new ones, at all of them now and then."""
        now = time.monotonic()
        is_rare = now - self.looked_rarely_at >= _RARELY_SECONDS
        is_new = now - self.unmatched_at < _NEW_SECONDS and now - self.looked_again_at >= _LOOK_AGAIN_SECONDS
        if not is_rare and not is_new:
            return
        at = clock.now()
        with transaction():
            receipts.match_again(
                gateway_id=self.gateway.id,
                candidates=self.line.candidates,
                is_by_part=self.line.is_by_part,
                since=at - (timedelta(hours=_RARELY_HOURS) if is_rare else timedelta(seconds=_NEW_SECONDS)),
                most=_LOOK_AGAIN_MOST,
                at=at,
            )
        self.looked_again_at = now
        self.looked_rarely_at = now if is_rare else self.looked_rarely_at
