"""Short addresses: of one length, each its own, and not to be made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.core.errors import Refusal
from sms.core.parts import measure
from sms.links.rules import codes
from sms.links.rules.codes import OwnCode, PlainCode, Use

KEY, OTHER_KEY = b"k" * 16, b"o" * 16
FIRST = 219_000_000 << 20


def use(count: int = 10_000, key: bytes = KEY) -> Use:
    return Use("https://s.example.ir", "Ab3xY", FIRST, count, key)


def test_ten_thousand_recipients_have_ten_thousand_addresses_of_one_length_that_lead_back_to_each() -> None:
    made = use()
    addresses = [made.address(FIRST + place) for place in range(10_000)]
    assert len(set(addresses)) == 10_000
    assert {len(address) for address in addresses} == {len("https://s.example.ir/l/") + codes.OWN_LENGTH}
    for place, address in enumerate(addresses):
        found = codes.read_code(address.rpartition("/")[2])
        assert isinstance(found, OwnCode)
        assert (found.code, made.id_of(found.tag)) == ("Ab3xY", FIRST + place)


def test_the_next_recipients_address_cannot_be_guessed_from_ones_own() -> None:
    made = use()
    mine = made.address(FIRST + 41).rpartition("/")[2][codes.USE_LENGTH :]
    head, proof = mine[:4], mine[4:]
    following = codes.written(codes.read(head) + 1, 4)
    assert made.id_of(following + proof) is None
    assert sum(made.id_of(following + codes.written(guess, 5)) is not None for guess in range(20_000)) <= 1
    assert use(key=OTHER_KEY).id_of(mine) is None


@pytest.mark.parametrize("tagged", ["", "0", "00000000", "0000000000", "0000-0000", "00000000é", "zzzzzzzzz"])
def test_what_was_not_made_by_us_is_nobodys(tagged: str) -> None:
    assert use().id_of(tagged) is None


def test_a_place_beyond_the_run_is_nobodys() -> None:
    tagged = codes.tag(KEY, 10_000)
    assert use(10_001).id_of(tagged) == FIRST + 10_000
    assert use(10_000).id_of(tagged) is None


@given(st.integers(0, codes.MOST_IDS - 1))
def test_a_tag_reads_back(place: int) -> None:
    assert codes.place_of(KEY, codes.tag(KEY, place)) == place


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a" * 7, PlainCode("a" * 7)),
        ("a" * 14, OwnCode("aaaaa", "a" * 9)),
        ("a" * 5, None),
        ("a" * 13, None),
        ("", None),
        ("../../x", None),
        ("سلام‌سلا", None),
        ("۱۲۳۴۵۶۷", None),
        ("a" * 5000, None),
        ("aaaaaa\n", None),
    ],
)
def test_codes_are_told_by_their_length(text: str, found: object) -> None:
    assert codes.read_code(text) == found


@given(st.text(max_size=30))
def test_no_text_behind_the_slash_breaks_anything(text: str) -> None:
    found = codes.read_code(text)
    if isinstance(found, OwnCode):
        assert use().id_of(found.tag) is None or found.tag.isalnum()


@pytest.mark.parametrize("body", ["see {link}", "ببینید: {link} با احترام", "{link} " * 20, "{link}" + "x" * 130])
def test_the_price_is_of_what_everybody_gets(body: str) -> None:
    """The text that is priced, the common one, and each one's own are alike in alphabet, length and parts."""
    made = use()
    priced = codes.with_address(body, made.base)
    common = body.replace(codes.PLACE, made.stand_in)
    own = [made.text(common, FIRST + place) for place in (0, 1, 777, 9_999)]
    assert len({measure(text) for text in [priced, common, *own]}) == 1
    assert all(made.address(FIRST + 777) not in text for text in (own[0], own[1], own[3]))
    assert made.address(FIRST + 777) in own[2]
    assert made.stand_in not in own[0]


@pytest.mark.parametrize(
    ("body", "has_link", "problem"),
    [
        ("hello", False, None),
        ("see {link}", True, None),
        ("{{7*7}} {links}", False, None),
        ("hello", True, "where the link should stand"),
        ("see {link}", False, "choose the link too"),
    ],
)
def test_a_link_and_its_place_belong_together(body: str, has_link: bool, problem: str | None) -> None:
    if problem is None:
        codes.check_place(body, has_link=has_link)
    else:
        with pytest.raises(Refusal, match=problem):
            codes.check_place(body, has_link=has_link)
