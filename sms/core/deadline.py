"""One moment by which a whole answer over HTTP must be there; a socket's own timeout starts anew with every byte."""

import http.client
import io
import socket
import time
from typing import Any


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until that moment."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        # urllib3 has just set what is left of the total on the socket.
        left = sock.gettimeout()
        self._deadline = None if left is None else time.monotonic() + left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class DeadlineResponse(http.client.HTTPResponse):
    """A response whose status, headers and body must all come within what is left of the time; a connection class names
    it as its `response_class`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(sock))
