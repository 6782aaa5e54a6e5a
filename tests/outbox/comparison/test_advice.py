"""Which line is recommended, and with what reasons."""

import pytest

from sms.core.errors import Refusal
from sms.outbox.comparison.rules import Tried, advise, check_text, weight

RIAL = 1000


def _tried(
    code: str, price: int | None = 1000, reported: float | None = 3.0, *, delivered: int = 2, pays: bool = False
) -> Tried:
    return Tried(
        line_id=int(code),
        operator_code=code,
        count=2,
        delivered_count=delivered,
        accepted=0.5,
        reported=reported,
        price_mrial=None if price is None else price * RIAL,
        pays_back=pays,
    )


@pytest.mark.parametrize(
    ("tried", "chosen"),
    [
        ([], None),
        ([_tried("3000", delivered=1)], None),  # not everybody got it
        ([_tried("3000", price=None)], None),  # it cannot be sent from
        ([_tried("3000")], "3000"),
        ([_tried("3000", 1000), _tried("5000", 1000)], "3000"),  # alike: the first by number
        ([_tried("3000", 1000), _tried("5000", 990)], "5000"),  # alike but for the price
        ([_tried("3000", 1000), _tried("5000", 900, 30.0)], "5000"),  # a step slower, 11 percent cheaper
        ([_tried("3000", 1000), _tried("5000", 950, 30.0)], "3000"),  # a step slower, 5 percent cheaper
        ([_tried("3000", 1000), _tried("5000", 800, 300.0)], "5000"),  # two steps, 25 percent
        ([_tried("3000", 1000), _tried("5000", 800, None)], "5000"),  # no report is as late as can be
        ([_tried("3000", 1000), _tried("5000", 900, 300.0)], "3000"),
        ([_tried("3000", 1000), _tried("2000", 1040, pays=True)], "2000"),  # 4 percent dearer, pays back
        ([_tried("3000", 1000), _tried("2000", 1200, pays=True)], "3000"),
        ([_tried("1000", 1000, delivered=1), _tried("2000", 1900, 90.0)], "2000"),
    ],
)
def test_the_line_that_weighs_least_is_recommended(tried: list[Tried], chosen: str | None) -> None:
    advice = advise(tried)
    assert (advice.chosen.operator_code if advice else None) == chosen


def _said(tried: list[Tried]) -> tuple[list[str], list[str]]:
    advice = advise(tried)
    assert advice is not None
    return [words % params for words, params in advice.reasons], [words % params for words, params in advice.others]


def test_the_reasons_are_what_was_measured() -> None:
    quick, late, paying = _tried("3000", 1000, 2.4), _tried("5000", 960, 41.2), _tried("2000", 1300, 38.0, pays=True)
    assert _said([late, quick, paying]) == (
        [
            "It reached every one of your numbers.",
            "Its report was the first: after 2.4 seconds; the last came after 41.2.",
            "The text costs 4 percent more there than over the cheapest.",
        ],
        [
            "If your list is old, look at operator 2000: it pays back for numbers not in the network.",
            "If only the price counts, and reports may come late: operator 5000.",
        ],
    )
    reasons, others = _said([quick, _tried("5000", 700, 41.2)])
    assert reasons[1:] == ["Its report came after 41.2 seconds.", "Nowhere is the text cheaper."]
    assert others == ["If you want your reports sooner: operator 3000."]
    assert _said([_tried("2000", pays=True)]) == (
        [
            "It reached every one of your numbers.",
            "Its report came after 3.0 seconds.",
            "It pays back for numbers that are not in the network, too.",
        ],
        [],
    )


def test_what_is_free_weighs_by_its_report_alone() -> None:
    assert weight(_tried("3000", 0, 70.0), 0) == 20


@pytest.mark.parametrize("body", ["", " \n", "x" * 301])
def test_a_text_to_compare_with_is_short_and_not_empty(body: str) -> None:
    with pytest.raises(Refusal):
        check_text(body)
