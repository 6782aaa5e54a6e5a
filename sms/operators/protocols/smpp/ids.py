"""How an operator writes a message's id in its receipts, compared to how it wrote it when it took the message.

Some answer in hexadecimal and report in decimal, or the other way round, or pad with zeros. An id is kept in one form;
a style turns a *receipt's* id into that form. Learning tries all styles and keeps the one that matches."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum


class IdStyle(StrEnum):
    """How a receipt's id becomes the one that is kept."""

    EXACT = "exact"
    PADDED = "padded"  # case and leading zeros mean nothing
    DECIMAL_TO_HEX = "decimal_to_hex"  # reported in decimal, answered in hexadecimal
    HEX_TO_DECIMAL = "hex_to_decimal"  # reported in hexadecimal, answered in decimal
    MIXED = "mixed"  # differs from one message to the next: all are tried
    LEARN = "learn"


LEARNING_REPORTS = 200
_ENOUGH = 0.9  # of the reports seen
_LONGEST = 64
_DECIMAL, _HEX = re.compile("[0-9]+"), re.compile("[0-9a-f]+")
_Turn = Callable[[str], str]


def _bare(text: str) -> str:
    return text.lower().removeprefix("0x").lstrip("0") or "0"


def _decimal_to_hex(text: str) -> str:
    return f"{int(text):x}" if _DECIMAL.fullmatch(text) else ""


def _hex_to_decimal(text: str) -> str:
    bare = _bare(text)
    return str(int(bare, 16)) if _HEX.fullmatch(bare) else ""


_TURNS: Mapping[IdStyle, _Turn] = {
    IdStyle.PADDED: _bare,
    IdStyle.DECIMAL_TO_HEX: _decimal_to_hex,
    IdStyle.HEX_TO_DECIMAL: _hex_to_decimal,
}


def kept(ref: str, style: IdStyle) -> str:
    """The form in which the id of an answer is kept, so that a receipt of this style finds it."""
    return ref if style is IdStyle.EXACT or not ref else _bare(ref)


def candidates(ref: str, style: IdStyle) -> tuple[str, ...]:
    """The kept forms a receipt's id may stand for, the likeliest first."""
    if style is IdStyle.EXACT:
        return (ref,) if ref else ()
    if not ref or len(ref) > _LONGEST:
        return ()
    turns = [_TURNS[style]] if style in _TURNS else _TURNS.values()
    return tuple(form for form in dict.fromkeys(turn(ref) for turn in turns) if form)


class Learning:
    """Watches which style matches the first receipts of a new gateway.

    It never says EXACT: while it learns, ids are kept bare, and that form stays.
    """

    def __init__(self) -> None:
        self._matched: Counter[IdStyle] = Counter()
        self._seen = 0

    def watch(self, ref: str, matched: str) -> None:
        """A receipt said `ref`, and its message is the one kept as `matched`."""
        self._seen += 1
        for style, turn in _TURNS.items():
            if turn(ref) == matched:
                self._matched[style] += 1

    @property
    def learnt(self) -> IdStyle | None:
        """The simplest style that matched nine in ten, once enough were seen; MIXED when none did."""
        if self._seen < LEARNING_REPORTS:
            return None
        enough = (style for style in _TURNS if self._matched[style] >= self._seen * _ENOUGH)
        return next(enough, IdStyle.MIXED)
