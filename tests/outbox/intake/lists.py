"""Reading a list in a test: what becomes of each row."""

import io
import zipfile
from collections.abc import Iterable
from typing import Any

import xlsxwriter

from sms.outbox.intake.rules.packing import unpack
from sms.outbox.intake.rules.reading import read_list
from sms.outbox.intake.rules.sorting import Sorter

Fate = tuple[str, int, str]
ALI, SARA, REZA = "989121234567", "989351112233", "989019998877"


def fates(content: bytes | str, *, is_typed: bool = False) -> list[Fate]:
    """(kind, row number, text) of every row, in order."""
    raw = content.encode() if isinstance(content, str) else content
    chunks = list(Sorter().chunks(read_list(io.BytesIO(raw), is_typed=is_typed)))
    return [(kind, int(number), text) for chunk in chunks for kind, number, text in unpack(chunk)]


def sent(content: bytes | str, *, is_typed: bool = False) -> list[str]:
    """The valid recipients, in order."""
    return [text for kind, _, text in fates(content, is_typed=is_typed) if kind == "v"]


def workbook(*sheets: Iterable[Iterable[Any]], hidden: int = 0) -> bytes:
    """An XLSX of these sheets, the first `hidden` of them hidden."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        for place, rows in enumerate(sheets):
            sheet = book.add_worksheet()
            if place < hidden:
                sheet.very_hidden() if place else sheet.hide()
            if place == hidden:
                sheet.activate()
                sheet.set_first_sheet()
            for row_number, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if isinstance(cell, str) and not cell.startswith("="):
                        sheet.write_string(row_number, column, cell)
                    elif cell is not None:
                        sheet.write(row_number, column, cell)
    return stream.getvalue()


_WORKBOOK = '<workbook xmlns="m" xmlns:r="r"><sheets><sheet name="1" sheetId="1" r:id="rId1"/></sheets></workbook>'
_RELATIONS = '<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>'


def handmade(sheet: str | bytes, *, strings: str | bytes = "", **parts: str | bytes) -> bytes:
    """An XLSX with this XML in it, whatever it is."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", parts.get("workbook", _WORKBOOK))
        archive.writestr("xl/_rels/workbook.xml.rels", parts.get("relations", _RELATIONS))
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        if strings:
            archive.writestr("xl/sharedStrings.xml", strings)
    return stream.getvalue()


def sheet_of(rows: str) -> str:
    """The XML of a sheet with these rows."""
    return f'<worksheet xmlns="m"><sheetData>{rows}</sheetData></worksheet>'
