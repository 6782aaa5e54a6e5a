"""Servers for tests and measurements: real ones, in a temporary folder, gone afterwards."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.hosting import service_account
from deploy.process import Child, free_port
from deploy.servers import Postgres, Valkey

MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
ROOMY_BYTES = 4 * 1024**3
_PREFIX = "payamgah-throwaway-"


@dataclass(frozen=True)
class Addresses:
    """Where the two servers are reached, the database as its owner."""

    database_url: str
    redis_url: str


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
    children: list[Child] = []
    try:
        for server in (postgres, valkey):
            children.append(Child(server.program(log=folder / "servers.log")))
        for child in children:
            child.wait_until_ready()
        yield Addresses(postgres.url, valkey.url)
    finally:
        for child in children:
            child.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _quick_place() -> Path:
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOMY_BYTES
    return MEMORY if roomy else Path(tempfile.gettempdir())


def _sweep(parent: Path) -> None:
    # What a killed run left behind: its process, named in the folder, is gone.
    for folder in parent.glob(f"{_PREFIX}*-*"):
        if not Path(f"/proc/{folder.name.split('-')[2]}").exists():
            shutil.rmtree(folder, ignore_errors=True)
