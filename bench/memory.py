"""The smaller half of P11: everything `panel.py run` starts, with nothing to do."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Figure
from bench.processes import share_megabytes, trees
from bench.running import wait_for
from deploy.environment import PYTHON, ROOT
from deploy.process import free_port, is_listening

_MOST_SECONDS = 30
_FOREIGN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "SEAL_KEY", "PAYAMGAH_MODE", "QUEUE_PREFIX", "PUBLIC_URL")


def measure(seconds: int) -> list[Figure]:
    """Start a whole panel of its own, let it idle, so that what starting needed is let go of, and weigh it."""
    with tempfile.TemporaryDirectory(prefix="payamgah-bench-") as folder, _running(Path(folder)) as pid:
        time.sleep(min(seconds, _MOST_SECONDS))
        (members,) = trees([pid])
        shared, resident = share_megabytes(members)
    return [
        Figure(
            code="P11",
            work="whole panel, idle",
            value=shared,
            unit="MB",
            target=600,
            is_ceiling=True,
            notes=[
                f"{len(members)} processes, launcher, servers and simulator among them; shared pages divided (PSS);"
                f" counted in each process they are {resident:,.0f} MB (RSS)"
            ],
        )
    ]


@contextmanager
def _running(folder: Path) -> Iterator[int]:
    port = free_port()
    own = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    with (folder / "bench.log").open("w") as log:
        launcher = subprocess.Popen(
            [str(PYTHON), "panel.py", "run"],
            cwd=ROOT,
            env=own | {"VAR_DIR": str(folder / "var"), "PORT": str(port)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: is_listening(port) or launcher.poll() is not None, what="the panel", seconds=120)
        if launcher.poll() is not None:
            raise RuntimeError("the panel did not start:\n" + (folder / "bench.log").read_text())
        yield launcher.pid
    finally:
        launcher.terminate()
        launcher.wait()
