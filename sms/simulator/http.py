"""A small HTTP/1.1 server: on each connection one answer after another, and a limit on all that comes in."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple, cast
from urllib.parse import parse_qsl, unquote

MAX_HEAD_BYTES = 32 * 1024
MAX_BODY_BYTES = 1024 * 1024
_HEAD_END = b"\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}

log = logging.getLogger(__name__)


class Request(NamedTuple):
    """One request, whole."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str
    body: bytes
    is_last: bool  # the caller wants the connection closed after it
    fields: str = ""  # the query as it came


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, and how it is to go wrong."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    location: str = ""
    delay_seconds: float = 0.0
    cut_at: int | None = None  # so many bytes of the body are sent, then the connection is closed
    is_silence: bool = False  # never answer
    is_hang_up: bool = False  # close at once


SILENCE = Reply(is_silence=True)
HANG_UP = Reply(is_hang_up=True)
Handler = Callable[[Request], Reply]


class _BadRequest(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _Head(NamedTuple):
    method: str
    target: str
    authorization: str
    length: int
    is_last: bool
    expects_continue: bool


class Connection(asyncio.Protocol):
    """Reads requests off one connection; the next is looked at when the one before it is answered."""

    def __init__(self, handle: Handler, open_connections: "set[Connection]") -> None:
        self._handle = handle
        self._open = open_connections
        self._inbox = bytearray()
        self._head: _Head | None = None
        self._is_busy = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)

    def abort(self) -> None:
        """Drop the connection this instant."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        if not self._is_busy:
            self._advance()
        elif len(self._inbox) > MAX_BODY_BYTES:
            self._transport.pause_reading()

    def _advance(self) -> None:
        while not self._is_busy and not self._transport.is_closing():
            try:
                request = self._next_request()
            except _BadRequest as bad:
                self._write(Reply(status=bad.status), is_last=True)
                return
            if request is None:
                return
            self._is_busy = True
            self._answer(request)

    def _answer(self, request: Request) -> None:
        try:
            reply = self._handle(request)
        except Exception:
            log.exception("%s %s", request.method, request.path)
            reply = Reply(status=500)
        if reply.delay_seconds:
            asyncio.get_running_loop().call_later(reply.delay_seconds, self._finish_later, reply, request.is_last)
        elif not reply.is_silence:
            self._finish(reply, is_last=request.is_last)

    def _finish_later(self, reply: Reply, is_last: bool) -> None:
        if not self._transport.is_closing():
            self._finish(reply, is_last=is_last)
            self._advance()

    def _finish(self, reply: Reply, *, is_last: bool) -> None:
        if reply.is_hang_up:
            self._transport.abort()
            return
        self._write(reply, is_last=is_last)
        self._is_busy = False
        self._transport.resume_reading()

    def _write(self, reply: Reply, *, is_last: bool) -> None:
        head = (
            f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}\r\n"
            f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"
            + (f"Location: {reply.location}\r\n" if reply.location else "")
            + ("Connection: close\r\n\r\n" if is_last else "\r\n")
        ).encode()
        self._transport.write(head + (reply.body if reply.cut_at is None else reply.body[: reply.cut_at]))
        if is_last or reply.cut_at is not None:
            self._transport.close()

    def _next_request(self) -> Request | None:
        head = self._head or self._next_head()
        if head is None:
            return None
        if len(self._inbox) < head.length:
            if head.expects_continue and self._head is None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._head = head
            return None
        body = bytes(self._inbox[: head.length])
        del self._inbox[: head.length]
        self._head = None
        path, _, query = head.target.partition("?")
        fields = dict(parse_qsl(query))
        return Request(head.method, unquote(path), fields, head.authorization, body, head.is_last, query)

    def _next_head(self) -> _Head | None:
        end = self._inbox.find(_HEAD_END)
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._inbox) > MAX_HEAD_BYTES):
            raise _BadRequest(431)
        if end < 0:
            return None
        lines = self._inbox[:end].decode("latin-1").split("\r\n")
        del self._inbox[: end + len(_HEAD_END)]
        return _parse_head(lines)


def _parse_head(lines: list[str]) -> _Head:
    try:
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise _BadRequest(400) from None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers:
        raise _BadRequest(411)
    if not (length.isascii() and length.isdigit()):
        raise _BadRequest(400)
    if int(length) > MAX_BODY_BYTES:
        raise _BadRequest(413)
    wish = headers.get("connection", "").lower()
    return _Head(
        method,
        target,
        headers.get("authorization", ""),
        int(length),
        wish == "close" or (version == "HTTP/1.0" and wish != "keep-alive"),
        "expect" in headers,
    )
