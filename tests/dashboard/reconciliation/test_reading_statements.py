"""Statements are read whatever their columns are called, row by row; rubbish is noted and never believed."""

import pytest

from sms.core.errors import NotFound
from sms.dashboard.reconciliation.rules import (
    MOST_PROBLEMS,
    CreditDay,
    Line,
    NoStatement,
    Problems,
    day_numbered,
    read_statement,
)


def _read(*rows: list[str]) -> tuple[list[Line], Problems]:
    problems = Problems()
    return list(read_statement(enumerate(rows, start=1), problems)), problems


@pytest.mark.parametrize(
    ("heads", "cells", "line"),
    [
        (["Message ID", "Cost"], ["a1", "600"], Line(2, "a1", cost_mrial=600_000)),
        (["شناسه پیام", "هزینه (تومان)"], ["a1", "۶۰"], Line(2, "a1", cost_mrial=600_000)),
        (["ID", "Parts", "Price (Rial)"], ["7", "2", "1,200.5"], Line(2, "7", parts=2, cost_mrial=1_200_500)),
        (["UID", "Receptor", "Status"], ["12", "09121234567", "OK"], Line(2, "", 12, 989121234567, status="OK")),
        (["x", "شناسه"], ["", "۱۲۳"], Line(2, "123")),
        (["ref", "parts"], ["a"], Line(2, "a")),
    ],
)
def test_columns_are_found_by_their_names(heads: list[str], cells: list[str], line: Line) -> None:
    assert _read(heads, cells) == ([line], Problems())


def test_a_header_may_stand_below_a_title() -> None:
    lines, _ = _read(["Statement of account"], ["1405/09/02"], ["ref", "cost"], ["a", "1"])
    assert [line.number for line in lines] == [4]


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (["", "1", "1", ""], "Neither"),
        (["a" * 101, "1", "1", ""], "too long"),
        (["a", "two", "1", ""], "whole number"),
        (["a", "-1", "1", ""], "whole number"),
        (["a", "99999999", "1", ""], "whole number"),
        (["a", "1", "=1+1", ""], "not an amount"),
        (["a", "1", "NaN", ""], "not an amount"),
        (["a", "1", "-5", ""], "zero or more"),
        (["a", "1", "0.00001", ""], "three digits"),
        (["", "1", "1", "9" * 30], "whole number"),
    ],
)
def test_what_cannot_be_is_noted_with_its_row(cells: list[str], sentence: str) -> None:
    lines, problems = _read(["ref", "parts", "cost", "our id"], cells, ["b", "1", "1", ""])
    assert [line.operator_ref for line in lines] == ["b"]
    assert problems.count == 1
    assert problems.shown[0].place == "2"
    assert sentence in problems.shown[0].message


def test_no_more_problems_are_kept_than_are_shown() -> None:
    lines, problems = _read(["ref"], *([[" "]] * (MOST_PROBLEMS + 9)))
    assert (lines, problems.count, len(problems.shown)) == ([], MOST_PROBLEMS + 9, MOST_PROBLEMS)


@pytest.mark.parametrize("rows", [[], [["a", "b"]], [["name", "sum"]] * 50])
def test_a_file_without_names_of_columns_is_no_statement(rows: list[list[str]]) -> None:
    with pytest.raises(NoStatement):
        _read(*rows)


@pytest.mark.parametrize("number", [0, 20261301, 20260231, 99999999999])
def test_what_is_no_day_is_not_there(number: int) -> None:
    with pytest.raises(NotFound):
        day_numbered(number)


@pytest.mark.parametrize(
    ("start", "end", "bought", "drop", "difference"),
    [(1000, 400, 0, 600, 50), (1000, 900, 450, 550, 0), (None, 400, 0, None, None), (1000, None, 0, None, None)],
)
def test_a_drop_counts_what_was_bought(
    start: int | None, end: int | None, bought: int, drop: int | None, difference: int | None
) -> None:
    credit = CreditDay(start, end, bought, cost_mrial=600, paid_back_mrial=50)
    assert (credit.expected_mrial, credit.drop_mrial, credit.difference_mrial) == (550, drop, difference)
