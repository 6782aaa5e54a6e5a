"""Transfers: once a key, within the limit, in whatever company; corrections by hand, and their reversal."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from sms.core.db import db, execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.ledger import operations, queries
from sms.ledger.rules import InsufficientBalance, KeyReused, Posting, TransferKind, WalletKind
from tests.factories import AT, make_account, make_root

pytestmark = pytest.mark.usefixtures("app")


def _posting(wallet_id: int, amount_mrial: int, key: str, other: int, **changes: object) -> Posting:
    amounts = {wallet_id: amount_mrial, other: -amount_mrial}
    return Posting(TransferKind.TOPUP, key=key, subject="test:1", amounts_mrial=amounts, **changes)  # type: ignore[arg-type]


def _adjustment_wallet() -> int:
    return operations.open_wallet(code="adjustment", kind=WalletKind.ADJUSTMENT, at=AT)


def _holds() -> bool:
    return queries.broken() == {"I1": [], "I2": [], "I3": []}


def test_a_repeated_key_has_one_effect():
    account_id, _, wallet_id = make_account(money_mrial=0)
    for expected in (1, 0):
        with transaction():
            made = operations.post([_posting(wallet_id, 5, "k", _adjustment_wallet())], at=AT)
        assert len(made) == expected
    assert queries.balance(account_id) == 5
    assert _holds()


def test_a_key_repeated_within_one_call_has_one_effect():
    account_id, _, wallet_id = make_account(money_mrial=0)
    with transaction():
        operations.post([_posting(wallet_id, 5, "k", _adjustment_wallet())] * 2, at=AT)
    assert queries.balance(account_id) == 5
    assert _holds()


def test_a_repeated_key_with_another_body_is_refused_and_nothing_of_the_call_stays():
    account_id, _, wallet_id = make_account(money_mrial=0)
    other = _adjustment_wallet()
    db.session.commit()
    with transaction():
        operations.post([_posting(wallet_id, 5, "k", other)], at=AT)
    with pytest.raises(KeyReused), transaction():
        operations.post([_posting(wallet_id, 7, "new", other), _posting(wallet_id, 6, "k", other)], at=AT)
    with pytest.raises(KeyReused), transaction():
        operations.post([_posting(wallet_id, 7, "x", other), _posting(wallet_id, 6, "x", other)], at=AT)
    assert queries.balance(account_id) == 5
    assert scalar("SELECT count(*) FROM ledger_transfer") == 1
    assert _holds()


@pytest.mark.parametrize(
    ("balance", "limit", "debit", "missing"), [(10, 0, 10, 0), (10, 0, 11, 1), (10, 5, 15, 0), (10, 5, 18, 3)]
)
def test_a_debit_may_go_to_the_limit_and_no_further(balance, limit, debit, missing):
    account_id, _, wallet_id = make_account(money_mrial=balance)
    with transaction():
        operations.change_credit_limit(account_id=account_id, credit_limit_mrial=limit, actor_id=None, at=AT)
    other = _adjustment_wallet()
    db.session.commit()
    if missing:
        with pytest.raises(InsufficientBalance) as refused, transaction():
            operations.post([_posting(wallet_id, -debit, "k", other)], at=AT)
        assert refused.value.missing_mrial == missing
        assert queries.balance(account_id) == balance
    else:
        with transaction():
            operations.post([_posting(wallet_id, -debit, "k", other)], at=AT)
        assert queries.balance(account_id) == balance - debit
    assert _holds()


def test_thirty_debits_at_once_with_money_for_ten_leave_ten(app: Flask):
    account_id, _, wallet_id = make_account(money_mrial=10_000)
    other = _adjustment_wallet()
    db.session.commit()

    def debit(number: int) -> bool:
        with app.app_context():
            try:
                with transaction():
                    operations.post([_posting(wallet_id, -1_000, f"debit:{number}", other)], at=AT)
            except InsufficientBalance:
                return False
            return True

    with ThreadPoolExecutor(15) as pool:
        done = list(pool.map(debit, range(30)))
    assert sum(done) == 10
    assert queries.balance(account_id) == 0
    assert _holds()


def test_ten_requests_with_one_key_at_once_have_one_effect(app: Flask):
    account_id, user_id, _ = make_account(money_mrial=0)

    def credit(_number: int) -> int:
        with app.app_context(), transaction():
            return len(
                operations.adjust(
                    account_id=account_id, amount_mrial=7, key="nonce", reason="gift", actor_id=user_id, at=AT
                )
            )

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(credit, range(10))) == 1
    assert queries.balance(account_id) == 7
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'money.adjusted'") == 1
    assert _holds()


def test_lowering_a_limit_below_the_debt_only_stops_spending():
    account_id, _, wallet_id = make_account(money_mrial=0)
    other = _adjustment_wallet()
    db.session.commit()
    with transaction():
        operations.change_credit_limit(account_id=account_id, credit_limit_mrial=100, actor_id=None, at=AT)
        operations.post([_posting(wallet_id, -80, "spend", other)], at=AT)
        operations.change_credit_limit(account_id=account_id, credit_limit_mrial=50, actor_id=None, at=AT)
        operations.post([_posting(wallet_id, 10, "pay", other)], at=AT)
    assert queries.balance(account_id) == -70
    with pytest.raises(InsufficientBalance), transaction():
        operations.post([_posting(wallet_id, -1, "more", other)], at=AT)
    assert _holds()


def test_a_changed_limit_is_audited_with_what_it_was():
    account_id, user_id, _ = make_account(money_mrial=0)
    for _ in range(2):
        with transaction():
            operations.change_credit_limit(account_id=account_id, credit_limit_mrial=9, actor_id=user_id, at=AT)
    (audited,) = rows("SELECT actor_id, account_id, action, details FROM accounts_audit")
    assert (audited.actor_id, audited.account_id, audited.action) == (user_id, account_id, "money.limit_changed")
    assert audited.details == {"before_mrial": 0, "after_mrial": 9}


@pytest.mark.parametrize("limit", [-1, 10**17])
def test_an_impossible_limit_is_refused(limit):
    account_id, *_ = make_account()
    with pytest.raises(Refusal):
        operations.change_credit_limit(account_id=account_id, credit_limit_mrial=limit, actor_id=None, at=AT)


def test_a_wallet_is_opened_by_the_first_money():
    root_id = make_root()
    assert queries.balance(root_id) == 0
    with transaction():
        operations.adjust(account_id=root_id, amount_mrial=3, key="k", reason="start", actor_id=None, at=AT)
    assert queries.balance(root_id) == 3
    assert _holds()


def test_a_customer_wallet_is_opened_by_whoever_asks_first():
    root_id = make_root()
    with transaction():
        wallet = queries.customer_wallet(root_id)
        assert queries.customer_wallet(account_id=root_id) == wallet
    assert (wallet.balance_mrial, wallet.credit_limit_mrial) == (0, 0)
    assert row("SELECT code FROM ledger_wallet WHERE id = :id", id=wallet.id).code == f"account:{root_id}"
    assert operations.customer_wallet_id(account_id=root_id, at=AT) == wallet.id


def test_money_for_an_account_that_is_not_there_is_not_found():
    with pytest.raises(NotFound):
        operations.adjust(account_id=999_999, amount_mrial=3, key="k", reason="why", actor_id=None, at=AT)


@pytest.mark.parametrize(("amount", "reason"), [(0, "why"), (5, ""), (5, "  \n "), (10**17, "why"), (-(10**17), "why")])
def test_an_adjustment_needs_an_amount_and_a_reason(amount, reason):
    account_id, *_ = make_account()
    with pytest.raises(Refusal):
        operations.adjust(account_id=account_id, amount_mrial=amount, key="k", reason=reason, actor_id=None, at=AT)


def _adjusted(account_id: int, amount_mrial: int, key: str = "k") -> int:
    with transaction():
        return operations.adjust(
            account_id=account_id, amount_mrial=amount_mrial, key=key, reason="by mistake", actor_id=None, at=AT
        )[key]


def test_a_reversal_brings_both_sides_back_and_happens_once():
    account_id, user_id, _ = make_account(money_mrial=100)
    transfer_id = _adjusted(account_id, 40)
    with transaction():
        reversal = operations.reverse(transfer_id=transfer_id, reason="typo", actor_id=user_id, at=AT)
    for reason in ("typo", "again"):
        with pytest.raises(Refusal, match="reversed already"), transaction():
            operations.reverse(transfer_id=transfer_id, reason=reason, actor_id=user_id, at=AT)
    assert queries.balance(account_id) == 100
    assert queries.transfer(transfer_id).reversed_by == reversal
    assert queries.transfer(reversal).reverses_id == transfer_id
    assert scalar("SELECT count(*) FROM accounts_audit WHERE action = 'money.reversed'") == 1
    assert _holds()


def test_everybody_reverses_everything_at_once_and_each_is_reversed_once(app: Flask):
    account_id, user_id, _ = make_account(money_mrial=0)
    transfer_ids = [_adjusted(account_id, 10, f"k{number}") for number in range(5)]

    def reverse(transfer_id: int) -> bool:
        with app.app_context():
            try:
                with transaction():
                    operations.reverse(transfer_id=transfer_id, reason="all back", actor_id=user_id, at=AT)
            except Refusal:
                return False
            return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(reverse, transfer_ids * 2)) == 5
    assert queries.balance(account_id) == 0
    assert _holds()


def test_a_reversal_of_spent_money_is_refused():
    account_id, _, wallet_id = make_account(money_mrial=0)
    transfer_id = _adjusted(account_id, 40)
    other = _adjustment_wallet()
    with transaction():
        operations.post([_posting(wallet_id, -30, "spend", other)], at=AT)
    with pytest.raises(InsufficientBalance) as refused, transaction():
        operations.reverse(transfer_id=transfer_id, reason="typo", actor_id=None, at=AT)
    assert refused.value.missing_mrial == 30
    assert queries.transfer(transfer_id).reversed_by is None
    assert _holds()


@pytest.mark.parametrize(
    "kind", [TransferKind.HOLD, TransferKind.CHARGE, TransferKind.RELEASE, TransferKind.REFUND, TransferKind.REVERSAL]
)
def test_the_money_of_a_send_is_not_reversed_by_hand(kind):
    _, _, wallet_id = make_account(money_mrial=100)
    other = _adjustment_wallet()
    amounts = {wallet_id: -10, other: 10}
    with transaction():
        made = operations.post([Posting(kind, key="k", subject="campaign:1", amounts_mrial=amounts)], at=AT)
    with pytest.raises(Refusal, match="by hand"), transaction():
        operations.reverse(transfer_id=made["k"], reason="typo", actor_id=None, at=AT)


def test_a_reversal_of_nothing_is_not_found_and_needs_a_reason():
    account_id, *_ = make_account()
    transfer_id = _adjusted(account_id, 4)
    with pytest.raises(NotFound):
        operations.reverse(transfer_id=10**9, reason="typo", actor_id=None, at=AT)
    with pytest.raises(Refusal):
        operations.reverse(transfer_id=transfer_id, reason=" ", actor_id=None, at=AT)


@given(amounts=st.lists(st.integers(1, 10**15), min_size=1, max_size=5))
def test_postings_that_do_not_make_zero_cannot_be_built(amounts):
    lopsided = dict(enumerate(amounts))
    with pytest.raises(ValueError, match="k"):
        Posting(TransferKind.TOPUP, key="k", subject="s", amounts_mrial=lopsided)


def test_a_limit_that_changes_meanwhile_is_the_one_that_counts():
    _, _, wallet_id = make_account(money_mrial=0)
    other = _adjustment_wallet()
    db.session.commit()
    execute("UPDATE ledger_wallet SET credit_limit_mrial = 20 WHERE id = :id", id=wallet_id)
    db.session.commit()
    with transaction():
        operations.post([_posting(wallet_id, -20, "k", other)], at=AT)
    (entry,) = rows(
        "SELECT credit_limit_mrial, balance_after_mrial FROM ledger_entry WHERE wallet_id = :id", id=wallet_id
    )
    assert (entry.credit_limit_mrial, entry.balance_after_mrial) == (20, -20)
