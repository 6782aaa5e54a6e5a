"""From a cell to a recipient: the spellings of people (core.phone) and those of spreadsheets."""

import re

from sms.core.phone import normalise

_LOW, _HIGH = 9_000_000_000, 9_999_999_999  # the ten national digits
_COUNTRY = 98 * 10**10
_LOW_98, _HIGH_98 = _COUNTRY + _LOW, _COUNTRY + _HIGH
_NATIONAL = frozenset({10, 11})  # 912… and 0912…
_WITH_COUNTRY = frozenset({12, 13, 14})  # 98…, 098…, 0098…
_PLUS_98 = 13
_LONGEST = 14
_AS_FLOAT = re.compile(r"([0-9۰-۹٠-٩]+)[.,٫][0۰٠]{1,6}\Z")
_SCIENTIFIC = re.compile(r"([0-9])[.,]?([0-9]*)[eE]\+?([0-9]{1,2})\Z")
_GIVEN = 40


def recipient(cell: str) -> int | None:
    """The number in a cell as 98 and ten digits, or None. The spellings of whole lists are found without a table."""
    length = len(cell)
    if cell.isdecimal():
        if length > _LONGEST:
            return None
    elif not (length == _PLUS_98 and cell[0] == "+" and cell[1:].isdecimal()):
        return _unusual(cell)
    value = int(cell)
    if length in _NATIONAL and _LOW <= value <= _HIGH:
        return _COUNTRY + value
    if length in _WITH_COUNTRY and _LOW_98 <= value <= _HIGH_98:
        return value
    return None


def _unusual(cell: str) -> int | None:
    """Blanks and dashes, ="0912…" of a CSV made for Excel, 9121234567.0 and 9.121234567E+09 of a spreadsheet."""
    stripped = cell.strip().removeprefix("=")
    if found := _AS_FLOAT.match(stripped):
        whole = normalise(found[1])
        if whole is not None:
            return whole
    elif found := _SCIENTIFIC.match(stripped):
        # 9.12E+09 has lost its digits: whoever that was, it is not 9120000000.
        return normalise(found[1] + found[2]) if len(found[2]) == int(found[3]) else None
    return normalise(stripped)


def given(cell: str) -> str:
    """What stood in a cell, as a report shows it: one line, no control characters, 40 characters at most."""
    shown = "".join(character if character.isprintable() else " " for character in cell[: 4 * _GIVEN])
    return " ".join(shown.split())[:_GIVEN].encode("utf-8", "replace").decode()
