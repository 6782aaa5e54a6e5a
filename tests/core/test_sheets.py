"""Tables of any usual file come in as rows, and what we write is read back as it was."""

import io
import zipfile
from collections.abc import Sequence
from decimal import Decimal

import pytest

from sms.core.sheets import limits
from sms.core.sheets.limits import UnreadableList
from sms.core.sheets.table import MAX_BYTES, cell_name, read_table
from sms.core.sheets.writing import Sheet, xlsx


def _rows(raw: bytes) -> list[tuple[int, list[str]]]:
    return list(read_table(io.BytesIO(raw)))


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("a,b\n1,2\n", ["1", "2"]),
        ("a;b\n1,5;2\n", ["1,5", "2"]),
        ("a\tb\n1\t2\n", ["1", "2"]),
        ('a,b\n"1,200,000",2\n', ["1,200,000", "2"]),
        ("a\n1\n", ["1"]),
    ],
)
def test_a_text_is_parted_by_what_parts_its_lines(text: str, cells: list[str]) -> None:
    assert _rows(text.encode())[1] == (2, cells)


def test_rows_are_numbered_as_in_their_file_and_blank_ones_left_out() -> None:
    assert [number for number, _ in _rows('a,b\n\n"x\ny",2\n1,2\n'.encode("utf-16"))] == [1, 3, 5]


def test_persian_of_windows_is_read() -> None:
    assert _rows("اپراتور,مبلغ\n".encode("cp1256")) == [(1, ["اپراتور", "مبلغ"])]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"  ", limits.empty()),
        (b"%PDF-1.4", limits.no_list()),
        (b"\x00\x01\x02\x03" * 50, limits.no_list()),
        (b"PK\x03\x04 and no more", limits.damaged()),
        (b"x" * (MAX_BYTES + 1), limits.too_large(MAX_BYTES)),
    ],
    ids=["empty", "pdf", "binary", "damaged", "large"],
)
def test_what_is_no_table_is_refused_with_its_reason(raw: bytes, said: UnreadableList) -> None:
    with pytest.raises(UnreadableList) as refused:
        _rows(raw)
    assert (refused.value.message, refused.value.params) == (said.message, said.params)


def test_a_sheet_is_read_back_as_it_was_written() -> None:
    rows: Sequence[Sequence[str | int | Decimal | None]] = [
        ["۳۰۰۰", 1_200_000, None, '<&" =1+1'],
        ["", Decimal("1.5"), "x", None],
    ]
    sheet = Sheet("قیمت/ها", ["a", "b", "c", "d"], rows, [10, 12, 8, 8], is_right_to_left=True, kept_columns=2)
    assert _rows(xlsx(sheet)) == [
        (1, ["a", "b", "c", "d"]),
        (2, ["۳۰۰۰", "1200000", "", '<&" =1+1']),
        (3, ["", "1.5", "x"]),
    ]
    assert xlsx(sheet) == xlsx(sheet)


def test_what_somebody_wrote_is_only_text_and_stays_as_it_was() -> None:
    written = ["می\u200cخواهم\u00a0😀", "=1+1", "_x0041_ a_x", "<b>{{7*7}}", "\u202eevil\0"]
    kept = [*written[:4], "evil"]
    made = xlsx(Sheet("a", ["a"] * 5, [written], [10] * 5))
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "_x005F_x0041_ a_x" in sheet  # Excel reads the underscore's number, and shows the rest as it stands
    assert [cell.replace("_x005F_", "_") for cell in _rows(made)[1][1]] == kept
    with zipfile.ZipFile(io.BytesIO(xlsx(Sheet("a", ["a"], [["é" * 40_000]], [10])))) as archive:
        assert archive.read("xl/worksheets/sheet1.xml").decode().count("é") == 32_767  # more Excel does not open


def test_cells_are_named_as_a_spreadsheet_names_them() -> None:
    assert [cell_name(3, column) for column in (0, 25, 26, 701, 702)] == ["A3", "Z3", "AA3", "ZZ3", "AAA3"]
