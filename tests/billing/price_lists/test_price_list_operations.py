"""A reseller's prices on PostgreSQL: added, replaced, ended; below cost only when said twice."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from sms.billing.operations import Ended, NewTariff, add_tariff
from sms.billing.price_lists import operations
from sms.billing.price_lists.queries import sheets
from sms.billing.price_lists.rules import BelowCost, NewAsked
from sms.billing.queries import Price, payers, price_list
from sms.billing.rules import Language, Scope
from sms.core.db import db, row, scalar, transaction
from sms.core.errors import NotFound, Refusal
from tests.factories import AT, Tree, make_account, make_asked, make_line, make_tree

MCI, IRANCELL = 1, 2
TOP, SUB = 1_100_000, 1_375_000


@pytest.fixture
def tree(app: Flask) -> Tree:
    return make_tree()


def add(tree: Tree, *, owner_id: int = 0, is_confirmed: bool = False, **row: object) -> int:
    """A row of the sub-reseller's."""
    values = {"scope": Scope(operator_id=tree.shop.operator_id)} | row
    with transaction():
        return operations.add_asked(
            NewAsked(**values),  # type: ignore[arg-type]
            owner_id=owner_id or tree.payers[0],
            confirm_below_cost=is_confirmed,
            actor_id=None,
            at=AT,
        )


def price(
    tree: Tree, account_id: int = 0, *, network_id: int = MCI, language: str = "persian", **when: object
) -> Price:
    """What the customer pays."""
    listed = price_list(
        account_id=account_id or tree.shop.account_id,
        line_id=tree.shop.line_id,
        operator_id=tree.shop.operator_id,
        at=when.get("at", AT),  # type: ignore[arg-type]
    )
    return listed[network_id, language]


def test_who_is_above_is_told_nearest_first(tree: Tree):
    assert payers(tree.shop.account_id) == tree.payers
    assert payers(tree.payers[1]) == ()


def test_prices_differ_at_each_level(tree: Tree):
    sub, top = tree.payers
    assert price(tree, top) == Price(1_000_000, 600_000)
    assert price(tree, sub) == Price(TOP, 600_000, (100_000,))
    assert price(tree) == Price(SUB, 600_000, (275_000, 100_000))


def test_a_price_list_takes_as_many_statements_for_any_number_of_levels(tree: Tree):
    deep = make_account(kind="reseller", parent_id=tree.payers[0])[0]
    deeper = make_account(parent_id=deep)[0]

    def statements(account_id: int) -> int:
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            price(tree, account_id)
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    assert statements(deeper) == statements(tree.payers[0]) <= statements(tree.payers[1]) + 1


def test_a_new_row_ends_the_one_of_the_same_key_and_the_past_stays(tree: Tree):
    before = scalar("SELECT id FROM billing_price_list WHERE owner_id = :id", id=tree.payers[0])
    later = AT + timedelta(days=1)
    made = add(tree, markup_permille=500, valid_from=later)
    ended = row("SELECT valid_until FROM billing_price_list WHERE id = :id", id=before)
    assert ended is not None
    assert ended.valid_until == later
    assert price(tree).price_mrial == SUB
    assert price(tree, at=later).price_mrial == 1_650_000
    with transaction():
        operations.end_asked(owner_id=tree.payers[0], row_id=made, actor_id=None, at=AT)
    with pytest.raises(Ended), transaction():
        operations.end_asked(owner_id=tree.payers[0], row_id=made, actor_id=None, at=AT)


def test_only_below_ones_own_price_has_to_be_said_twice(tree: Tree):
    with pytest.raises(BelowCost) as refused:
        add(tree, price_mrial=TOP - 1, scope=Scope(operator_id=tree.shop.operator_id, network_id=IRANCELL))
    said = str(refused.value)
    assert all(word in said for word in ("3000", "Irancell", "Persian", "1099.999 rial", "1100 rial"))
    made = add(
        tree,
        price_mrial=TOP - 1,
        scope=Scope(operator_id=tree.shop.operator_id, network_id=IRANCELL),
        is_confirmed=True,
    )
    assert scalar("SELECT is_below_cost_confirmed FROM billing_price_list WHERE id = :id", id=made)
    assert price(tree, network_id=IRANCELL).shares_mrial == (-1, 100_000)
    assert price(tree).price_mrial == SUB
    assert add(tree, price_mrial=TOP)  # not below


def test_what_was_confirmed_without_need_is_not_kept_for_later(tree: Tree):
    made = add(tree, price_mrial=SUB, is_confirmed=True)
    assert not scalar("SELECT is_below_cost_confirmed FROM billing_price_list WHERE id = :id", id=made)


def test_when_the_price_above_rises_above_a_fixed_one_the_own_price_is_asked(tree: Tree):
    add(tree, price_mrial=1_200_000)
    with transaction():
        for language in Language:
            add_tariff(
                NewTariff(Scope(operator_id=tree.shop.operator_id), language, 2_000_000, 600_000), actor_id=None, at=AT
            )
    assert price(tree) == Price(2_200_000, 600_000, (0, 200_000))


def test_a_tariff_of_a_line_is_looked_at_too_before_a_price_is_kept(tree: Tree):
    with transaction():
        add_tariff(NewTariff(Scope(line_id=tree.shop.line_id), Language.LATIN, 5_000_000, 1), actor_id=None, at=AT)
    with pytest.raises(BelowCost, match="Latin"):
        add(tree, price_mrial=2_000_000)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "either"),
        ({"markup_permille": 1, "price_mrial": 1}, "either"),
        ({"markup_permille": -1001}, "markup is from"),
        ({"price_mrial": -1}, "A price is"),
        ({"price_mrial": 10**12}, "A price is"),
        ({"markup_permille": 1, "scope": Scope()}, "Choose an operator"),
        ({"markup_permille": 1, "valid_from": AT - timedelta(days=1)}, "not in the past"),
    ],
)
def test_what_cannot_be_a_price_is_refused(tree: Tree, row: dict[str, object], why: str):
    with pytest.raises(Refusal, match=why):
        add(tree, **row)


def test_only_accounts_right_below_and_lines_of_the_tree_may_be_named(tree: Tree):
    stranger, _, _ = make_account()
    for account_id in (stranger, tree.payers[1]):
        with pytest.raises(NotFound):
            add(tree, account_id=account_id, markup_permille=1)
    with pytest.raises(NotFound):  # two below
        add(tree, owner_id=tree.payers[1], account_id=tree.shop.account_id, markup_permille=1)
    theirs = make_line(operator_id=tree.shop.operator_id, gateway_id=tree.shop.gateway_id, account_id=stranger)
    with pytest.raises(NotFound):
        add(tree, scope=Scope(line_id=theirs), markup_permille=1)
    own = make_line(operator_id=tree.shop.operator_id, gateway_id=tree.shop.gateway_id, account_id=tree.shop.account_id)
    assert add(tree, scope=Scope(line_id=own), markup_permille=1)


def test_nobody_ends_the_row_of_somebody_else(tree: Tree):
    made = add(tree, markup_permille=1)
    with pytest.raises(NotFound), transaction():
        operations.end_asked(owner_id=tree.payers[1], row_id=made, actor_id=None, at=AT)


def test_a_sheet_shows_own_price_theirs_and_the_margin(tree: Tree):
    sub, _ = tree.payers
    make_asked(owner_id=sub, operator_id=tree.shop.operator_id, account_id=tree.shop.account_id, price_mrial=1_500_000)
    (sheet,) = sheets.sheets(sub, account_id=None, at=AT)
    (found,) = sheet.prices
    assert (found.persian.own_mrial, found.persian.price_mrial, found.persian.margin_mrial) == (TOP, SUB, 275_000)
    (sheet,) = sheets.sheets(sub, account_id=tree.shop.account_id, at=AT)
    assert sheet.prices[0].latin.price_mrial == 1_500_000
