"""The supervisor, as a process of its own: it restarts, it stops in order, and its children never outlive it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.environment import ROOT
from deploy.process import Child, FailedToStart, Program

STEADY = 'echo "start NAME $$" >> LOG; trap "echo stop NAME >> LOG; exit 0" TERM; while :; do sleep 0.02; done'
FRAIL = 'echo "start NAME $$" >> LOG; [ $(grep -c "start NAME" LOG) -ge 3 ] || exit 7; while :; do sleep 0.02; done'
LAUNCHER = """
import sys
from deploy.process import Program
from deploy.supervisor import Supervisor
with Supervisor(back_off_seconds=(0.05,)) as supervisor:
    for name, script in zip(sys.argv[1::2], sys.argv[2::2]):
        supervisor.start(Program(name=name, command=["/bin/sh", "-c", script]))
    supervisor.watch()
"""

Launch = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log"
    file.touch()
    return file


@pytest.fixture
def launch(log: Path) -> Iterator[Launch]:
    launchers: list[subprocess.Popen[bytes]] = []

    def launch(**scripts: str) -> subprocess.Popen[bytes]:
        words = [w for name, s in scripts.items() for w in (name, s.replace("NAME", name).replace("LOG", str(log)))]
        launchers.append(subprocess.Popen([sys.executable, "-c", LAUNCHER, *words], cwd=ROOT))
        return launchers[-1]

    yield launch
    for launcher in launchers:
        launcher.kill()
        launcher.wait()


def wait_for(log: Path, expected: Callable[[list[str]], bool]) -> list[str]:
    """The lines of the log once they are as expected."""
    deadline = time.monotonic() + 20
    while not expected(lines := log.read_text().splitlines()):
        assert time.monotonic() < deadline, lines
        time.sleep(0.02)
    return lines


def test_ended_program_is_started_again_until_it_stays(launch: Launch, log: Path) -> None:
    launch(frail=FRAIL)
    lines = wait_for(log, lambda lines: len(lines) == 3)
    assert all(line.startswith("start frail") for line in lines)


def test_programs_stop_in_the_reverse_of_their_start(launch: Launch, log: Path) -> None:
    launcher = launch(database=STEADY, worker=STEADY, web=STEADY)
    wait_for(log, lambda lines: len(lines) == 3)
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(20) == 0
    assert log.read_text().splitlines()[3:] == ["stop web", "stop worker", "stop database"]


def test_children_end_with_a_killed_launcher(launch: Launch, log: Path) -> None:
    launcher = launch(worker=STEADY)
    pid = int(wait_for(log, bool)[0].split()[-1])
    launcher.kill()
    launcher.wait()
    wait_for(log, lambda lines: lines[-1] == "stop worker")
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_program_that_ends_before_it_is_ready_shows_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    program = Program(
        name="broken", command=["/bin/sh", "-c", "echo no such table; exit 3"], log=log, is_ready=lambda: False
    )
    with pytest.raises(FailedToStart, match=r"ended with code 3(?s:.*)no such table"):
        Child(program).wait_until_ready()


def test_program_that_does_not_listen_to_the_signal_is_killed() -> None:
    child = Child(Program(name="deaf", command=["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]))
    time.sleep(0.1)
    child.stop(seconds=0.2)
    assert child.exit_code() == -signal.SIGKILL


def test_standard_input_reaches_the_program(tmp_path: Path) -> None:
    output = tmp_path / "given"
    child = Child(Program(name="reader", command=["/bin/sh", "-c", f"cat > {output}"], standard_input="a secret"))
    assert _written(output) == "a secret"
    child.stop()


def _written(file: Path) -> str:
    deadline = time.monotonic() + 20
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return file.read_text()


def test_launcher_is_not_tied_to_the_terminals_group() -> None:
    child = Child(Program(name="sleeper", command=["sleep", "30"]))
    assert os.getpgid(child.pid) != os.getpgid(0)
    child.kill()
