"""One installation on this machine: its data folder, its secrets, its ports, and whether it is running."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from deploy.environment import ROOT
from deploy.hosting import SYSTEM_HOME, is_open_to_all, service_account
from deploy.problems import Problem
from deploy.process import falls_silent, free_port
from deploy.servers import Postgres, Valkey

STOP_SECONDS = 120
PASSED_ON = (
    "PAYAMGAH_MODE",
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "SEAL_KEY",
    "PUBLIC_URL",
    "SIMULATOR_URL",
    "SIMULATOR_SMPP_URL",
    "PORT",
    "PROXY_HOPS",
)
SERVERS: dict[str, tuple[str, type[Postgres | Valkey]]] = {
    "DATABASE_URL": ("postgres", Postgres),
    "REDIS_URL": ("valkey", Valkey),
}
SECRETS = ("secret_key", "seal_key", "postgres_password", "valkey_password")


class CannotRun(Problem):
    """The installation cannot be run as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Instance:
    """The installation in `var_dir`, seen with the environment variables `environ`."""

    var_dir: Path
    environ: Mapping[str, str]

    @property
    def log_dir(self) -> Path:
        """Where every program's own log stands."""
        return self.var_dir / "log"

    # What is remembered

    def remembered(self) -> dict[str, Any]:
        """What the last start wrote down: its settings and ports; empty before the first."""
        file = self.var_dir / "instance.json"
        return json.loads(file.read_text()) if file.is_file() else {}

    def remember(self, **facts: object) -> None:
        """Write facts down for the next start and for the other commands, beside those already known."""
        _write_private(self.var_dir / "instance.json", self.remembered() | facts)

    def secrets(self) -> dict[str, str]:
        """The installation's own secrets, made at the first start."""
        file = self.var_dir / "secrets.json"
        known: dict[str, str] = json.loads(file.read_text()) if file.is_file() else {}
        missing = [name for name in SECRETS if name not in known]
        if missing:
            known |= {name: secrets.token_urlsafe(48) for name in missing}
            _write_private(file, known)
        return known

    def keep_keys(self, **keys: str) -> None:
        """Take over the keys of the installation whose data this one now holds."""
        _write_private(self.var_dir / "secrets.json", self.secrets() | keys)

    def port(self, name: str) -> int:
        """The port of an embedded program: the one it had last time, when that is still free."""
        ports: dict[str, int] = self.remembered().get("ports", {})
        if name not in ports or not falls_silent(ports[name]):
            ports[name] = free_port()
            self.remember(ports=ports)
        return ports[name]

    # Servers and settings

    def servers(self) -> list[Postgres | Valkey]:
        """The embedded servers this installation needs: none of those whose address was given."""
        missing = [server for variable, server in SERVERS.items() if not self.environ.get(variable)]
        if not missing:
            return []
        account = service_account()
        home = self._servers_home(account)
        return [
            kind(
                home=home / name,
                port=self.port(name),
                password=self.secrets()[f"{name}_password"],
                account=account,
            )
            for name, kind in missing
        ]

    def _servers_home(self, account: str | None) -> Path:
        if account is None or is_open_to_all(self.var_dir):
            return self.var_dir
        # Below a folder that only root may enter. The servers are not root, so their files stand elsewhere, under a
        # name that a data folder made anew does not share.
        name = sha256(self.secrets()["postgres_password"].encode()).hexdigest()[:16]
        home = SYSTEM_HOME / "instances" / name
        home.mkdir(parents=True, exist_ok=True)
        for folder in (SYSTEM_HOME, home.parent, home):
            folder.chmod(0o711)
        return home

    def settings(self, servers: list[Postgres | Valkey], *, mode: str, simulator_port: int | None) -> dict[str, str]:
        """The environment variables the panel's programs read; what the caller's environment states wins."""
        own = self.secrets()
        port = self.environ.get("PORT", "8000")
        made = {
            "PAYAMGAH_MODE": mode,
            "SECRET_KEY": own["secret_key"],
            "SEAL_KEY": own["seal_key"],
            "PORT": port,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "SIMULATOR_URL": f"http://127.0.0.1:{simulator_port}" if simulator_port else "",
            "SIMULATOR_SMPP_URL": f"smpp://127.0.0.1:{self.port('simulator-smpp')}" if simulator_port else "",
        }
        for server in servers:
            made["DATABASE_URL" if isinstance(server, Postgres) else "REDIS_URL"] = server.url
        return made | self.given() | {"VAR_DIR": str(self.var_dir)}

    def given(self) -> dict[str, str]:
        """What the caller's environment states about the panel."""
        return {name: self.environ[name] for name in PASSED_ON if self.environ.get(name)}

    # Running or not

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the installation for one launcher; raises CannotRun when another one has it."""
        with (self.var_dir / "launcher.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                url = self.remembered().get("settings", {}).get("PUBLIC_URL", "")
                raise CannotRun(f"The panel in {self.var_dir} is running already ({url}).") from None
            yield

    def is_running(self) -> bool:
        """Whether a launcher holds the installation now."""
        try:
            with self.alone():
                return False
        except CannotRun:
            return True

    def stop(self) -> bool:
        """Ask the running launcher to stop and wait for it; False when none runs."""
        if not self.is_running():
            return False
        os.kill(self.remembered()["launcher_pid"], 15)
        deadline = time.monotonic() + STOP_SECONDS
        while self.is_running():
            if time.monotonic() > deadline:
                raise CannotRun(f"The panel in {self.var_dir} has not stopped within {STOP_SECONDS} s.")
            time.sleep(0.1)
        return True


def open_instance(environ: Mapping[str, str]) -> Instance:
    """The installation that `VAR_DIR` names: /var/lib/payamgah for root, ./var for others, unless it says otherwise."""
    default = SYSTEM_HOME if os.geteuid() == 0 else ROOT / "var"
    var_dir = Path(environ.get("VAR_DIR") or default).absolute()
    try:
        var_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        if var_dir.stat().st_uid == os.geteuid():
            var_dir.chmod(var_dir.stat().st_mode | 0o011)  # the servers' account enters its folders in it
    except OSError as error:
        raise CannotRun(
            f"The data folder {var_dir} cannot be used: {error.strerror}. Choose one with VAR_DIR."
        ) from error
    return Instance(var_dir, environ)


def _write_private(file: Path, content: Mapping[str, object]) -> None:
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(file)  # whole or not at all
