"""Recipients packed for the database: compressed chunks, a preview never opens one, acceptance streams them all."""

import zlib
from collections.abc import Iterator, Sequence

CHUNK_ROWS = 20_000
VALID, DUPLICATE, INVALID = "v", "d", "i"
_LEVEL = 1  # phone numbers hardly shrink; more effort would only cost time


def pack(numbers: Sequence[int], kinds: Sequence[str], texts: Sequence[str]) -> bytes:
    """One chunk: the rows' numbers, their kinds, and for each a recipient (or, when invalid, what was given)."""
    first, last = numbers[0], numbers[-1]
    is_run = last - first + 1 == len(numbers)
    head = str(first) if is_run else ",".join(map(str, numbers))
    return zlib.compress("\n".join((head, "".join(kinds), *texts)).encode(), _LEVEL)


def unpack(chunk: bytes) -> Iterator[tuple[str, str, str]]:
    """(kind, row number, text) of each row; the kinds are VALID, DUPLICATE and INVALID, numbers are text."""
    head, kinds, *texts = zlib.decompress(chunk).decode().split("\n")
    first, *others = head.split(",")
    if others:
        return zip(kinds, (first, *others), texts, strict=True)
    low = int(first)
    return zip(kinds, map(str, range(low, low + len(kinds))), texts, strict=True)


def first_row(start: bytes) -> int:
    """The first row number of a chunk of which only the first bytes were fetched."""
    head = zlib.decompressobj().decompress(start)
    digits = head.split(b"\n", 1)[0].split(b",", 1)[0]
    return int(digits)
