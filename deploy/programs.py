"""The panel's own programs: how each is started and how one knows that it is up."""

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.environment import PYTHON, ROOT
from deploy.process import Program, is_listening

WEB_WORKERS = 2
WEB_THREADS = 8
QUICK_FOLDER = Path("/dev/shm")  # noqa: S108 - gunicorn's heartbeats; it makes a private file there


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The variables a program of the panel runs with: this process's own and the installation's settings."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"PYTHONUNBUFFERED": "1"} | dict(settings)


def python_command(module: str, *words: str) -> list[str]:
    """A command line that runs a module in the panel's environment."""
    return [str(PYTHON), "-m", module, *words]


def web_command(settings: Mapping[str, str]) -> list[str]:
    """The web server; the app is loaded once and shared by its workers."""
    heartbeats = ["--worker-tmp-dir", str(QUICK_FOLDER)] if QUICK_FOLDER.is_dir() else []
    return python_command(
        "gunicorn",
        "--preload",
        "--worker-class=gthread",
        f"--workers={WEB_WORKERS}",
        f"--threads={WEB_THREADS}",
        f"--bind={os.environ.get('HOST', '127.0.0.1')}:{settings['PORT']}",
        "--graceful-timeout=5",
        "--no-control-socket",
        *heartbeats,
        "app:create_app()",
    )


def simulator_command(settings: Mapping[str, str], port: int) -> list[str]:
    """The simulated operators, with their own truth in their own folder; `port` is for those that speak HTTP."""
    smpp_port = settings.get("SIMULATOR_SMPP_URL", "").rpartition(":")[2] or "0"
    folder = Path(settings["VAR_DIR"]) / "simulator"
    return python_command("sms.simulator", "--port", str(port), "--smpp-port", smpp_port, "--dir", str(folder))


class Programs:
    """The programs of one running installation."""

    def __init__(self, settings: Mapping[str, str], log_dir: Path) -> None:
        self._settings = settings
        self._environ = environment(settings)
        self._log_dir = log_dir

    def simulator(self, port: int) -> Program:
        """The simulated operators on `port`."""
        return self._program("simulator", simulator_command(self._settings, port), port=port)

    def tick(self) -> Program:
        """The timetable."""
        return self._program("tick", python_command("jobs.tick"))

    def worker(self) -> Program:
        """The pool of workers, one process a queue."""
        return self._program("worker", python_command("jobs.worker"))

    def web(self) -> Program:
        """The web server on the installation's port."""
        return self._program("web", web_command(self._settings), port=int(self._settings["PORT"]))

    def _program(self, name: str, command: list[str], *, port: int | None = None) -> Program:
        return Program(
            name=name,
            command=command,
            environ=self._environ,
            cwd=ROOT,
            log=self._log_dir / f"{name}.log",
            is_ready=(lambda: is_listening(port)) if port else lambda: True,
        )
