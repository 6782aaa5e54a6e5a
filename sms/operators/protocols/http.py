"""HTTP as money wants it: no retries, no redirects, one deadline for all, and a word on what may have left us."""

import logging
from dataclasses import dataclass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout, Url, parse_url

from sms.core.deadline import DeadlineResponse
from sms.core.text import N_
from sms.operators.contract import NOTHING_LEFT, UNKNOWN_FATE, Unanswered, Unreachable

UNUSABLE_ADDRESS = N_("The operator's address must begin with http:// or https:// and name a host.")

HTTP_SCHEMES = ("http", "https")
MAX_BODY_BYTES = 2 * 1024 * 1024  # two hundred records that repeat a long text take more than one
CONNECT_SECONDS = 10.0
_CHUNK_BYTES = 64 * 1024
_USER_AGENT = "payamgah"

# What urllib3 logs names whole addresses, and an operator's key may stand in one.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back; `is_whole` is false when it broke off, ran out of time or was longer than allowed."""

    status: int
    body: bytes
    is_whole: bool


class HttpClient:
    """One account's connections to one operator, for several threads; `headers` may hold secrets and are never told."""

    def __init__(
        self, *, base_url: str, headers: dict[str, str], timeout_seconds: float = 30.0, concurrency: int = 8
    ) -> None:
        try:
            url = parse_url(base_url)
        except LocationValueError:
            url = Url()
        if url.scheme not in HTTP_SCHEMES or not url.host:
            raise Unreachable(UNUSABLE_ADDRESS)
        self._prefix = (url.path or "").rstrip("/")
        self._headers = {"User-Agent": _USER_AGENT, "Accept": "application/json", **headers}
        self._timeout_seconds = timeout_seconds
        pool_class = _SecurePool if url.scheme == "https" else _Pool
        # No proxy, no retry, no redirect: each of them could send a request a second time behind our back.
        self._pool = pool_class(url.host, url.port, maxsize=concurrency, retries=False, headers=self._headers)

    def get(self, path: str) -> HttpReply:
        """Ask; raises Unreachable or Unanswered."""
        return self._exchange("GET", path)

    def post_json(self, path: str, body: bytes) -> HttpReply:
        """Tell; raises Unreachable when nothing left us, Unanswered when not even a status line came back."""
        return self._exchange("POST", path, body, "application/json")

    def post_form(self, path: str, form: str, *, within_seconds: float | None = None) -> HttpReply:
        """As `post_json`, with a form that is encoded already; `within_seconds` may shorten the time limit."""
        return self._exchange("POST", path, form.encode("ascii"), "application/x-www-form-urlencoded", within_seconds)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "",
        within_seconds: float | None = None,
    ) -> HttpReply:
        headers = {**self._headers, "Content-Type": content_type} if content_type else self._headers
        limit = self._timeout_seconds if within_seconds is None else min(self._timeout_seconds, within_seconds)
        try:
            response = self._pool.urlopen(
                method,
                f"{self._prefix}/{path}",
                body=body,
                headers=headers,
                timeout=Timeout(total=limit, connect=min(limit, CONNECT_SECONDS)),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (NewConnectionError, ConnectTimeoutError, LocationValueError) as error:
            raise Unreachable(NOTHING_LEFT) from error
        except SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):  # judged before the first byte of the request
                raise Unreachable(NOTHING_LEFT) from error
            raise Unanswered(UNKNOWN_FATE) from error
        except (HTTPError, OSError) as error:
            raise Unanswered(UNKNOWN_FATE) from error
        return _read(response)


def _read(response: BaseHTTPResponse) -> HttpReply:
    chunks: list[bytes] = []
    size = 0
    try:
        while size <= MAX_BODY_BYTES and (chunk := response.read1(_CHUNK_BYTES)):
            chunks.append(chunk)
            size += len(chunk)
        is_whole = size <= MAX_BODY_BYTES
    except (HTTPError, OSError):
        is_whole = False
    if is_whole:
        response.release_conn()
    else:
        response.close()  # what is left on this connection belongs to nobody
    return HttpReply(response.status, b"".join(chunks)[:MAX_BODY_BYTES], is_whole)


class _Connection(HTTPConnection):
    response_class = DeadlineResponse


class _SecureConnection(HTTPSConnection):
    response_class = DeadlineResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
