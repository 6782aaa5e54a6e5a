"""Signing in as somebody of an account below: who may, for how long, what it allows, and who reads of it."""

from datetime import timedelta

import pytest
from flask import Flask

from sms.core import clock
from sms.core.db import row, rows, scalar
from sms.core.web.guards import ACTING, ALWAYS, allowance_of
from tests.factories import make_gateway, make_line
from tests.guards.world import csrf_token, make_world, routes
from tests.journeys.walker import Walker
from tests.resellers.people import Tree, make_tree

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
ACTS = {
    *("lines.line", "lines.plan"),
    *("outbox.compose", "outbox.change_draft", "outbox.discard", "outbox.pause_campaign"),
}
ALLOWED_ALWAYS = {"looks.end", "looks.over", "accounts.sign_out", "accounts.switch_language"}


@pytest.fixture
def tree(app: Flask) -> Tree:
    return make_tree(app)


def _look(walker: Walker, account_id: int, user_id: int, *, way: str = "read", place: str = "reseller") -> Walker:
    walker.go(f"/{place}/accounts/{account_id}/users/{user_id}/look")
    return walker.submit("/look", reason="they asked for help", way=way)


def _banner(walker: Walker) -> str | None:
    found = walker.page.find(attrs={"data-look": True})
    return str(found["data-look"]) if found else None


def test_only_these_are_done_in_a_look(app: Flask) -> None:
    """An address is added here only when it changes neither money nor credentials nor what is sent."""
    found = {rule.endpoint: allowance_of(rule.endpoint) for rule in routes(app)}
    assert {name for name, allowed in found.items() if allowed == ACTING} == ACTS
    assert {name for name, allowed in found.items() if allowed == ALWAYS} == ALLOWED_ALWAYS


def test_a_reseller_looks_as_its_customer_and_is_itself_again(tree: Tree) -> None:
    r1 = _look(tree.walker("r1"), tree.c1, tree.user("c1"))
    assert r1.address == "/"
    for page in ("/", "/account", "/statement", "/lines"):
        assert _banner(r1.go(page)) == "read"
        assert "r1-owner, you are signed in as c1-owner of House of c1 until" in r1.text
    assert r1.browser.get("/reseller/accounts").status_code == 403
    assert r1.browser.get("/there-is-no-such-page").get_data(as_text=True).count("data-look") == 1
    r1.submit("/look/end")
    assert r1.address == f"/reseller/accounts/{tree.c1}"
    assert _banner(r1) is None
    assert r1.browser.get("/reseller/accounts").status_code == 200


def test_a_look_reaches_as_far_as_the_tree_and_no_further(tree: Tree) -> None:
    r1 = _look(tree.walker("r1"), tree.d, tree.user("d"))  # two steps down
    assert "d-owner" in r1.text
    r1.submit("/look/end")
    for account_id, name in ((tree.r1, "r1"), (tree.r2, "r2"), (tree.c2, "c2"), (tree.c1, "d"), (tree.c1, "c2")):
        path = f"/reseller/accounts/{account_id}/users/{tree.user(name)}/look"
        assert r1.browser.get(path).status_code == 404
        token = csrf_token(r1.browser)
        data = {"csrf_token": token, "reason": "x", "way": "read"}
        assert r1.browser.post(path, data=data).status_code == 404
    staff = _look(tree.walker("staff"), tree.c2, tree.user("c2"), place="admin")
    assert _banner(staff) == "read"
    root, staff_id = scalar("SELECT min(id) FROM accounts_account WHERE parent_id IS NULL"), tree.user("staff")
    other = tree.walker("staff")
    assert other.browser.get(f"/admin/accounts/{root}/users/{staff_id}/look").status_code == 404
    assert scalar("SELECT count(*) FROM accounts_look") == 2


def test_a_reason_is_asked_for(tree: Tree) -> None:
    r1 = tree.walker("r1").go(f"/reseller/accounts/{tree.c1}/users/{tree.user('c1')}/look")
    r1.submit("/look", allowed=422, reason="  ")
    assert scalar("SELECT count(*) FROM accounts_look") == 0


@pytest.mark.parametrize("way", ["read", "act"])
@pytest.mark.parametrize("kind", ["customer", "reseller"])
def test_nothing_is_changed_but_what_is_marked(app: Flask, way: str, kind: str) -> None:
    """Every unsafe address, as staff who look at an owner: the guard refuses, whatever the page thinks."""
    world = make_world(app)
    browser = world.browser("admin")
    user_id = world.users[kind]
    account_id = scalar("SELECT account_id FROM accounts_user WHERE id = :id", id=user_id)
    path = f"/admin/accounts/{account_id}/users/{user_id}/look"
    begun = browser.post(path, data={"csrf_token": csrf_token(browser), "reason": "x", "way": way})
    assert begun.status_code == 303
    token = csrf_token(browser)
    marked = ACTS | ALLOWED_ALWAYS if way == "act" else ALLOWED_ALWAYS
    before = _money_and_keys()
    passed = {
        f"{method} {rule.rule}": answer.status
        for rule in routes(app)
        for method in sorted(set(rule.methods or ()) & UNSAFE)
        if rule.endpoint not in marked
        and (answer := browser.open(world.address(rule), method=method, data={"csrf_token": token})).status_code != 403
    }
    assert passed == {}
    assert _money_and_keys() == before


def _money_and_keys() -> list[tuple[object, ...]]:
    return [
        tuple(each)
        for each in rows(
            "SELECT count(*), coalesce(max(id), 0) FROM ledger_transfer UNION ALL"
            " SELECT count(*), hashtext(string_agg(password_hash, '' ORDER BY id)) FROM accounts_user UNION ALL"
            " SELECT count(*), count(DISTINCT user_id) FROM accounts_session UNION ALL"
            " SELECT count(*), coalesce(max(id), 0) FROM outbox_campaign UNION ALL"
            " SELECT count(*), coalesce(max(id), 0) FROM lines_order"
        )
    ]


def test_who_said_so_may_act_and_both_names_stand_in_the_audit(tree: Tree) -> None:
    operator_id, gateway_id = make_gateway()
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id, account_id=tree.c1)
    looking = _look(tree.walker("r1"), tree.c1, tree.user("c1")).go(f"/lines/{line_id}")
    looking.submit(f"/lines/{line_id}", allowed=403, alias="our best")
    assert "only to look" in looking.text
    r1 = _look(tree.walker("r1"), tree.c1, tree.user("c1"), way="act").go(f"/lines/{line_id}")
    assert _banner(r1) == "act"
    r1.submit(f"/lines/{line_id}", alias="our best")
    found = row(
        "SELECT t.actor_id, l.actor_id AS really FROM accounts_audit t JOIN accounts_look l ON l.id = t.look_id"
        " WHERE t.action = 'line.changed'"
    )
    assert found is not None
    assert tuple(found) == (tree.user("c1"), tree.user("r1"))
    assert "really r1-owner" in tree.walker("staff").go("/admin/audit").text
    c1 = tree.walker("c1").go("/account/looks")
    for told in ("r1-owner", "House of r1", "they asked for help", "might act", "only looked", "Line changed"):
        assert told in c1.text
    assert "they asked" not in tree.walker("c2").go("/account/looks").text


def test_after_half_an_hour_nothing_is_done_in_anybodys_name(tree: Tree) -> None:
    operator_id, gateway_id = make_gateway()
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id, account_id=tree.c1)
    r1 = _look(tree.walker("r1"), tree.c1, tree.user("c1"), way="act").go(f"/lines/{line_id}")
    clock.set_offset(timedelta(minutes=29).total_seconds())
    r1.submit(f"/lines/{line_id}", alias="in time").go(f"/lines/{line_id}")
    clock.set_offset(timedelta(minutes=31).total_seconds())
    r1.submit(f"/lines/{line_id}", allowed=403, alias="too late")
    assert "Your time as this user is over" in r1.text
    assert scalar("SELECT alias FROM lines_line WHERE id = :id", id=line_id) == "in time"
    r1.go("/")  # is noticed, and leads back to where it began
    assert r1.address == f"/reseller/accounts/{tree.c1}"
    assert _banner(r1) is None
    assert scalar("SELECT count(*) FROM accounts_session WHERE look_id IS NOT NULL") == 0


def test_a_form_that_was_loaded_as_somebody_else_is_not_taken(tree: Tree) -> None:
    r1 = tree.walker("r1").go("/account")
    own_token = r1.page.find("input", {"name": "csrf_token"})["value"]
    _look(r1, tree.c1, tree.user("c1"), way="act")
    assert r1.browser.post("/lines/plan", data={"csrf_token": own_token}).status_code == 400
    looked = r1.page.find("input", {"name": "csrf_token"})["value"]
    r1.submit("/look/end")
    stale = r1.browser.post("/account", data={"csrf_token": looked, "full_name": "x", "language": "fa"})
    assert stale.status_code == 400


def test_the_customers_own_things_are_not_touched_by_looking(tree: Tree) -> None:
    c1 = tree.walker("c1")
    r1 = _look(tree.walker("r1"), tree.c1, tree.user("c1"))
    r1.browser.set_cookie("language", "fa")
    r1.go("/").submit("/language", language="en")
    assert scalar("SELECT language FROM accounts_user WHERE username = 'c1-owner'") == "fa"
    r1.go("/").submit("/sign-out")
    assert r1.browser.get("/account").status_code == 303
    assert c1.browser.get("/account").status_code == 200
    found = row("SELECT actor_id, account_id FROM accounts_audit WHERE action = 'user.signed_out'")
    assert found is not None
    assert tuple(found) == (tree.user("r1"), tree.r1)


def test_no_look_within_a_look(tree: Tree) -> None:
    r1 = _look(tree.walker("r1"), tree.s, tree.user("s"), way="act")
    r1.go(f"/reseller/accounts/{tree.d}/users/{tree.user('d')}/look").submit("/look", allowed=403, reason="deeper")
    assert scalar("SELECT count(*) FROM accounts_look") == 1


def test_a_look_ends_with_who_looks(tree: Tree) -> None:
    r1 = _look(tree.walker("r1"), tree.c1, tree.user("c1"))
    tree.walker("staff").go(f"/admin/accounts/{tree.r1}").submit("/suspend", reason="unpaid")
    assert r1.browser.get("/account").status_code == 303


def test_a_suspended_account_is_only_looked_at(tree: Tree) -> None:
    r1 = tree.walker("r1").go(f"/reseller/accounts/{tree.c1}").submit("/suspend", reason="unpaid")
    path = f"/reseller/accounts/{tree.c1}/users/{tree.user('c1')}/look"
    r1.go(path).submit("/look", allowed=422, reason="why is it so", way="act")
    r1.go(path).submit("/look", reason="why is it so")
    assert _banner(r1.go("/campaigns")) == "read"
