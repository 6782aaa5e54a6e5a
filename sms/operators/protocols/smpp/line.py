"""A line to an operator over SMPP: the link in a thread of its own, spoken to from the outside."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event, Thread
from typing import TypeVar, cast

from sms.operators.contract import Answer, AnswerKind, Arrivals, LineState, Receipt, Settled, Submission
from sms.operators.protocols.smpp.connection import (
    REJECTED_BY_US,
    BindKind,
    BindSettings,
    Events,
    Handle,
    open_connection,
)
from sms.operators.protocols.smpp.ids import IdStyle, Learning, candidates, kept
from sms.operators.protocols.smpp.link import Link
from sms.operators.protocols.smpp.pace import Pace
from sms.operators.protocols.smpp.parcel import Parcel, Reported
from sms.operators.protocols.smpp.pdus import SubmitTemplate
from sms.operators.protocols.smpp.reading import Reader
from sms.operators.protocols.smpp.texts import TooLong
from sms.operators.protocols.smpp.verdicts import Verdicts
from sms.operators.rules import Outcome

_ARRIVALS_AT_ONCE = 5_000
_STOP_SECONDS = 15.0
TOO_LONG = "too long"

Templates = Callable[[Submission], Sequence[SubmitTemplate]]
_T = TypeVar("_T")


class SmppLine:
    """One account's binds. Made and used by one thread; another one, of its own, does the talking."""

    def __init__(
        self,
        settings: BindSettings,
        kinds: Sequence[BindKind],
        *,
        templates: Templates,
        verdicts: Verdicts,
        reader: Reader,
        reported: Reported = Reported.ALL,
        id_style: IdStyle = IdStyle.EXACT,
        per_second: float | None = None,
        tells_reference: bool = True,
    ) -> None:
        self._wake, self._heard = Event(), Event()
        self._templates = templates
        self._reader = reader
        self._reported = reported
        self._style = id_style
        self._learning = Learning() if id_style is IdStyle.LEARN else None
        self._tells_reference = tells_reference
        self._window = settings.window * sum(kind is not BindKind.RECEIVER for kind in kinds)
        self._refused: deque[Settled] = deque()
        self._pace = Pace(per_second=per_second, now=time.monotonic())
        self._link = Link(
            settings, kinds, verdicts=verdicts, pace=self._pace, wake=_bell(self._wake), hear=_bell(self._heard)
        )
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="smpp", daemon=True)

    @property
    def state(self) -> LineState:
        """How it stands."""
        return self._link.state

    @property
    def wake(self) -> Event:
        """Set whenever something was settled, or it stands otherwise than before."""
        return self._wake

    @property
    def heard(self) -> Event:
        """Set whenever something arrived."""
        return self._heard

    @property
    def is_ready(self) -> bool:
        """Whether something submitted now would be sent now."""
        return self._link.is_ready

    @property
    def silent_seconds(self) -> float:
        """For how long messages have been waiting for answers, while not one came."""
        return self._link.silent_seconds

    @property
    def window(self) -> int:
        """How many messages, or parts of long ones, may be unanswered at once, over all connections; no more than leave
        within a second, so that what is urgent does not wait behind what cannot go yet."""
        return int(max(1, min(self._window, self._pace.limit)))

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()
        self._loop.call_soon_threadsafe(self._link.start)

    def stop(self) -> None:
        """Say goodbye; returns when everything is settled, after a few seconds at most."""
        if self._thread.is_alive():
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._link.stop(), self._loop).result(_STOP_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_SECONDS)
        if not self._loop.is_running():
            self._loop.close()

    def allow(self, seconds: float) -> None:
        """Nothing is sent later than so many seconds from now, unless this is called again."""
        self._loop.call_soon_threadsafe(self._link.allow, time.monotonic() + seconds)

    def submit(self, submission: Submission, ticket: object) -> int:
        """Send it as soon as the operator takes it; comes back in `settled`. Returns how much of `window` it takes."""
        try:
            templates = self._templates(submission)
            own = self._own(submission, len(templates))
        except TooLong:
            self._refused.append(Settled(ticket, _too_long(submission), [], []))
            self._wake.set()
            return 0
        parcel = Parcel(
            submission,
            ticket,
            templates=templates,
            own=own,
            reported=self._reported,
            keep=self._keep,
            tells_reference=self._tells_reference,
        )
        room = parcel.waiting_count
        self._loop.call_soon_threadsafe(self._link.submit, parcel)
        return room

    def _own(self, submission: Submission, parts: int) -> list[Sequence[SubmitTemplate]]:
        """The templates of each message, where each has a text of its own; none where all have the same."""
        own = [self._templates(replace(submission, body=each.body)) for each in submission.envelopes if each.body]
        if any(len(templates) != parts for templates in own):
            raise ValueError("texts of one submission that differ in parts")
        return own

    def take_back(self) -> None:
        """Settle what waits and was never sent."""
        self._loop.call_soon_threadsafe(self._link.take_back)

    def settled(self) -> list[Settled]:
        """The submissions that were settled since this was last called."""
        return [*_drained(self._refused), *(parcel.settled() for parcel in _drained(self._link.settled))]

    def arrivals(self) -> Arrivals:
        """What came in since this was last called, read."""
        read = self._reader.read(_drained(self._link.arrivals, _ARRIVALS_AT_ONCE), self._style)
        if read.unreadable:
            self._acknowledge(read.unreadable, REJECTED_BY_US)
        return Arrivals(read.receipts, read.texts, read.parts, list(read.handles))

    def acknowledge(self, handles: Sequence[object]) -> None:
        """Tell the operator that these are kept."""
        if handles:
            self._acknowledge(cast(Sequence[Handle], handles), 0)

    def candidates(self, ref: str) -> Sequence[str]:
        """The references that a receipt's id may stand for, as this line writes them now."""
        return candidates(ref, self._style)

    @property
    def is_by_part(self) -> bool:
        """Whether the operator reports on each part of a text."""
        return self._reported is Reported.ALL

    def matched(self, receipt: Receipt, ref: str) -> None:
        """Tell the line which of a receipt's references was the right one, so that it learns."""
        if self._learning is None:
            return
        self._learning.watch(receipt.report.operator_ref, ref)
        learnt = self._learning.learnt
        if learnt is not None:
            self._style, self._learning = learnt, None
            self._link.state.learnt = {"id_style": str(learnt)}

    def _acknowledge(self, handles: Sequence[Handle], status: int) -> None:
        self._loop.call_soon_threadsafe(lambda: self._link.acknowledge(handles, status=status))

    def _keep(self, ref: str) -> str:
        return kept(ref, self._style)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


def _bell(event: Event) -> Callable[[], None]:
    """Sets an event; to look first is much cheaper than to set it again."""
    return lambda: None if event.is_set() else event.set()


def _drained(queue: deque[_T], most: int | None = None) -> list[_T]:
    """What stood in a queue that another thread goes on filling."""
    count = len(queue) if most is None else min(len(queue), most)
    return [queue.popleft() for _ in range(count)]


def _too_long(submission: Submission) -> dict[int, Answer]:
    return {
        envelope.message_id: Answer(envelope.message_id, AnswerKind.REFUSED, code=TOO_LONG, outcome=Outcome.REFUSED)
        for envelope in submission.envelopes
    }


def knock(settings: BindSettings, kind: BindKind) -> None:
    """Bind once and unbind, to see whether the operator lets us in; raises what `open_connection` raises."""
    asyncio.run(_knock(settings, kind))


async def _knock(settings: BindSettings, kind: BindKind) -> None:
    connection = await open_connection(settings, kind, Events())
    await connection.unbind()
