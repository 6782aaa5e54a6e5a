"""How winners are drawn so that anybody can check it: a published seed orders the texts. Plain Python.

The entries are ordered by the SHA-256 of `seed|id of the text`, written in hexadecimal; the first of each number wins,
until there are enough. Same seed, same entries, same winners. docs/automations.md tells it to whoever wants to check.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

SEED_LENGTH = 200
MOST_WINNERS = 1_000


class Entry(NamedTuple):
    """A text that takes part, and its sender."""

    text_id: int
    sender: str


class Winner(NamedTuple):
    """A place, and what it was won by."""

    place: int
    text_id: int
    sender: str
    score: str


def score(seed: str, text_id: int) -> str:
    """What an entry is ordered by."""
    return sha256(f"{seed}|{text_id}".encode()).hexdigest()


def draw(entries: Iterable[Entry], *, seed: str, count: int) -> list[Winner]:
    """The winners; a number wins once, however many entries it has."""
    winners: dict[str, Winner] = {}
    for found, entry in sorted((score(seed, entry.text_id), entry) for entry in entries):
        if len(winners) == count:
            break
        if entry.sender not in winners:
            winners[entry.sender] = Winner(len(winners) + 1, entry.text_id, entry.sender, found)
    return list(winners.values())


def fingerprint(entries: Iterable[Entry]) -> str:
    """SHA-256 of the ids of all entries, in order, one a line: whoever has the same entries has the same."""
    return sha256("\n".join(map(str, sorted(entry.text_id for entry in entries))).encode()).hexdigest()
