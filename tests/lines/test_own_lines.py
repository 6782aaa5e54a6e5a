"""An account's lines in one place: names and colours, shares with accounts below, the usual way on."""

from itertools import count

import pytest
from flask import Flask

from sms.core.actor import PANEL
from sms.core.db import execute, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.lines import operations as lines
from sms.lines.own import operations, queries
from sms.lines.own.forms import read_plan
from sms.lines.own.rules import PlanStep, cap_mrial, check_plan
from sms.lines.queries import usable_line, usable_lines
from sms.lines.rules import UnusableLine
from tests.factories import AT, Shop, make_account, make_line, make_shop

_numbers = count(1)


@pytest.fixture
def shop(app: Flask) -> Shop:
    return make_shop()


def _below(account_id: int) -> tuple[int, str]:
    """An account below another one, and the name of its user."""
    made, user_id, _ = make_account()
    with transaction():
        execute(
            "UPDATE accounts_account a SET parent_id = p.id, path = p.path || a.id || '.' FROM accounts_account p"
            " WHERE p.id = :parent AND a.id = :id",
            parent=account_id,
            id=made,
        )
    return made, str(scalar("SELECT username FROM accounts_user WHERE id = :id", id=user_id))


def _own(shop: Shop) -> int:
    return make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)


def _share(line_id: int, owner: int, username: str) -> int:
    with transaction():
        return operations.share_line(line_id=line_id, account_id=owner, username=username, by=PANEL, at=AT)


def test_a_shared_line_is_used_and_named_by_whom_it_is_shared_with(shop: Shop) -> None:
    line_id = _own(shop)
    child, child_name = _below(shop.account_id)
    grandchild, grandchild_name = _below(child)
    assert usable_line(child, line_id) is None
    assert _share(line_id, shop.account_id, child_name) == child
    assert _share(line_id, shop.account_id, child_name.upper()) == child  # twice is once
    assert _share(line_id, shop.account_id, grandchild_name) == grandchild
    with transaction():
        for account_id, alias, colour in ((shop.account_id, "mine", "red"), (child, "theirs", "")):
            operations.dress_line(line_id=line_id, account_id=account_id, alias=alias, colour=colour, by=PANEL, at=AT)
    owners, theirs = usable_line(shop.account_id, line_id), usable_line(child, line_id)
    assert owners is not None
    assert theirs is not None
    assert (owners.alias, owners.colour, theirs.alias, theirs.colour) == ("mine", "red", "theirs", "blue")
    (mine,), (shared,) = queries.my_lines(shop.account_id), queries.my_lines(child)
    assert (mine.is_own, mine.share_count, shared.is_own, shared.share_count) == (True, 2, False, 0)

    with transaction():
        operations.end_share(line_id=line_id, account_id=shop.account_id, other_id=child, by=PANEL, at=AT)
    assert usable_line(child, line_id) is None
    with transaction():
        lines.take_back(line_id=line_id, by=PANEL, at=AT)
    assert usable_line(grandchild, line_id) is None
    assert rows("SELECT * FROM lines_share") == []


def test_nobody_shares_what_is_not_his_nor_with_whom_is_not_below(shop: Shop) -> None:
    line_id = _own(shop)
    child, child_name = _below(shop.account_id)
    stranger, stranger_id, _ = make_account()
    strangers_name = str(scalar("SELECT username FROM accounts_user WHERE id = :id", id=stranger_id))
    own_name = str(scalar("SELECT username FROM accounts_user WHERE id = :id", id=shop.user_id))
    for owner, username in (
        (stranger, child_name),  # another one's line
        (child, child_name),
        (shop.account_id, strangers_name),  # another one's customer
        (shop.account_id, own_name),
        (shop.account_id, "nobody"),
    ):
        with pytest.raises(NotFound):
            _share(line_id, owner, username)
    with pytest.raises(NotFound):
        _share(shop.line_id, shop.account_id, child_name)  # a public line
    _share(line_id, shop.account_id, child_name)
    with pytest.raises(NotFound), transaction():
        operations.end_share(line_id=line_id, account_id=child, other_id=child, by=PANEL, at=AT)
    with pytest.raises(NotFound), transaction():
        operations.dress_line(line_id=line_id, account_id=stranger, alias="x", colour="", by=PANEL, at=AT)
    with pytest.raises(UnusableLine), transaction():
        operations.dress_line(line_id=line_id, account_id=child, alias="x", colour="mauve", by=PANEL, at=AT)


def _set_plan(account_id: int, *steps: PlanStep) -> None:
    with transaction():
        operations.set_plan(account_id=account_id, steps=steps, by=PANEL, at=AT)


def test_the_usual_way_on_names_lines_that_can_be_used_now(shop: Shop) -> None:
    first, second = _own(shop), _own(shop)
    stranger, _, _ = make_account()
    theirs = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=stranger)
    with pytest.raises(Refusal):
        _set_plan(shop.account_id, PlanStep(theirs))
    wanted = [PlanStep(second, 120), PlanStep(first), PlanStep(shop.line_id, 150)]
    _set_plan(shop.account_id, *wanted)
    assert queries.default_plan(shop.account_id, at=AT) == wanted
    assert queries.default_plan(stranger, at=AT) == []
    with transaction():
        execute("UPDATE lines_line SET is_active = false WHERE id = :id", id=first)
        execute(
            "INSERT INTO lines_public_policy (policy, free_messages, valid_from, created_at)"
            " VALUES ('trial', 5, '2021-01-01', now())"
        )
    assert queries.default_plan(shop.account_id, at=AT) == wanted[:1]  # one is off, on the public one only trials go
    assert {line.id for line in usable_lines(shop.account_id, at=AT)} == {second, shop.line_id}
    _set_plan(shop.account_id)
    assert queries.plan(shop.account_id) == []


def test_a_plan_keeps_each_line_once_and_its_cap() -> None:
    assert check_plan([PlanStep(1, 110), PlanStep(2), PlanStep(1)]) == [PlanStep(1, 110), PlanStep(2)]
    for steps in ([PlanStep(1, 99)], [PlanStep(1, 1001)], [PlanStep(number) for number in range(11)]):
        with pytest.raises(Refusal):
            check_plan(steps)
    assert [cap_mrial(1_001, percent) for percent in (None, 100, 110)] == [1_001, 1_001, 1_101]


def test_a_plan_is_read_as_its_table_was_filled_in() -> None:
    posted = {"place-1": "۲", "percent-1": "۱۲۰", "place-2": "1", "percent-2": "", "place-3": "", "place-9": "1"}
    assert read_plan(posted, [1, 2, 3]) == [PlanStep(2), PlanStep(1, 120)]
    for wrong in ("x", "-1", "11", "1.5"):
        with pytest.raises(Refusal):
            read_plan({"place-1": wrong}, [1])
