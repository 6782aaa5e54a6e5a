"""One program as a child process: started, waited for until it is ready, stopped; it dies when the launcher dies."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.problems import Problem

POLL_SECONDS = 0.02
LINGER_SECONDS = 5
LOG_LIMIT_BYTES = 16 * 1024 * 1024
TAIL_LINES = 25
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class FailedToStart(Problem):
    """A program ended, or did not become ready in time; the message carries the end of its log."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run and how to tell that it is up. `account` is the system user to run as, when the launcher is root."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] | None = None
    cwd: Path | None = None
    log: Path | None = None
    account: str | None = None
    standard_input: str = ""
    before: Callable[[], object] = lambda: None
    is_ready: Callable[[], bool] = lambda: True
    ready_seconds: float = 60
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20


class Child:
    """A running program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.started_at = time.monotonic()
        program.before()
        launcher = os.getpid()

        def tie_to_launcher() -> None:
            # Sent by the kernel when the launcher dies, however it dies; a switch of user would clear it earlier.
            if _libc is not None:
                _libc.prctl(_PR_SET_PDEATHSIG, int(program.stop_signal))
                if os.getppid() != launcher:
                    os._exit(1)

        output = _open_log(program.log)
        try:
            self._process = subprocess.Popen(
                program.command,
                cwd=program.cwd,
                env=program.environ,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,  # Ctrl-C in the terminal reaches the launcher only, which keeps the order
                preexec_fn=tie_to_launcher,  # noqa: PLW1509 - the launcher has one thread
                umask=0o077,  # data of the panel is nobody else's
                user=program.account,
                group=program.account,
                extra_groups=[] if program.account else None,
            )
        finally:
            if output is not None:
                os.close(output)
        self._feed(program.standard_input.encode())

    def _feed(self, content: bytes) -> None:
        if self._process.stdin is not None:
            try:
                self._process.stdin.write(content)
                self._process.stdin.close()
            except BrokenPipeError:
                return  # it has ended already, and its exit code will say so

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.poll()

    def wait_until_ready(self) -> None:
        """Return when the program answers; raises FailedToStart when it ends first or takes too long."""
        deadline = time.monotonic() + self.program.ready_seconds
        while not self.program.is_ready():
            code = self.exit_code()
            if code is not None:
                raise FailedToStart(f"{self.program.name} ended with code {code}.{self._last_words()}")
            if time.monotonic() > deadline:
                raise FailedToStart(
                    f"{self.program.name} was not ready after {self.program.ready_seconds:.0f} s.{self._last_words()}"
                )
            time.sleep(POLL_SECONDS)

    def stop(self, *, seconds: float | None = None) -> None:
        """Ask it to end, and end it by force when it has not done so in `seconds`."""
        if self.exit_code() is None:
            self._process.send_signal(self.program.stop_signal)
            try:
                self._process.wait(self.program.stop_seconds if seconds is None else seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it and what it started, now."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self._process.wait()

    def _last_words(self) -> str:
        if self.program.log is None:
            return ""
        lines = self.program.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(["", f"The end of {self.program.log}:", *lines])


def _open_log(log: Path | None) -> int | None:
    if log is None:
        return None
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def is_listening(port: int) -> bool:
    """Whether something on this machine accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def falls_silent(port: int) -> bool:
    """Whether nothing listens on `port`; what a killed launcher left is given a moment to end."""
    deadline = time.monotonic() + LINGER_SECONDS
    while is_listening(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def free_port() -> int:
    """A port on the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
