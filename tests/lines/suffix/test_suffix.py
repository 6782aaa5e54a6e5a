"""What a text ends with: added where it is demanded and lacking, never twice."""

import pytest
from flask import Flask

from sms.core.actor import Actor
from sms.core.db import execute, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.lines.queries import UsableLine, usable_line
from sms.lines.suffix.operations import set_suffix
from sms.lines.suffix.queries import suffixes
from sms.lines.suffix.rules import ending_of
from tests.factories import AT, Shop, make_shop


@pytest.mark.parametrize(
    ("body", "suffix", "ending"),
    [
        ("سلام", "لغو11", "\nلغو11"),
        ("سلام", "", ""),
        ("سلام\nلغو11", "لغو11", ""),
        ("سلام لغو۱۱", "لغو11", ""),
        ("سلام لغو ۱۱", "لغو11", ""),
        ("سلام\nلغو\u200c١١ ", "لغو11", ""),
        ("سلام «لغو11».", "لغو۱۱", ""),
        ("لغو11 سلام", "لغو11", "\nلغو11"),
        ("سلام لغو111", "لغو11", "\nلغو11"),
        ("تلفن 88811", "11", "\n11"),
        ("تلفن 888 11", "11", ""),
        ("", "لغو11", "\nلغو11"),
    ],
)
def test_a_text_ends_with_the_words_once(body: str, suffix: str, ending: str) -> None:
    assert ending_of(body, suffix) == ending
    assert ending_of(body + ending, suffix) == ""


@pytest.fixture
def shop(app: Flask) -> Shop:
    return make_shop()


def demand(shop: Shop, *, operator: bool | None = None, line: bool | None = None, suffix: str = "لغو11") -> UsableLine:
    """What operator and line say; the line as it is used then."""
    with transaction():
        if operator is not None:
            set_suffix(operator_id=shop.operator_id, suffix=suffix, is_demanded=operator, by=Actor(), at=AT)
        execute("UPDATE lines_line SET demands_suffix = :demands WHERE id = :id", demands=line, id=shop.line_id)
    found = usable_line(shop.account_id, shop.line_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("operator", "line", "suffix"),
    [
        *((None, None, ""), (None, True, "لغو11"), (None, False, ""), (True, None, "لغو11"), (True, False, "")),
        *((True, True, "لغو11"), (False, True, "لغو11"), (False, None, "")),
    ],
)
def test_a_line_says_itself_or_does_as_its_operator(
    shop: Shop, operator: bool | None, line: bool | None, suffix: str
) -> None:
    assert demand(shop, operator=operator, line=line).suffix == suffix


def test_the_words_are_the_operators_and_a_change_is_written_down_once(shop: Shop) -> None:
    for _ in range(2):
        assert demand(shop, operator=True, suffix=" لغو  ۱۱ ").text_of("سلام") == "سلام\nلغو ۱۱"
    assert [(each.suffix, each.is_demanded) for each in suffixes()] == [("لغو ۱۱", True)]
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'line.suffix_changed'") == 1


@pytest.mark.parametrize("suffix", ["", "  ", "...", "x" * 31])
def test_words_that_say_nothing_or_too_much_are_refused(shop: Shop, suffix: str) -> None:
    with pytest.raises(Refusal), transaction():
        set_suffix(operator_id=shop.operator_id, suffix=suffix, is_demanded=True, by=Actor(), at=AT)


def test_an_operator_that_is_not_there_has_no_words(app: Flask) -> None:
    with pytest.raises(NotFound), transaction():
        set_suffix(operator_id=999, suffix="لغو11", is_demanded=True, by=Actor(), at=AT)
