"""Asking a foreign web server, warily: only public addresses, connected to as they were resolved, no redirects, a
little of the answer, a few seconds."""

import ipaddress
import socket

import urllib3

_TIMEOUT = urllib3.Timeout(connect=3.0, read=3.0)
_MOST_BYTES = 2_000
_PORTS = {"https": 443, "http": 80}


def is_public(address: str) -> bool:
    """Whether an address is one of the internet and of no network of ours."""
    found = ipaddress.ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return found.is_global and not found.is_multicast and (mapped is None or is_public(str(mapped)))


def addresses_of(host: str) -> list[str]:
    """What a host resolves to; nothing when it does not, or when any of it is not public."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)}
    except (OSError, UnicodeError):
        return []
    return sorted(found) if all(map(is_public, found)) else []


def read(host: str, path: str) -> str | None:
    """What a host answers at a path, over TLS or, without it, in the open; None without a plain 200."""
    for address in addresses_of(host)[:2]:
        for scheme in _PORTS:
            if (text := _ask(scheme, address, host, path)) is not None:
                return text
    return None


def _ask(scheme: str, address: str, host: str, path: str) -> str | None:
    pool = (
        urllib3.HTTPSConnectionPool(address, _PORTS[scheme], server_hostname=host, assert_hostname=host)
        if scheme == "https"
        else urllib3.HTTPConnectionPool(address, _PORTS[scheme])
    )
    with pool:
        try:
            answer = pool.urlopen(
                "GET",
                path,
                headers={"Host": host},
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
                preload_content=False,
                decode_content=False,
            )
            text = answer.read(_MOST_BYTES).decode("utf-8", "replace") if answer.status == 200 else None  # noqa: PLR2004
            answer.close()
        except urllib3.exceptions.HTTPError:
            return None
    return text
