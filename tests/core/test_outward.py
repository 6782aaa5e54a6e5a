"""Nothing is posted into a private network, whatever an address is called, resolves to or redirects to."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sms.core import outward
from sms.core.outward import Fence, NotDelivered, UnusableUrl, is_public, place_of, post

OPEN = Fence(frozenset({"http"}), None, lambda _: True)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),  # noqa: S104
        *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
        *("2002:7f00:1::", "2001:0:5ef5:79fb:0:0:80ff:fffe", "no address", ""),
    ],
)
def test_addresses_of_private_networks_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "185.143.233.1", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_open_internet_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "https://", "https:///path", "example.com", "//example.com"),
        *("https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data", "https://0/"),
        *(
            "https://user@example.com/",
            "https://a:b@example.com/",
            "https://example.com:22/",
            "https://example.com:6379/",
        ),
        *(
            "https://exa mple.com/",
            "https://example.com/\r\nX: y",
            "https://example.com\\@127.0.0.1/",
            "javascript:alert(1)",
        ),
        *("https://panel.example/", "https://PANEL.example./", "https://مثال.com/", "https://example.com/" + "a" * 500),
        "https://example.com:99999/",
    ],
)
def test_such_an_address_is_refused_as_it_is_written(url: str) -> None:
    with pytest.raises(UnusableUrl):
        place_of(url, Fence(own_hosts=frozenset({"panel.example"})))


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://example.com", ("https", "example.com", 443, "/")),
        ("https://Example.com:8443/a/b?c=d#e", ("https", "example.com", 8443, "/a/b?c=d")),
        ("https://8.8.8.8/x", ("https", "8.8.8.8", 443, "/x")),
    ],
)
def test_others_are_taken_apart(url: str, parts: tuple[str, str, int, str]) -> None:
    place = place_of(url)
    assert (place.scheme, place.host, place.port, place.path) == parts


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], ["8.8.8.8", "10.0.0.5"], ["::1"], ["8.8.8.8", "::ffff:169.254.169.254"]]
)
def test_a_name_with_one_private_address_is_refused_before_anything_is_said(answers: list[str]) -> None:
    with pytest.raises(UnusableUrl):
        post("https://rebinding.example/", b"{}", {}, resolve=lambda *_: answers)


def test_a_name_nobody_knows_is_told_apart() -> None:
    def unknown(*_: object) -> list[str]:
        raise socket.gaierror

    for resolve in (unknown, lambda *_: []):
        with pytest.raises(NotDelivered, match="not known"):
            post("https://nowhere.example/", b"{}", {}, resolve=resolve)


# Against a server


class Server(ThreadingHTTPServer):
    """Keeps what it was told, and answers as the path says."""

    heard: list[tuple[str, dict[str, str], bytes]]


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.heard.append((self.path, dict(self.headers), b""))
        self.send_response({"/here": 200, "/moved": 302}.get(self.path, 404))
        self.send_header("Location", "/here")
        self.end_headers()
        self.wfile.write("راز".encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, dict(self.headers), body))
        if self.path == "/slow":
            time.sleep(1.5)
        if self.path == "/headers":
            self._drip()
            return
        status = {"/error": 500, "/redirect": 302}.get(self.path, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        if self.path == "/drip":
            self._drip()
        elif self.path == "/huge":
            self._huge()
        else:
            self.wfile.write("پذیرفته <b>".encode())

    def _drip(self) -> None:
        try:
            for _ in range(100):
                self.wfile.write(b".")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    def _huge(self) -> None:
        try:
            for _ in range(1_000):
                self.wfile.write(b"x" * 10_000)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), _Handler)
    made.heard = []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def _at(server: Server, path: str, *, timeout_seconds: float = 5) -> outward.Answer:
    """A name that is resolved to the server, once."""
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        assert len(asked) == 1, "a name is resolved once"
        return ["127.0.0.1"]

    url = f"http://shop.example:{server.server_port}{path}"
    return post(url, b'{"a": 1}', {"X-Own": "yes"}, fence=OPEN, resolve=resolve, timeout_seconds=timeout_seconds)


def test_what_is_posted_arrives_under_its_own_name(server: Server) -> None:
    answer = _at(server, "/ok?x=1")
    assert (answer.status, answer.body.decode()) == (200, "پذیرفته <b>")
    ((path, headers, body),) = server.heard
    assert (path, body, headers["X-Own"]) == ("/ok?x=1", b'{"a": 1}', "yes")
    assert headers["Host"] == f"shop.example:{server.server_port}"


def test_a_redirect_is_an_answer_and_is_not_followed(server: Server) -> None:
    assert _at(server, "/redirect").status == 302
    assert [path for path, *_ in server.heard] == ["/redirect"]


def test_an_answer_that_takes_too_long_is_none(server: Server) -> None:
    with pytest.raises(NotDelivered, match="in time"):
        _at(server, "/slow", timeout_seconds=0.3)


def test_one_that_drips_or_never_ends_is_cut(server: Server) -> None:
    assert 0 < len(_at(server, "/drip", timeout_seconds=0.6).body) < 60
    assert len(_at(server, "/huge").body) == outward.MAX_ANSWER_BYTES


def test_headers_that_drip_are_not_waited_for(server: Server) -> None:
    with pytest.raises(NotDelivered, match="in time"):
        _at(server, "/headers", timeout_seconds=0.5)


def test_nobody_there_is_told(server: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NotDelivered):
            post(f"http://a.example:{port}/", b"", {}, fence=OPEN, resolve=lambda *_: ["127.0.0.1"])


@pytest.mark.parametrize(("path", "told"), [("/here", "راز"), ("/moved", None), ("/nowhere", None)])
def test_what_a_host_answers_is_read_where_it_answers_plainly(server: Server, path: str, told: str | None) -> None:
    host = f"shop.example:{server.server_port}"
    assert outward.read(host, path, fence=OPEN, resolve=lambda _host, _port: ["127.0.0.1"]) == told
    ((asked, headers, _body),) = server.heard
    assert (asked, headers["Host"]) == (path, host)


def test_a_private_host_is_not_read(server: Server) -> None:
    assert outward.read("localhost", "/here") is None
    assert outward.read("shop.example", "/here", resolve=lambda _host, _port: ["10.0.0.1"]) is None
    assert server.heard == []
