"""How rows of people become contacts."""

import pytest

from sms.contacts.rules import Contact, check_name, contacts_in, given, one_line
from sms.core.errors import Refusal

AMIR, SARA = 989121111111, 989352222222


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["09121111111"], [Contact(AMIR)]),
        (["۰۹۱۲۱۱۱۱۱۱۱", "امیر"], [Contact(AMIR, "امیر")]),
        (["امیر", "تهران", "+98 912 111 1111"], [Contact(AMIR, "امیر تهران")]),
        (["9121111111.0", "Amir"], [Contact(AMIR, "Amir")]),
        (['="09121111111"', "Amir"], [Contact(AMIR, "Amir")]),
        (["09121111111", "09352222222"], [Contact(AMIR), Contact(SARA)]),
        (["09121111111 09352222222"], [Contact(AMIR), Contact(SARA)]),
        (["09121111111 Amir  Karimi"], [Contact(AMIR, "Amir Karimi")]),
        (["0912 111 1111"], [Contact(AMIR)]),
        (["nobody", "12"], []),
        ([], []),
    ],
)
def test_a_row_holds_a_number_with_its_name_or_several_numbers(cells: list[str], found: list[Contact]) -> None:
    assert contacts_in(cells) == found


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Sara \n Amini ", "Sara Amini"),
        ("\u202eevil\u202c", "evil"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("a\0b", "a b"),
    ],
)
def test_a_name_is_one_line_that_turns_nothing_round(typed: str, kept: str) -> None:
    assert one_line(typed) == kept


def test_a_name_in_a_list_is_cut_where_names_end() -> None:
    assert contacts_in(["09121111111", "x" * 100]) == [Contact(AMIR, "x" * 60)]


@pytest.mark.parametrize("name", ["", "  ", "\u202e", "x" * 61])
def test_a_group_has_a_name_of_some_length(name: str) -> None:
    with pytest.raises(Refusal):
        check_name(name)


def test_what_stood_in_a_row_is_shown_short() -> None:
    assert given(["a", "b\tc", "d" * 100]) == ("a b c " + "d" * 100)[:40]
