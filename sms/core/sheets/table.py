"""A table of any usual file, row by row: for lists of some thousand rows whose every column counts."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from sms.core.sheets import limits, workbook
from sms.core.sheets.cells import rows_of, text_of
from sms.core.sheets.encodings import encoding_of, is_binary
from sms.core.sheets.kinds import is_workbook
from sms.core.sheets.workbook import Strings

Row = tuple[int, list[str]]
"""A row's number in its file, from 1, and its cells as they stand there."""

MAX_BYTES = 10 * limits.MEGABYTE
_SEPARATORS = (",", ";", "\t", "|", "،")
_SAMPLE_LINES = 50
_DROPPED = str.maketrans("", "", "\0\x1a\ufeff")
_LETTERS = 26


def read_table(stream: BinaryIO, *, most_bytes: int = MAX_BYTES) -> Iterator[Row]:
    """The filled rows of a CSV, TXT or XLSX file of at most so many bytes; raises UnreadableList."""
    if stream.seek(0, 2) > most_bytes:
        raise limits.too_large(most_bytes)
    stream.seek(0)
    rows = _of_workbook(stream) if is_workbook(stream) else _of_text(stream)
    return ((number, cells) for number, cells in rows if any(cell.strip() for cell in cells))


def cell_name(row: int, column: int) -> str:
    """What a spreadsheet calls a cell; columns are counted from 0."""
    letters = ""
    left = column + 1
    while left:
        left, letter = divmod(left - 1, _LETTERS)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row}"


def _of_workbook(stream: BinaryIO) -> Iterator[Row]:
    with workbook.opened(stream) as archive:
        sheet = workbook.first_visible_sheet(archive)
        strings = Strings(archive)
        for rows in rows_of(archive, sheet, strings):
            for number, cells in rows:
                yield number, [text_of(cells, column, strings) for column in range(max(cells, default=-1) + 1)]


def _of_text(stream: BinaryIO) -> Iterator[Row]:
    raw = stream.read()
    if not raw.strip():
        raise limits.empty()
    encoding = encoding_of([raw])
    if is_binary(raw, encoding):
        raise limits.no_list()
    text = raw.decode(encoding, "replace").translate(_DROPPED)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text.splitlines()[:_SAMPLE_LINES]))
    number = 1
    try:
        for cells in reader:
            if len(cells) > limits.MAX_COLUMNS:
                raise limits.too_wide(number)
            if any(len(cell) > limits.MAX_CELL for cell in cells):
                raise limits.too_long(number)
            yield number, cells
            number = reader.line_num + 1
    except csv.Error:
        raise limits.damaged() from None


def _separator(lines: Sequence[str]) -> str:
    """The one that parts most lines alike; commas are also found inside amounts."""

    def fitness(separator: str) -> tuple[int, int]:
        widths = Counter(line.count(separator) for line in lines if separator in line)
        width, alike = max(widths.items(), key=lambda found: (found[1], found[0]), default=(0, 0))
        return alike, width

    return max(_SEPARATORS, key=fitness)
