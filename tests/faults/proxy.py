"""A TCP proxy that breaks connections in every way a network can, as its seed says.

    python -m tests.faults.proxy --seed 1 3000=127.0.0.1:9100 1000=127.0.0.1:2775

prints one JSON line, {"control": "http://…", "3000": 40001, "1000": 40002}, and serves until it is stopped.
`GET control/` shows what each way does and how often it did it; `POST control/NAME` with JSON changes some of it.
An *exchange* is what a caller says until the far side begins to answer; shares are drawn anew for each.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
_CHUNK = 64 * 1024
_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Faults:
    """What a way does to the connections on it; all of it nothing at the beginning."""

    is_refusing: bool = False  # nobody listens, those connected are cut
    is_silent: bool = False  # takes everything, passes nothing on
    is_deaf: bool = False  # requests are delivered, of answers nothing is passed on
    delay_ms: float = 0.0  # of each request …
    reply_delay_ms: float = 0.0  # … and of each piece of an answer
    jitter_ms: float = 0.0  # up to so much more of either
    slice_bytes: int = 0  # passed on in pieces of this size; 0 = as it comes
    bytes_per_second: int = 0  # of answers; 0 = any
    cut_request_share: float = 0.0  # of exchanges: the far side gets only the beginning of the request
    cut_reply_share: float = 0.0  # the request is delivered, its answer is not
    limit_reply_share: float = 0.0  # so many bytes of the answer are passed on, then it is cut …
    limit_bytes: int = 100
    half_close_share: float = 0.0  # the caller is told that nothing more comes, the far side is told nothing
    is_reset: bool = False  # cuts are resets, not ends


@dataclass(slots=True, eq=False)
class Connection:
    """One caller and the far side, and what is wrong with this exchange of theirs."""

    way: "Way"
    random: Random
    caller: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    is_answering: bool = True  # the next word of the caller begins an exchange
    fate: str = ""
    passed: int = 0  # bytes of this answer

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Carry both directions until one of them ends."""
        try:
            far_reader, self.far = await asyncio.open_connection(*self.way.target)
            there = asyncio.ensure_future(self._carry(reader, self.far, self._request))
            back = asyncio.ensure_future(self._carry(far_reader, self.caller, self._reply))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        except OSError:
            self.way.counts["far_side_unreachable"] += 1
        finally:
            self.cut(is_reset=self.fate != "" and self.way.faults.is_reset)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        passes: Callable[[bytes], Awaitable[bytes | None]],
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(_CHUNK):
                allowed = await passes(chunk)
                if allowed is None:
                    return
                await self._write(sink, allowed)
                if len(allowed) < len(chunk):
                    return

    async def _request(self, chunk: bytes) -> bytes | None:
        """What of the caller's words is passed on; None ends the connection."""
        faults = self.way.faults
        if self.is_answering:
            self.is_answering, self.passed = False, 0
            self.fate = self._draw(faults)
        await self._wait(faults.delay_ms)
        if faults.is_silent:
            await asyncio.Event().wait()
        return chunk[: len(chunk) // 2] if self.fate == "cut_request" else chunk

    async def _reply(self, chunk: bytes) -> bytes | None:
        faults = self.way.faults
        self.is_answering = True
        await self._wait(faults.reply_delay_ms)
        if faults.is_silent or faults.is_deaf:
            await asyncio.Event().wait()
        if self.fate == "cut_reply":
            return None
        if self.fate == "half_close":
            self.caller.write_eof()
            await asyncio.Event().wait()  # until the caller goes
        if self.fate == "limit_reply":
            chunk = chunk[: max(0, faults.limit_bytes - self.passed)]
        self.passed += len(chunk)
        return chunk

    def _draw(self, faults: Faults) -> str:
        """At most one fate an exchange."""
        drawn = self.random.random()
        for fate in ("cut_request", "cut_reply", "limit_reply", "half_close"):
            share: float = getattr(faults, f"{fate}_share")
            if drawn < share:
                self.way.counts[fate] += 1
                return fate
            drawn -= share
        return ""

    async def _wait(self, least_ms: float) -> None:
        faults = self.way.faults
        if least_ms or faults.jitter_ms:
            await asyncio.sleep((least_ms + self.random.uniform(0, faults.jitter_ms)) / 1000)

    async def _write(self, sink: asyncio.StreamWriter, content: bytes) -> None:
        faults = self.way.faults
        pace = faults.bytes_per_second if sink is self.caller else 0
        step = min(faults.slice_bytes or len(content), pace // 10 or len(content)) or 1
        for start in range(0, len(content), step):
            sink.write(content[start : start + step])
            await sink.drain()
            if step < len(content):
                await asyncio.sleep(step / pace if pace else 0)

    def cut(self, *, is_reset: bool) -> None:
        """End both sides; a reset is no polite end."""
        for writer in filter(None, (self.caller, self.far)):
            if is_reset:
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
                writer.transport.abort()
            else:
                writer.close()


class Way:
    """A port of its own that leads to one far side."""

    def __init__(self, name: str, target: tuple[str, int], seed: int) -> None:
        self.name, self.target, self._seed = name, target, seed
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()

    async def follow(self, **wanted: Any) -> None:
        """Take other faults on; those that concern the port itself at once."""
        self.faults = replace(self.faults, **wanted)
        if self.faults.is_refusing and self._server is not None:
            self._server.close()
            self._server = None
            for connection in list(self._open):
                connection.cut(is_reset=True)
        elif not self.faults.is_refusing and self._server is None:
            self._server = await asyncio.start_server(self._welcome, "127.0.0.1", self.port, backlog=512)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        random = Random(f"{self._seed}:{self.name}:{self.counts['connections']}")
        connection = Connection(self, random, writer)
        self._open.add(connection)
        try:
            await connection.run(reader)
        finally:
            self._open.discard(connection)


async def _control(ways: dict[str, Way], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path = head.split(" ", 2)[:2]
        length = next((int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0)
        body = json.loads(await reader.readexactly(length) or b"{}")
        status, answer = "200 OK", b""
        if method == "POST":
            try:
                await ways[path.strip("/")].follow(**body)
            except (KeyError, TypeError) as error:
                status, answer = "400 Bad Request", repr(error).encode()
        told = {name: {"port": way.port, **asdict(way.faults), "counts": way.counts} for name, way in ways.items()}
        answer = answer or json.dumps(told).encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n".encode() + answer
        )
        await writer.drain()
    finally:
        writer.close()


async def serve(targets: dict[str, tuple[str, int]], *, seed: int) -> None:
    """Open a way to each far side and serve for ever."""
    ways = {name: Way(name, target, seed) for name, target in targets.items()}
    for way in ways.values():
        await way.follow()
    control = await asyncio.start_server(partial(_control, ways), "127.0.0.1", 0)
    address = f"http://127.0.0.1:{control.sockets[0].getsockname()[1]}/"
    print(json.dumps({"control": address} | {name: way.port for name, way in ways.items()}), flush=True)  # noqa: T201
    await asyncio.Event().wait()


class RunningProxy:
    """The proxy as a process of its own; `targets` are host and port of each far side by its name."""

    def __init__(self, targets: dict[str, tuple[str, int]], *, seed: int = 1) -> None:
        self._words = ["--seed", str(seed), *(f"{name}={host}:{port}" for name, (host, port) in targets.items())]
        self._process: subprocess.Popen[str]
        self.ports: dict[str, int] = {}
        self._address = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.proxy", *self._words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self._address = told.pop("control")
        self.ports = told
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def fault(self, name: str, **faults: object) -> None:
        """Change what is wrong on one way."""
        self._ask(name, json.dumps(faults).encode())

    def heal(self, name: str) -> None:
        """Nothing is wrong on it any more."""
        self.fault(name, **asdict(Faults()))

    def counts(self) -> dict[str, dict[str, int]]:
        """How often each way did what."""
        return {name: way["counts"] for name, way in self._ask("").items()}

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with urlopen(Request(self._address + path, data=body), timeout=10) as reply:  # noqa: S310 - our own address
            return json.loads(reply.read())


def main(words: list[str]) -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="tests.faults.proxy", description="A network that fails.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("ways", nargs="+", metavar="NAME=HOST:PORT")
    asked = parser.parse_args(words)
    targets = {}
    for way in asked.ways:
        name, _, place = way.partition("=")
        host, _, port = place.rpartition(":")
        targets[name] = (host, int(port))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(targets, seed=asked.seed))


if __name__ == "__main__":
    main(sys.argv[1:])
