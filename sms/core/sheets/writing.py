"""Writes an XLSX file of one sheet: a header that stays, columns as wide as wanted, numbers as numbers.

Texts are inline strings, never formulas: whatever somebody typed into the panel is only shown."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

from sms.core.sheets.table import cell_name

Value = str | int | Decimal | None
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NO_TITLE = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
_PLAIN, _HEADER, _AMOUNT = 0, 1, 2
_LONGEST = 32_767  # characters Excel takes in a cell
_KEPT = frozenset("\n\t\u00a0\u200c\u200d")  # not printable by the letter, and part of what somebody wrote
_LIKE_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")  # what Excel would read as a character's number
_MOMENT = (2026, 1, 1, 0, 0, 0)  # of every file's parts: the same contents make the same bytes

_TYPES = f"""{_HEAD}<Types xmlns="{_PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml" ContentType="{MEDIA_TYPE}.main+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>
<Override PartName="/xl/styles.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>
</Types>"""
_RELATIONS = f"""{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>"""
_BOOK_RELATIONS = f"""{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>"""
_STYLES = f"""{_HEAD}<styleSheet xmlns="{_MAIN}">
<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>
<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>
<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>
<fill><patternFill patternType="solid"><fgColor rgb="FFE8EAF6"/><bgColor indexed="64"/></patternFill></fill></fills>
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>
<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>
<xf numFmtId="0" fontId="1" fillId="2" borderId="0" xfId="0" applyFont="1" applyFill="1"/>
<xf numFmtId="3" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>
</styleSheet>"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: its first row is the header; `widths` are in characters, one a column."""

    title: str
    header: Sequence[str]
    rows: Iterable[Sequence[Value]]
    widths: Sequence[int]
    is_right_to_left: bool = False
    kept_columns: int = 0  # stay in sight, like the header, when one scrolls


def xlsx(sheet: Sheet) -> bytes:
    """The file. Rows are written as they come, so that only what is packed is kept in memory."""
    made = io.BytesIO()
    write_xlsx(sheet, made)
    return made.getvalue()


def write_xlsx(sheet: Sheet, stream: BinaryIO) -> None:
    """Write the file row by row, so that a long sheet is nowhere whole."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pieces in (
            ("[Content_Types].xml", [_TYPES]),
            ("_rels/.rels", [_RELATIONS]),
            ("xl/workbook.xml", [_book(sheet)]),
            ("xl/_rels/workbook.xml.rels", [_BOOK_RELATIONS]),
            ("xl/styles.xml", [_STYLES]),
            ("xl/worksheets/sheet1.xml", _sheet(sheet)),
        ):
            part = zipfile.ZipInfo(name, _MOMENT)
            part.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(part, "w") as written:
                for piece in pieces:
                    written.write(piece.encode())


def _book(sheet: Sheet) -> str:
    return (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name={quoteattr(sheet.title.translate(_NO_TITLE)[:31])} sheetId="1" r:id="rId1"/></sheets></workbook>'
    )


def _sheet(sheet: Sheet) -> Iterator[str]:
    columns = "".join(
        f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>'
        for place, width in enumerate(sheet.widths, start=1)
    )
    corner = cell_name(2, sheet.kept_columns)
    kept = f' xSplit="{sheet.kept_columns}"' if sheet.kept_columns else ""
    pane = "bottomRight" if sheet.kept_columns else "bottomLeft"
    right = ' rightToLeft="1"' if sheet.is_right_to_left else ""
    yield (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"{right}>'
        f'<pane{kept} ySplit="1" topLeftCell="{corner}" activePane="{pane}" state="frozen"/></sheetView></sheetViews>'
        f"<cols>{columns}</cols><sheetData>{_row(1, sheet.header, _HEADER)}"
    )
    for number, row in enumerate(sheet.rows, start=2):
        yield _row(number, row, _PLAIN)
    yield "</sheetData></worksheet>"


def _row(number: int, values: Sequence[Value], style: int) -> str:
    cells = "".join(_cell(cell_name(number, column), value, style) for column, value in enumerate(values))
    return f'<row r="{number}">{cells}</row>'


def _cell(name: str, value: Value, style: int) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        written = "".join(each for each in value[:_LONGEST] if each.isprintable() or each in _KEPT)
        shown = escape(_LIKE_ESCAPE.sub("_x005F_", written))
        return f'<c r="{name}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{shown}</t></is></c>'
    return f'<c r="{name}" s="{_AMOUNT}"><v>{value}</v></c>'
