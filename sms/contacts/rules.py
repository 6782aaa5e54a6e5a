"""What a group may be called, how its members come, who wants no more texts and why. Plain Python."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from sms.core import phone
from sms.core.errors import Refusal
from sms.core.text import N_

NAME_LENGTH = 60
MOST_GROUPS = 1_000  # of an account: the pages and the select of a send show all of them
READ_AT_ONCE = 200_000  # bytes, some ten thousand rows: so much is read while the customer waits
SHOWN_INVALID = 100
_GIVEN = 40
_AS_FLOAT = re.compile(r"([0-9۰-۹٠-٩]+)[.,٫][0۰٠]{1,6}\Z")
_MARKS = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"))


class Source(StrEnum):
    """Where a member, or an opt-out, came from; an automation's is its own word."""

    PANEL = "panel"
    IMPORT = "import"
    TEXT = "text"


SOURCE_LABELS: dict[str, str] = {
    Source.PANEL: N_("entered by hand"),
    Source.IMPORT: N_("from a list"),
    Source.TEXT: N_("by a text of the recipient"),
}


class Contact(NamedTuple):
    """A number (98 and ten digits) and what its owner is called, empty when nobody said."""

    mobile: int
    name: str = ""


def check_name(name: str) -> str:
    """What a group is called, trimmed; raises Refusal when it is empty or too long."""
    trimmed = one_line(name)
    if not trimmed:
        raise Refusal(N_("A group needs a name."))
    if len(trimmed) > NAME_LENGTH:
        raise Refusal(N_("A group's name has at most %(most)s characters."), most=NAME_LENGTH)
    return trimmed


def one_line(text: str) -> str:
    """A name or a reason as it is kept: one line, nothing in it that turns the words around it."""
    plain = "".join(letter if letter.isprintable() or letter == "\u200c" else " " for letter in text.translate(_MARKS))
    return " ".join(plain.split())


def number_in(cell: str) -> int | None:
    """The mobile number a cell is, in the spellings of people and of spreadsheets (9121234567.0, ="0912…")."""
    stripped = cell.strip().removeprefix("=")
    if found := _AS_FLOAT.match(stripped):
        return phone.normalise(found[1])
    return phone.normalise(stripped)


def contacts_in(cells: Sequence[str]) -> list[Contact]:
    """The contacts of one row: several numbers, or one with the name beside it, in cells or in one cell with blanks."""
    found = _of_cells(cells)
    if not found:
        found = _of_cells([word for cell in cells for word in cell.split()])
    return found


def _of_cells(cells: Sequence[str]) -> list[Contact]:
    numbers: list[int] = []
    words: list[str] = []
    for cell in cells:
        number = number_in(cell)
        if number is not None:
            numbers.append(number)
        elif cell.strip():
            words.append(cell)
    if len(numbers) == 1:
        return [Contact(numbers[0], one_line(" ".join(words))[:NAME_LENGTH].strip())]
    return [Contact(number) for number in numbers]


def given(cells: Sequence[str]) -> str:
    """What stood in a row without a number, as a report shows it."""
    return one_line(" ".join(cells))[:_GIVEN].encode("utf-8", "replace").decode()
