"""The HTTP client under the adapters: what it tells apart, and where it stops."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sms.operators.contract import Unanswered, Unreachable
from sms.operators.protocols.http import MAX_BODY_BYTES, HttpClient
from tests.operators.far_side import FarSide, http

SECRET = {"Authorization": "Basic c2VzYW1l"}


def client(url: str, *, timeout_seconds: float = 5.0) -> HttpClient:
    return HttpClient(base_url=url, headers=SECRET, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize("url", ["", "ftp://host/", "http://", "just words", "http://[::1"])
def test_an_unusable_address(url: str) -> None:
    with pytest.raises(Unreachable):
        client(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", f"http://{'a' * 70}.example/"])
def test_no_connection_means_nothing_left(url: str) -> None:
    http_client = client(url)
    with pytest.raises(Unreachable) as caught:
        http_client.post_json("send", b"{}")
    assert "c2VzYW1l" not in repr(caught.value) + repr(caught.value.__cause__)
    http_client.close()


def test_the_request_is_sent_once_with_its_headers() -> None:
    with FarSide(http(b"{}")) as far_side:
        http_client = client(far_side.url)
        reply = http_client.post_json("send", b"[1]")
        http_client.close()
    assert (reply.status, reply.body, reply.is_whole) == (200, b"{}", True)
    (request,) = far_side.requests
    assert request.startswith(b"POST /v2/send HTTP/1.1\r\n")
    assert b"Authorization: Basic c2VzYW1l\r\n" in request
    assert request.endswith(b"\r\n\r\n[1]")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"SSH-2.0-OpenSSH\r\n"])
def test_no_status_line_is_no_answer_and_no_second_request(answer: bytes) -> None:
    with FarSide(answer) as far_side:
        http_client = client(far_side.url)
        with pytest.raises(Unanswered):
            http_client.post_json("send", b"{}")
        http_client.close()
    assert len(far_side.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with FarSide(http(b"", status=status, more="Location: /elsewhere\r\n")) as far_side:
        http_client = client(far_side.url)
        assert http_client.post_json("send", b"{}").status == status
        http_client.close()
    assert len(far_side.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_errors_are_not_repeated(status: int) -> None:
    with FarSide(http(b"busy", status=status, more="Retry-After: 0\r\n")) as far_side:
        http_client = client(far_side.url)
        assert http_client.get("balance").status == status
        http_client.close()
    assert len(far_side.requests) == 1


def test_a_body_that_breaks_off_is_given_as_far_as_it_came() -> None:
    with FarSide(http(b'{"status":0,', length=500)) as far_side:
        http_client = client(far_side.url)
        reply = http_client.get("balance")
        http_client.close()
    assert (reply.body, reply.is_whole) == (b'{"status":0,', False)


def test_a_body_without_end_is_cut_at_the_limit() -> None:
    with FarSide(b"HTTP/1.1 200 OK\r\n\r\n", *[b" " * MAX_BODY_BYTES] * 3) as far_side:
        http_client = client(far_side.url)
        reply = http_client.get("balance")
        http_client.close()
    assert (len(reply.body), reply.is_whole) == (MAX_BODY_BYTES, False)


def test_a_compressed_bomb_stays_packed() -> None:
    with FarSide(http(b"\x1f\x8b" + b"\0" * 100, more="Content-Encoding: gzip\r\n")) as far_side:
        http_client = client(far_side.url)
        assert len(http_client.get("balance").body) == 102
        http_client.close()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "], ids=["body", "head"]
)
def test_dripping_bytes_do_not_stretch_the_time_limit(head: bytes) -> None:
    with FarSide(head, *[b"x"] * 40, pause_seconds=0.1) as far_side:
        http_client = client(far_side.url, timeout_seconds=0.5)
        started = time.monotonic()
        with suppress(Unanswered):
            assert not http_client.get("balance").is_whole
        assert time.monotonic() - started < 3  # the drip alone would take four seconds and more
        http_client.close()


def test_a_connection_is_kept_and_used_again() -> None:
    accepted: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for number in range(3):
                while not connection.recv(65536).endswith(b"\r\n\r\n"):
                    pass
                accepted.append(number)
                connection.sendall(http(b"{}"))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    http_client = client(f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert [http_client.get("balance").status for _ in range(3)] == [200] * 3
    http_client.close()
    thread.join(timeout=5)
    listener.close()
    assert accepted == [0, 1, 2]


def test_a_certificate_nobody_vouches_for_is_not_talked_to(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                heard.append(secure.recv(100))
        except OSError:
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    http_client = client(f"https://127.0.0.1:{listener.getsockname()[1]}")
    with pytest.raises(Unreachable):
        http_client.post_json("send", b"{}")
    http_client.close()
    thread.join(timeout=5)
    listener.close()
    assert heard == []


def _self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    pem = folder / "self.pem"
    pem.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem
