"""The process: doors to knock at, one for all operators and, where asked for, one more for a single operator."""

import asyncio
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from sms.simulator.characters import CHARACTERS
from sms.simulator.desk import Desk
from sms.simulator.http import Connection, Handler
from sms.simulator.routes import Simulator

_BACKLOG = 512


class Door:
    """A listening port that can be shut for real: while it is, connecting is refused and nothing leaves the caller."""

    def __init__(self, handle: Handler, *, host: str, port: int) -> None:
        self._handle = handle
        self._host = host
        self.port = port
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()
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
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Connection(self._handle, self._connections), caller
        )


async def serve(*, host: str, port: int, own_ports: Mapping[str, int], truth_dir: Path, seed: int) -> None:
    """Serve until SIGINT or SIGTERM; says where on standard output once every door is open."""
    desks = {code: Desk(character, truth_dir=truth_dir, seed=seed) for code, character in CHARACTERS.items()}
    own_doors: dict[str, Door] = {}

    def follow(code: str) -> None:
        if code in own_doors:
            (own_doors[code].shut if desks[code].controls.is_cut_off else own_doors[code].open)()

    simulator = Simulator(desks, on_change=follow)
    door = Door(simulator.handle, host=host, port=port)
    own_doors |= {code: Door(simulator.handle, host=host, port=own) for code, own in own_ports.items()}
    places = {"simulator": door.port, **{code: own.port for code, own in own_doors.items()}}
    print(*(f"{name} http://{host}:{at}" for name, at in places.items()), flush=True)  # noqa: T201 - whoever started it reads this
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    for each in (door, *own_doors.values()):
        each.shut()
    for desk in desks.values():
        desk.truth.close()
