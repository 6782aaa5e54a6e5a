"""Packed chunks give back what was put in."""

import zlib

from hypothesis import given
from hypothesis import strategies as st

from sms.outbox.intake.rules.packing import CHUNK_ROWS, first_row, pack, unpack
from sms.outbox.intake.rules.sorting import Sorter

ROWS = st.lists(
    st.tuples(
        st.integers(1, 2**31 - 1),
        st.sampled_from("vdi"),
        st.text(alphabet=st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40),
    ),
    min_size=1,
    max_size=50,
)


@given(ROWS)
def test_a_chunk_gives_back_its_rows(rows: list[tuple[int, str, str]]) -> None:
    numbers, kinds, texts = map(list, zip(*rows, strict=True))
    chunk = pack(numbers, kinds, texts)
    assert [(kind, int(number), text) for kind, number, text in unpack(chunk)] == [(k, n, t) for n, k, t in rows]


def test_numbers_in_a_run_are_not_written_one_by_one() -> None:
    run = pack(range(7, 20_007), ["v"] * 20_000, ["989121234567"] * 20_000)
    assert zlib.decompress(run).startswith(b"7\nv")
    assert next(iter(unpack(run)))[1] == "7"


def test_the_first_row_is_known_from_the_first_bytes() -> None:
    holes = list(range(123_457, 223_457, 5))
    assert first_row(pack(holes, ["v"] * len(holes), ["989121234567"] * len(holes))[:64]) == 123_457


def test_chunks_are_of_one_size_whatever_the_batches() -> None:
    numbers = [f"0912{number:07}" for number in range(45_000)]
    batches = ((range(low + 1, low + 7001), [*numbers[low : low + 7000]]) for low in range(0, 42_000, 7000))
    sizes = [len(list(unpack(chunk))) for chunk in Sorter().chunks(batches)]
    assert sizes == [CHUNK_ROWS, CHUNK_ROWS, 2000]


def test_opt_outs_are_counted_by_network_head_among_valid_rows_only() -> None:
    sorter = Sorter({"*": {989120000001}, "7": {989350000001, 989120000002}})
    cells = ["09120000001", "09120000001", "09350000001", "09120000002", "bad"]
    list(sorter.chunks([(range(1, 6), [*cells])]))
    assert sorter.suppressed_heads == {"*": {9891200: 1}, "7": {9893500: 1, 9891200: 1}}
    assert (sorter.valid_count, sorter.duplicate_count, sorter.invalid_count) == (3, 1, 1)
    assert sorter.heads == {9891200: 2, 9893500: 1}
