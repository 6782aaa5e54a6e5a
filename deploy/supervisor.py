"""Keeps the panel's programs running: starts them in order, restarts what ends, stops them the other way round."""

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Self

from deploy.process import Child, Program

BACK_OFF_SECONDS: Sequence[float] = (0.5, 1, 2, 4, 8, 15, 30)
STEADY_SECONDS = 60  # a program that ran this long starts its back-off afresh
WATCH_SECONDS = 0.2
HURRIED_SECONDS = 0.5


class AskedToStop(BaseException):
    """A signal asked the launcher to stop; not an error, so that no `except Exception` swallows it."""


@dataclass
class _Post:
    """One program's place: the child that fills it now, and when the next one is due."""

    child: Child
    failures: int = 0
    due_at: float | None = None


class Supervisor:
    """Use as a context: inside it the signals are its own, and leaving it stops everything it started."""

    def __init__(self, back_off_seconds: Sequence[float] = BACK_OFF_SECONDS) -> None:
        self._back_off_seconds = back_off_seconds
        self._posts: list[_Post] = []
        self._stopping = False
        self._hurried = False

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.stop()
        return kind is AskedToStop

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping:
            self._hurried = True  # asked twice: patience is over
        else:
            self._stopping = True
            raise AskedToStop

    def launch(self, *programs: Program) -> list[Child]:
        """Start programs without waiting for them."""
        children = [Child(program) for program in programs]
        self._posts += [_Post(child) for child in children]
        return children

    def start(self, *programs: Program) -> None:
        """Start programs together and return when all are ready; raises FailedToStart."""
        for child in self.launch(*programs):
            child.wait_until_ready()

    def watch(self) -> None:
        """Restart whatever ends, for ever; a signal ends it by AskedToStop."""
        while True:
            for post in self._posts:
                self._look_after(post)
            time.sleep(WATCH_SECONDS)

    def _look_after(self, post: _Post) -> None:
        now = time.monotonic()
        if post.due_at is not None:
            if now >= post.due_at:
                self._restart(post)
        elif (code := post.child.exit_code()) is not None:
            steady = now - post.child.started_at > STEADY_SECONDS
            post.failures = 1 if steady else post.failures + 1
            pause = self._back_off_seconds[min(post.failures, len(self._back_off_seconds)) - 1]
            post.due_at = now + pause
            say(f"{post.child.program.name} ended with code {code}; starting it again in {pause:g} s")

    def _restart(self, post: _Post) -> None:
        post.due_at = None
        try:
            post.child = Child(post.child.program)
        except Exception as error:  # what cannot start now is tried again, with the pauses growing
            say(f"{post.child.program.name} could not be started: {error}")

    def stop(self) -> None:
        """Stop everything, the last started first."""
        self._stopping = True
        while self._posts:
            child = self._posts.pop().child
            # Servers close their files in order even when hurried; they never wait for clients.
            hurry = self._hurried and child.program.account is None
            child.stop(seconds=HURRIED_SECONDS if hurry else None)


def say(message: str) -> None:
    """Tell the terminal and nobody else."""
    print(message, file=sys.stderr, flush=True)
