"""The binds of one operator account, kept up: reconnected with growing pauses, slowed down while the operator is busy.

Everything here runs on one event loop; `line.py` lets other threads speak to it."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence

from sms.core.errors import SmsError
from sms.core.text import N_
from sms.operators.contract import (
    NOTHING_LEFT,
    UNKNOWN_FATE,
    BadCredentials,
    LineState,
    OperatorError,
    OutOfCredit,
    Refused,
    Unanswered,
    Unreachable,
)
from sms.operators.protocols.smpp.connection import (
    OK,
    BindKind,
    BindRefused,
    BindSettings,
    Connection,
    Events,
    Handle,
    open_connection,
)
from sms.operators.protocols.smpp.pace import Pace
from sms.operators.protocols.smpp.parcel import Parcel
from sms.operators.protocols.smpp.pdus import read_message_id
from sms.operators.protocols.smpp.verdicts import Verdicts, Word, code_of, refusal

log = logging.getLogger(__name__)
NOT_KNOWN_THERE = N_("The operator does not accept our user name or password (code %(code)s).")
NOT_BOUND = N_("The operator does not let us in at the moment (code %(code)s).")
NO_CREDIT = N_("Our account at the operator has no credit left (code %(code)s).")
LINK_ENDED = N_("The link to the operator ended: %(reason)s.")

_AGAIN_SECONDS = 0.1  # after a link over which more was answered than was lost
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_COMPLETE_SECONDS = 3.0
_LOOK_SECONDS = 0.05
_QUIET_SECONDS = 5.0  # a link that ended sooner was none: the next pause is longer
_MOST_UNREAD = 20_000  # arrivals that are not acknowledged yet, before nothing more is read


class Link(Events):
    """Keeps the binds of one account and spreads parcels over them."""

    def __init__(
        self,
        settings: BindSettings,
        kinds: Sequence[BindKind],
        *,
        verdicts: Verdicts,
        pace: Pace,
        wake: Callable[[], None],
        hear: Callable[[], None],
    ) -> None:
        self.state = LineState()
        self.settled: deque[Parcel] = deque()
        self.arrivals: deque[tuple[Handle, bytes]] = deque()
        self._settings = settings
        self._kinds = kinds
        self._verdicts = verdicts
        self._pace = pace
        self._wake = wake
        self._hear = hear
        self._connections: dict[Connection, asyncio.Event] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._parcels: deque[Parcel] = deque()
        self._allowed_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Begin to bind; call it on the event loop."""
        self._keepers = [asyncio.create_task(self._keep(kind)) for kind in self._kinds]

    async def stop(self) -> None:
        """Give back what waits, complete what is begun, wait for the answers to what is out, unbind."""
        self._is_stopping = True
        self.take_back()
        while self._parcels and self._connections:  # texts of which parts are out: for a moment
            await asyncio.sleep(_LOOK_SECONDS)
            self.take_back()
        self.take_back(completes=False)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*(connection.unbind() for connection in list(self._connections)))
        await asyncio.gather(*self._keepers, return_exceptions=True)

    @property
    def is_ready(self) -> bool:
        """Whether a parcel handed in now would be sent now."""
        return (
            not self._is_stopping
            and any(connection.can_submit for connection in list(self._connections))
            and not self._pace.is_paused(time.monotonic())
        )

    @property
    def silent_seconds(self) -> float:
        """For how long submits have been waiting for answers, while not one came over any link."""
        waiting = [connection.silent_seconds for connection in list(self._connections) if not connection.is_idle]
        return min(waiting, default=0.0)

    def allow(self, until: float) -> None:
        """Send nothing after this moment of the monotonic clock."""
        self._allowed_until = until
        self._pump()

    def submit(self, parcel: Parcel) -> None:
        """Send it as the windows and the pace let it; a single message goes before long lists that were there first."""
        waiting = self._parcels
        if parcel.is_single:
            place = next((place for place, each in enumerate(waiting) if not each.is_single), len(waiting))
            waiting.insert(place, parcel)
        else:
            waiting.append(parcel)
        self._pump()

    def take_back(self, *, completes: bool = True) -> None:
        """Settle what waits and was never on the wire, and cannot be sent soon. Texts of which parts are out still
        have a few seconds to be completed, where it `completes` them."""
        now = time.monotonic()
        waiting, self._parcels = self._parcels, deque()
        for parcel in waiting:
            parcel.taken_back_at = parcel.taken_back_at or now
            parcel.take_back(completes=completes and now - parcel.taken_back_at < _COMPLETE_SECONDS)
            if parcel.waiting_count:
                self._parcels.append(parcel)
            self._settle(parcel)

    def acknowledge(self, handles: Sequence[Handle], *, status: int = OK) -> None:
        """Tell the operator that these are kept."""
        by_connection: dict[Connection, list[tuple[int, int]]] = {}
        for connection, command, sequence in handles:
            by_connection.setdefault(connection, []).append((command, sequence))
        for connection, arrivals in by_connection.items():
            connection.acknowledge(arrivals, status=status)
            connection.pause(is_paused=len(self.arrivals) > _MOST_UNREAD)

    # Connections

    async def _keep(self, kind: BindKind) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._is_stopping:
            began = time.monotonic()
            has_worked = False
            try:
                has_worked = await self._serve(await open_connection(self._settings, kind, self))
            except (OSError, TimeoutError, UnicodeError) as error:
                trouble = trouble_of(error)
                self._note(trouble)
                if isinstance(trouble, BadCredentials):
                    return
            if has_worked:
                pause = _AGAIN_SECONDS
            elif time.monotonic() - began > _QUIET_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            else:
                pause = min(max(pause, _FIRST_PAUSE_SECONDS) * 2, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    async def _serve(self, connection: Connection) -> bool:
        if self._is_stopping or not connection.is_bound:
            return False
        over = self._connections[connection] = asyncio.Event()
        self._count()
        self.state.trouble = None
        self._pump()
        self._wake()
        await over.wait()
        return connection.has_worked

    def ended(self, connection: Connection, reason: str) -> None:
        """Note it; its keeper binds again."""
        over = self._connections.pop(connection, None)
        self._count()
        if over is not None:
            over.set()
            if not self._is_stopping:
                log.warning("link ended: %s", reason)
                if not connection.has_worked:  # one that has is back in a moment, or does not come back, which counts
                    self._note(Unreachable(LINK_ENDED, reason=reason))

    def _count(self) -> None:
        self.state.bound_count = len(self._connections)
        is_cut = not any(connection.can_submit for connection in self._connections)
        self.state.cut_since = (self.state.cut_since or time.monotonic()) if is_cut else None

    def _note(self, trouble: SmsError) -> None:
        """Also a link that goes down counts; what stops a gateway is not covered by anything later."""
        if not isinstance(self.state.trouble, BadCredentials | OutOfCredit):
            self.state.trouble = trouble
        self.state.trouble_count += 1
        self._wake()

    # Submits

    def has_news(self, connection: Connection) -> None:
        """Send more, and say that there is something to be stored."""
        if self._parcels and connection.room > 0:
            self._pump()
        if len(self.arrivals) > _MOST_UNREAD:
            connection.pause(is_paused=True)
        if self.settled:
            self._wake()
        if self.arrivals:
            self._hear()

    def answered(self, parcel: Parcel, position: int, status: int, body: bytes) -> None:
        """Note the operator's word; one that is busy took nothing and is asked again."""
        if status == OK:
            parcel.accepted(position, read_message_id(body))
            self._pace.accepted()
            self.state.busy_since = None
        else:
            self._refused(parcel, position, status)
        if parcel.is_settled:
            self._settle(parcel)

    def _refused(self, parcel: Parcel, position: int, status: int) -> None:
        verdict = self._verdicts(status)
        if verdict.word is Word.REFUSED:
            parcel.refused(position, refusal(status, verdict))
            return
        parcel.not_taken(position)
        if parcel not in self._parcels:
            self._parcels.appendleft(parcel)
        now = time.monotonic()
        if verdict.word is Word.BUSY:
            self._pace.busy(now, verdict.pause_seconds)
            self.state.busy_since = self.state.busy_since or now
            self.state.busy_count += 1
            return
        self._allowed_until = 0.0  # nothing more goes out
        code = code_of(status)
        is_credit = verdict.word is Word.CREDIT
        self._note(OutOfCredit(NO_CREDIT, code=code) if is_credit else BadCredentials(NOT_KNOWN_THERE, code=code))

    def lost(self, flying: Sequence[tuple[Parcel, int]]) -> None:
        """Nobody knows their fate; nothing is sent again."""
        for parcel, position in flying:
            parcel.lost(position)
            if parcel.is_settled:
                self._settle(parcel)
        if flying:
            self._wake()

    def arrived(self, handle: Handle, body: bytes) -> None:
        """Kept until somebody has stored and acknowledged it."""
        self.arrivals.append((handle, body))

    def _settle(self, parcel: Parcel) -> None:
        if parcel.is_settled:
            self.settled.append(parcel)
            self._wake()

    def _pump(self) -> None:
        """Fill the windows, as far as the pace and the permission go."""
        now = time.monotonic()
        if not self._parcels or now > self._allowed_until:
            return
        for connection in list(self._connections):
            room = min(connection.room, self._pace.allowance(now))
            pieces = self._pieces(room, is_idle=connection.is_idle) if room > 0 else []
            if pieces:
                self._pace.spent(sum(len(positions) for _, positions in pieces))
                connection.submit(pieces)
            if not self._parcels:
                return
        wait_seconds = self._pace.wait_seconds(now)
        if wait_seconds > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_seconds, self._go_on)

    def _pieces(self, room: int, *, is_idle: bool) -> list[tuple[Parcel, list[int]]]:
        pieces: list[tuple[Parcel, list[int]]] = []
        while room > 0 and self._parcels:
            parcel = self._parcels[0]
            positions = parcel.take(room, may_cut=False)
            if not positions and is_idle and not pieces:
                positions = parcel.take(room, may_cut=True)  # a text of more parts than the window is wide
            if positions:
                pieces.append((parcel, positions))
                room -= len(positions)
            if parcel.waiting_count:
                break
            self._parcels.popleft()
        return pieces

    def _go_on(self) -> None:
        self._timer = None
        self._pump()
        self._wake()


def trouble_of(error: Exception) -> OperatorError:
    """What a bind that failed means."""
    if isinstance(error, BindRefused):
        code = code_of(error.status)
        return BadCredentials(NOT_KNOWN_THERE, code=code) if error.is_credentials else Refused(NOT_BOUND, code=code)
    if isinstance(error, TimeoutError):
        trouble = Unanswered(UNKNOWN_FATE)
        trouble.__cause__ = error
        return trouble
    return Unreachable(NOTHING_LEFT)
