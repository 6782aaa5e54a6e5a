"""Requests to addresses that strangers chose: never into our own network, never further than asked, never for long.

A name is resolved once, every address it has must be public, and the connection goes to exactly that address, so that a
name cannot be one thing when it is looked at and another when it is called. Redirects are not followed.
"""

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationValueError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout, parse_url

from sms.core.deadline import DeadlineResponse
from sms.core.errors import SmsError
from sms.core.text import N_

TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_URL = 500
_CHUNK_BYTES = 16 * 1024
_EMBEDDING = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("::/96"),
)  # the last four bytes are an IPv4 address

NOT_PUBLIC = N_("The address leads to a private network or to this machine; nothing is sent there.")
NO_SUCH_HOST = N_("The name of the address is not known.")
NO_ANSWER = N_("No answer came in time.")
NOT_SECURE = N_("The certificate of the address does not hold.")
NOT_REACHED = N_("The connection could not be made, or it broke off.")


class UnusableUrl(SmsError):
    """Nothing can be sent to this address."""


class NotDelivered(SmsError):
    """No whole answer came; the sentence says why."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet, also when another one is hidden in it."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        hidden = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if hidden is None and any(found in network for network in _EMBEDDING):
            hidden = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if hidden is not None:
            return is_public(str(hidden))
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


@dataclass(frozen=True, slots=True)
class Fence:
    """Where may be sent to: which schemes, ports (None: any) and addresses; never to these names of our own."""

    schemes: frozenset[str] = frozenset({"https"})
    ports: frozenset[int] | None = frozenset({443, 8443})
    allows: Callable[[str], bool] = is_public
    own_hosts: frozenset[str] = frozenset()


PUBLIC = Fence()
OPEN = Fence(schemes=frozenset({"https", "http"}), ports=frozenset({80, 443}))  # where nothing secret is said


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status and the beginning of the body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """An address taken apart."""

    scheme: str
    host: str
    port: int
    path: str
    shown: str = field(default="")


def place_of(url: str, fence: Fence = PUBLIC) -> Place:
    """The parts of an address that may be sent to as far as its letters tell; raises UnusableUrl."""
    if len(url) > MAX_URL or not url.isascii() or any(letter <= " " or letter in '\\"<>^`{|}\x7f' for letter in url):
        raise UnusableUrl(N_("Write the address as https://host/path, without blanks."))
    try:
        parts = parse_url(url)
        port = parts.port
    except (LocationValueError, ValueError):
        raise UnusableUrl(N_("Write the address as https://host/path, without blanks.")) from None
    scheme = (parts.scheme or "").lower()
    host = (parts.host or "").lower().rstrip(".").strip("[]")
    if scheme not in fence.schemes or not host:
        raise UnusableUrl(N_("The address must begin with https:// and name a host."))
    if parts.auth is not None:
        raise UnusableUrl(N_("An address with a user name in it is not taken; the signature proves who we are."))
    port = port or {"https": 443}.get(scheme, 80)
    if fence.ports is not None and port not in fence.ports:
        raise UnusableUrl(N_("Only the ports %(ports)s are taken."), ports=sorted(fence.ports))
    literal = _literal(host)
    if host in fence.own_hosts or (literal is not None and not fence.allows(literal)):
        raise UnusableUrl(NOT_PUBLIC)
    return Place(scheme, host, port, parts.request_uri or "/")


def _literal(host: str) -> str | None:
    """The IP address that stands in place of a name, in any of its spellings (127.1, 0x7f000001, 2130706433)."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host.partition("%")[0]))
    with contextlib.suppress(OSError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return None


Resolver = Callable[[str, int], list[str]]


def addresses_of(host: str, port: int) -> list[str]:
    """Every address of a name, in the order in which they are to be tried."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    fence: Fence = PUBLIC,
    resolve: Resolver = addresses_of,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send a body to an address and return what it said, whatever it said. Raises UnusableUrl when nothing may be sent
    there, NotDelivered when no answer came."""
    return _ask("POST", url, body, headers, fence=fence, resolve=resolve, timeout_seconds=timeout_seconds)


def read(host: str, path: str, *, fence: Fence = OPEN, resolve: Resolver = addresses_of) -> str | None:
    """What a host answers at a path, over TLS or, without it, in the open; None without a plain 200."""
    for scheme in ("https", "http"):
        with contextlib.suppress(UnusableUrl, NotDelivered):
            url = f"{scheme}://{host}{path}"
            answer = _ask("GET", url, None, {}, fence=fence, resolve=resolve, timeout_seconds=TIMEOUT_SECONDS)
            if answer.status == HTTPStatus.OK:
                return answer.body.decode("utf-8", "replace")
    return None


def _ask(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    fence: Fence,
    resolve: Resolver,
    timeout_seconds: float,
) -> Answer:
    deadline = time.monotonic() + timeout_seconds
    place = place_of(url, fence)
    try:
        addresses = resolve(place.host, place.port)
    except OSError:
        raise NotDelivered(NO_SUCH_HOST) from None
    if not addresses:
        raise NotDelivered(NO_SUCH_HOST)
    if not all(fence.allows(address) for address in addresses):
        raise UnusableUrl(NOT_PUBLIC)
    pool = _pool(place, addresses[0])
    try:
        response = pool.urlopen(
            method,
            place.path,
            body=body,
            headers={"Host": _host_header(place), **headers},
            timeout=Timeout(total=max(0.1, deadline - time.monotonic())),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        return Answer(response.status, _beginning(response))
    except (HTTPError, OSError) as error:
        raise NotDelivered(_reason(error)) from None
    finally:
        pool.close()


def _pool(place: Place, address: str) -> urllib3.HTTPConnectionPool:
    """Connections to exactly this address; the certificate must be that of the name."""
    if place.scheme != "https":
        return _Pool(address, place.port, maxsize=1)
    options: dict[str, Any] = {"server_hostname": place.host, "assert_hostname": place.host}
    return _SecurePool(address, place.port, maxsize=1, **options)


def _host_header(place: Place) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return host if place.port == {"https": 443, "http": 80}[place.scheme] else f"{host}:{place.port}"


def _beginning(response: BaseHTTPResponse) -> bytes:
    """As much of the answer as is taken; whoever goes on for longer is hung up on."""
    found = b""
    try:
        while len(found) < MAX_ANSWER_BYTES and (chunk := response.read1(_CHUNK_BYTES)):
            found += chunk
    except (HTTPError, OSError):  # the status is known; how long somebody goes on talking is his affair
        pass
    response.close()
    return found[:MAX_ANSWER_BYTES]


def _reason(error: Exception) -> str:
    told = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in told or "doesn't match" in told:
        return NOT_SECURE
    return NO_ANSWER if isinstance(error, TimeoutError) or "timed out" in told else NOT_REACHED


class _Connection(HTTPConnection):
    response_class = DeadlineResponse


class _SecureConnection(HTTPSConnection):
    response_class = DeadlineResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
