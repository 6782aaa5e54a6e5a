"""The virtual environment: made, filled from the lock files and left alone while those do not change."""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from deploy.problems import Problem

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INSTALLER = ROOT / "deploy" / "uv.txt"

Level = Literal["run", "dev"]
LOCK_FILES: dict[Level, tuple[str, ...]] = {
    "run": ("requirements.txt",),
    "dev": ("requirements.txt", "requirements-dev.txt"),
}


class CannotPrepare(Problem):
    """The environment could not be made; the message says what a person can do about it."""


def prepare(level: Level) -> None:
    """Make the environment hold what `level` needs. Takes no time when it already does."""
    if is_ready(level):
        return
    with _alone():
        if not is_ready(level):  # another start may have done it while this one waited
            _make(level)


def is_ready(level: Level, venv: Path = VENV) -> bool:
    """Whether everything of `level` was installed from the lock files as they are now."""
    stamp = _stamp_file(level, venv)
    return stamp.is_file() and stamp.read_text() == fingerprint(level) and (venv / "bin" / "python").exists()


def fingerprint(level: Level, root: Path = ROOT) -> str:
    """What the environment depends on: the lock files of `level` and this Python."""
    digest = hashlib.sha256(sys.version.encode())
    for name in LOCK_FILES[level]:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def _stamp_file(level: Level, venv: Path) -> Path:
    return venv / f"installed-{level}"


@contextmanager
def _alone() -> Iterator[None]:
    VENV.mkdir(exist_ok=True)
    with (VENV / "installing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(level: Level) -> None:
    began = time.monotonic()
    print(f"Installing what the panel needs into {VENV.name} (once) ...", flush=True)
    if not _runs(PYTHON):
        # Debian's minimal python3 has no ensurepip: the system's pip fills the environment from outside.
        _call([sys.executable, "-m", "venv", "--without-pip", "--clear", str(VENV)])
    for command, environ in installations(level):
        if _try(command, environ):
            break
    else:
        raise CannotPrepare(
            "The packages could not be installed. Above is what pip said; it needs pip 22.3 or newer "
            "(python3 -m pip --version) and a package index it can reach."
        )
    _stamp_file("run", VENV).write_text(fingerprint("run"))
    if level == "dev":
        _stamp_file("dev", VENV).write_text(fingerprint("dev"))
    print(f"Installed in {time.monotonic() - began:.1f} s.", flush=True)


def installations(level: Level) -> Iterator[tuple[list[str], Mapping[str, str]]]:
    """Ways to install the lock files of `level`, the fastest first: a command and the environment to run it in."""
    files = [word for name in LOCK_FILES[level] for word in ("-r", str(ROOT / name))]
    pip = [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", "--require-hashes"]
    uv = VENV / "bin" / "uv"
    if _runs(uv) or (_try([*pip, "-r", str(INSTALLER)]) and _runs(uv)):
        index, environ = _as_pip_does()
        words = ["--quiet", "--python", str(PYTHON), "--require-hashes", "--compile-bytecode"]
        yield [str(uv), "pip", "install", *words, *index, *files], environ
    yield [*pip, *files], os.environ


def _as_pip_does() -> tuple[list[str], dict[str, str]]:
    # uv does not read pip's settings; a machine with an index or a certificate of its own has told pip only.
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    told = {
        key.rpartition(".")[2]: value.strip("'\"")
        for key, _, value in (line.partition("=") for line in asked.splitlines())
    }
    index = ["--default-index", told["index-url"]] if "index-url" in told else []
    return index, os.environ | ({"SSL_CERT_FILE": told["cert"]} if "cert" in told else {})


def _runs(program: Path) -> bool:
    return program.exists() and subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


def _try(command: Sequence[str], environ: Mapping[str, str] | None = None) -> bool:
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode == 0


def _call(command: Sequence[str]) -> None:
    if not _try(command):
        raise CannotPrepare(f"This did not work: {' '.join(command)}")
