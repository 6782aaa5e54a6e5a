"""A reseller's pages of the accounts below it."""

import re

import pytest

from sms.core.db import scalar
from tests.journeys.walker import Walker
from tests.resellers.people import PASSWORD, Tree, balance, put

_CODE = re.compile(r"<code[^>]*>((?:[a-z0-9]{5}-){3}[a-z0-9]{5})</code>")


def _owner_of(tree: Tree, walker_text: str) -> set[str]:
    return {name for name in ("r1", "s", "d", "c1", "r2", "c2") if f"House of {name}" in walker_text}


def test_the_list_is_ones_own_tree_and_shows_where_each_stands(tree: Tree) -> None:
    walker = tree.walker("r1").go("/reseller/accounts")
    assert _owner_of(tree, walker.page.table.get_text()) == {"s", "d", "c1"}
    depths = [row["data-depth"] for row in walker.page("tr") if row.get("data-depth")]
    assert depths == ["1", "2", "1"]
    assert "House of s" in walker.page.find("tr", {"data-depth": "2"}).find(class_="place").get_text()
    assert _owner_of(tree, tree.walker("s").go("/reseller/accounts").page.table.get_text()) == {"d"}
    for narrowed, found in (
        ("?search=d-own", {"d", "s"}),
        ("?kind=reseller", {"s"}),
        ("?state=suspended", set()),
        ("?search=c2", set()),
    ):
        walker.go(f"/reseller/accounts{narrowed}")
        shown = walker.page.table.get_text() if walker.page.table else ""
        assert _owner_of(tree, shown) == found


def test_a_long_list_goes_on_behind_the_last_of_the_page(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sms.resellers.tree.views._PAGE", 2)
    walker = tree.walker("r1").go("/reseller/accounts")
    assert _owner_of(tree, walker.page.table.get_text()) == {"s", "d"}
    walker.go(walker.page.find("a", rel="next")["href"])
    assert _owner_of(tree, walker.page.table.get_text()) == {"c1"}
    assert walker.page.find("a", rel="next") is None
    assert tree.walker("r1").browser.get(f"/reseller/accounts?after={tree.c2}").status_code == 404


def test_what_is_beside_the_tree_is_not_there(tree: Tree) -> None:
    browser = tree.walker("r1").browser
    for account_id in (tree.r1, tree.r2, tree.c2, 10**25):
        for page in ("", "/money", "/lines"):
            assert browser.get(f"/reseller/accounts/{account_id}{page}").status_code == 404
    assert tree.walker("c1").browser.get("/reseller/accounts").status_code == 403


@pytest.mark.parametrize("kind", ["customer", "reseller"])
def test_an_account_is_opened_with_a_password_for_once(tree: Tree, kind: str) -> None:
    walker = tree.walker("r1").go("/reseller/accounts/new")
    fields = {"kind": kind, "parent": str(tree.s), "name": "New house", "username": "newcomer"}
    walker.submit("/reseller/accounts/new", **fields)
    password = _CODE.search(walker.answer.get_data(as_text=True)).group(1)
    assert scalar("SELECT parent_id FROM accounts_account WHERE name = 'New house'") == tree.s
    newcomer = tree.app.test_client()
    Walker(newcomer).go("/sign-in").submit("/sign-in", username="newcomer", password=password)
    assert newcomer.get("/").location == "/account/password"


def test_nothing_is_opened_below_others(tree: Tree) -> None:
    walker = tree.walker("r1").go("/reseller/accounts/new")
    options = {option["value"] for option in walker.page.find("select", id="parent")("option")}
    assert options == {str(tree.r1), str(tree.s)}
    fields = {"kind": "customer", "name": "New house", "username": "newcomer"}
    for parent in (tree.r2, tree.c1):
        walker.go("/reseller/accounts/new").submit("/reseller/accounts/new", allowed=422, parent=str(parent), **fields)
    assert scalar("SELECT count(*) FROM accounts_account WHERE name = 'New house'") == 0


def test_a_suspension_reaches_everybody_below_and_only_its_own_is_taken_back(tree: Tree) -> None:
    customer = tree.walker("d").browser
    s, r1 = tree.walker("s"), tree.walker("r1")
    s.go(f"/reseller/accounts/{tree.d}").submit("/suspend", reason="late payer")
    r1.go(f"/reseller/accounts/{tree.s}").submit("/suspend", reason="no answer")
    assert customer.get("/account").status_code == 303
    assert s.browser.get("/account").status_code == 303
    r1.go(f"/reseller/accounts/{tree.d}")
    assert "House of s above it is suspended by House of r1" in r1.text
    assert "Suspended by House of s" in r1.text
    assert not [form for form in r1.page("form") if form["action"].endswith("/resume")]  # that one is not its own
    r1.go(f"/reseller/accounts/{tree.s}").submit("/resume", reason="they answered")
    assert "The account is active again." in r1.text
    assert scalar("SELECT is_open FROM accounts_account WHERE id = :id", id=tree.d) is False
    tree.walker("s").go(f"/reseller/accounts/{tree.d}").submit("/resume", reason="paid")
    assert scalar("SELECT is_open FROM accounts_account WHERE id = :id", id=tree.d) is True


def test_what_staff_suspended_a_reseller_cannot_let_in(tree: Tree) -> None:
    tree.walker("staff").go(f"/admin/accounts/{tree.c1}").submit("/suspend", reason="spam")
    r1 = tree.walker("r1").go(f"/reseller/accounts/{tree.c1}")
    assert "Suspended by Payamgah" in r1.text
    assert "staff-owner" not in r1.text
    token = r1.page.find("input", {"name": "csrf_token"})["value"]
    answer = r1.browser.post(f"/reseller/accounts/{tree.c1}/resume", data={"csrf_token": token, "reason": "x"})
    assert answer.status_code == 422
    assert "Somebody above you suspended this account" in answer.get_data(as_text=True)


def test_closing_says_what_is_open(tree: Tree) -> None:
    put(tree.c1, 500)
    r1 = tree.walker("r1").go(f"/reseller/accounts/{tree.c1}")
    r1.submit("/close", allowed=422, **{"close-reason": "left"})
    assert "This account still has 500 rial" in r1.text
    r1.go(f"/reseller/accounts/{tree.s}").submit("/close", allowed=422, **{"close-reason": "left"})
    assert "1 accounts stand below it" in r1.text
    r1.go(f"/reseller/accounts/{tree.c1}/money").submit("/credit", direction="take", amount="500", reason="leaving")
    assert (balance(tree.c1), balance(tree.r1)) == (0, 1_000_500)
    r1.go(f"/reseller/accounts/{tree.c1}/money").submit("/limit", limit="5000")
    assert balance(tree.r1) == 995_500
    r1.go(f"/reseller/accounts/{tree.c1}").submit("/close", **{"close-reason": "left"})
    assert "The account is closed." in r1.text
    assert balance(tree.r1) == 1_000_500
    assert scalar("SELECT credit_limit_mrial FROM ledger_wallet WHERE account_id = :id", id=tree.c1) == 0
    assert not [form for form in r1.page("form") if str(form["action"]).endswith(("/close", "/suspend", "password"))]


def test_access_is_reset_with_a_password_for_once_and_every_session_ends(tree: Tree) -> None:
    customer = tree.walker("d").browser
    r1 = tree.walker("r1").go(f"/reseller/accounts/{tree.d}").submit("/reset-password")
    assert _CODE.search(r1.answer.get_data(as_text=True))
    assert customer.get("/account").status_code == 303
    token = r1.page.find("input", {"name": "csrf_token"})["value"]
    for account_id, name in ((tree.c2, "c2"), (tree.c1, "d"), (tree.r1, "r1")):
        path = f"/reseller/accounts/{account_id}/users/{tree.user(name)}/reset-password"
        assert r1.browser.post(path, data={"csrf_token": token}).status_code == 404
    assert tree.walker("c2").browser.get("/account").status_code == 200
    assert PASSWORD not in r1.text
