"""Credit within a tree: given, taken back, lent, and the warning of a low balance."""

import pytest

from sms.core.db import scalar
from sms.resellers.credit.rules import is_low
from tests.journeys.walker import Walker
from tests.resellers.people import Tree, balance


@pytest.mark.parametrize(
    ("balance_mrial", "credit", "threshold", "low"),
    [(0, 0, 0, False), (-5, 0, 0, False), (9, 0, 10, True), (10, 0, 10, False), (-1, 10, 10, True), (0, 10, 10, False)],
)
def test_little_is_what_can_be_spent_below_the_threshold(
    balance_mrial: int, credit: int, threshold: int, low: bool
) -> None:
    assert is_low(balance_mrial=balance_mrial, credit_limit_mrial=credit, threshold_mrial=threshold) is low


def _money(tree: Tree, name: str, account_id: int) -> Walker:
    return tree.walker(name).go(f"/reseller/accounts/{account_id}/money")


def test_credit_is_given_down_and_taken_back_up_and_both_read_why(tree: Tree) -> None:
    r1 = _money(tree, "r1", tree.s)
    r1.submit("/credit", amount="300", reason="first month")
    _money(tree, "s", tree.d).submit("/credit", amount="120", reason="for Nowruz")
    assert [balance(each) for each in (tree.r1, tree.s, tree.d)] == [999_700, 180, 120]
    _money(tree, "s", tree.d).submit("/credit", direction="take", amount="20", reason="too much")
    assert [balance(each) for each in (tree.s, tree.d)] == [200, 100]
    assert "for Nowruz" in tree.walker("d").go("/statement").text
    assert "for Nowruz" in tree.walker("s").go("/statement").text
    assert "for Nowruz" not in tree.walker("r1").go("/statement").text


def test_the_same_form_twice_moves_credit_once(tree: Tree) -> None:
    r1 = _money(tree, "r1", tree.c1)
    form = next(form for form in r1.page("form") if str(form["action"]).endswith("/credit"))
    data = {field["name"]: field.get("value", "") for field in form("input") if field.get("type") == "hidden"}
    data |= {"direction": "give", "amount": "50", "reason": "once"}
    for _ in range(2):
        assert r1.browser.post(form["action"], data=data).status_code == 303
    assert balance(tree.c1) == 50
    assert r1.browser.post(form["action"], data=data | {"amount": "60"}).status_code == 422
    assert balance(tree.c1) == 50


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"direction": "take", "amount": "1"}, "balance is not enough"),
        ({"amount": "1000001"}, "balance is not enough"),
        ({"amount": "0"}, "above zero"),
        ({"amount": "-5"}, ""),
        ({"amount": "10", "reason": " "}, "must be filled"),
        ({"amount": "10", "direction": "burn"}, ""),
    ],
)
def test_what_cannot_be_moved_is_not(tree: Tree, fields: dict[str, str], told: str) -> None:
    r1 = _money(tree, "r1", tree.c1)
    r1.submit("/credit", allowed=422, **({"reason": "x"} | fields))
    assert told in r1.text
    assert (balance(tree.r1), balance(tree.c1)) == (1_000_000, 0)


def test_credit_of_who_stands_further_down_is_not_ones_own_business(tree: Tree) -> None:
    r1 = _money(tree, "r1", tree.d)
    assert not [form for form in r1.page("form") if str(form["action"]).endswith(("/credit", "/limit"))]
    token = r1.page.find("input", {"name": "csrf_token"})["value"]
    path = f"/reseller/accounts/{tree.d}/money"
    nonce = "n" * 20
    fields = {"csrf_token": token, "nonce": nonce, "direction": "give", "amount": "5", "reason": "x", "limit": "5"}
    for act in ("credit", "limit"):
        assert r1.browser.post(f"{path}/{act}", data=fields).status_code == 422
    for account_id in (tree.c2, tree.r1, tree.r2):
        for act in ("credit", "limit", "warning"):
            answer = r1.browser.post(f"/reseller/accounts/{account_id}/money/{act}", data=fields)
            assert answer.status_code == 404
    assert scalar("SELECT count(*) FROM ledger_transfer WHERE kind = 'credit'") == 0


def test_a_limit_is_lent_out_of_own_money_and_is_not_there_to_be_given_on(tree: Tree) -> None:
    before = balance(tree.r1)
    _money(tree, "r1", tree.s).submit("/limit", limit="700")
    assert scalar("SELECT credit_limit_mrial FROM ledger_wallet WHERE account_id = :id", id=tree.s) == 700_000
    assert balance(tree.r1) == before - 700
    _money(tree, "s", tree.d).submit("/credit", allowed=422, amount="600", reason="lent on")
    assert (balance(tree.s), balance(tree.d)) == (0, 0)


def test_a_low_balance_is_told_to_the_account_and_to_the_one_above_it(tree: Tree) -> None:
    _money(tree, "r1", tree.c1).submit("/warning", threshold="100")
    assert "Your balance runs low" in tree.walker("c1").go("/").text
    above = tree.walker("r1").go("/")
    assert "its balance runs low, 0 rial can be spent still." in above.text
    assert above.page.find("a", href=f"/reseller/accounts/{tree.c1}/money")
    for other in ("s", "r2", "c2", "d"):
        assert "runs low" not in tree.walker(other).go("/").text
    _money(tree, "r1", tree.c1).submit("/credit", amount="100", reason="enough")
    for name in ("c1", "r1"):
        assert "runs low" not in tree.walker(name).go("/").text


def test_everybody_sets_a_warning_of_their_own(tree: Tree) -> None:
    c1 = tree.walker("c1").go("/account/low-balance").submit("/low-balance", threshold="5000")
    assert "Your balance runs low" in c1.go("/").text
    c1.go("/account/low-balance").submit("/low-balance", threshold="")
    assert "runs low" not in c1.go("/").text
