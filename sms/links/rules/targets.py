"""Where a link may lead: addresses of the open web only, in one spelling. Plain Python; nothing is looked up."""

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from sms.core.errors import Refusal
from sms.core.text import N_

MOST_CHARACTERS = 2000
_MOST_HOST = 253
_MOST_PORT = 65535
_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SAFE = "%/:=&?~+!$,;'@()*[]|"  # what an address may hold as it is; all else is written with percent signs
_INNER = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa", "onion", "test", "invalid")
# Characters that older and newer rules of host names read differently: their address would depend on the reader.
_DEVIATING = frozenset("ßς\u200c\u200d")
_USUAL_SCRIPTS = frozenset({"LATIN", "ARABIC"})
_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")

UTM_NAMES = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
MOST_UTM = 100

NO_ADDRESS = N_("Write a whole address, such as https://example.ir/sale.")
NOT_OPEN = N_("A link leads to an address of the open web: no inner host, and no number in place of a name.")


class UnusableTarget(Refusal):
    """A link cannot lead there."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address: `url` in ASCII as it goes into a header, `host` in its wire spelling (xn--…)."""

    url: str
    host: str

    @property
    def shown_host(self) -> str:
        """The host as people write it."""
        return shown(self.host)


class Sign(StrEnum):
    """What makes a target suspicious, so that it is shown before anybody goes there."""

    NUMBER = "number"
    MIXED = "mixed"
    PORT = "port"
    LATELY_DENIED = "lately_denied"
    LISTED = "listed"


SIGN_LABELS: dict[str, str] = {
    Sign.NUMBER: N_("A number in place of a name"),
    Sign.MIXED: N_("Letters of several scripts, or of an unusual one, in a name"),
    Sign.PORT: N_("An unusual port"),
    Sign.LATELY_DENIED: N_("Blocked until not long ago"),
    Sign.LISTED: N_("On the list of those that are shown first, such as other shorteners"),
}


def check_target(text: str) -> Target:
    """An address somebody typed, checked and in one spelling; raises UnusableTarget."""
    given = text.strip()
    if not given or len(given) > MOST_CHARACTERS:
        raise UnusableTarget(NO_ADDRESS if not given else N_("An address has at most %(most)s characters."),
                             **({} if not given else {"most": MOST_CHARACTERS}))  # fmt: skip
    if "\\" in given or any(_is_hidden(character) for character in given):
        raise UnusableTarget(N_("The address has blanks or characters that cannot be seen; write them out."))
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise UnusableTarget(NO_ADDRESS) from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.netloc:
        raise UnusableTarget(N_("Only addresses that begin with http:// or https:// can be shortened."))
    if "@" in parts.netloc:
        raise UnusableTarget(N_("An address with a user name or password in it cannot be shortened."))
    if port is not None and not 0 < port <= _MOST_PORT:
        raise UnusableTarget(NO_ADDRESS)
    host = check_host(parts.hostname or "")
    place = f"[{host}]" if ":" in host else host
    netloc = place if port in {None, _PORTS[scheme]} else f"{place}:{port}"
    path, query, fragment = (quote(part, safe=_SAFE) for part in (parts.path or "/", parts.query, parts.fragment))
    url = urlunsplit((scheme, netloc, path, query, fragment))
    if len(url) > MOST_CHARACTERS:
        raise UnusableTarget(N_("An address has at most %(most)s characters."), most=MOST_CHARACTERS)
    return Target(url, host)


def _is_hidden(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def check_host(name: str) -> str:
    """A host's name in its wire spelling, or a public number; raises UnusableTarget for inner ones."""
    if _DEVIATING & set(name):
        raise UnusableTarget(N_("Write this host in the spelling that begins with xn--."))
    folded = unicodedata.normalize("NFKC", name).translate(_DIGITS).lower().replace("。", ".").rstrip(".")
    if ":" in folded:
        return _public_number(folded)
    try:
        host = folded.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise UnusableTarget(NO_ADDRESS) from None
    labels = host.split(".")
    if not host or len(host) > _MOST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise UnusableTarget(NO_ADDRESS)
    if _NUMERIC.fullmatch(labels[-1]):  # browsers read 2130706433 and 0x7f.1 as numbers of a machine too
        return _public_number(host)
    if len(labels) == 1 or any(host == inner or host.endswith(f".{inner}") for inner in _INNER):
        raise UnusableTarget(NOT_OPEN)
    return host


def _public_number(text: str) -> str:
    try:
        number = ipaddress.ip_address(text)
    except ValueError:
        raise UnusableTarget(NOT_OPEN) from None
    inner = getattr(number, "ipv4_mapped", None) or getattr(number, "sixtofour", None)
    if not number.is_global or number.is_multicast or (inner is not None and not inner.is_global):
        raise UnusableTarget(NOT_OPEN)
    return str(number)


def shown(host: str) -> str:
    """A host as people write it; one whose letters are of several scripts stays as it is on the wire."""
    if "xn--" not in host:
        return host
    try:
        name = host.encode("ascii").decode("idna")
    except UnicodeError:
        return host
    return host if is_mixed(host) else name


def is_mixed(host: str) -> bool:
    """Whether one label of a host mixes scripts, or is written in one that is not usual here, as names are that are
    meant to be taken for others."""
    try:
        labels = host.encode("ascii").decode("idna").split(".")
    except UnicodeError:
        return True
    found = [_scripts(label) for label in labels]
    return any(len(scripts) > 1 or scripts - _USUAL_SCRIPTS for scripts in found)


def _scripts(label: str) -> set[str]:
    return {unicodedata.name(letter, "?").split(" ", 1)[0] for letter in label if letter.isalpha()}


def signs_of(target: Target) -> set[Sign]:
    """What is suspicious about an address by itself."""
    found = set()
    if re.fullmatch(r"[0-9.]+|.*:.*", target.host):
        found.add(Sign.NUMBER)
    elif is_mixed(target.host):
        found.add(Sign.MIXED)
    if urlsplit(target.url).port is not None:
        found.add(Sign.PORT)
    return found


# Campaign parameters


def check_utm(given: Mapping[str, str]) -> dict[str, str]:
    """The parameters that are filled in; raises UnusableTarget for one that is too long or none of ours."""
    filled = {name: " ".join(value.split()) for name, value in given.items() if value and value.strip()}
    for name, value in filled.items():
        if name not in UTM_NAMES or len(value) > MOST_UTM or not value.isprintable():
            raise UnusableTarget(N_("A UTM parameter is one line of at most %(most)s characters."), most=MOST_UTM)
    return filled


def with_utm(url: str, utm: Mapping[str, str]) -> str:
    """An address with its campaign parameters; those it has already stay as they are."""
    parts = urlsplit(url)
    there = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    more = urlencode({name: utm[name] for name in UTM_NAMES if name in utm and name not in there})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, more)))))


# The installation's own short addresses


def check_base(text: str) -> str:
    """Where short addresses begin, such as https://s.example.ir; raises Refusal unless it is a scheme and a host."""
    base = text.strip().rstrip("/")
    try:
        parts = urlsplit("" if any(_is_hidden(character) for character in base) else base)
        has_port = parts.port is None or 0 < parts.port <= _MOST_PORT
    except ValueError:
        has_port = False
        parts = urlsplit("")
    rest = (parts.path, parts.query, parts.fragment)
    if parts.scheme not in _PORTS or not parts.hostname or any(rest) or "@" in parts.netloc or not has_port:
        raise Refusal(N_("Short addresses begin with http:// or https:// and a host, and nothing behind it."))
    if not parts.netloc.isascii() or not re.fullmatch(r"[a-z0-9.:-]+", parts.netloc):
        raise Refusal(N_("Write the host of short addresses in small Latin letters."))
    return f"{parts.scheme}://{parts.netloc}"
