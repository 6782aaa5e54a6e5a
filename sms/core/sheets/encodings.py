"""Which encoding a text file is in: its byte order mark, else UTF-16 by its shape, else UTF-8, else Windows Persian."""

import codecs
from collections.abc import Iterable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH_BYTES = bytes((0x00, 0x06, 0xFB, 0xFE))  # Latin, Arabic script and its presentation forms
_SHARE = 0.9
_SURE = 10  # so many whole UTF-8 characters outweigh one broken byte
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\x0b\x0c\r\x1a\x00")
_MOST_CONTROLS = 0.02
_MOST_NULS = 0.3


def encoding_of(blocks: Iterable[bytes]) -> str:
    """Python's name of the encoding of a file given in blocks, all of which are read."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    broken = whole = 0
    is_first = True
    for block in blocks:
        if is_first:
            if known := _marked(block) or _sixteen(block):
                return known
            is_first = False
        text = decoder.decode(block)
        if not text.isascii():
            bad = text.count("\ufffd")
            broken += bad
            whole += len(text) - len(text.encode("ascii", "ignore")) - bad
    return "utf-8" if broken * _SURE <= whole else "cp1256"


def _marked(start: bytes) -> str | None:
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _sixteen(start: bytes) -> str | None:
    """UTF-16 without a mark: every other byte says the script, and nearly always the same few."""
    sample = start[:4096]
    half = len(sample) // 2
    if not half:
        return None
    even = sum(map(sample[0::2].count, _HIGH_BYTES)) / half
    odd = sum(map(sample[1::2].count, _HIGH_BYTES)) / half
    if odd >= _SHARE > even:
        return "utf-16-le"
    return "utf-16-be" if even >= _SHARE > odd else None


def is_binary(start: bytes, encoding: str) -> bool:
    """Whether the bytes are no text at all: a picture, a program, an archive."""
    if not start or encoding.startswith(("utf-16", "utf-32")):
        return False
    controls = sum(map(start.count, _CONTROLS))
    return controls > _MOST_CONTROLS * len(start) or start.count(0) > _MOST_NULS * len(start)
