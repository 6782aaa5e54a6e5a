"""Workbooks: what Excel and others write, and what only looks like a workbook."""

import io
import struct
import tracemalloc
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms.core.sheets import limits
from sms.core.sheets.limits import UnreadableList
from tests.outbox.intake.lists import ALI, REZA, SARA, fates, handmade, sent, sheet_of, workbook


@pytest.mark.parametrize(
    "rows",
    [
        [["09121234567"], ["09351112233"]],
        [[9121234567], [9351112233]],
        [[9121234567.0], ["9351112233.0"]],
        [["mobile"], [989121234567], ["+98 935 111 2233"]],
        [["نام", "شماره موبایل"], ["علی", 9121234567], ["سارا", "۰۹۳۵۱۱۱۲۲۳۳"]],
        [[], [], ["name", "mobile"], [], ["Ali", 9121234567], ["Sara", 9351112233]],
        [[None, None, "09121234567"], [None, None, "09351112233"]],
        [["id", "phone", "mobile"], [1, "02188776655", "09121234567"], [2, "02188776656", 9351112233]],
        [["09121234567", "09351112233"]],
    ],
)
def test_the_numbers_are_found(rows: list[list[Any]]) -> None:
    assert sent(workbook(rows)) == [ALI, SARA]


def test_rows_have_their_numbers_and_none_is_lost() -> None:
    rows = [
        ["name", "mobile"],
        ["Ali", 9121234567],
        [],
        ["Sara", "bad\n one"],
        [None, "09121234567"],
        ["Reza"],
        ["", " "],
    ]
    assert fates(workbook(rows)) == [("v", 2, ALI), ("i", 4, "bad one"), ("d", 5, ALI), ("i", 6, "")]


def test_the_first_visible_sheet_is_read() -> None:
    assert sent(workbook([["09019998877"]], [["09351112233"]], [["09121234567"]], hidden=2)) == [ALI]


def test_a_formula_s_value_counts_and_one_without_a_value_is_reported() -> None:
    rows = (
        '<row r="1"><c r="A1" t="str"><f>"0"&amp;B1</f><v>09121234567</v></c></row>'
        '<row r="2"><c r="A2"><f>B2*1</f><v>9351112233</v></c></row>'
        '<row r="3"><c r="A3"><f>VLOOKUP(B3)</f></c></row>'
        '<row r="4"><c r="A4" t="e"><v>#N/A</v></c></row>'
    )
    assert fates(handmade(sheet_of(rows))) == [
        ("v", 1, ALI),
        ("v", 2, SARA),
        ("i", 3, "=VLOOKUP(B3)"),
        ("i", 4, "#N/A"),
    ]


def test_rich_and_inline_texts_are_read_without_how_they_are_pronounced() -> None:
    strings = (
        '<sst xmlns="m"><si><r><rPr/><t>0912</t></r><r><t xml:space="preserve"> 123 4567</t></r></si>'
        "<si><t>09351112233</t><rPh sb='0' eb='1'><t>x</t></rPh></si></sst>"
    )
    rows = (
        '<row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row>'
        '<row><c t="inlineStr"><is><r><t>0901</t></r><r><t>9998877</t></r>'
        '<rPh sb="0" eb="1"><t>y</t></rPh></is></c></row>'
    )
    assert sent(handmade(sheet_of(rows), strings=strings)) == [ALI, SARA, REZA]


@pytest.mark.parametrize(
    "target", ["worksheets/sheet1.xml", "/xl/worksheets/sheet1.xml", "./worksheets/../worksheets/sheet1.xml"]
)
def test_prefixes_other_targets_and_other_namespaces(target: str) -> None:
    made = handmade(
        '<x:worksheet xmlns:x="p"><x:sheetData><x:row r="1"><x:c r="A1"><x:v>9121234567</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>",
        workbook='<x:workbook xmlns:x="p" xmlns:rel="r"><x:sheets>'
        '<x:sheet name="a" rel:id="rId1"/></x:sheets></x:workbook>',
        relations=f'<Relationships><Relationship Id="rId1" Target="{target}"/></Relationships>',
    )
    assert sent(made) == [ALI]


def test_rows_that_count_backwards_are_counted_on() -> None:
    rows = "".join(
        f'<row r="{told}"><c><v>{number}</v></c></row>' for told, number in [(7, 9121234567), (3, 1), (-1, 2)]
    )
    assert [number for _, number, _ in fates(handmade(sheet_of(rows)))] == [7, 8, 9]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.text(alphabet="abcعلی ", max_size=5),
            st.one_of(st.none(), st.integers(9120000000, 9120000009), st.sampled_from(["bad", "0912 000 0001", " "])),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_row_is_there_exactly_once(rows: list[tuple[str, Any]]) -> None:
    filled = [place for place, row in enumerate(rows, start=3) if any(str(cell or "").strip() for cell in row)]
    content = workbook([("Name", "Mobile"), ("Ali", "09350000000"), *rows])
    assert [number for _, number, _ in fates(content)] == [2, *filled]


# What is refused


def _encrypted() -> bytes:
    return bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 5000 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 500


def _locked_zip() -> bytes:
    made = bytearray(workbook([["09121234567"]]))
    place = made.find(b"PK\x01\x02")
    while place >= 0:
        made[place + 8] |= 1
        place = made.find(b"PK\x01\x02", place + 1)
    return bytes(made)


def _zip(**parts: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


ONE_ROW = '<row r="1"><c r="A1"><v>9121234567</v></c></row>'
LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    + sheet_of('<row><c t="inlineStr"><is><t>&c;</t></is></c></row>')
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + sheet_of(
    '<row><c t="inlineStr"><is><t>&e;</t></is></c></row>'
)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b" \r\n\r\n ", "empty"),
        (b",,,\n,,\n", "empty"),
        (workbook([]), "empty"),
        (workbook([["", " "]]), "empty"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 5000, "old Excel"),
        (_encrypted(), "password"),
        (_locked_zip(), "password"),
        (b"%PDF-1.7 09121234567", "no list"),
        (b"\x89PNG\r\n\x1a\n", "no list"),
        (b"\xff\xd8\xff\xe0 picture", "no list"),
        (bytes(range(256)) * 40, "no list"),
        (b"\0" * 5000 + b"0912", "no list"),
        (_zip(content=b"x"), "no list"),
        (b"PK\x03\x04 and no more", "damaged"),
        (workbook([["09121234567"]])[:-30], "damaged"),
        (handmade("<worksheet><sheetData><row>"), "damaged"),
        (handmade("<worksheet>\x00</worksheet>"), "damaged"),
        (handmade(sheet_of(ONE_ROW), relations="<Relationships/>"), "damaged"),
        (handmade(sheet_of('<row><c t="s"><v>9</v></c></row>')), "damaged"),
        (handmade(sheet_of('<row><c t="s"><v>x</v></c></row>')), "damaged"),
        (handmade(LAUGHS), "damaged"),
        (handmade(OUTSIDE), "damaged"),
        (handmade(sheet_of(ONE_ROW), workbook='<w><sheets><sheet state="hidden"/></sheets></w>'), "no visible sheet"),
        (handmade(sheet_of('<row r="1048577"><c><v>1</v></c></row>')), "more than 1000000 rows"),
        (handmade(sheet_of('<row r="1000000000"><c><v>1</v></c></row>')), "more than 1000000 rows"),
        (handmade(sheet_of('<row><c r="CW1"><v>1</v></c></row>')), "Row 1 has more than 100 columns"),
        (handmade(sheet_of(f'<row r="5"><c><v>{"1" * 10_001}</v></c></row>')), "Row 5 has a cell of more than 10000"),
        (b"0912,\n" + b"," * 100, "Row 2 has more than 100 columns"),
        (b"09121234567," + b"x" * 10_001, "Row 1 has a cell of more than 10000"),
        (b'"09121234567","' + b"x" * 10_001 + b'"', "Row 1 has a cell of more than 10000"),
        (b'"09121234567","' + b"x" * 200_000 + b'"', "Row 1 has a cell of more than 10000"),
        (b"x" * 3_000_000, "Row 1 has a cell of more than 10000"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableList) as refused:
        fates(content)
    assert sentence in str(refused.value)


def test_exactly_a_hundred_columns_and_ten_thousand_characters_are_fine() -> None:
    assert sent(b"09121234567" + b"," * 99) == [ALI]
    assert sent(b"09121234567," + b"x" * 10_000) == [ALI]
    assert sent(handmade(sheet_of('<row><c r="CV1"><v>9121234567</v></c></row>'))) == [ALI]


def test_a_sheet_s_own_word_for_its_size_is_not_believed() -> None:
    sheet = f'<worksheet><dimension ref="A1:XFD1000000000"/><sheetData>{ONE_ROW}</sheetData></worksheet>'
    assert sent(handmade(sheet)) == [ALI]


# Bombs: refused, and before the memory is gone


def _refused_lightly(content: bytes, sentence: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableList) as refused:
            fates(content)
        assert sentence in str(refused.value)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/media/image.png", "xl/worksheets/sheet2.xml"])
def test_a_part_that_unpacks_to_more_than_200_times_its_size_is_not_opened(part: str) -> None:
    stream = io.BytesIO(handmade(sheet_of(ONE_ROW)))
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(part, "w") as bomb:
        for _ in range(40):
            bomb.write(b" " * 1_000_000)
    _refused_lightly(stream.getvalue(), "far more than its size")


def test_a_directory_that_lies_about_sizes_brings_no_more_than_it_says() -> None:
    made = bytearray(handmade(sheet_of(ONE_ROW * 200_000)))
    place = made.rfind(b"PK\x01\x02", 0, made.rfind(b"sheet1.xml"))
    struct.pack_into("<I", made, place + 24, 1000)
    _refused_lightly(bytes(made), "damaged")


def test_bytes_are_counted_while_they_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    content = handmade(sheet_of(ONE_ROW), strings="<sst>" + "<si><t>abc</t></si>" * 9000 + "</sst>")
    monkeypatch.setattr(limits, "MAX_STRINGS_BYTES", 100_000)
    _refused_lightly(content, "far more than its size")


def test_a_directory_of_too_many_names_is_not_read() -> None:
    made = bytearray(handmade(sheet_of(ONE_ROW)))
    struct.pack_into("<I", made, made.rfind(b"PK\x05\x06") + 12, 5_000_000)
    _refused_lightly(bytes(made), "far more than its size")


def test_one_endless_attribute_is_not_collected() -> None:
    noise = "".join(f"{number * 7919 % 99991:05}" for number in range(1_000_000))
    _refused_lightly(handmade(f'<worksheet a="{noise}">{ONE_ROW}</worksheet>'), "damaged")


def test_one_row_too_many_is_refused() -> None:
    rows = b"\n".join(b"0912%07d" % number for number in range(1_000_001))
    with pytest.raises(UnreadableList, match="more than 1000000 rows"):
        fates(rows)


def test_a_million_rows_and_a_header_are_fine() -> None:
    rows = b"mobile\n" + b"\n".join(b"0912%07d" % number for number in range(1_000_000))
    assert len(sent(rows)) == 1_000_000


def test_blank_lines_without_end_are_refused() -> None:
    with pytest.raises(UnreadableList, match="rows"):
        fates(b"09121234567\n" + b"\n" * 3_000_000)
