"""The secret address an operator pushes its reports to: how it is made, proved, and bound to where they come from."""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network

from sms.core.text import N_
from sms.operators.rules import UnusableSetting

_TOKEN_BYTES = 16
MAX_ADDRESSES = 50


def new_token() -> str:
    """A secret of 128 bits, as it stands in an address."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_of(token: str) -> bytes:
    """What is kept of a token: it is too random to be guessed from its hash."""
    return sha256(token.encode(errors="replace")).digest()


_NOBODYS = hash_of(new_token())


def is_right(token: str, kept: bytes | None) -> bool:
    """Whether this is the token whose hash is kept; takes as long where there is none."""
    return hmac.compare_digest(hash_of(token), kept or _NOBODYS) and kept is not None


def path_of(gateway_id: int, token: str) -> str:
    """The path of the address."""
    return f"/hooks/{gateway_id}/{token}/reports"


def networks_of(text: str) -> list[str]:
    """Addresses and networks separated by blanks or commas, each once; raises UnusableSetting."""
    found: dict[str, None] = {}
    for word in text.replace(",", " ").replace("،", " ").split():
        try:
            found[str(ip_network(word, strict=False))] = None
        except ValueError:
            raise UnusableSetting(
                "addresses", N_("%(word)s is no IP address and no network such as 192.0.2.0/24."), word=word[:60]
            ) from None
    if len(found) > MAX_ADDRESSES:
        raise UnusableSetting("addresses", N_("At most %(most)s addresses and networks."), most=MAX_ADDRESSES)
    return list(found)


def is_from(networks: Sequence[str], address: str) -> bool:
    """Whether an address lies in one of the networks; anybody's does where there is none."""
    if not networks:
        return True
    try:
        asked = ip_address(address)
    except ValueError:
        return False
    if isinstance(asked, IPv6Address) and asked.ipv4_mapped:
        asked = asked.ipv4_mapped
    return any(asked in ip_network(network) for network in networks)
