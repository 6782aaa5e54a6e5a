"""Servers, and whole panels, for tests and measurements: real ones, in a temporary folder, gone afterwards."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.environment import ROOT
from deploy.hosting import service_account
from deploy.process import Child, Program, free_port
from deploy.programs import Programs, environment, python_command
from deploy.servers import Postgres, Valkey

MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
ROOMY_BYTES = 4 * 1024**3
_PREFIX = "payamgah-throwaway-"


@dataclass(frozen=True)
class Addresses:
    """Where the two servers are reached, the database as its owner; `children` are their processes by name."""

    database_url: str
    redis_url: str
    children: dict[str, Child] = field(default_factory=dict)


@contextmanager
def throw_away_servers(*, durable: bool = False) -> Iterator[Addresses]:
    """Run an empty PostgreSQL and Valkey for as long as the block lasts.

    Without `durable` nothing is ever forced to disk, and the files stand in memory where there is room.
    """
    account = service_account()
    parent = Path(tempfile.gettempdir()) if durable else _quick_place()
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
    folder.chmod(0o711)  # the account enters its own folders in it, nobody lists it
    postgres = Postgres(
        home=folder / "postgres", port=free_port(), password=secrets.token_hex(16), account=account, durable=durable
    )
    valkey = Valkey(
        home=folder / "valkey", port=free_port(), password=secrets.token_hex(16), account=account, durable=durable
    )
    children: dict[str, Child] = {}
    try:
        for server in (postgres, valkey):
            program = server.program(log=folder / "servers.log")
            children[program.name] = Child(program)
        for child in children.values():
            child.wait_until_ready()
        yield Addresses(postgres.url, valkey.url, children)
    finally:
        for child in children.values():
            child.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class ThrowAwayPanel:
    """A panel with sample data on servers of its own; its parts are started, stopped and killed one by one."""

    settings: Mapping[str, str]
    children: dict[str, Child] = field(default_factory=dict)
    servers: dict[str, Child] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Its data folder, with the logs and the simulator's truth in it."""
        return Path(self.settings["VAR_DIR"])

    @property
    def url(self) -> str:
        """Where its pages are, once `web` runs."""
        return self.settings["PUBLIC_URL"]

    def start(self, *names: str) -> None:
        """Start parts (simulator, tick, worker, web) under their own names and wait until they answer.

        A name with a number behind it (`tick-2`) is one more of the same.
        """
        started = [Child(self._program(name)) for name in names]
        self.children.update(zip(names, started, strict=True))
        for child in started:
            child.wait_until_ready()

    def _program(self, name: str) -> Program:
        programs = Programs(self.settings, self.folder / "log" / name)
        kind = name.partition("-")[0]
        if kind == "simulator":
            return programs.simulator(int(self.settings["SIMULATOR_URL"].rpartition(":")[2]))
        made: Program = getattr(programs, kind)()
        return made

    def stop(self, *names: str) -> None:
        """End parts politely, or all of them, the last started first."""
        for name in names or tuple(reversed(self.children)):
            self.children.pop(name).stop()

    def begin_server(self, name: str) -> None:
        """Start `postgres` or `valkey` again, after its process was ended, and wait until it answers."""
        self.servers[name] = Child(self.servers[name].program)
        self.servers[name].wait_until_ready()

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """Begin one of the panel's commands; what it prints is piped."""
        return subprocess.Popen(
            python_command("flask", "--app", "app", *words),
            cwd=ROOT,
            env=environment(self.settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, seconds: float = 120) -> tuple[int, str, str]:
        """Run one of the panel's commands: its exit code and what it printed on either stream."""
        with self.begin(*words) as command:
            try:
                output, errors = command.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                command.kill()
                raise
        return command.returncode, output, errors


@contextmanager
def throw_away_panel(*, durable: bool = False, **settings: str) -> Iterator[ThrowAwayPanel]:
    """A panel with sample data, nothing of it started yet but the servers; `settings` are further variables.

    With SIMULATOR_URL its gateways point to a simulator that the caller runs; else `start("simulator")` makes one.
    """
    port = free_port()
    with (
        throw_away_servers(durable=durable) as servers,
        tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as folder,
    ):
        panel = ThrowAwayPanel(
            {
                "PAYAMGAH_MODE": "sample",
                "DATABASE_URL": servers.database_url,
                "REDIS_URL": servers.redis_url,
                "SECRET_KEY": secrets.token_urlsafe(48),
                "SEAL_KEY": secrets.token_urlsafe(48),
                "VAR_DIR": folder,
                "PORT": str(port),
                "PUBLIC_URL": f"http://127.0.0.1:{port}",
                "SIMULATOR_URL": f"http://127.0.0.1:{free_port()}",
                "SIMULATOR_SMPP_URL": f"smpp://127.0.0.1:{free_port()}",
                "LOG_LEVEL": "WARNING",
            }
            | settings,
            servers=servers.children,
        )
        prepare = python_command("deploy.prepare", "--sample-data")
        subprocess.run(prepare, cwd=ROOT, env=environment(panel.settings), stdout=subprocess.DEVNULL, check=True)
        try:
            yield panel
        finally:
            panel.stop()


def _quick_place() -> Path:
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOMY_BYTES
    return MEMORY if roomy else Path(tempfile.gettempdir())


def _sweep(parent: Path) -> None:
    # What a killed run left behind: its process, named in the folder, is gone.
    for folder in parent.glob(f"{_PREFIX}*-*"):
        if not Path(f"/proc/{folder.name.split('-')[2]}").exists():
            shutil.rmtree(folder, ignore_errors=True)
