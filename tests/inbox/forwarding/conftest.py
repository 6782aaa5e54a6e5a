"""Servers that texts go on to: one for HTTP that answers as it is told, one for SMTP."""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from jobs import forwarding
from sms.core import outward
from sms.core.outward import Answer, Fence


class Receiver(ThreadingHTTPServer):
    """What it was told, and with which status it answers next; the last one stays."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.statuses = [200]
        self.at_once = self.most_at_once = 0
        self.pause = 0.0
        self.lock = threading.Lock()
        self.answer = "ok <img src=x onerror=alert(1)>"

    def texts(self) -> list[str]:
        """The texts that came, in order."""
        return [json.loads(body)["text"] for _, body in self.heard]


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.heard.append((dict(self.headers), body))
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
            status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        threading.Event().wait(self.server.pause)
        with self.server.lock:
            self.server.at_once -= 1
        self.send_response(status)
        self.end_headers()
        self.wfile.write(self.server.answer.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Every public name leads to it; a private one stays refused."""
    made = Receiver()
    threading.Thread(target=made.serve_forever, daemon=True).start()

    def post(url: str, body: bytes, headers: Any, *, fence: Fence) -> Answer:
        place = outward.place_of(url, fence)
        near = f"http://{place.host}:{made.server_port}{place.path}"
        there = Fence(frozenset({"http"}), None, lambda _: True)
        return outward.post(near, body, headers, fence=there, resolve=lambda *_: ["127.0.0.1"], timeout_seconds=2)

    monkeypatch.setattr(forwarding, "post", post)
    yield made
    made.shutdown()
    made.server_close()


class Mailbox(socketserver.ThreadingTCPServer):
    """Enough of SMTP to be handed e-mails; `code` is what it says to a recipient."""

    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Smtp)
        self.mails: list[str] = []
        self.recipients: list[str] = []
        self.codes = [250]
        self.signed_in: list[str] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Smtp(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 mailbox")
        while line := self.rfile.readline().decode():
            word = line.split(" ")[0].strip().upper()
            if word == "QUIT":
                self._say("221 bye")
                return
            self._answer(word, line.strip())

    def _answer(self, word: str, line: str) -> None:
        if word == "EHLO":
            self._say("250-mailbox\r\n250-AUTH PLAIN\r\n250 8BITMIME")
        elif word == "AUTH":
            self.server.signed_in.append(line)
            self._say("235 ok")
        elif word == "RCPT":
            code = self.server.codes.pop(0) if len(self.server.codes) > 1 else self.server.codes[0]
            self.server.recipients.append(line)
            self._say(f"{code} that is what I say")
        elif word == "DATA":
            self._say("354 go on")
            lines = []
            while (each := self.rfile.readline().decode()) not in {".\r\n", ""}:
                lines.append(each)
            self.server.mails.append("".join(lines))
            self._say("250 kept")
        else:
            self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def unused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
