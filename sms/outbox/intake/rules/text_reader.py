"""Reads a CSV or text list as a stream: blocks in, cells with their row numbers out, memory bounded by the block."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from sms.core.sheets import limits
from sms.core.sheets.encodings import encoding_of, is_binary
from sms.outbox.intake.rules import layout
from sms.outbox.intake.rules.layout import Loose, Table
from sms.outbox.intake.rules.numbers import recipient

Batch = tuple[Sequence[int], list[str | None]]
"""Row numbers and, for each, the cell that should hold a recipient; None where the row is blank."""

_BYTES = 1 << 20
_BLOCK = 1 << 18
_MAX_SPAN = 50  # lines one quoted record may go over; then the quotation mark was a stray one
_MAX_LINE = limits.MAX_COLUMNS * (limits.MAX_CELL + 3)
_DROPPED = str.maketrans("", "", "\0\x1a\ufeff")
_LOOSE_TABLE = str.maketrans(dict.fromkeys(",،;؛\t|", "\n"))


def read_text(stream: BinaryIO, *, is_typed: bool = False) -> Iterator[Batch]:
    """The cells of a text list in any usual encoding and layout; raises UnreadableList."""
    start = stream.read(_BYTES)
    if not start.strip():
        raise limits.empty()
    stream.seek(0)
    encoding = encoding_of(iter(lambda: stream.read(_BYTES), b""))
    if is_binary(start, encoding):
        raise limits.no_list()
    stream.seek(0)
    blocks = _blocks(stream, encoding)
    first = next(blocks, "")
    found = layout.of_text(first, is_typed=is_typed)
    everything = _again(first, blocks)
    if isinstance(found, Loose):
        yield from _loose(everything)
    else:
        yield from _Rows(found).batches(_lines(everything))


def _again(first: str, others: Iterator[str]) -> Iterator[str]:
    yield first
    yield from others


def _blocks(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """The text in pieces; every kind of line break is a newline, and what no list needs is left out."""
    letters = codecs.getincrementaldecoder(encoding)("replace")
    decoder = io.IncrementalNewlineDecoder(letters, translate=True)
    is_over = False
    while not is_over:
        raw = stream.read(_BLOCK)
        is_over = not raw
        block = decoder.decode(raw, final=is_over)
        yield block.translate(_DROPPED) if "\0" in block or "\x1a" in block or "\ufeff" in block else block


def _lines(blocks: Iterator[str]) -> Iterator[tuple[list[str], bool]]:
    """Whole lines a block at a time, and whether there is a quotation mark among them."""
    rest = ""
    seen = 0
    for block in blocks:
        joined = rest + block
        lines = joined.split("\n")
        rest = lines.pop()
        seen += len(lines)
        if len(rest) > _MAX_LINE:
            raise limits.too_long(seen + 1)
        yield lines, '"' in joined
    if rest:
        yield [rest], '"' in rest


def _loose(blocks: Iterator[str]) -> Iterator[Batch]:
    """Entries are numbered one after another: a pasted text has no rows."""
    rest = ""
    row = 0
    for block in blocks:
        *fragments, rest = (rest + block).translate(_LOOSE_TABLE).split("\n")
        cells: list[str | None] = [entry for fragment in fragments for entry in layout.by_blanks(fragment)]
        if len(rest) > limits.MAX_CELL:
            *whole, last = layout.by_blanks(rest) or [""]
            cells += whole
            # What the next block brings may belong to the last word, or be another one.
            rest = last + rest[len(rest.rstrip()) :][:1]
            if len(rest) > limits.MAX_CELL:
                raise limits.too_long(row + len(cells) + 1)
        yield range(row + 1, row + 1 + len(cells)), cells
        row += len(cells)
    left: list[str | None] = [*layout.by_blanks(rest)]
    yield range(row + 1, row + 1 + len(left)), left


@dataclass(slots=True)
class _Rows:
    """Takes one cell out of each row. A row is a record: a quoted cell may go over several lines."""

    table: Table
    row: int = 0
    waiting: list[str] = field(default_factory=list)  # lines of a record that the next block ends

    def batches(self, blocks: Iterator[tuple[list[str], bool]]) -> Iterator[Batch]:
        """The number's cell of each row."""
        for lines, has_quotes in blocks:
            if has_quotes or self.waiting:
                yield self._numbered(self._quoted([*self.waiting, *lines], is_last=False))
            else:
                yield self._numbered(self._plain(lines))
        if self.waiting:
            yield self._numbered(self._quoted(self.waiting, is_last=True))

    def _numbered(self, cells: list[str | None]) -> Batch:
        low = self.row
        self.row += len(cells)
        if low < self.table.skip:
            skipped = min(self.table.skip - low, len(cells))
            cells[:skipped] = [None] * skipped
        return range(low + 1, self.row + 1), cells

    def _plain(self, lines: Sequence[str]) -> list[str | None]:
        """The way of nearly all lists: no quotation marks, so a line is a row."""
        separator, column = self.table.separator, self.table.column
        if lines and max(map(len, lines)) >= limits.MAX_COLUMNS:
            self._check(lines)
        cells: list[str | None]
        try:
            cells = [line.split(separator, column + 1)[column] for line in lines]
        except IndexError:
            cells = [self._cell(line.split(separator)) for line in lines]
        if "" in cells:
            cells = [cell or self._cell(line.split(separator)) for cell, line in zip(cells, lines, strict=True)]
        return cells

    def _check(self, lines: Sequence[str]) -> None:
        for place, line in enumerate(lines, self.row + 1):
            if len(line) >= limits.MAX_COLUMNS:
                self._measured(line.split(self.table.separator), place)

    def _measured(self, fields: list[str], row: int) -> list[str]:
        if len(fields) > limits.MAX_COLUMNS:
            raise limits.too_wide(row)
        if max(map(len, fields), default=0) > limits.MAX_CELL:
            raise limits.too_long(row)
        return fields

    def _cell(self, fields: Sequence[str]) -> str | None:
        """The number's cell, empty when the row is too short for one, None when nothing stands in the row."""
        cell = fields[self.table.column] if self.table.column < len(fields) else ""
        if cell.strip():
            return cell
        return "" if any(other.strip() for other in fields) else None

    def _quoted(self, lines: list[str], *, is_last: bool) -> list[str | None]:
        self.waiting = []
        if self._record(lines[-1:])[2]:
            return self._one_by_one(lines, is_last=is_last)
        try:
            records = list(csv.reader(lines, delimiter=self.table.separator))
        except csv.Error:
            records = []
        if len(records) != len(lines):
            return self._one_by_one(lines, is_last=is_last)
        return [self._cell(self._measured(fields, row)) for row, fields in enumerate(records, self.row + 1)]

    def _one_by_one(self, lines: list[str], *, is_last: bool) -> list[str | None]:
        """Where a quoted cell goes over several lines, or a quotation mark stands astray."""
        cells: list[str | None] = []
        place = 0
        while place < len(lines):
            window = lines[place : place + _MAX_SPAN] if '"' in lines[place] else lines[place : place + 1]
            fields, used, is_open = self._record(window)
            if is_open and len(window) < _MAX_SPAN and not is_last:
                self.waiting = lines[place:]
                break
            if is_open or (used > 1 and self._hides_rows(fields, window[:used])):
                fields, used = window[0].split(self.table.separator), 1
            cells.append(self._cell(self._measured(fields, self.row + len(cells) + 1)))
            place += used
        return cells

    def _record(self, window: Sequence[str]) -> tuple[list[str], int, bool]:
        """The first record of some lines, how many of them it takes, and whether it is still open at their end."""
        reader = csv.reader((*window, ""), delimiter=self.table.separator)
        try:
            fields = next(reader)
        except csv.Error:
            return [], 1, True
        return fields, reader.line_num, reader.line_num > len(window)

    def _hides_rows(self, fields: Sequence[str], lines: Sequence[str]) -> bool:
        """Whether the lines alone hold more numbers than the record they would make: then its mark stands astray."""
        column = self.table.column
        alone = [line.split(self.table.separator) for line in lines]
        numbers = sum(len(row) > column and recipient(row[column]) is not None for row in alone)
        return numbers > (len(fields) > column and recipient(fields[column]) is not None)
