"""What processes cost, read from /proc: CPU and memory of a process and all it started."""

import ctypes
import gc
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from redis import Redis

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 0.5


def postgres_pid(database_url: str) -> int:
    """The server's first process, which started every other one of it."""
    with psycopg.connect(database_url) as connection:
        backend = connection.execute("SELECT pg_backend_pid()").fetchone()
        return int(_stat(backend[0])[1]) if backend else 0


def valkey_pid(redis_url: str) -> int:
    """The process of the queue's server."""
    with Redis.from_url(redis_url) as valkey:
        return int(valkey.info("server")["process_id"])


def trees(pids: Iterable[int]) -> list[list[int]]:
    """Each process with all that it started and that still runs; one look around for all of them."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (found := _stat(int(folder.name))):
            children[int(found[1])].append(int(folder.name))
    return [_below(pid, children) for pid in pids]


def _below(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    known = [pid]
    for each in known:  # grows while it is walked
        known.extend(children.get(each, ()))
    return known


def cpu_seconds(members: Iterable[int]) -> float:
    """CPU that processes have used so far, with what they started and that ended and was waited for."""
    fields = [_stat(pid) for pid in members]
    return sum(int(ticks) for found in fields if found for ticks in found[11:15]) / _TICKS


def _stat(pid: int) -> list[str]:
    """The fields of `stat` from the state on; empty when the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def peak_megabytes(pid: int | str) -> float:
    """The most memory one process has held so far; 0 when it is gone."""
    return _of_status(pid, "VmHWM")


def private_megabytes(pid: int) -> float:
    """The memory one process holds that no other shares, for servers whose shared pages count in each of them."""
    return _of_status(pid, "RssAnon")


def _of_status(pid: int | str, name: str) -> float:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":")), 0.0)


def forget_peak() -> None:
    """Begin this process's peak anew; what was made for a measurement is given back first, and is not counted in it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    (_PROC / "self" / "clear_refs").write_text("5")


def share_megabytes(members: Iterable[int]) -> tuple[float, float]:
    """(PSS, RSS) of processes together: shared pages divided among those who share them, and counted in each."""
    pss = rss = 0
    for each in members:
        try:
            lines = (_PROC / str(each) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        pss += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        rss += sum(int(line.split()[1]) for line in lines if line.startswith("Rss:"))
    return pss / 1024, rss / 1024


class Watch:
    """CPU and peak memory of named process trees between two moments."""

    def __init__(self, pids: Mapping[str, int], *, servers: frozenset[str] = frozenset({"PostgreSQL"})) -> None:
        self._pids = pids
        self._servers = servers
        self._before = self._cpu()
        self._ended = threading.Event()
        self._peaks: dict[str, dict[int, float]] = defaultdict(dict)
        self.cpu_seconds: dict[str, float] = {}

    def _cpu(self) -> dict[str, float]:
        return dict(zip(self._pids, map(cpu_seconds, trees(self._pids.values())), strict=True))

    def peaks(self) -> dict[str, float]:
        """The largest single process of each tree, in MB."""
        return {name: max(found.values(), default=0.0) for name, found in self._peaks.items()}

    def look(self) -> None:
        """Note how large everything is now; forked children that end soon are met only by looking often."""
        for name, members in zip(self._pids, trees(self._pids.values()), strict=True):
            read = private_megabytes if name in self._servers else peak_megabytes
            for each in members:
                self._peaks[name][each] = max(self._peaks[name].get(each, 0.0), read(each))

    def run(self) -> None:
        """Look until the watch ends."""
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()

    def end(self) -> None:
        """Take the last look and the CPU used."""
        self._ended.set()
        self.look()
        after = self._cpu()
        self.cpu_seconds = {name: after[name] - self._before[name] for name in after}


@contextmanager
def watching(pids: Mapping[str, int]) -> Iterator[Watch]:
    """Watch named trees for as long as the block lasts; the figures are complete after it."""
    watch = Watch(pids)
    looker = threading.Thread(target=watch.run, daemon=True)
    looker.start()
    try:
        yield watch
    finally:
        watch.end()
        looker.join()
