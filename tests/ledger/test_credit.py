"""Credit that moves in the tree, and limits that somebody answers for."""

from typing import Any

import pytest
from flask import Flask

from sms.core.db import rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.ledger import operations, queries
from sms.ledger.credit.operations import grant_limit
from sms.ledger.credit.queries import cover
from sms.ledger.rules import InsufficientBalance, KeyReused, NotCovered, Posting, TransferKind, WalletKind, cover_needed
from tests.factories import AT, make_account
from tests.ledger.people import staff

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def pair(app: Flask) -> tuple[int, int]:
    """A reseller with a hundred, and an account below it with nothing."""
    reseller, _, _ = make_account(kind="reseller", money_mrial=100)
    return reseller, make_account(parent_id=reseller, money_mrial=0)[0]


def give(source: int, target: int, amount_mrial: int, key: str = "k", **more: Any) -> dict[str, int]:
    values = {"reason": "for the season", "actor_id": None, "at": AT} | more
    with transaction():
        return operations.give(
            from_account_id=source, to_account_id=target, amount_mrial=amount_mrial, key=key, **values
        )


def grant(pair: tuple[int, int], limit_mrial: int) -> None:
    with transaction():
        grant_limit(account_id=pair[1], parent_account_id=pair[0], credit_limit_mrial=limit_mrial, actor_id=None, at=AT)


def spend(account_id: int, amount_mrial: int) -> None:
    """Below zero: earn it back."""
    with transaction():
        other = operations.open_wallet(code="adjustment", kind=WalletKind.ADJUSTMENT, at=AT)
        wallet_id = operations.customer_wallet_id(account_id=account_id, at=AT)
        number = scalar("SELECT count(*) FROM ledger_transfer")
        operations.post(
            [Posting(TransferKind.HOLD, f"spend:{number}", "x", {wallet_id: -amount_mrial, other: amount_mrial})], at=AT
        )


def balances(*account_ids: int) -> tuple[int, ...]:
    return tuple(queries.balance(account_id) for account_id in account_ids)


def holds() -> bool:
    return not any(queries.broken().values())


def test_credit_goes_down_and_comes_back_and_both_statements_say_why(pair: tuple[int, int]):
    assert give(*pair, 60)
    assert balances(*pair) == (40, 60)
    with transaction():
        assert operations.take(
            from_account_id=pair[1],
            to_account_id=pair[0],
            amount_mrial=25,
            key="back",
            reason="too much",
            actor_id=None,
            at=AT,
        )
    assert balances(*pair) == (65, 35)
    lines = queries.statement(account_id=pair[1], narrowed=queries.StatementFilter())
    assert [(line.kind, line.amount_mrial, line.reason) for line in lines] == [
        (TransferKind.CREDIT, -25, "too much"),
        (TransferKind.CREDIT, 60, "for the season"),
    ]
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action LIKE 'money.%en'") == 2
    assert holds()


def test_the_same_key_twice_is_one_transfer_and_with_another_body_none(pair: tuple[int, int]):
    assert give(*pair, 60)
    assert give(*pair, 60) == {}
    with pytest.raises(KeyReused):
        give(*pair, 61)
    assert balances(*pair) == (40, 60)


def test_two_resellers_may_hit_upon_the_same_key(pair: tuple[int, int]):
    other, _, _ = make_account(kind="reseller", money_mrial=100)
    below = make_account(parent_id=other, money_mrial=0)[0]
    assert give(*pair, 1)
    assert give(other, below, 1)


def test_only_money_that_is_there_is_given_however_high_the_limit(pair: tuple[int, int]):
    with transaction():
        operations.change_credit_limit(account_id=pair[0], credit_limit_mrial=1_000, actor_id=None, at=AT)
    with pytest.raises(InsufficientBalance) as refused:
        give(*pair, 101)
    assert refused.value.missing_mrial == 1
    give(*pair, 100)
    assert balances(*pair) == (0, 100)
    assert holds()


@pytest.mark.parametrize("amount", [0, -5, 10**17])
def test_an_impossible_amount_is_refused(pair: tuple[int, int], amount: int):
    with pytest.raises(Refusal):
        give(*pair, amount)


def test_a_reason_and_two_accounts_are_needed(pair: tuple[int, int]):
    with pytest.raises(Refusal):
        give(*pair, 5, reason="  ")
    with pytest.raises(Refusal):
        give(pair[0], pair[0], 5)
    with pytest.raises(NotFound):
        give(pair[0], 10**9, 5)


@pytest.mark.parametrize(
    ("limit", "balance", "needed"), [(50, 0, 50), (50, 20, 50), (50, -30, 50), (10, -30, 30), (0, 5, 0), (0, -5, 5)]
)
def test_the_cover_is_the_limit_and_no_less_than_the_debt(limit: int, balance: int, needed: int):
    assert cover_needed(limit_mrial=limit, balance_mrial=balance) == needed


def test_a_limit_is_covered_and_comes_back_down_to_the_debt(pair: tuple[int, int]):
    grant(pair, 80)
    assert (balances(*pair), cover(pair[1])) == ((20, 0), 80)
    spend(pair[1], 50)
    grant(pair, 10)
    assert (balances(*pair), cover(pair[1])) == ((50, -50), 50)
    assert holds()
    with pytest.raises(InsufficientBalance):
        spend(pair[1], 1)
    spend(pair[1], -45)
    grant(pair, 10)  # asked again, what was paid meanwhile comes back
    assert (balances(*pair), cover(pair[1])) == ((90, -5), 10)
    spend(pair[1], -5)
    grant(pair, 0)
    assert (balances(*pair), cover(pair[1])) == ((100, 0), 0)
    assert holds()


def test_a_limit_that_cannot_be_covered_is_not_granted(pair: tuple[int, int]):
    with transaction():
        operations.change_credit_limit(account_id=pair[0], credit_limit_mrial=1_000, actor_id=None, at=AT)
    with pytest.raises(NotCovered) as refused:
        grant(pair, 130)
    assert "30" in str(refused.value) or refused.value.params["missing_mrial"] == 30
    assert queries.wallet_of(pair[1]).credit_limit_mrial == 0
    assert (balances(*pair), cover(pair[1])) == ((100, 0), 0)


def test_the_cover_is_no_transfer_that_staff_could_reverse(pair: tuple[int, int]):
    grant(pair, 80)
    transfer_id = scalar("SELECT id FROM ledger_transfer WHERE kind = 'guarantee'")
    with pytest.raises(Refusal, match="moved by hand"), transaction():
        operations.reverse(transfer_id=transfer_id, reason="why", actor_id=None, at=AT)


def test_a_limit_without_its_cover_is_found(pair: tuple[int, int]):
    grant(pair, 80)
    with transaction():
        operations.change_credit_limit(account_id=pair[1], credit_limit_mrial=81, actor_id=None, at=AT)
    assert [found["problem"] for found in queries.broken()["I3"]] == ["a credit limit is not covered"]


def test_what_staff_grant_to_a_sub_account_is_covered_by_its_reseller(app: Flask, pair: tuple[int, int]):
    walker = staff(app).go(f"/admin/accounts/{pair[1]}/money")
    walker.submit("/money/limit", limit="0.08")
    assert (balances(*pair), cover(pair[1])) == ((20, 0), 80)
    walker.go(f"/admin/accounts/{pair[1]}/money").submit("/money/limit", limit="5", allowed=422)
    assert "covered by the reseller" in walker.text
    direct = make_account(money_mrial=0)[0]
    walker.go(f"/admin/accounts/{direct}/money").submit("/money/limit", limit="5")
    assert queries.wallet_of(direct).credit_limit_mrial == 5_000
    assert [found.kind for found in rows("SELECT kind FROM ledger_wallet WHERE account_id = :id", id=direct)] == [
        "customer"
    ]
