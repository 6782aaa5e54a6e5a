"""Lines handed to accounts below: send-only or two-way, handed on, taken back from all."""

import pytest

from sms.core.actor import PANEL
from sms.core.db import rows, transaction
from sms.core.errors import NotFound, Refusal
from sms.lines.own import operations
from sms.lines.own.queries import answering, my_lines
from tests.factories import AT, make_gateway, make_line
from tests.resellers.people import Tree


@pytest.fixture
def line_id(tree: Tree) -> int:
    operator_id, gateway_id = make_gateway()
    return make_line(operator_id=operator_id, gateway_id=gateway_id, account_id=tree.r1)


def _hand(line_id: int, account_id: int, other_id: int, *, two_way: bool | None = False) -> None:
    with transaction():
        operations.hand_out(
            line_id=line_id, account_id=account_id, other_id=other_id, is_two_way=two_way, by=PANEL, at=AT
        )


def _end(line_id: int, account_id: int, other_id: int) -> None:
    with transaction():
        operations.end_share(line_id=line_id, account_id=account_id, other_id=other_id, by=PANEL, at=AT)


def _holders() -> dict[int, bool]:
    return {each.account_id: each.is_two_way for each in rows("SELECT account_id, is_two_way FROM lines_share")}


def test_a_line_is_handed_on_by_who_has_it_and_taken_back_from_all_below(tree: Tree, line_id: int) -> None:
    with pytest.raises(Refusal, match="above this account does not have"):
        _hand(line_id, tree.r1, tree.d)
    with pytest.raises(NotFound):
        _hand(line_id, tree.s, tree.d)
    _hand(line_id, tree.r1, tree.s)
    _hand(line_id, tree.s, tree.d)
    assert [(line.id, line.is_own, line.owner_name) for line in my_lines(tree.d)] == [(line_id, False, "House of s")]
    _end(line_id, tree.r1, tree.s)
    assert _holders() == {}


def test_replies_reach_the_last_it_was_handed_to_two_way(tree: Tree, line_id: int) -> None:
    assert answering(line_id) == tree.r1
    _hand(line_id, tree.r1, tree.s)
    assert answering(line_id) == tree.r1
    with pytest.raises(Refusal, match="do not reach the account above"):
        _hand(line_id, tree.s, tree.d, two_way=True)
    _hand(line_id, tree.r1, tree.s, two_way=True)
    _hand(line_id, tree.s, tree.d, two_way=True)
    assert answering(line_id) == tree.d
    with pytest.raises(Refusal, match="Replies to this line reach House of"):
        _hand(line_id, tree.r1, tree.c1, two_way=True)
    _hand(line_id, tree.r1, tree.c1)
    _hand(line_id, tree.r1, tree.s)  # send-only again, and so are those below
    assert _holders() == {tree.s: False, tree.d: False, tree.c1: False}
    assert answering(line_id) == tree.r1


def test_nobody_hands_out_or_takes_back_what_is_not_his(tree: Tree, line_id: int) -> None:
    for giver, other in ((tree.r2, tree.c2), (tree.r1, tree.c2), (tree.r1, tree.r1), (tree.c1, tree.c1)):
        with pytest.raises(NotFound):
            _hand(line_id, giver, other)
    _hand(line_id, tree.r1, tree.s)
    for taker, other in ((tree.s, tree.s), (tree.s, tree.r1), (tree.r2, tree.s), (tree.r1, tree.c1), (tree.r1, 0)):
        with pytest.raises(NotFound):
            _end(line_id, taker, other)
    assert _holders() == {tree.s: False}


def test_lines_are_handed_out_and_taken_back_from_the_page(tree: Tree, line_id: int) -> None:
    r1 = tree.walker("r1").go(f"/reseller/accounts/{tree.s}/lines")
    r1.submit("/hand-out", line=str(line_id), way="two_way")
    assert "Two-way" in r1.text
    assert _holders() == {tree.s: True}
    tree.walker("s").go(f"/reseller/accounts/{tree.d}/lines").submit("/hand-out", line=str(line_id))
    assert _holders() == {tree.s: True, tree.d: False}
    r1.go(f"/reseller/accounts/{tree.s}/lines").submit("/hand-out", allowed=422, line="999999999")
    r1.go(f"/reseller/accounts/{tree.s}/lines").submit("/take-back")
    assert _holders() == {}


def test_a_line_of_ones_own_is_not_taken_back_by_the_reseller(tree: Tree) -> None:
    operator_id, gateway_id = make_gateway()
    own = make_line(operator_id=operator_id, gateway_id=gateway_id, account_id=tree.c1)
    r1 = tree.walker("r1").go(f"/reseller/accounts/{tree.c1}/lines")
    assert "Its own" in r1.text
    assert not [form for form in r1.page("form") if str(form["action"]).endswith("/take-back")]
    token = r1.page.find("input", {"name": "csrf_token"})["value"]
    path = f"/reseller/accounts/{tree.c1}/lines/take-back"
    assert r1.browser.post(path, data={"csrf_token": token, "line_id": own}).status_code == 404
