"""How a list is laid out: which separator, which column holds the numbers, whether the first row is a header."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sms.outbox.intake.rules.numbers import recipient

ONE_COLUMN = "\x1f"  # a separator no text has
_SEPARATORS = (ONE_COLUMN, ",", ";", "\t", "|", "،")
_BETWEEN = re.compile(r"[,،;؛\t|\n]")
_ALIKE = str.maketrans("يكى", "یکی", "\u200c \u200f\u200e_-.\ufeff\"'")
_NAMES = (  # the surest first
    ("موبایل", "همراه", "mobile", "cell", "msisdn"),
    ("گیرنده", "مخاطب", "تلفن", "phone", "recipient", "tel"),
    ("شماره", "number"),
)
_HINT = re.compile(r"sep=(.)\Z")  # Excel's own first line
_SAMPLE_ROWS = 200
_SURELY = 0.9
_MOST_WORDS = 16  # even a number with a blank after every digit has fewer


@dataclass(frozen=True, slots=True)
class Table:
    """A recipient a row, in one column of it. The first `skip` rows are header."""

    separator: str
    column: int
    skip: int


@dataclass(frozen=True, slots=True)
class Loose:
    """Numbers one after another, with any separator between them, over however many lines."""


Layout = Table | Loose


def of_text(sample: str, *, is_typed: bool) -> Layout:
    """The layout of a text whose beginning is `sample`. What is typed or pasted is loose, unless it was copied from a
    spreadsheet."""
    lines = sample.split("\n")[:_SAMPLE_ROWS]
    if is_typed:
        table = of_rows(_split(lines, "\t"), separator="\t")
        return table if isinstance(table, Table) and _is_copied(lines, table) else Loose()
    hint = _HINT.match(lines[0].strip())
    if hint:
        table = of_rows(_split(lines[1:], hint[1]), separator=hint[1])
        return Table(hint[1], table.column, table.skip + 1) if isinstance(table, Table) else Table(hint[1], 0, 1)
    separator = max(_SEPARATORS, key=lambda candidate: _fitness(_split(lines, candidate)))
    rows = _split(lines, separator)
    table = of_rows(rows, separator=separator)
    if isinstance(table, Table) and not table.skip and _is_loose([entries_of(line) for line in lines]):
        return Loose()
    return table


def of_rows(rows: Sequence[Sequence[str]], *, separator: str = ONE_COLUMN) -> Layout:
    """The layout of a table whose first rows are given."""
    rows = rows[:_SAMPLE_ROWS]
    filled = next((place for place, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)
    first = rows[filled] if rows else ()
    valid = _valid_by_column(rows)
    has_header = _is_header(first)
    if not has_header and _is_loose(rows):
        return Loose()
    return Table(separator, _column(first if has_header else (), valid), filled + 1 if has_header else 0)


def entries_of(text: str) -> list[str]:
    """The entries of a text in which numbers stand loosely; blanks inside a number do not part it."""
    return [entry for fragment in _BETWEEN.split(text) for entry in by_blanks(fragment)]


def by_blanks(fragment: str) -> list[str]:
    """The entries of a text with nothing but blanks between them."""
    if fragment.isdecimal():
        return [fragment]
    words = fragment.split()
    if len(words) < 2 or recipient(fragment) is not None:  # noqa: PLR2004 - one word is one entry
        return [fragment.strip()] if words else []
    found: list[str] = []
    open_words: list[str] = []
    for word in words:
        joined = " ".join((*open_words, word))
        if recipient(joined) is not None:
            found.append(joined)
            open_words = []
        elif recipient(word) is not None:
            found += [" ".join(open_words), word]
            open_words = []
        else:
            open_words.append(word)
            if len(open_words) == _MOST_WORDS:
                found.append(" ".join(open_words))
                open_words = []
    return [*found, " ".join(open_words)] if open_words else found


def _split(lines: Sequence[str], separator: str) -> list[list[str]]:
    plain = [line.split(separator) for line in lines]
    if not any('"' in line for line in lines):
        return plain
    try:
        quoted = list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return plain
    return plain if _fitness(plain)[0] > _fitness(quoted)[0] else quoted  # a mark astray hides rows


def _fitness(rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Rows in which a number is found, then rows that are alike in having the usual number of columns."""
    widths = Counter(len(row) for row in rows if row)
    (width, alike), *_ = widths.most_common(1) or [(0, 0)]
    found = sum(any(recipient(cell) is not None for cell in row) for row in rows)
    return found, alike if width > 1 else 0


def _valid_by_column(rows: Sequence[Sequence[str]]) -> Counter[int]:
    return Counter(place for row in rows for place, cell in enumerate(row) if recipient(cell) is not None)


def _is_header(first: Sequence[str]) -> bool:
    cells = [cell for cell in first if cell.strip()]
    if not cells or any(recipient(cell) is not None for cell in cells):
        return False
    if any(_rank(cell) < len(_NAMES) for cell in cells):
        return True
    return len(cells) > 1 and not any(character.isdecimal() for cell in cells for character in cell)


def _rank(cell: str) -> int:
    name = cell.translate(_ALIKE).casefold()
    return next((rank for rank, words in enumerate(_NAMES) if any(word in name for word in words)), len(_NAMES))


def _column(header: Sequence[str], valid: Counter[int]) -> int:
    """By its name, when it holds as many numbers as any other; else the first with the most numbers."""
    most = max(valid.values(), default=0)
    named = sorted((rank, place) for place, cell in enumerate(header) if (rank := _rank(cell)) < len(_NAMES))
    for _, place in named:
        if 2 * valid[place] >= most:
            return place
    return min((place for place, count in valid.items() if count == most), default=0)


def _is_loose(rows: Sequence[Sequence[str]]) -> bool:
    """Nearly everything is a number, and rows hold several of them."""
    filled = [[cell for cell in row if cell.strip()] for row in rows]
    total = sum(map(len, filled))
    if not any(len(row) > 1 for row in filled):
        return False
    return sum(recipient(cell) is not None for row in filled for cell in row) >= _SURELY * total


def _is_copied(lines: Sequence[str], table: Table) -> bool:
    """Copied from a spreadsheet: lines with tabs, and numbers in one column of them only."""
    rows = [row for row in _split(lines, "\t") if len(row) > 1]
    if len(rows) < 2:  # noqa: PLR2004 - one line is no table
        return False
    valid = _valid_by_column(rows)
    return 2 * valid[table.column] >= len(rows) and sum(valid.values()) == valid[table.column]
