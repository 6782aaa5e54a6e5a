"""How fast an operator lets us send: the limit it was agreed on, and the one that it shows by refusing."""

import math

_BURST_SECONDS = 0.1  # how much of a second's allowance may be spent at once
_SLOWER = 0.8
_FASTER, _MUCH_FASTER = 1.05, 1.25  # a second
_QUIET_SECONDS = 5.0  # after so long without a refusal, the limit is felt for in larger steps
_LEAST_PER_SECOND, _MOST_PER_SECOND = 1.0, 1_000_000.0
_EPISODE_SECONDS = 1.0  # refusals that come this close together are one
_LONGEST_PAUSE_SECONDS = 5.0


class Pace:
    """A bucket of permissions. When the operator says that it is busy, all wait a little, and go on more slowly than
    what it took before; from then on the limit rises again, second by second."""

    def __init__(self, *, per_second: float | None, now: float) -> None:
        self._agreed = per_second or math.inf
        self._limit = self._agreed
        self._allowance = 0.0
        self._filled_at = now
        self._counted_at = now
        self._accepted = 0
        self._rate = 0.0
        self._busy_at = -math.inf
        self._paused_until = 0.0

    @property
    def limit(self) -> float:
        """Messages a second, as far as it is known; may be infinite."""
        return self._limit

    def accepted(self) -> None:
        """The operator took one."""
        self._accepted += 1

    def busy(self, now: float, pause_seconds: float) -> None:
        """The operator is busy."""
        self._paused_until = max(self._paused_until, now + min(pause_seconds, _LONGEST_PAUSE_SECONDS))
        if now - self._busy_at < _EPISODE_SECONDS:
            return
        self._busy_at = now
        reached = max(self._rate, self._accepted / max(now - self._counted_at, _BURST_SECONDS))
        self._limit = max(min(self._limit, reached) * _SLOWER, _LEAST_PER_SECOND)
        self._allowance = min(self._allowance, 0.0)

    def is_paused(self, now: float) -> bool:
        """Whether nothing may be sent now because the operator was busy a moment ago."""
        return now < self._paused_until

    def allowance(self, now: float) -> int:
        """How many may be sent now."""
        self._count(now)
        if self.is_paused(now):
            return 0
        if math.isinf(self._limit):
            return 1 << 30
        most = max(1.0, self._limit * _BURST_SECONDS)
        self._allowance = min(most, self._allowance + (now - self._filled_at) * self._limit)
        self._filled_at = now
        return int(self._allowance)

    def spent(self, count: int) -> None:
        """So many were sent."""
        if not math.isinf(self._limit):
            self._allowance -= count

    def wait_seconds(self, now: float) -> float:
        """How long until one more may be sent; 0 when only the windows are full."""
        if self.is_paused(now):
            return self._paused_until - now
        if math.isinf(self._limit) or self._allowance >= 1:
            return 0.0
        return max((1 - self._allowance) / self._limit, 0.001)

    def _count(self, now: float) -> None:
        """Once a second: what was reached, and how the limit rises again."""
        seconds = now - self._counted_at
        if seconds < _EPISODE_SECONDS:
            return
        self._rate = self._accepted / seconds
        self._accepted, self._counted_at = 0, now
        quiet_seconds = now - self._busy_at
        if self._limit < self._agreed and quiet_seconds >= _EPISODE_SECONDS:
            raised = self._limit * (_FASTER if quiet_seconds < _QUIET_SECONDS else _MUCH_FASTER)
            self._limit = min(raised, self._agreed) if raised < _MOST_PER_SECOND else self._agreed
