"""How round a number is: a table, and what always holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.lines.formats.rules.roundness import MOST, roundness
from sms.lines.formats.rules.tiers import TIERS, Tier, sold_as


@pytest.mark.parametrize(
    ("number", "tier", "why"),
    [
        ("30001404", "plain", ""),
        ("3000771201", "plain", ""),
        ("30001528961415", "plain", ""),
        ("30001221", "semi", "1221 reads the same backwards"),
        ("30000000001404", "semi", "The digit 0 stands 6 times in a row"),
        ("3000441234", "semi", "1234 goes step by step"),
        ("30001122", "round", "It is made of pairs: 11 22"),
        ("30001212", "round", "12 comes 2 times"),
        ("3000123123", "round", "123 comes 2 times"),
        ("30001000", "round", "It ends with 3 zeros"),
        ("30009999888", "round", "The digit 9 stands 4 times in a row"),
        ("3000123", "round", "123 goes step by step"),
        ("300011", "round", "Hardly a digit follows the prefix"),
        ("30001234", "very_round", "1234 goes step by step"),
        ("30009876", "very_round", "9876 goes step by step"),
        ("30007777", "very_round", "After the prefix there are only 7's"),
        ("30003000", "very_round", "The prefix 3000 comes again"),
        ("3000005500", "very_round", "It is made of pairs: 00 55 00"),
        ("3000", "very_round", "It is the operator's prefix itself"),
        ("30005550", "round", "The digit 5 stands 3 times in a row"),
    ],
)
def test_a_number_has_a_tier_and_its_strongest_reason(number: str, tier: str, why: str) -> None:
    found = roundness(number, operator_code="3000")
    told = [reason.message % reason.params for reason in found.reasons]
    assert (found.tier, (told or [""])[0]) == (tier, why)


def test_the_prefix_is_everybodys_and_makes_nothing_round() -> None:
    assert roundness("0211404", operator_code="021").score == 0
    assert roundness("50001404", operator_code="5000").score == 0


@given(st.from_regex(r"3000[0-9]{0,12}", fullmatch=True))
def test_a_score_is_bounded_explained_and_falls_by_place(number: str) -> None:
    found = roundness(number, operator_code="3000")
    points = [reason.points for reason in found.reasons]
    assert 0 <= found.score <= MOST
    assert (found.score == 0) == (not points or max(points) == 0)
    assert points == sorted(points, reverse=True)
    assert found == roundness(number, operator_code="3000")


@pytest.mark.parametrize(
    ("tier", "tiers", "sold"),
    [
        ("plain", ("plain", "round"), "plain"),
        ("semi", ("plain", "round"), "plain"),
        ("very_round", ("plain", "round"), "round"),
        ("very_round", ("plain",), "plain"),
        ("plain", ("semi", "round"), "semi"),
    ],
)
def test_a_number_is_sold_as_the_roundest_tier_it_reaches(tier: str, tiers: tuple[str, ...], sold: str) -> None:
    assert sold_as(Tier(tier), [Tier(each) for each in tiers]) == sold


def test_every_tier_is_sold_as_itself_where_all_are_priced() -> None:
    assert [sold_as(tier, TIERS) for tier in TIERS] == list(TIERS)
