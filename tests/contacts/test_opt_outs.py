"""Who has opted out is not written to, and a hundred thousand of them cost little."""

import tracemalloc

import pytest

from sms.contacts.operations import opt_in, opt_out
from sms.contacts.queries import Suppression, suppression
from sms.core.db import rows, scalar, transaction
from tests.factories import AT, make_account, make_shop

pytestmark = pytest.mark.usefixtures("app")

AMIR, SARA = 989121111111, 989352222222


def _opt_out(account_id: int, *recipients: int, line_id: int | None = None) -> int:
    with transaction():
        return opt_out(account_id=account_id, recipients=recipients, line_id=line_id, reason="replied 11", at=AT)


@pytest.mark.parametrize(
    ("everywhere", "by_line", "recipient", "line_id", "is_covered"),
    [
        (set(), {}, AMIR, 1, False),
        ({AMIR}, {}, AMIR, 1, True),
        ({AMIR}, {}, SARA, 1, False),
        (set(), {1: {AMIR}}, AMIR, 1, True),
        (set(), {1: {AMIR}}, AMIR, 2, False),
        ({SARA}, {1: {AMIR}}, SARA, 2, True),
    ],
)
def test_an_opt_out_covers_its_line_or_every_line(everywhere, by_line, recipient, line_id, is_covered):
    assert Suppression(everywhere, by_line).covers(recipient, line_id) is is_covered


def test_an_account_without_opt_outs_has_an_empty_suppression():
    account_id, *_ = make_account()
    assert suppression(account_id).is_empty
    assert suppression(account_id=account_id).is_empty


def test_opt_outs_are_kept_by_line_and_for_all_lines():
    shop = make_shop()
    assert _opt_out(shop.account_id, AMIR) == 1
    assert _opt_out(shop.account_id, SARA, line_id=shop.line_id) == 1
    found = suppression(shop.account_id)
    assert not found.is_empty
    assert found.covers(AMIR, shop.line_id)
    assert found.covers(AMIR, shop.line_id + 1)
    assert found.covers(SARA, shop.line_id)
    assert not found.covers(SARA, shop.line_id + 1)


def test_an_opt_out_of_one_account_means_nothing_to_another():
    account_id, *_ = make_account()
    other_id, *_ = make_account()
    _opt_out(account_id, AMIR)
    assert suppression(other_id).is_empty
    with transaction():
        assert opt_in(account_id=other_id, recipients=[AMIR], line_id=None) == 0
    assert suppression(account_id).covers(AMIR, 1)


def test_opting_out_twice_keeps_the_first_reason():
    account_id, *_ = make_account()
    assert _opt_out(account_id, AMIR, AMIR, SARA) == 2
    with transaction():
        assert opt_out(account_id=account_id, recipients=[AMIR], line_id=None, reason="asked again", at=AT) == 0
    assert [found.reason for found in rows("SELECT reason FROM contacts_optout")] == ["replied 11"] * 2


def test_opting_in_takes_back_only_that_line():
    shop = make_shop()
    _opt_out(shop.account_id, AMIR)
    _opt_out(shop.account_id, AMIR, line_id=shop.line_id)
    with transaction():
        assert opt_in(account_id=shop.account_id, recipients=[AMIR, SARA], line_id=None) == 1
    found = suppression(shop.account_id)
    assert found.covers(AMIR, shop.line_id)
    assert not found.covers(AMIR, shop.line_id + 1)


def test_nobody_opting_out_asks_the_database_nothing():
    account_id, *_ = make_account()
    assert _opt_out(account_id) == 0
    assert scalar("SELECT count(*) FROM contacts_optout") == 0


def test_a_hundred_thousand_opt_outs_take_less_than_sixteen_megabytes():
    account_id, *_ = make_account()
    _opt_out(account_id, *range(989120000000, 989120100000))
    tracemalloc.start()
    try:
        found = suppression(account_id)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.everywhere) == 100_000
    assert peak < 16_000_000
