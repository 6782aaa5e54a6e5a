"""How many parts a text makes and in which alphabet, as an operator counts them."""

from functools import lru_cache

_ESCAPE = "\x1b"
_ALPHABET = (  # in the order of their codes
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM = frozenset(_ALPHABET) - {_ESCAPE}
_AFTER_ESCAPE = {"\f": 10, "^": 20, "{": 40, "}": 41, "\\": 47, "[": 60, "~": 61, "]": 62, "|": 64, "€": 101}
_GSM_ESCAPED = frozenset(_AFTER_ESCAPE)
_CODES = {
    **{character: bytes((code,)) for code, character in enumerate(_ALPHABET) if character != _ESCAPE},
    **{character: bytes((27, code)) for character, code in _AFTER_ESCAPE.items()},
}
UCS2_ENCODING = 2


@lru_cache(maxsize=4096)
def measure(body: str, encoding: int) -> tuple[int, str]:
    """Parts and alphabet of a text; encoding 0 chooses by itself, 2 insists on UCS-2."""
    characters = set(body)
    if encoding != UCS2_ENCODING and characters <= _GSM | _GSM_ESCAPED:
        units = len(body) + sum(character in _GSM_ESCAPED for character in body)
        return _parts(units, 160, 153), "DEFAULT"
    return _parts(len(body.encode("utf-16-le")) // 2, 70, 67), "UCS2"


def _parts(units: int, single: int, joined: int) -> int:
    return 1 if units <= single else -(-units // joined)


def gsm(body: str) -> bytes | None:
    """A text in the GSM alphabet, one septet an octet; None when a character is not in it."""
    if not set(body) <= _CODES.keys():
        return None
    return b"".join(map(_CODES.__getitem__, body))


def phone(value: object) -> int | None:
    """A mobile number in any of the usual spellings as 989xxxxxxxxx, or None."""
    text = str(value).strip().removeprefix("+") if isinstance(value, str | int) else ""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) == 12 and text.startswith("989"):  # noqa: PLR2004 - nearly always
        return int(text)
    for prefix in ("0098", "98", "0"):
        if text.startswith(prefix):
            text = text.removeprefix(prefix)
            break
    return int("98" + text) if text.startswith("9") and len(text) == 10 else None  # noqa: PLR2004 - 912 345 6789
