"""Processes die where they are told to, once, and never in production."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from sms.core.crash import crash_point
for number in range(3):
    crash_point("here")
    print(number, flush=True)
    crash_point("there")
"""


def _run(crash_at: str, *, mode: str = "sample") -> tuple[int, list[str]]:
    environ = {"CRASH_AT": crash_at} | ({"PAYAMGAH_MODE": mode} if mode else {})
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.split()


@pytest.mark.parametrize(
    ("crash_at", "printed"),
    [("here", []), ("here:1", []), ("there", ["0"]), ("here:3", ["0", "1"]), ("there:3", ["0", "1", "2"])],
)
def test_a_process_dies_at_the_point_it_is_told(crash_at: str, printed: list[str]) -> None:
    assert _run(crash_at) == (-signal.SIGKILL, printed)


@pytest.mark.parametrize("crash_at", ["", "elsewhere", "here:4"])
def test_nobody_dies_anywhere_else(crash_at: str) -> None:
    assert _run(crash_at) == (0, ["0", "1", "2"])


def test_one_process_a_ticket(tmp_path: Path) -> None:
    for ticket in ("here", "here.2"):
        (tmp_path / ticket).touch()
    assert [_run(f"{tmp_path}/")[0] for _ in range(3)] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert list(tmp_path.iterdir()) == []


def test_a_ticket_may_stop_a_process_until_it_is_told_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "here.1").write_text("STOP")
    environ = {"CRASH_AT": f"{tmp_path}/", "PAYAMGAH_MODE": "sample"}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=10)[0].split() == ["0", "1", "2"]


@pytest.mark.parametrize("mode", ["production", ""])
def test_production_takes_no_notice(tmp_path: Path, mode: str) -> None:
    (tmp_path / "here").touch()
    assert _run("here", mode=mode)[0] == 0
    assert _run(f"{tmp_path}/", mode=mode)[0] == 0
