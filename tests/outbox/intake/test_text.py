"""Text lists: every encoding by every separator, headers, quotes, and what people paste."""

import codecs
import io
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.core.sheets.encodings import encoding_of
from sms.core.sheets.limits import UnreadableList
from sms.outbox.intake.rules.layout import Loose, Table, of_text
from sms.outbox.intake.rules.text_reader import read_text
from tests.outbox.intake.lists import ALI, REZA, SARA, fates, sent

ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": b"",
    "utf-16-be": b"",
    "utf-32": b"",
    "utf-16-be marked": codecs.BOM_UTF16_BE,
    "cp1256": b"",
}
LINES = {"\n", "\r\n", "\r"}


@pytest.mark.parametrize(("encoding", "separator"), list(product(ENCODINGS, [",", ";", "\t", "|", "،"])))
def test_every_encoding_by_every_separator(encoding: str, separator: str) -> None:
    if encoding == "cp1256":
        numbers = ["09121234567", "9351112233", "+989019998877"]
    else:
        numbers = ["۰۹۱۲۱۲۳۴۵۶۷", "٠٩٣٥١١١٢٢٣٣", "+989019998877"]
    rows = [
        ["نام", "موبایل", "شهر"],
        *([name, number, "تهران"] for name, number in zip(["علی", "سارا", "رضا"], numbers, strict=True)),
    ]
    for line_end in LINES:
        text = line_end.join(separator.join(row) for row in rows) + line_end
        content = ENCODINGS[encoding] + text.replace("ی", "ي" if encoding == "cp1256" else "ی").encode(
            encoding.split(maxsplit=1)[0]
        )
        assert fates(content) == [("v", 2, ALI), ("v", 3, SARA), ("v", 4, REZA)]


@pytest.mark.parametrize(
    "content",
    [
        "09121234567\n09351112233",
        "09121234567\r\n\r\n09351112233\r\n",
        "\n\n 09121234567 \n09351112233\n\n",
        "09121234567,\n09351112233,\n",
        "09121234567;;\n09351112233;;\n",
        "mobile\n09121234567\n09351112233",
        "شماره موبایل\n09121234567\n09351112233",
        "name,mobile\nAli,09121234567\nSara,09351112233",
        "Mobile Number;Name\n09121234567;Ali\n09351112233;Sara",
        "تلفن,همراه\n02188776655,09121234567\n02188776656,09351112233",
        "id,phone,mobile\n1,02188776655,09121234567\n2,02188776656,09351112233",
        "sep=;\nname;mobile\nAli, the boss;09121234567\nSara;09351112233",
        "name;city,note;number\nAli;Tehran, Iran;09121234567\nSara;Shiraz, Iran;09351112233",
        '"name","mobile"\n"Ali","09121234567"\n"Sara","09351112233"',
        '"Ali, ""the boss""",09121234567\n"Sara",09351112233\n',
        "Ali,0912 123 4567\nSara,0935-111-2233",
        "0912\x001234567\n09351112233\x1a",
        "1\t09121234567\n2\t09351112233",
        "09121234567|x\n09351112233|y",
    ],
)
def test_the_numbers_are_found(content: str) -> None:
    assert sent(content) == [ALI, SARA]


def test_a_column_named_mobile_is_not_believed_when_another_one_holds_the_numbers() -> None:
    assert sent("mobile,contact\nno,09121234567\nyes,09351112233\nno,09019998877") == [ALI, SARA, REZA]


def test_rows_have_the_numbers_a_spreadsheet_shows() -> None:
    content = 'name,mobile\nAli,09121234567\n\n"two\nlines",09351112233\nX,bad\nAli,09121234567\n,\nZ,\nshort\n'
    assert fates(content) == [
        ("v", 2, ALI),
        ("v", 4, SARA),
        ("i", 5, "bad"),
        ("d", 6, ALI),
        ("i", 8, ""),
        ("i", 9, ""),
    ]


def test_a_first_row_that_is_no_header_is_reported_and_not_dropped() -> None:
    assert fates("12345\n09121234567") == [("i", 1, "12345"), ("v", 2, ALI)]
    assert fates("someone\n09121234567") == [("i", 1, "someone"), ("v", 2, ALI)]


def test_the_first_of_doubles_is_the_one_that_is_sent() -> None:
    assert fates("09121234567\n+989121234567\n09351112233\n9121234567") == [
        ("v", 1, ALI),
        ("d", 2, ALI),
        ("v", 3, SARA),
        ("d", 4, ALI),
    ]


# Quotation marks


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('"Ali,09121234567\nSara,09351112233', [ALI, SARA]),  # never closed
        ('"Ali,09121234567\nSara,09351112233\n"Reza,09019998877', [ALI, SARA, REZA]),  # would swallow Sara
        ('5" pipe,09121234567\nSara,09351112233', [ALI, SARA]),
        ('"Ali\nand his\nfamily",09121234567\nSara,09351112233', [ALI, SARA]),
        ('09121234567,"two\nlines"\n09351112233,"three\nof\nthem"', [ALI, SARA]),
        ('"Ali ""x"" y",09121234567\n"Sara",09351112233', [ALI, SARA]),
        ('"09121234567\n"09351112233\n', [ALI, SARA]),
    ],
)
def test_a_stray_quotation_mark_swallows_nobody(content: str, expected: list[str]) -> None:
    assert sent(content) == expected


def test_a_mark_that_is_never_closed_costs_its_own_row_only() -> None:
    rows = [f"N{number},0912{number:07}" for number in range(500)]
    rows[100] = '"' + rows[100]
    assert len(sent("\n".join(rows))) == 500


def test_a_record_may_go_over_the_border_of_two_blocks() -> None:
    filler = [f"N{number},0912{number:07}" for number in range(13_000)]
    for shift in range(0, 60, 7):
        rows = [*filler, *['"two\nlines",09351112233'] * 1, "x" * shift + ",bad"]
        content = "y" * shift + ",09019998877\n" + "\n".join(rows * 2)
        found = fates(content)
        assert sum(kind == "v" for kind, *_ in found) == 13_002
        assert [number for _, number, _ in found] == list(range(1, 2 * 13_002 + 2))


# Loose lists


@pytest.mark.parametrize(
    "content",
    [
        "09121234567,09351112233",
        "09121234567 09351112233",
        "09121234567، 09351112233",
        "09121234567;09351112233;",
        "09121234567\t09351112233",
        "09121234567\n\n09351112233",
        "0912 123 4567 0935 111 2233",
        "+98 912 123 4567, +98 935 111 2233",
        " ۰۹۱۲۱۲۳۴۵۶۷ ۰۹۳۵۱۱۱۲۲۳۳ ",
        "09121234567\r\n09351112233",
        "Ali\t09121234567\nSara\t09351112233",
        "name\tmobile\nAli\t09121234567\nSara\t09351112233",
    ],
)
def test_pasted_numbers_are_parted_anyhow(content: str) -> None:
    assert sent(content, is_typed=True) == [ALI, SARA]


def test_pasted_entries_are_numbered_one_after_another_and_none_is_lost() -> None:
    assert fates("09121234567, Ali; 12 34\n\n9121234567 foo bar 09351112233", is_typed=True) == [
        ("v", 1, ALI),
        ("i", 2, "Ali"),
        ("i", 3, "12 34"),
        ("d", 4, ALI),
        ("i", 5, "foo bar"),
        ("v", 6, SARA),
    ]


def test_a_file_of_numbers_side_by_side_is_a_loose_list() -> None:
    assert sent("09121234567,09351112233\n09019998877") == [ALI, SARA, REZA]


def test_a_long_line_of_numbers_is_read_as_a_stream() -> None:
    numbers = [f"0912{number:07}" for number in range(60_000)]
    assert len(sent(",".join(numbers))) == 60_000
    assert len(sent(" ".join(numbers[:2000]), is_typed=True)) == 2000


# Encodings


def test_one_broken_byte_does_not_turn_the_list_into_another_encoding() -> None:
    lines = ["نام,موبایل".encode(), *(f"علی,۰۹۱۲۰۰۰۰{number:03}".encode() for number in range(100))]
    lines[50] = "علی".encode()[:-1] + b"," + "۰۹۱۲۰۰۰۰۹۹۹".encode()
    assert len(sent(b"\n".join(lines))) == 100


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"09121234567\n", "utf-8"),
        ("علي,09121234567\n".encode("cp1256") * 9, "cp1256"),
        ("علی,09121234567\n".encode(), "utf-8"),
        ("0912\n".encode("utf-16-le"), "utf-16-le"),
        ("۰۹۱۲\n".encode("utf-16-be"), "utf-16-be"),
        (b"", "utf-8"),
    ],
)
def test_encodings_are_told_apart(content: bytes, encoding: str) -> None:
    assert encoding_of([content] if content else []) == encoding


def test_the_end_of_a_block_may_cut_a_character_in_two() -> None:
    content = "علی,۰۹۱۲۱۲۳۴۵۶۷\n".encode()
    for cut in range(1, len(content)):
        assert encoding_of([content[:cut], content[cut:]]) == "utf-8"


# Layouts


@pytest.mark.parametrize(
    ("sample", "is_typed", "layout"),
    [
        ("a,b\n1,09121234567", False, Table(",", 1, 1)),
        ("09121234567\n", False, Table("\x1f", 0, 0)),
        ("09121234567\n", True, Loose()),
        ("x\ty\n", True, Loose()),
        ("no;thing\nhere;either", False, Table(";", 0, 1)),
        ("sep=|\n09121234567|a", False, Table("|", 0, 1)),
    ],
)
def test_layouts(sample: str, is_typed: bool, layout: object) -> None:
    assert of_text(sample, is_typed=is_typed) == layout


# Everything once

CELLS = st.one_of(
    st.integers(9120000000, 9120000030).map(lambda number: f"0{number}"),
    st.text(alphabet='abc" 0۱\t،|', max_size=6),
    st.just(""),
)


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=60), separator=st.sampled_from([",", ";"]))
def test_every_row_of_a_table_is_there_exactly_once(rows: list[tuple[str, str]], separator: str) -> None:
    quoted = ["Name,Mobile".replace(",", separator), "Ali" + separator + "09350000000"]
    quoted += [separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    numbers = [number for _, number, _ in fates("\n".join(quoted))]
    filled = [place for place, row in enumerate(rows, start=3) if any(cell.strip() for cell in row)]
    assert numbers == [2, *filled]


@given(entries=st.lists(st.sampled_from(["09121234567", "0935 111 2233", "bad", "12", "+989019998877"]), min_size=1))
def test_every_pasted_entry_is_there_exactly_once(entries: list[str]) -> None:
    found = fates(",".join(entries), is_typed=True)
    assert [number for _, number, _ in found] == list(range(1, len(entries) + 1))
    assert [kind == "i" for kind, *_ in found] == [entry in {"bad", "12"} for entry in entries]


@given(st.binary(max_size=3000))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        found = fates(content)
    except UnreadableList:
        return
    numbers = [number for _, number, _ in found]
    assert numbers == sorted(set(numbers))


def test_a_reader_takes_no_more_than_it_is_asked_for() -> None:
    batches = read_text(io.BytesIO(b"09121234567\n" * 1_000_000))
    assert len(next(batches)[1]) < 100_000


@pytest.mark.parametrize("between", [" ", "  ", ",", "\t", "\n"])
def test_a_list_longer_than_a_block_is_cut_between_its_numbers(between: str) -> None:
    numbers = [f"0912 {number // 10000:03} {number % 10000:04}" for number in range(60_000)]
    assert fates(between.join(numbers), is_typed=True) == [
        ("v", place, f"98912{number:07}") for place, number in enumerate(range(60_000), start=1)
    ]


def test_words_without_end_are_read_in_time() -> None:
    assert len(fates("a " * 1_000_000, is_typed=True)) == 1_000_000 // 16


def test_a_word_without_end_is_refused() -> None:
    with pytest.raises(UnreadableList, match="10000 characters"):
        fates("a" * 2_000_000, is_typed=True)
