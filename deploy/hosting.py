"""Where the embedded servers live, and as whom: PostgreSQL refuses to run as root, and nobody else may enter /root."""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from deploy.environment import VENV
from deploy.problems import Problem

ACCOUNT = "payamgah"
SYSTEM_HOME = Path("/var/lib/payamgah")


class CannotHost(Problem):
    """The embedded servers cannot run on this machine; the message names the way out."""


def service_account() -> str | None:
    """The system user that runs the servers, made when missing; None where the launcher is not root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        _make_account()
    return ACCOUNT


def _make_account() -> None:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_HOME)]
    try:
        subprocess.run([*command, "--shell", "/usr/sbin/nologin", ACCOUNT], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        raise CannotHost(
            f"PostgreSQL does not run as root, and the system user {ACCOUNT!r} could not be made ({detail}). "
            "Start the panel as an ordinary user, or give DATABASE_URL and REDIS_URL."
        ) from error


def package(name: str) -> Path:
    """The installed folder of a package that carries a server."""
    found = sorted(VENV.glob(f"lib/python3*/site-packages/{name}"))
    if not found:
        raise CannotHost(f"The package {name} is not installed; give DATABASE_URL and REDIS_URL instead.")
    return found[0]


def executable_home(name: str, account: str | None, *companions: str) -> Path:
    """The folder of package `name` where `account` may execute it: in place, or copied with its `companions`."""
    original = package(name)
    if account is None or is_open_to_all(original):
        return original
    version = next(original.parent.glob(f"{name}-*.dist-info")).name.removesuffix(".dist-info")
    home = SYSTEM_HOME / "servers" / version
    if not home.exists():
        _copy([original, *(original.parent / companion for companion in companions)], home)
    return home / name


def _copy(folders: list[Path], home: Path) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    unfinished = home.with_name(f"{home.name}.{os.getpid()}")
    for folder in folders:
        shutil.copytree(folder, unfinished / folder.name, symlinks=True)
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & stat.S_IXUSR else 0))
    for parent in (SYSTEM_HOME, home.parent):
        parent.chmod(0o755)
    try:
        unfinished.rename(home)  # whole or not at all
    except OSError:
        shutil.rmtree(unfinished)  # another start was quicker


def is_open_to_all(path: Path) -> bool:
    """Whether every user may enter `path` and the folders above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def own(path: Path, account: str | None) -> Path:
    """Make the folder `path`, private to `account` (or to whoever runs the launcher)."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    if account is not None:
        shutil.chown(path, account, account)
    return path
