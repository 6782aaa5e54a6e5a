"""The staff's pages of money: what they change happens once, with a reason, and nobody else gets there."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sms.core.db import rows, scalar, transaction
from sms.ledger import operations, queries
from tests.factories import AT, make_account, make_campaign, make_shop
from tests.journeys.walker import Walker
from tests.ledger.people import signed_in, staff


def _money_page(walker: Walker, account_id: int) -> Walker:
    return walker.go(f"/admin/accounts/{account_id}/money")


def test_an_adjustment_changes_the_balance_and_is_audited(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    walker = _money_page(staff(app), account_id)
    walker.submit("/adjust", direction="credit", amount="1,390.5", reason="paid in the shop")
    assert queries.balance(account_id) == 1_390_500
    assert "The balance was changed." in walker.text
    assert "paid in the shop" in walker.text
    _money_page(walker, account_id).submit("/adjust", direction="debit", amount="۳۹۰٫۵", reason="too much")
    assert queries.balance(account_id) == 1_000_000
    audited = rows("SELECT actor_id, details FROM accounts_audit WHERE action = 'money.adjusted' ORDER BY id")
    assert [found.details["amount_mrial"] for found in audited] == [1_390_500, -390_500]
    assert all(found.actor_id for found in audited)


def test_the_same_form_sent_twice_has_one_effect(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    walker = _money_page(staff(app), account_id)
    page, address = walker.page, walker.address
    for _ in range(2):
        walker.page, walker.address = page, address
        walker.submit("/adjust", direction="credit", amount="5", reason="gift")
    assert queries.balance(account_id) == 5_000
    walker.page, walker.address = page, address
    walker.submit("/adjust", direction="credit", amount="6", reason="gift", allowed=422)
    assert "other contents" in walker.text
    assert queries.balance(account_id) == 5_000
    walker.submit("/adjust", direction="credit", amount="6", reason="gift")  # the page came with a new name for the act
    assert queries.balance(account_id) == 11_000


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"amount": "0", "reason": "why"}, "above zero"),
        ({"amount": "-5", "reason": "why"}, "above zero"),
        ({"amount": "much", "reason": "why"}, "is not an amount"),
        ({"amount": "1.2345", "reason": "why"}, "three digits"),
        ({"amount": "", "reason": "why"}, "must be filled"),
        ({"amount": "5", "reason": " "}, "must be filled"),
        ({"amount": "5", "reason": "x" * 501}, "too long"),
        ({"amount": "5", "reason": "why", "nonce": ""}, "Please correct"),
        ({"amount": "5", "reason": "why", "direction": "debit"}, "not enough"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_moves(app: Flask, fields: dict[str, str], said: str):
    account_id, *_ = make_account(money_mrial=0)
    walker = _money_page(staff(app), account_id)
    walker.submit("/adjust", allowed=422, **({"direction": "credit"} | fields))
    assert said in walker.text
    assert queries.balance(account_id) == 0
    assert scalar("SELECT count(*) FROM ledger_transfer") == 0


def test_a_credit_limit_is_changed_and_shown(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    walker = _money_page(staff(app), account_id)
    walker.submit("/limit", limit="2000")
    assert queries.wallet_of(account_id).credit_limit_mrial == 2_000_000
    assert walker.page.find("input", {"name": "limit"})["value"] == "2000"
    walker.submit("/limit", limit="-1", allowed=422)
    assert queries.wallet_of(account_id).credit_limit_mrial == 2_000_000


def test_an_account_that_is_not_there_is_not_found(app: Flask):
    walker = staff(app)
    token = _money_page(walker, make_account()[0]).page.find("input", {"name": "csrf_token"})["value"]
    fields = {"csrf_token": token, "direction": "credit", "amount": "5", "reason": "x", "nonce": "n" * 20, "limit": "5"}
    assert walker.browser.get("/admin/accounts/999999/money").status_code == 404
    for path in ("adjust", "limit"):
        assert walker.browser.post(f"/admin/accounts/999999/money/{path}", data=fields).status_code == 404
    for method, path in (("get", ""), ("post", "/reverse")):
        answer = getattr(walker.browser, method)(f"/admin/money/transfers/999999{path}", data=fields)
        assert answer.status_code == 404


def test_a_transfer_shows_both_sides_and_is_reversed_once(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    with transaction():
        made = operations.adjust(
            account_id=account_id, amount_mrial=9_000, key="k", reason="mistake", actor_id=None, at=AT
        )
    walker = staff(app).go(f"/admin/money/transfers/{made['k']}")
    page, address = walker.page, walker.address
    walker.submit("/reverse", reason="typed the wrong amount")
    assert "The transfer was reversed." in walker.text
    assert queries.balance(account_id) == 0
    walker.page, walker.address = page, address
    walker.submit("/reverse", reason="again", allowed=422)
    assert "reversed already" in walker.text
    assert queries.balance(account_id) == 0
    assert walker.page.find("form", action=lambda value: value and value.endswith("/reverse")) is None
    _money_page(walker, account_id)
    assert "Reversed" in walker.text
    assert "typed the wrong amount" in walker.text


def test_the_money_of_a_send_has_no_button_to_reverse_it(app: Flask):
    shop = make_shop()
    make_campaign(shop)
    transfer_id = scalar("SELECT id FROM ledger_transfer WHERE kind = 'hold'")
    walker = staff(app).go(f"/admin/money/transfers/{transfer_id}")
    assert walker.page.find("form", action=lambda value: value and value.endswith("/reverse")) is None


def test_the_overview_lists_transfers_by_kind(app: Flask):
    shop = make_shop()
    make_campaign(shop)
    walker = staff(app).go("/admin/money")
    assert "Held for sending" in walker.text
    assert "adjustment" in walker.text
    walker.go("/admin/money?kind=hold")
    assert len(walker.page.find_all("table")[-1].tbody("tr")) == 1
    walker.go("/admin/money?kind=nonsense&before=x")


PATHS = [
    ("get", "/admin/money"),
    ("get", "/admin/money/transfers/1"),
    ("get", "/admin/accounts/{own}/money"),
    ("post", "/admin/money/transfers/1/reverse"),
    ("post", "/admin/accounts/{own}/money/adjust"),
    ("post", "/admin/accounts/{own}/money/limit"),
]


@pytest.mark.parametrize("kind", ["customer", "reseller"])
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_only_the_staff_get_there(app: Flask, kind: str, method: str, path: str):
    account_id, *_ = make_account(kind=kind, money_mrial=0)
    walker = signed_in(app, account_id).go("/statement")
    token = walker.page.find("input", {"name": "csrf_token"})["value"]
    answer = getattr(walker.browser, method)(path.format(own=account_id), data={"csrf_token": token})
    assert answer.status_code == 403
    stranger: FlaskClient = app.test_client()
    assert getattr(stranger, method)(path.format(own=account_id)).status_code in {303, 400}


@pytest.mark.parametrize("path", [path for method, path in PATHS if method == "post"])
def test_a_form_without_its_token_changes_nothing(app: Flask, path: str):
    account_id, *_ = make_account(money_mrial=0)
    walker = staff(app)
    fields = {"direction": "credit", "amount": "5", "reason": "x", "nonce": "n" * 20, "limit": "5"}
    assert walker.browser.post(path.format(own=account_id), data=fields).status_code == 400
    assert queries.balance(account_id) == 0
