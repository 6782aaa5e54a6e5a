"""The tree on PostgreSQL: what stands below whom, suspensions that reach everybody below, and closing."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

import psycopg
import pytest
from flask import Flask

from sms.accounts import operations as accounts
from sms.accounts import queries
from sms.accounts.rules import AccountKind, By, NewUser, Suspended
from sms.accounts.tree import operations
from sms.accounts.tree.queries import below, is_within, resellers_within, suspensions, tree_page
from sms.core import clock
from sms.core.config import Settings
from sms.core.db import db, execute, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from tests.factories import make_account, make_campaign, make_root, make_shop

PASSWORD = "a walk by the Zayandeh"


@dataclass(frozen=True, slots=True)
class Tree:
    """R1 with a sub-reseller S and a customer C1; S with a customer D; and beside them R2 with C2."""

    r1: int
    s: int
    d: int
    c1: int
    r2: int
    c2: int


def _by() -> By:
    return By(actor_id=None, at=clock.now())


def _open(name: str, kind: AccountKind, parent_id: int | None = None) -> int:
    owner = NewUser(username=name, password=PASSWORD)
    with transaction():
        return accounts.open_account(parent_id=parent_id, kind=kind, name=f"House of {name}", owner=owner, by=_by())[0]


@pytest.fixture
def tree(app: Flask) -> Tree:
    with transaction():
        make_root()
    r1 = _open("r1-owner", AccountKind.RESELLER)
    s = _open("s-owner", AccountKind.RESELLER, r1)
    d = _open("d-owner", AccountKind.CUSTOMER, s)
    c1 = _open("c1-owner", AccountKind.CUSTOMER, r1)
    r2 = _open("r2-owner", AccountKind.RESELLER)
    return Tree(r1, s, d, c1, r2, _open("c2-owner", AccountKind.CUSTOMER, r2))


def _suspend(account_id: int, by_account_id: int | None = None) -> None:
    with transaction():
        operations.suspend(account_id=account_id, by_account_id=by_account_id, reason="unpaid", by=_by())


def _resume(account_id: int, by_account_id: int | None = None) -> bool:
    with transaction():
        return operations.resume(account_id=account_id, by_account_id=by_account_id, reason="paid", by=_by())


def _shut() -> set[int]:
    return {found.id for found in rows("SELECT id FROM accounts_account WHERE NOT is_open")}


def test_a_reseller_sees_what_stands_below_it_and_nothing_beside_it(tree: Tree) -> None:
    assert [each.id for each in tree_page(tree.r1, after_id=None, most=9)] == [tree.s, tree.d, tree.c1]
    assert [(each.depth, each.above) for each in tree_page(tree.r1, after_id=None, most=2)] == [
        (1, None),
        (2, ["House of s-owner"]),
    ]
    assert [each.id for each in tree_page(tree.r1, after_id=tree.d, most=9)] == [tree.c1]
    assert [each.id for each in tree_page(tree.r1, after_id=None, most=9, search="D-OWN")] == [tree.d]
    assert [each.id for each in tree_page(tree.r1, after_id=None, most=9, search="c2")] == []
    assert [each.id for each in tree_page(tree.c1, after_id=None, most=9)] == []
    assert below(tree.r1, tree.d).depth == 2
    for stranger in (tree.r1, tree.r2, tree.c2, make_root(), 10**12):
        with pytest.raises(NotFound):
            below(tree.r1, stranger)
    assert is_within(tree.r1, tree.r1)
    assert is_within(tree.r1, tree.d)
    assert not is_within(tree.r1, tree.c2)
    assert [each.id for each in resellers_within(tree.r1)] == [tree.r1, tree.s]


def test_a_path_that_only_begins_alike_is_another_tree(tree: Tree) -> None:
    with transaction():
        execute("UPDATE accounts_account SET path = path || '0.' WHERE id = :id", id=tree.c2)
        execute("UPDATE accounts_account SET path = rtrim((SELECT path FROM accounts_account WHERE id = :r1), '.')"
                " || '7.' WHERE id = :id", r1=tree.r1, id=tree.r2)  # fmt: skip
    assert [each.id for each in tree_page(tree.r1, after_id=None, most=9)] == [tree.s, tree.d, tree.c1]


def test_a_suspension_shuts_out_everybody_below(tree: Tree) -> None:
    token = accounts.sign_in(username="d-owner", password=PASSWORD, by=_by()).token
    kept = accounts.sign_in(username="c2-owner", password=PASSWORD, by=_by()).token
    db.session.commit()
    _suspend(tree.r1)
    assert _shut() == {tree.r1, tree.s, tree.d, tree.c1}
    assert scalar("SELECT state FROM accounts_account WHERE id = :id", id=tree.d) == "active"
    assert queries.session(token=token, at=clock.now()) is None
    assert queries.session(token=kept, at=clock.now()) is not None
    with pytest.raises(Suspended):
        accounts.sign_in(username="d-owner", password=PASSWORD, by=_by())
    assert _resume(tree.r1)
    assert _shut() == set()
    assert queries.session(token=token, at=clock.now()) is None


def test_resuming_gives_back_only_what_that_suspension_took(tree: Tree) -> None:
    _suspend(tree.d, tree.s)
    _suspend(tree.s, tree.r1)
    _suspend(tree.s)
    assert _shut() == {tree.s, tree.d}
    with pytest.raises(Refusal):
        _suspend(tree.s, tree.r1)
    assert not _resume(tree.s, tree.r1)  # the installation's still stands
    with pytest.raises(Refusal):
        _resume(tree.s, tree.r1)
    assert [(each.by_kind, each.name) for each in suspensions(tree.d)] == [
        ("installation", "House of s-owner"),
        ("reseller", "House of d-owner"),
    ]
    assert _resume(tree.s)
    assert _shut() == {tree.d}
    assert _resume(tree.d, tree.s)
    assert _shut() == set()


def test_nobody_suspends_or_closes_what_is_not_below_them(tree: Tree) -> None:
    for act in (operations.suspend, operations.resume, operations.close):
        for account_id in (tree.c2, tree.r1, tree.r2):
            with pytest.raises(NotFound), transaction():
                act(account_id=account_id, by_account_id=tree.r1, reason="x", by=_by())
    assert _shut() == set()


def test_what_is_opened_below_a_suspended_account_is_refused(tree: Tree) -> None:
    _suspend(tree.r1)
    with pytest.raises(Refusal):
        _open("late", AccountKind.CUSTOMER, tree.s)


def test_closing_is_for_good_and_from_below_upwards(tree: Tree) -> None:
    with pytest.raises(Refusal, match="1 accounts stand below"), transaction():
        operations.close(account_id=tree.s, by_account_id=tree.r1, reason="x", by=_by())
    for account_id in (tree.d, tree.s):
        with transaction():
            operations.close(account_id=account_id, by_account_id=tree.r1, reason="x", by=_by())
    assert _shut() == {tree.s, tree.d}
    for act in (operations.suspend, operations.resume, operations.close):
        with pytest.raises(Refusal), transaction():
            act(account_id=tree.d, by_account_id=tree.r1, reason="x", by=_by())


def _claimed() -> int:
    return int(scalar("SELECT count(*) FROM outbox_batch WHERE state = 'submitting'"))


def test_no_new_batch_of_anybody_below_is_claimed(app: Flask, claim: Callable[[int], None]) -> None:
    shop = make_shop()
    reseller, _, _ = make_account(kind="reseller")
    make_campaign(shop)
    with transaction():
        execute("UPDATE accounts_account SET parent_id = :id, path = (SELECT path FROM accounts_account WHERE id = :id)"
                " || 'c.' WHERE id = :shop", id=reseller, shop=shop.account_id)  # fmt: skip
    _suspend(reseller)
    claim(shop.gateway_id)
    assert _claimed() == 0
    _resume(reseller)
    claim(shop.gateway_id)
    assert _claimed() == 2


@pytest.fixture
def claim() -> Callable[[int], None]:
    from sms.outbox.operations.claiming import pick  # noqa: PLC0415 - only this test sends

    def take(gateway_id: int) -> None:
        with transaction():
            pick(gateway_id=gateway_id, most=10, lease_seconds=30, epoch=None, at=None)

    return take


def test_who_opens_an_account_while_its_tree_is_suspended_opens_nothing(tree: Tree, settings: Settings) -> None:
    """The insert waits for the suspension, or the suspension for the insert: never does one miss the other."""
    with psycopg.connect(settings.database_url) as opening:
        opening.execute(
            "INSERT INTO accounts_account (parent_id, path, kind, name, created_at)"
            " SELECT id, path || 'x.', 'customer', 'Late', now() FROM accounts_account WHERE id = %s",
            [tree.s],
        )
        suspending = Thread(target=_suspend_elsewhere, args=[settings.database_url, tree.r1])
        suspending.start()
        suspending.join(0.3)
        assert suspending.is_alive()
        opening.commit()
        suspending.join(10)
    assert scalar("SELECT is_open FROM accounts_account WHERE name = 'Late'") is False


def _suspend_elsewhere(url: str, account_id: int) -> None:
    with psycopg.connect(url) as other:
        other.execute("UPDATE accounts_account SET state = 'suspended' WHERE id = %s", [account_id])


def test_a_backup_may_bring_an_account_before_the_one_above_it(tree: Tree, settings: Settings) -> None:
    with psycopg.connect(settings.database_url) as owner:
        owner.execute("ALTER TABLE accounts_account DROP CONSTRAINT accounts_account_parent_id_fkey")
        owner.execute(
            "INSERT INTO accounts_account (id, parent_id, path, kind, name, state, is_open, created_at) VALUES"
            " (900000002, 900000001, 'x.900000001.900000002.', 'customer', 'Below', 'active', false, now()),"
            " (900000001, %s, 'x.900000001.', 'reseller', 'Shut', 'suspended', false, now()),"
            " (900000004, 900000003, 'x.900000003.900000004.', 'customer', 'Fine', 'active', true, now())",
            [tree.r1],
        )
        found = dict(owner.execute("SELECT id, is_open FROM accounts_account WHERE id > 900000000").fetchall())
        owner.rollback()
    assert found == {900000001: False, 900000002: False, 900000004: True}
