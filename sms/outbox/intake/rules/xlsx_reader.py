"""Streams the rows of a workbook's first visible sheet. What a sheet says of its own size is not believed."""

from collections.abc import Iterator
from typing import BinaryIO
from zipfile import ZipFile

from sms.core.sheets import limits, workbook
from sms.core.sheets.cells import rows_of, text_of
from sms.core.sheets.workbook import Strings
from sms.outbox.intake.rules import layout
from sms.outbox.intake.rules.layout import Loose, Table
from sms.outbox.intake.rules.text_reader import Batch

_SAMPLE_ROWS = 200


def read_xlsx(stream: BinaryIO) -> Iterator[Batch]:
    """The cells of a workbook's first visible sheet; raises UnreadableList."""
    with workbook.opened(stream) as archive:
        sheet = workbook.first_visible_sheet(archive)
        strings = Strings(archive)
        found = layout.of_rows(_sample(archive, sheet, strings))
        if isinstance(found, Loose):
            yield from _loose(archive, sheet, strings)
        else:
            yield from _table(archive, sheet, strings, found)


def _sample(archive: ZipFile, sheet: str, strings: Strings) -> list[list[str]]:
    """The first rows as lists, empty where nothing stands."""
    sample: list[list[str]] = []
    for rows in rows_of(archive, sheet, strings):
        for number, cells in rows:
            while len(sample) < min(number - 1, _SAMPLE_ROWS):
                sample.append([])
            sample.append([text_of(cells, column, strings) for column in range(max(cells, default=-1) + 1)])
        if len(sample) >= _SAMPLE_ROWS:
            break
    return sample[:_SAMPLE_ROWS]


def _table(archive: ZipFile, sheet: str, strings: Strings, table: Table) -> Iterator[Batch]:
    column, skip = table.column, table.skip
    for rows in rows_of(archive, sheet, strings):
        found: list[str | None] = []
        for number, cells in rows:
            text = text_of(cells, column, strings)
            if number <= skip:
                found.append(None)
            elif text.strip() or any(text_of(cells, other, strings).strip() for other in cells):
                if len(text) > limits.MAX_CELL:
                    raise limits.too_long(number)
                found.append(text)
            else:
                found.append(None)
        yield [number for number, _ in rows], found


def _loose(archive: ZipFile, sheet: str, strings: Strings) -> Iterator[Batch]:
    """Numbers in several columns: every filled cell is a recipient, numbered one after another."""
    count = 0
    for rows in rows_of(archive, sheet, strings):
        texts = [text_of(cells, column, strings) for _, cells in rows for column in sorted(cells)]
        found: list[str | None] = [text for text in texts if text.strip()]
        yield range(count + 1, count + 1 + len(found)), found
        count += len(found)
