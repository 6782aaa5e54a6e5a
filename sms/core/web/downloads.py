"""Files of rows that somebody takes away: CSV as a stream, XLSX as a workbook; what was typed stays text in both."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice

from flask import Response, send_file, stream_with_context

from sms.core.sheets.delimited import BOM, cell
from sms.core.sheets.writing import MEDIA_TYPE, Sheet, write_xlsx
from sms.core.web.i18n import _, language

XLSX_MOST = 100_000  # rows: a sheet cannot be sent while it is written; the CSV file has everything
Cell = str | int | Decimal
Slices = Iterable[Iterable[Sequence[Cell]]]
"""Rows some thousands at a time, as they come from the database."""


def csv_file(name: str, header: Sequence[str], slices: Slices) -> Response:
    """All rows, as a file `name`.csv; the header's message ids are said in the reader's language."""
    first = BOM + ",".join(cell(_(title)) for title in header) + "\r\n"
    body = ("".join(map(_line, some)) for some in slices)
    response = Response(stream_with_context(_chained(first, body)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def xlsx_file(name: str, title: str, header: Sequence[str], slices: Slices, widths: Sequence[int]) -> Response:
    """The first hundred thousand rows, as a workbook `name`.xlsx of one sheet."""
    sheet = Sheet(
        title,
        [_(each) for each in header],
        islice((row for some in slices for row in some), XLSX_MOST),
        widths,
        is_right_to_left=language() == "fa",
    )
    made = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever sends it
    write_xlsx(sheet, made)
    made.seek(0)
    return send_file(made, mimetype=MEDIA_TYPE, as_attachment=True, download_name=f"{name}.xlsx")


def _line(row: Sequence[Cell]) -> str:
    return ",".join(cell(value) if isinstance(value, str) else str(value) for value in row) + "\r\n"


def _chained(first: str, others: Iterable[str]) -> Iterator[str]:
    yield first
    yield from others
