"""The process: doors to knock at, one for all operators and, where asked for, one more for a single operator."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from sms.simulator.characters import CHARACTERS, Speech
from sms.simulator.desk import Desk
from sms.simulator.http import Connection
from sms.simulator.routes import Simulator
from sms.simulator.smpp.exchange import Exchange
from sms.simulator.smpp.link import Link

_BACKLOG = 512


Guest = TypeVar("Guest", Connection, Link)


class Door(Generic[Guest]):
    """A listening port that can be shut for real: while it is, connecting is refused and nothing leaves the caller.

    `receive` makes what speaks on a connection; it is given the set in which it stands while the connection lasts.
    """

    def __init__(self, receive: Callable[[set[Guest]], Guest], *, host: str, port: int) -> None:
        self._receive: Callable[[set[Guest]], Guest] = receive
        self._host = host
        self.port = port
        self._listener: socket.socket | None = None
        self._connections: set[Guest] = set()
        self._arriving: set[asyncio.Task[None]] = set()
        self.open()

    def open(self) -> None:
        """Listen; does nothing when open already."""
        if self._listener is None:
            self._listener = socket.create_server((self._host, self.port), backlog=_BACKLOG)
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            asyncio.get_running_loop().add_reader(self._listener, self._welcome, self._listener)

    def shut(self) -> None:
        """Stop listening and drop every connection."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            connection.abort()

    def _welcome(self, listener: socket.socket) -> None:
        for _ in range(_BACKLOG):
            try:
                caller, _address = listener.accept()
            except OSError:
                return
            caller.setblocking(False)
            task = asyncio.ensure_future(self._connect(caller))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _connect(self, caller: socket.socket) -> None:
        if self._listener is None:  # shut while this one stood on the threshold
            caller.close()
            return
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self._receive(self._connections), caller)


async def serve(
    *, host: str, port: int, smpp_port: int, own_ports: Mapping[str, int], truth_dir: Path, seed: int
) -> None:
    """Serve until SIGINT or SIGTERM; says where on standard output once every door is open."""
    desks = {code: Desk(character, truth_dir=truth_dir, seed=seed) for code, character in CHARACTERS.items()}
    exchanges = {code: Exchange(desk) for code, desk in desks.items() if desk.character.speech is Speech.SMPP}
    own_doors: dict[str, Door[Connection] | Door[Link]] = {}

    def follow(code: str) -> None:
        if code in own_doors:
            (own_doors[code].shut if desks[code].controls.is_cut_off else own_doors[code].open)()
        if code in exchanges:
            exchanges[code].follow()

    simulator = Simulator(desks, exchanges=exchanges, on_change=follow)
    door = Door(partial(Connection, simulator.handle), host=host, port=port)
    for code, exchange in exchanges.items():
        own_doors[code] = Door(partial(Link, exchange), host=host, port=smpp_port)
        exchange.address = f"smpp://{host}:{own_doors[code].port}"
    for code, own_port in own_ports.items():
        own_doors[code] = Door(partial(Connection, simulator.handle), host=host, port=own_port)
    places = {"simulator": f"http://{host}:{door.port}"}
    places |= {
        code: f"{'smpp' if code in exchanges else 'http'}://{host}:{own.port}" for code, own in own_doors.items()
    }
    print(*(f"{name} {place}" for name, place in places.items()), flush=True)  # noqa: T201 - whoever started it reads this
    # Hundreds of thousands of receipts may wait, and none of them is ever part of a cycle.
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    await _signal()
    for each in (door, *own_doors.values()):
        each.shut()
    for desk in desks.values():
        desk.truth.close()


async def _signal() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
