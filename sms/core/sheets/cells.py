"""Streams the rows of a workbook's sheet. What a sheet says of its own size is not believed."""

from collections.abc import Iterator
from zipfile import ZipFile

from sms.core.sheets import limits, workbook
from sms.core.sheets.workbook import Handlers, Strings

Cells = dict[int, str | int]
"""The filled cells of a row by column: their text, or the place of a shared string, which few of them are asked for."""
Row = tuple[int, Cells]

_EXCEL_ROWS = 1_048_576
_LETTERS = 26
_FORMULA = 200
_DIGITS = "0123456789"


def text_of(cells: Cells, column: int, strings: Strings) -> str:
    """What stands in a cell; empty where nothing does."""
    value = cells.get(column, "")
    return value if isinstance(value, str) else strings[value]


def from_spreadsheet(value: str) -> str:
    """The text of a numeric cell: 9121234567.0 and 9.12E9, which here is exact, become whole numbers."""
    if value.isdecimal():
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return str(int(number)) if number.is_integer() and abs(number) < 10**15 else value


def rows_of(archive: ZipFile, sheet: str, strings: Strings) -> Iterator[list[Row]]:
    """The rows of a sheet, some at a time; raises UnreadableList."""
    reader = _Sheet(strings)
    for _ in workbook.parsing(archive, sheet, Handlers(reader.start, reader.end, reader.text)):
        if reader.rows:
            yield reader.rows
            reader.rows = []


class _Sheet:
    """Collects rows while a sheet's elements stream by; this is called some ten million times for a large sheet."""

    def __init__(self, strings: Strings) -> None:
        self.strings = strings
        self.rows: list[Row] = []
        self.number = 0
        self.cells: Cells = {}
        self.column = -1
        self.kind = "n"
        self.is_value = self.is_formula = False
        self.pieces: list[str] = []
        self.formula = ""
        self.length = 0
        self.columns: dict[str, int] = {}

    def start(self, name: str, attributes: list[str]) -> None:
        """An element begins: c is a cell, v its value, t its text, f its formula."""
        if name == "c":
            self._cell(attributes)
        elif name in {"v", "t"}:
            self.is_value = self.kind != "phonetic"
        elif name == "row":
            self._begin(attributes)
        elif name == "f":
            self.is_formula = True
        elif name == "rPh":  # how a Japanese cell is read aloud
            self.kind = "phonetic"

    def text(self, piece: str) -> None:
        """Letters of whatever has begun."""
        if self.is_value:
            self.pieces.append(piece)
            self.length += len(piece)
            if self.length > limits.MAX_CELL:
                raise limits.too_long(self.number)
        elif self.is_formula:
            self.formula = (self.formula + piece)[:_FORMULA]

    def end(self, name: str) -> None:
        """An element ends."""
        if name in {"v", "t"}:
            self.is_value = False
        elif name == "c":
            if self.pieces:
                self._fill("".join(self.pieces))
                self.pieces.clear()
                self.length = 0
            elif self.formula:  # its program never worked it out
                self._keep("=" + self.formula)
            self.formula = ""
        elif name == "row":
            self.rows.append((self.number, self.cells))
            self.cells = {}
            self.column = -1
        elif name == "f":
            self.is_formula = False
        elif name == "rPh":
            self.kind = "inlineStr"

    def _cell(self, attributes: list[str]) -> None:
        self.column += 1
        self.kind = "n"
        for place in range(0, len(attributes), 2):
            key = attributes[place]
            if key == "r":
                letters = attributes[place + 1].rstrip(_DIGITS)
                known = self.columns.get(letters)
                self.column = self._column(letters) if known is None else known
            elif key == "t":
                self.kind = attributes[place + 1]

    def _begin(self, attributes: list[str]) -> None:
        """Some writers do not number their rows."""
        told = attributes[attributes.index("r") + 1] if "r" in attributes else ""
        number = int(told) if told.isdecimal() and len(told) < 11 else 0  # noqa: PLR2004 - no sheet has so many
        self.number = number if number > self.number else self.number + 1
        if self.number > _EXCEL_ROWS:
            raise limits.too_many_rows()

    def _column(self, letters: str) -> int:
        number = 0
        for letter in letters[:3].upper():
            number = number * _LETTERS + ord(letter) - 64
        self.columns[letters] = number - 1
        return number - 1

    def _fill(self, value: str) -> None:
        if self.kind == "s":
            place = int(value) if value.isdecimal() and len(value) < 10 else -1  # noqa: PLR2004 - digits
            if not 0 <= place < len(self.strings):
                raise limits.damaged()
            self._keep(place)
        else:
            self._keep(from_spreadsheet(value) if self.kind == "n" else value)

    def _keep(self, value: str | int) -> None:
        if self.column >= limits.MAX_COLUMNS:
            raise limits.too_wide(self.number)
        self.cells[self.column] = value
