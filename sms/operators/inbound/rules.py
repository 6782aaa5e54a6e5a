"""Texts to our lines on their way in: when they are asked for again, how a torn text is shown. Plain Python."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

GAP = "[…]"  # stands where parts of a text are missing
_SLOWEST = timedelta(minutes=5)
_MOST_DOUBLINGS = 10


class Way(StrEnum):
    """How a raw answer came to us."""

    ASKED = "asked"
    PUSHED = "pushed"


class Piece(NamedTuple):
    """One part of a text: its place from 1, its bytes and their alphabet."""

    place: int
    content: bytes
    data_coding: int


def pause(every_seconds: int, failure_count: int) -> timedelta:
    """How long until an operator is asked for texts again: its own pace, doubled for each failure in a row, at most
    five minutes or that pace."""
    pace = timedelta(seconds=every_seconds)
    return max(pace, min(pace * (1 << min(failure_count, _MOST_DOUBLINGS)), _SLOWEST))


def runs(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The parts that are there, in order, those that follow on one another together."""
    found: list[list[Piece]] = []
    for piece in sorted(pieces):
        if found and found[-1][-1].place + 1 == piece.place:
            found[-1].append(piece)
        else:
            found.append([piece])
    return found


def with_gaps(texts: Sequence[str], first_place: int, last_place: int, total: int) -> str:
    """Texts of runs, a mark wherever something is missing before, between or behind them."""
    around = [GAP] * (first_place > 1) + [f" {GAP} ".join(texts)] + [GAP] * (last_place < total)
    return " ".join(around)
