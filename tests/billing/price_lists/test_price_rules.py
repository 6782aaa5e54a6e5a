"""Which price is asked, and what each level earns."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sms.billing.price_lists.rules import Asked, Chain, Key, meant, permille_of
from sms.billing.rules import Language, Scope
from sms.core.errors import Refusal

AT = datetime(2026, 11, 29, tzinfo=UTC)
OPERATOR, LINE, MCI, IRANCELL = 3, 30, 1, 2
TOP, SUB, CUSTOMER = 10, 11, 12
KEY = Key(LINE, OPERATOR, MCI, Language.PERSIAN)


def asked(owner_id: int = TOP, **changes: object) -> Asked:
    """A tenth more over the operator."""
    plain = Asked(
        id=1,
        owner_id=owner_id,
        account_id=None,
        scope=Scope(operator_id=OPERATOR),
        language=None,
        markup_permille=100,
        price_mrial=None,
        is_below_cost_confirmed=False,
        valid_from=AT - timedelta(days=1),
        valid_until=None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def fixed(price_mrial: int, owner_id: int = TOP, **changes: object) -> Asked:
    return asked(owner_id, markup_permille=None, price_mrial=price_mrial, **changes)


@pytest.mark.parametrize(
    ("row", "own", "price"),
    [
        (asked(), 1_000, 1_100),
        (asked(markup_permille=0), 1_000, 1_000),
        (asked(markup_permille=125), 1_001, 1_126),  # rounded down
        (asked(markup_permille=-100), 1_000, 1_000),  # never below one's own
        (asked(markup_permille=-100, is_below_cost_confirmed=True), 1_000, 900),
        (asked(markup_permille=-1000, is_below_cost_confirmed=True), 1_000, 0),
        (fixed(1_500), 1_000, 1_500),
        (fixed(1_500), 1_501, 1_501),  # one's own price has risen above it
        (fixed(1_500, is_below_cost_confirmed=True), 1_501, 1_500),
        (asked(), 0, 0),
    ],
)
def test_what_is_asked_of_a_price_of_ones_own(row: Asked, own: int, price: int):
    assert row.price(own) == price


LESS_SPECIFIC_FIRST = [
    asked(id=20),
    asked(id=2, valid_from=AT),
    asked(id=3, language=Language.PERSIAN),
    asked(id=4, scope=Scope(operator_id=OPERATOR, network_id=MCI)),
    asked(id=5, scope=Scope(operator_id=OPERATOR, network_id=MCI), language=Language.PERSIAN),
    asked(id=6, scope=Scope(line_id=LINE)),
    asked(id=7, scope=Scope(line_id=LINE, network_id=MCI)),
    asked(id=8, account_id=CUSTOMER),
    asked(id=9, account_id=CUSTOMER, scope=Scope(line_id=LINE, network_id=MCI), language=Language.PERSIAN),
]


@pytest.mark.parametrize("count", range(1, len(LESS_SPECIFIC_FIRST) + 1))
def test_the_more_specific_row_is_meant(count: int):
    rows = LESS_SPECIFIC_FIRST[:count]
    for order in (rows, rows[::-1]):
        assert meant(order, KEY, account_id=CUSTOMER, at=AT) is rows[-1]


@pytest.mark.parametrize(
    "row",
    [
        asked(account_id=99),
        asked(language=Language.LATIN),
        asked(scope=Scope(operator_id=OPERATOR, network_id=IRANCELL)),
        asked(scope=Scope(operator_id=4)),
        asked(scope=Scope(line_id=31)),
        asked(valid_from=AT + timedelta(seconds=1)),
        asked(valid_until=AT),
    ],
)
def test_what_does_not_fit_is_not_meant(row: Asked):
    assert meant([row], KEY, account_id=CUSTOMER, at=AT) is None


def test_without_resellers_the_tariff_is_paid_and_nobody_earns():
    assert Chain(CUSTOMER, (), [], AT).price(KEY, 1_000) == (1_000, ())


def test_without_rows_everybody_pays_what_the_reseller_pays():
    assert Chain(CUSTOMER, (SUB, TOP), [], AT).price(KEY, 1_000) == (1_000, (0, 0))


def test_each_level_asks_of_what_it_pays_itself():
    chain = Chain(CUSTOMER, (SUB, TOP), [asked(TOP), asked(SUB, markup_permille=250)], AT)
    price, shares = chain.price(KEY, 1_000_000)
    assert (price, shares) == (1_375_000, (275_000, 100_000))
    assert price - sum(shares) == 1_000_000


def test_a_row_for_one_account_is_for_it_and_not_for_who_is_below_it():
    rows = [asked(TOP, account_id=SUB, markup_permille=500), asked(TOP, account_id=CUSTOMER, markup_permille=900)]
    assert Chain(CUSTOMER, (SUB, TOP), rows, AT).price(KEY, 1_000) == (1_500, (0, 500))
    assert Chain(None, (TOP,), rows, AT).price(KEY, 1_000) == (1_000, (0,))


def test_a_level_that_sells_at_a_loss_earns_less_than_nothing():
    rows = [asked(TOP), fixed(900, SUB, is_below_cost_confirmed=True)]
    assert Chain(CUSTOMER, (SUB, TOP), rows, AT).price(KEY, 1_000) == (900, (-200, 100))


@pytest.mark.parametrize(
    ("typed", "permille"), [("10", 100), ("۱۲٫۵", 125), ("12.5%", 125), ("-3", -30), ("+0.5", 5), (".5", 5), ("٪۷", 70)]
)
def test_percentages_are_read_as_people_type_them(typed: str, permille: int):
    assert permille_of(typed) == permille


@pytest.mark.parametrize("typed", ["1.25", "1234567", "", ".", "ten", "1e3", "--1", "1.-2", "²"])
def test_what_is_no_percentage_is_refused(typed: str):
    with pytest.raises(Refusal):
        permille_of(typed)
