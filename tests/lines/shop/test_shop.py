"""The shop: patterns as people write them, and which numbers are shown to whom at which price."""

import pytest
from flask import Flask

from sms.core.actor import PANEL
from sms.core.db import execute, transaction
from sms.lines.formats import operations as formats
from sms.lines.formats.queries import sellers
from sms.lines.formats.rules.offers import INQUIRY, Cell, Format, priced
from sms.lines.formats.rules.sheet import Known
from sms.lines.formats.rules.tiers import Audience, Choice, Tier
from sms.lines.rules import UnusableLine
from sms.lines.shop.queries import Wanted, goods_page
from sms.lines.shop.rules.search import Pattern, read_pattern
from sms.lines.shop.rules.traffic import DELAY_SECONDS, delay_percentile
from sms.lines.stock import operations as stock
from sms.lines.stock.rules import read_item
from tests.factories import AT, make_account, make_gateway, make_line
from tests.operators.staff import sign_in, text_of

MOBILE = 989121234567
EVERYTHING = Wanted()


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", Pattern()),
        ("1404", Pattern(contains="1404")),
        ("۱۴۰۴", Pattern(contains="1404")),
        ("14 04", Pattern(contains="1404")),
        ("*1404", Pattern(ends="1404")),
        ("xx1404", Pattern(ends="1404")),
        ("3000*", Pattern(begins="3000")),
        ("ends with 1404", Pattern(ends="1404")),
        ("ختم به ۱۴۰۴", Pattern(ends="1404")),
        ("begins with 3000 77", Pattern(begins="300077")),
        ("شروع با ۳۰۰۰", Pattern(begins="3000")),
        ("contains 55", Pattern(contains="55")),
        ("شامل ۵۵", Pattern(contains="55")),
        ("contains my mobile's last four", Pattern(contains="4567")),
        ("چهار رقم آخر موبایلم", Pattern(contains="4567")),
        ("آخر موبایلم", Pattern(contains="4567")),
        ("last three digits of my phone", Pattern(contains="567")),
        ("ends with my mobile's last four", Pattern(ends="4567")),
        ("ختم به چهار رقم آخر موبایل من", Pattern(ends="4567")),
    ],
)
def test_a_pattern_is_read_as_people_write_it(text: str, pattern: Pattern) -> None:
    assert read_pattern(text, mobile=MOBILE) == pattern


@pytest.mark.parametrize(("text", "mobile"), [("something nice", MOBILE), ("%_'", MOBILE), ("my mobile", None)])
def test_a_pattern_without_digits_is_told(text: str, mobile: int | None) -> None:
    with pytest.raises(UnusableLine):
        read_pattern(text, mobile=mobile)


@pytest.fixture
def operator_id(app: Flask) -> int:
    """3000 with 8 digits (plain and round) and 10 digits, and some free numbers."""
    operator_id, _ = make_gateway()
    lengths = (
        Format(digits=8, tiers=(Tier.PLAIN, Tier.ROUND), gives_priority=True),
        Format(digits=10),
        Format(digits=12),
    )
    with transaction():
        for each in lengths:
            formats.set_format(operator_id=operator_id, wanted=each, valid_from=None, by=PANEL, at=AT)

        def cell(digits: int, tier: Tier, audience: Audience) -> Cell:
            return Cell(operator_id, digits, tier, Choice.ASSIGNED, audience)

        formats.set_prices(
            {
                cell(8, Tier.PLAIN, Audience.CUSTOMER): priced(5_000),
                cell(8, Tier.ROUND, Audience.CUSTOMER): INQUIRY,
                cell(10, Tier.PLAIN, Audience.CUSTOMER): priced(1_000),
                cell(8, Tier.PLAIN, Audience.RESELLER): priced(4_000),
            },
            by=PANEL,
            at=AT,
        )
        known = [Known(each.id, each.code, each.formats) for each in sellers(AT)]
        texts = ("30001404", "30007777", "30001221", "3000771404", "3000551212", "300011111111")
        stock.add_numbers([read_item(text, known) for text in texts], by=PANEL, at=AT)
    return operator_id


def _found(
    wanted: Wanted = EVERYTHING, *, account_id: int = 0, audience: Audience = Audience.CUSTOMER
) -> dict[str, object]:
    page = goods_page(wanted, account_id=account_id, audience=audience, before=None, most=20, at=AT)
    return {each.number: each.offer.amount_mrial for each in page}


def test_the_roundest_come_first_each_priced_as_the_tier_it_is_sold_as(operator_id: int) -> None:
    assert _found() == {
        "30007777": None,
        "3000551212": 1_000,
        "30001221": 5_000,
        "3000771404": 1_000,
        "30001404": 5_000,
    }
    assert _found(audience=Audience.RESELLER) == {"30001221": 4_000, "30001404": 4_000}


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(pattern=Pattern(ends="1404")), {"3000771404", "30001404"}),
        (Wanted(pattern=Pattern(contains="77")), {"30007777", "3000771404"}),
        (Wanted(pattern=Pattern(begins="30001")), {"30001404", "30001221"}),
        (Wanted(digits=8), {"30007777", "30001404", "30001221"}),
        (Wanted(tier="very_round"), {"30007777"}),
        (Wanted(most_mrial=1_000), {"3000771404", "3000551212"}),
        (Wanted(operator_id=30_000), set()),
    ],
)
def test_the_shop_is_searched(operator_id: int, wanted: Wanted, numbers: set[str]) -> None:
    assert set(_found(wanted)) == numbers


def test_pages_follow_each_other_without_a_gap(operator_id: int) -> None:
    seen: list[str] = []
    before = None
    while True:
        page = goods_page(Wanted(), account_id=0, audience=Audience.CUSTOMER, before=before, most=2, at=AT)
        if not page:
            break
        seen += [each.number for each in page]
        before = (page[-1].score, page[-1].id)
    assert seen == list(_found())


def test_what_is_not_free_or_comes_first_to_another_is_not_shown(operator_id: int) -> None:
    owner, _, _ = make_account()
    make_line(operator_id=operator_id, gateway_id=make_gateway()[1], account_id=owner, number="30007714")
    with transaction():
        execute("UPDATE lines_number SET state = 'active' WHERE number = '30001404'")
    assert set(_found(Wanted(pattern=Pattern(ends="1404")))) == set()
    assert set(_found(Wanted(pattern=Pattern(ends="1404")), account_id=owner)) == {"3000771404"}


def test_a_customer_finds_a_number_in_the_shop(app: Flask, operator_id: int) -> None:
    _, user_id, _ = make_account()
    customer = sign_in(app, user_id)
    customer.browser.set_cookie("language", "en")
    page = text_of(customer.get("/shop?pattern=ends+with+1404"))
    assert "3000 1404" in page
    assert "3000 7777" not in page
    assert "names no digits" in text_of(customer.get("/shop?pattern=nice"))
    assert "No free number fits" in text_of(customer.get("/shop?pattern=99999"))
    assert customer.get("/shop?before=x&digits=y&tier=z&most=q&operator=w").status_code == 200


# What the next rooms stand on


def test_percentiles_of_hours_are_read_from_their_steps() -> None:
    counts = [0, 10, 80, 0, 10, *([0] * 11)]
    assert len(counts) == len(DELAY_SECONDS) + 1
    assert [delay_percentile(counts, share) for share in (0.1, 0.5, 0.9, 0.99)] == [2, 3, 3, 10]
    assert delay_percentile([0] * 16, 0.5) is None
    assert delay_percentile([*([0] * 15), 5], 0.5) is None
