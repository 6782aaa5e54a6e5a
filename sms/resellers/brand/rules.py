"""What a brand may look like: colours that can be read, pictures that are what they say, domains. Plain Python."""

import re
import struct
import zlib
from dataclasses import dataclass

from sms.core.errors import SmsError
from sms.core.text import N_

MOST_LOGO_BYTES = 200_000
MOST_LOGO_SIDE = 2000
READABLE, VISIBLE = 4.5, 3.0  # contrasts of WCAG 2: of words, and of what is no word
_WHITE = (255, 255, 255)
_DARK = (28, 32, 44)  # the surface of the dark theme
_STEPS = 20


class UnusableBrand(SmsError):
    """Part of a brand that cannot be; `field` says which."""

    def __init__(self, field: str, message: str, **params: object) -> None:
        super().__init__(message, **params)
        self.field = field


# Colours

Colour = tuple[int, int, int]


def colour_of(text: str) -> Colour:
    """Red, green and blue of #rrggbb."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def colour_text(colour: Colour) -> str:
    """The other way round."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def contrast(one: Colour, other: Colour) -> float:
    """The contrast of two colours as WCAG 2 reckons it, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]  # noqa: PLR2004 - sRGB
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def check_colour(field: str, text: str, *, least: float) -> str:
    """#rrggbb in small letters, or nothing; raises UnusableBrand for what is no colour or cannot be seen on white."""
    colour = text.strip().lower()
    if not colour:
        return ""
    if not re.fullmatch(r"#[0-9a-f]{6}", colour):
        raise UnusableBrand(field, N_("Write a colour as # and six digits, for example #3a4fc4."))
    if contrast(colour_of(colour), _WHITE) < least:
        raise UnusableBrand(field, N_("This colour is too light to be read on white; choose a darker one."))
    return colour


def for_the_dark(text: str, *, least: float) -> str:
    """The same colour, as much lighter as it takes to be seen on the dark theme's surface."""
    colour = colour_of(text)
    for step in range(_STEPS + 1):
        lighter = tuple(part + (255 - part) * step // _STEPS for part in colour)
        if contrast((lighter[0], lighter[1], lighter[2]), _DARK) >= least:
            return colour_text((lighter[0], lighter[1], lighter[2]))
    return colour_text(_WHITE)


def stylesheet(*, main: str, second: str) -> str:
    """What a brand's colours change; empty without any. Both have passed `check_colour`."""
    rules = []
    if main:
        light = for_the_dark(main, least=READABLE)
        rules.append(
            f":root {{ --tblr-primary: {main}; --accent: light-dark({main}, {light});"
            f" --accent-soft: light-dark(color-mix(in oklab, {main} 8%, white),"
            f" color-mix(in oklab, {main} 35%, black)); }}"
        )
        rules.append(f".btn-primary, .btn-primary:is(:hover, :focus-visible, :active) {{ background-color: {main}; }}")
    if second:
        shown = f"light-dark({second}, {for_the_dark(second, least=VISIBLE)})"
        rules.append(f".side, body.plain {{ border-block-start: 4px solid {shown}; }}")
    return "\n".join(rules) + "\n" if rules else ""


# Pictures: told by their contents, whole, and nothing behind their end


@dataclass(frozen=True, slots=True)
class Picture:
    """What a file of a logo is."""

    mime: str
    width: int
    height: int


def picture_of(data: bytes) -> Picture:
    """What kind of picture this is; raises UnusableBrand for everything that is no whole PNG, JPEG or WebP."""
    if len(data) > MOST_LOGO_BYTES:
        raise UnusableBrand("logo", N_("A logo has at most %(most)s kilobytes."), most=MOST_LOGO_BYTES // 1000)
    try:
        found = _png(data) or _jpeg(data) or _webp(data)
    except (struct.error, IndexError):
        found = None
    if found is None:
        raise UnusableBrand("logo", N_("A logo is a picture: PNG, JPEG or WebP."))
    if not (0 < found.width <= MOST_LOGO_SIDE and 0 < found.height <= MOST_LOGO_SIDE):
        raise UnusableBrand("logo", N_("A logo is at most %(most)s pixels wide and high."), most=MOST_LOGO_SIDE)
    return found


def _png(data: bytes) -> Picture | None:
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    place, size = 8, (0, 0)
    while True:
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        (crc,) = struct.unpack_from(">I", data, place + 8 + length)
        if crc != zlib.crc32(kind + body):
            return None
        if kind == b"IHDR":
            size = struct.unpack_from(">II", body)
        place += 12 + length
        if kind == b"IEND":
            return Picture("image/png", *size) if place == len(data) else None


_JPEG_SIZES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})


def _jpeg(data: bytes) -> Picture | None:
    if not data.startswith(b"\xff\xd8\xff") or not data.endswith(b"\xff\xd9"):
        return None
    place = 2
    while place < len(data):
        mark, kind, length = struct.unpack_from(">BBH", data, place)
        if mark != 0xFF:  # noqa: PLR2004 - every segment begins so
            return None
        if kind in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return Picture("image/jpeg", width, height)
        place += 2 + length
    return None


def _webp(data: bytes) -> Picture | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or struct.unpack_from("<I", data, 4)[0] + 8 != len(data):
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return Picture(
            "image/webp", 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        )
    if kind == b"VP8L" and data[20] == 0x2F:  # noqa: PLR2004 - its signature
        (bits,) = struct.unpack_from("<I", data, 21)
        return Picture("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return Picture("image/webp", width & 0x3FFF, height & 0x3FFF)
    return None


# Domains

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LONGEST_HOST = 253


def host_of(text: str) -> str:
    """A host as requests name it: small letters, punycode, without a port; empty for what can be none."""
    host = text.strip().rstrip(".").lower().rpartition("@")[2]
    host = re.sub(r":\d{1,5}$", "", host)
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return host if len(host) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, host.split("."))) else ""


def check_host(text: str, *, ours: str) -> str:
    """The host of a domain that a reseller asks for; raises UnusableBrand for what is no domain, or ours."""
    wanted = re.sub(r"^https?://", "", text.strip(), flags=re.IGNORECASE).split("/", 1)[0]
    host = host_of(wanted)
    last = host.rpartition(".")[2]
    if "." not in host or last.isdecimal() or last in {"localhost", "local", "internal", "test", "invalid", "example"}:
        raise UnusableBrand("host", N_("Write the name of a domain, for example panel.shop.ir."))
    if host == ours or host.endswith(f".{ours}"):
        raise UnusableBrand("host", N_("This is the installation's own domain."))
    return host


def proof_path(proof: str) -> str:
    """Where a domain that points to us answers with its proof."""
    return f"/.well-known/payamgah/{proof}"
