"""What the launcher's words do once the environment is there."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from deploy.archive import Opened, opened
from deploy.environment import ROOT
from deploy.instance import CannotRun, Instance, open_instance
from deploy.process import falls_silent
from deploy.programs import Programs, environment, python_command, simulator_command, web_command
from deploy.servers import Postgres, Valkey
from deploy.supervisor import Supervisor, say
from deploy.throwaway import throw_away_servers

SAMPLE_USERS = ("admin", "reseller", "subreseller", "subcustomer", "customer")
SAMPLE_PASSWORD = "payamgah-sample"  # noqa: S105 - public, and refused in production


def run() -> int:
    """Everything, until a signal: servers, migrations, sample data, simulator, timetable, workers, web."""
    instance = open_instance(os.environ)
    with instance.alone():
        mode = _mode(instance)
        servers = instance.servers()
        simulator_port = instance.port("simulator") if mode == "sample" else None
        settings = instance.settings(servers, mode=mode, simulator_port=simulator_port)
        if not falls_silent(int(settings["PORT"])):
            raise CannotRun(f"Port {settings['PORT']} is in use; PORT=8001 python3 panel.py run takes another.")
        instance.remember(settings=settings, launcher_pid=os.getpid())
        programs = Programs(settings, instance.log_dir)
        with Supervisor() as supervisor:
            supervisor.start(*(server.program(instance.log_dir / "servers.log") for server in servers))
            if simulator_port:
                supervisor.launch(programs.simulator(simulator_port))
            _prepare_database(settings, with_sample=mode == "sample")
            supervisor.start(programs.tick(), programs.worker(), programs.web())
            _welcome(settings)
            supervisor.watch()
    say("Stopped.")
    return 0


def _mode(instance: Instance) -> str:
    before: str | None = instance.remembered().get("settings", {}).get("PAYAMGAH_MODE")
    mode = instance.environ.get("PAYAMGAH_MODE") or before or "sample"
    if before == "production" and mode == "sample":
        raise CannotRun(f"{instance.var_dir} is in production; sample data does not go there. Choose another VAR_DIR.")
    return mode


def _prepare_database(settings: Mapping[str, str], *, with_sample: bool) -> None:
    words = ["--sample-data"] if with_sample else []
    done = subprocess.run(python_command("deploy.prepare", *words), cwd=ROOT, env=environment(settings), check=False)
    if done.returncode != 0:
        raise CannotRun("The database could not be prepared; the reason stands above.")


def _welcome(settings: Mapping[str, str]) -> None:
    say(f"\nPayamgah is running at {settings['PUBLIC_URL']}")
    if settings["PAYAMGAH_MODE"] == "sample":
        say(f"Sign in as {', '.join(SAMPLE_USERS)}; the password of each is {SAMPLE_PASSWORD}")
    say(f"Data and logs are in {settings['VAR_DIR']}. Ctrl-C stops everything.\n")


def stop() -> int:
    """Stop the running installation from another terminal."""
    instance = open_instance(os.environ)
    say("Stopped." if instance.stop() else f"Nothing runs in {instance.var_dir}.")
    return 0


def alone(word: str, rest: Sequence[str]) -> NoReturn:
    """Become one program of the panel: web, worker, tick or simulator, as on a machine of its own."""
    instance = open_instance(os.environ)
    settings = _given_or_running(instance)
    if settings is None:
        raise CannotRun(
            f"Nothing runs in {instance.var_dir}. Start the panel with: python3 panel.py run; "
            "or give DATABASE_URL, REDIS_URL, SECRET_KEY and SEAL_KEY."
        )
    if word == "web":
        command = web_command(settings)
    elif word == "simulator":
        command = simulator_command(settings, int(settings.get("SIMULATOR_URL", "").rpartition(":")[2] or 8100))
    else:
        command = python_command(f"jobs.{word}")
    _become([*command, *rest], settings)


def _given_or_running(instance: Instance) -> Mapping[str, str] | None:
    known: dict[str, str] = instance.remembered().get("settings", {})
    given = instance.given()
    has_servers = {"DATABASE_URL", "REDIS_URL"} <= given.keys()
    is_known = not has_servers or known.get("DATABASE_URL") == given["DATABASE_URL"]
    if is_known and (has_servers or instance.is_running()):
        return known | given
    # A machine among several makes up no keys of its own: the settings refuse to start without them.
    return {"PORT": "8000", "VAR_DIR": str(instance.var_dir)} | given if has_servers else None


def flask(words: Sequence[str]) -> int:
    """One of Flask's commands with the installation's settings; its servers are started for it when they are down."""
    instance = open_instance(os.environ)
    command = python_command("flask", "--app", "app", *words)
    settings = _given_or_running(instance)
    if settings is not None:
        _become(command, settings)
    exit_code = 1
    with instance.alone(), Supervisor() as supervisor:
        servers = instance.servers()
        is_new = any(isinstance(server, Postgres) and not server.data.exists() for server in servers)
        port = instance.port("simulator") if _mode(instance) == "sample" else None
        settings = instance.settings(servers, mode=_mode(instance), simulator_port=port)
        supervisor.start(*(server.program(instance.log_dir / "servers.log") for server in servers))
        if is_new:
            _prepare_database(settings, with_sample=False)
        exit_code = subprocess.run(command, cwd=ROOT, env=environment(settings), check=False).returncode
    return exit_code


def backup(words: Sequence[str]) -> int:
    """Write everything into one file; the panel may run meanwhile."""
    instance = open_instance(os.environ)
    command = python_command("deploy.backup", *_absolute(words))
    settings = _given_or_running(instance)
    if settings is not None:
        _become(command, settings)
    with instance.alone(), Supervisor() as supervisor:
        servers = instance.servers()
        if any(isinstance(server, Postgres) and not server.data.exists() for server in servers):
            raise CannotRun(f"There is nothing to back up in {instance.var_dir}.")
        settings = instance.settings(servers, mode=_mode(instance), simulator_port=None)
        supervisor.start(*(server.program(instance.log_dir / "servers.log") for server in servers))
        return subprocess.run(command, cwd=ROOT, env=environment(settings), check=False).returncode
    return 1


def restore(words: Sequence[str]) -> int:
    """Put a stopped installation back to what a backup holds."""
    instance = open_instance(os.environ)
    words = _absolute(words)
    files = [word for word in words if not word.startswith("-")]
    if not files:
        raise CannotRun("Say which file: python3 panel.py restore FILE")
    beginning = opened(Path(files[0]))
    with instance.alone(), Supervisor() as supervisor:
        servers = instance.servers()
        settings = _to_restore(instance, servers, beginning)
        supervisor.start(*(server.program(instance.log_dir / "servers.log") for server in servers))
        command = python_command("deploy.restore", *words)
        exit_code = subprocess.run(command, cwd=ROOT, env=environment(settings), check=False).returncode
        if exit_code == 0 and servers:
            if beginning.secrets:
                instance.keep_keys(secret_key=settings["SECRET_KEY"], seal_key=settings["SEAL_KEY"])
            instance.remember(settings=settings)  # above all its mode: real customers never start as a sample
        return exit_code
    return 1


def _to_restore(instance: Instance, servers: list[Postgres | Valkey], beginning: Opened) -> Mapping[str, str]:
    """The settings to restore with: those of this installation, and what only the backup knows."""
    own_keys = {name: key for name, key in beginning.secrets.items() if not instance.environ.get(name)}
    if not servers:
        return dict(_given_or_running(instance) or instance.given()) | own_keys
    before: str | None = instance.remembered().get("settings", {}).get("PAYAMGAH_MODE")
    mode = instance.environ.get("PAYAMGAH_MODE") or before or beginning.manifest.mode
    port = instance.port("simulator") if mode == "sample" else None
    return instance.settings(servers, mode=mode, simulator_port=port) | own_keys


def _absolute(words: Sequence[str]) -> list[str]:
    # The programs run in another folder than the one the person is in.
    return [word if word.startswith("-") else str(Path(word).absolute()) for word in words]


def test(arguments: Sequence[str]) -> NoReturn:
    """Everything that must pass: a process a core and one more, as some tests only wait. Who is done early takes over
    what another one has not begun."""
    is_spread = any(word.startswith(("-n", "--numprocesses")) for word in arguments)
    spread = [] if is_spread else ["-n", str(_cores() + 1), "--dist", "worksteal"]
    _become(python_command("pytest", *spread, *arguments), {})


def faults(arguments: Sequence[str]) -> NoReturn:
    """A panel of its own that is made to fail in every way, and what became of it."""
    _become(python_command("tests.faults", *arguments), {})


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def bench(arguments: Sequence[str]) -> int:
    """The figures, on servers of their own that write to disk as in earnest."""
    with throw_away_servers(durable=True) as addresses, tempfile.TemporaryDirectory(prefix="payamgah-bench-") as folder:
        settings = {
            "PAYAMGAH_MODE": "test",
            "DATABASE_URL": addresses.database_url,
            "REDIS_URL": addresses.redis_url,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SEAL_KEY": secrets.token_urlsafe(48),
            "VAR_DIR": folder,
        }
        _prepare_database(settings, with_sample=False)
        command = python_command("bench", *arguments)
        return subprocess.run(command, cwd=ROOT, env=environment(settings), check=False).returncode


def _become(command: Sequence[str], settings: Mapping[str, str]) -> NoReturn:
    os.chdir(ROOT)
    os.execve(command[0], list(command), environment(settings))  # noqa: S606 - no shell is what is wanted
