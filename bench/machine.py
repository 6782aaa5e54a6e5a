"""What the figures were taken on."""

import os
import platform
import subprocess
from pathlib import Path

import psycopg
from redis import Redis

from deploy.environment import ROOT


def facts(database_url: str, redis_url: str) -> dict[str, str]:
    """Machine, versions and commit, by name."""
    with psycopg.connect(database_url) as connection:
        version = connection.info.server_version
    with Redis.from_url(redis_url) as valkey:
        server = valkey.info("server")
    return {
        "commit": _commit(),
        "cores": str(len(os.sched_getaffinity(0))),
        "CPU": _first("/proc/cpuinfo", "model name") or platform.machine(),
        "memory": f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{version // 10_000}.{version % 10_000}",
        "Valkey": str(server.get("valkey_version") or server["redis_version"]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _commit() -> str:
    """The commit that is measured, and whether files differ from it; empty outside of a clone."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"],  # noqa: S607 - whichever git there is
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return told.stdout.strip()


def _first(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
