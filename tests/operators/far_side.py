"""An operator's server in the hands of a test: it answers with exactly the bytes it was given, and counts."""

import socket
import threading
import time
from types import TracebackType
from typing import Self

HEAD_END = b"\r\n\r\n"


def http(body: bytes, *, status: int = 200, length: int | None = None, more: str = "") -> bytes:
    """One HTTP answer; `length` may promise more than there is."""
    promised = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Length: {promised}\r\n{more}\r\n".encode() + body


class FarSide:
    """Answers every request alike, then closes the connection; `pause_seconds` is waited before each piece."""

    def __init__(self, *pieces: bytes, pause_seconds: float = 0.0) -> None:
        self._pieces = pieces
        self._pause_seconds = pause_seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._is_over = threading.Event()
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v2/"

    def answer(self, request: bytes) -> tuple[bytes, ...]:
        """The pieces sent in answer to one request."""
        return self._pieces

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=10)

    def _serve(self) -> None:
        while not self._is_over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        try:
            self.requests.append(_read_request(connection))
            for piece in self.answer(self.requests[-1]):
                if self._pause_seconds:
                    time.sleep(self._pause_seconds)
                connection.sendall(piece)
        except OSError:
            pass  # the caller has gone: some tests want just that


def _read_request(connection: socket.socket) -> bytes:
    got = b""
    while HEAD_END not in got:
        got += connection.recv(65536)
    head, _, body = got.partition(HEAD_END)
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(lines.get(b"content-length", b"0")):
        body += connection.recv(65536)
    return head + HEAD_END + body
