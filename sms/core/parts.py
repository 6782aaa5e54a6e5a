"""How many parts a text costs (3GPP TS 23.038 for the GSM alphabet, TS 23.040 for concatenation)."""

from dataclasses import dataclass
from enum import StrEnum

GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = "\f^{}\\[~]|€"
_GSM_UNITS = {**dict.fromkeys(GSM_BASIC, 1), **dict.fromkeys(GSM_EXTENSION, 2)}
_ASTRAL = 0xFFFF


class Encoding(StrEnum):
    """The alphabet a text travels in; one character outside GSM turns the whole text into UCS-2."""

    GSM = "gsm"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class Profile:
    """Units a part may hold: alone, and as one of several; some lines use a wider header and so hold one less."""

    gsm_single: int = 160
    gsm_joined: int = 153
    ucs2_single: int = 70
    ucs2_joined: int = 67


STANDARD = Profile()
WIDE_HEADER = Profile(gsm_joined=152, ucs2_joined=66)


def profile_of(ucs2_joined: int) -> Profile:
    """The profile of a line that says 67 or 66 units a joined part."""
    return WIDE_HEADER if ucs2_joined == WIDE_HEADER.ucs2_joined else STANDARD


@dataclass(frozen=True, slots=True)
class Measure:
    """A text measured: its encoding, its length in units, its number of parts and the units left in the last one."""

    encoding: Encoding
    units: int
    parts: int
    left: int


def encoding_of(body: str) -> Encoding:
    """GSM when every character is in its alphabet, else UCS-2."""
    return Encoding.GSM if all(character in _GSM_UNITS for character in body) else Encoding.UCS2


def split(body: str, profile: Profile = STANDARD) -> list[str]:
    """The texts of the parts, in order; no escape sequence and no surrogate pair is ever cut in two."""
    encoding = encoding_of(body)
    single, joined = _limits(encoding, profile)
    if _units(body, encoding) <= single:
        return [body] if body else []
    parts: list[str] = []
    start = used = 0
    for index, character in enumerate(body):
        width = _width(character, encoding)
        if used + width > joined:
            parts.append(body[start:index])
            start, used = index, 0
        used += width
    return [*parts, body[start:]]


def measure(body: str, profile: Profile = STANDARD) -> Measure:
    """Measure a text; an empty one has no part."""
    encoding = encoding_of(body)
    single, joined = _limits(encoding, profile)
    texts = split(body, profile)
    limit = single if len(texts) <= 1 else joined
    last = _units(texts[-1], encoding) if texts else 0
    return Measure(encoding, _units(body, encoding), len(texts), limit - last)


def _limits(encoding: Encoding, profile: Profile) -> tuple[int, int]:
    if encoding is Encoding.GSM:
        return profile.gsm_single, profile.gsm_joined
    return profile.ucs2_single, profile.ucs2_joined


def _units(body: str, encoding: Encoding) -> int:
    return sum(_width(character, encoding) for character in body)


def _width(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM:
        return _GSM_UNITS[character]
    return 2 if ord(character) > _ASTRAL else 1
