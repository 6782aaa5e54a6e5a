"""Random postings on the real database, beside a model that knows nothing of it: the same balances, the same refusals,
and I1 to I3 hold afterwards. A thousand steps beside the other tests, a hundred thousand with NIGHTLY=1."""

from itertools import count

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from sms.core.db import db, rows, scalar, transaction
from sms.core.errors import Refusal
from sms.ledger import operations, queries
from sms.ledger.credit.operations import grant_limit
from sms.ledger.rules import InsufficientBalance, KeyReused, NotCovered, Posting, TransferKind, WalletKind
from sms.outbox.profits.operations import pay_out_profit
from tests.factories import AT, make_account
from tests.scale import scaled

AMOUNTS = st.integers(1, 60)
_names = count(1)  # keys and codes are unique over all examples: the database is cleaned after the last one only


class Ledger(RuleBasedStateMachine):
    """Wallets of every sort, and everything that can be asked of them."""

    wallets = Bundle("wallets")
    customers = Bundle("customers")
    covered = Bundle("covered")
    posted = Bundle("posted")
    by_hand = Bundle("by_hand")

    def __init__(self) -> None:
        super().__init__()
        self.balances: dict[int, int] = {}
        self.limits: dict[int, int] = {}
        self.covers: dict[int, int] = {}  # the wallet that covers an account's limit, by the account's wallet

    @initialize(target=wallets)
    def open_the_house(self) -> object:
        """Two escrows and two recording wallets."""
        made = []
        with transaction():
            for kind in (WalletKind.ESCROW, WalletKind.ESCROW, WalletKind.REVENUE, WalletKind.ADJUSTMENT):
                wallet_id = operations.open_wallet(code=f"{kind}:model{next(_names)}", kind=kind, at=AT)
                made.append(wallet_id)
                self.balances[wallet_id] = 0
                if kind is WalletKind.ESCROW:
                    self.limits[wallet_id] = 0
        return multiple(*made)

    @rule(target=customers, limit=st.integers(0, 50))
    def open_an_account(self, limit: int) -> tuple[int, int]:
        """A customer with some credit."""
        account_id, _, wallet_id = make_account(money_mrial=0)
        with transaction():
            operations.change_credit_limit(account_id=account_id, credit_limit_mrial=limit, actor_id=None, at=AT)
        self.balances[wallet_id], self.limits[wallet_id] = 0, limit
        return account_id, wallet_id

    @rule(customer=customers, limit=st.integers(0, 50))
    def change_a_limit(self, customer: tuple[int, int], limit: int) -> None:
        """It may fall below the debt."""
        with transaction():
            operations.change_credit_limit(account_id=customer[0], credit_limit_mrial=limit, actor_id=None, at=AT)
        self.limits[customer[1]] = limit

    @rule(target=covered, customer=customers)
    def open_a_sub_account(self, customer: tuple[int, int]) -> tuple[int, int, tuple[int, int]]:
        """One whose limit the other answers for."""
        account_id, _, wallet_id = make_account(money_mrial=0)
        self.balances[wallet_id] = self.limits[wallet_id] = 0
        return account_id, wallet_id, customer

    @rule(below=covered, limit=st.integers(0, 50))
    def grant_a_limit(self, below: tuple[int, int, tuple[int, int]], limit: int) -> None:
        """Covered by the other's own money to the last rial, also of what is owed already."""
        account_id, wallet_id, (guarantor_id, guarantor) = below
        cover = self.covers.get(wallet_id)
        lies_there = self.balances[cover] if cover is not None else 0
        more = max(limit, -self.balances[wallet_id]) - lies_there
        is_refused = more > 0 and self.balances[guarantor] < more
        try:
            with transaction():
                grant_limit(
                    account_id=account_id,
                    parent_account_id=guarantor_id,
                    credit_limit_mrial=limit,
                    actor_id=None,
                    at=AT,
                )
        except NotCovered:
            assert is_refused
            return
        assert not is_refused
        if cover is None:
            cover = self.covers[wallet_id] = _wallet(f"guarantee:{account_id}")
        self.balances[cover] = lies_there + more
        self.balances[guarantor] -= more
        self.limits[wallet_id] = limit

    @rule(
        giver=st.one_of(customers, covered), taker=st.one_of(customers, covered), amount=AMOUNTS, is_taken=st.booleans()
    )
    def move_credit(self, giver: tuple[int, ...], taker: tuple[int, ...], amount: int, is_taken: bool) -> None:
        """Only what is there, whatever the limit allows."""
        if giver[0] == taker[0]:
            return
        is_refused = self.balances[giver[1]] < amount
        move = operations.take if is_taken else operations.give
        key = f"model:{next(_names)}"
        for is_first in (True, False):
            try:
                with transaction():
                    made = move(
                        from_account_id=giver[0],
                        to_account_id=taker[0],
                        amount_mrial=amount,
                        key=key,
                        reason="why",
                        actor_id=None,
                        at=AT,
                    )
            except InsufficientBalance:
                assert is_refused
                return
            assert bool(made) == is_first
        assert not is_refused
        self.balances[giver[1]] -= amount
        self.balances[taker[1]] += amount

    @rule(reseller=customers, source=wallets, amount=st.integers(-60, 60))
    def earn(self, reseller: tuple[int, int], source: int, amount: int) -> None:
        """Or lose: what records never refuses, but an escrow may."""
        if not amount:
            return
        with transaction():
            (profit,) = operations.profit_wallets([reseller[0]], at=AT)
        self.balances.setdefault(profit, 0)
        move = {source: -amount, profit: amount}
        is_refused = self._apply([move]) is None
        try:
            with transaction():
                operations.post([_posting(move)], at=AT)
        except InsufficientBalance:
            assert is_refused
        else:
            assert not is_refused

    @rule(reseller=customers)
    def pay_out(self, reseller: tuple[int, int]) -> None:
        """All that was earned, once; nothing while it is below zero."""
        account_id, wallet_id = reseller
        key = f"model:{next(_names)}"
        for is_first in (True, False):
            with transaction():
                profit = operations.profit_wallets([account_id], at=AT)[0]
            earned = self.balances.setdefault(profit, 0)
            try:
                with transaction():
                    pay_out_profit(account_id=account_id, key=key, actor_id=None, at=AT)
            except Refusal:
                assert is_first
                assert earned <= 0
                return
            if is_first:
                assert earned > 0
                self._apply([{profit: -earned, wallet_id: earned}])

    @rule(target=by_hand, customer=customers, amount=AMOUNTS, is_debit=st.booleans())
    def adjust(self, customer: tuple[int, int], amount: int, is_debit: bool) -> object:
        """Somebody credits or debits by hand; the other side is a wallet of the whole house."""
        account_id, wallet_id = customer
        signed = -amount if is_debit else amount
        key = f"adjust:{next(_names)}"
        is_refused = self._apply([{wallet_id: signed}]) is None
        try:
            with transaction():
                made = operations.adjust(
                    account_id=account_id, amount_mrial=signed, key=key, reason="why", actor_id=None, at=AT
                )
        except InsufficientBalance:
            assert is_refused
            return multiple()
        assert not is_refused
        return made[key], wallet_id, signed

    @rule(move=consumes(by_hand))
    def reverse(self, move: tuple[int, int, int]) -> None:
        """What was moved by hand goes back once, when the money is there."""
        transfer_id, wallet_id, signed = move
        is_refused = self._apply([{wallet_id: -signed}]) is None
        for is_first in (True, False):
            try:
                with transaction():
                    operations.reverse(transfer_id=transfer_id, reason="back", actor_id=None, at=AT)
            except InsufficientBalance:
                assert is_refused
            except Refusal:
                assert not is_first
                assert not is_refused
            else:
                assert is_first
                assert not is_refused

    @rule(
        target=posted,
        source=st.one_of(wallets, customers, covered),
        sinks=st.lists(st.tuples(st.one_of(wallets, customers, covered), AMOUNTS), min_size=1, max_size=4),
    )
    def post(self, source: object, sinks: list[tuple[object, int]]) -> object:
        """One call with several postings out of one wallet: all of them or none."""
        moves = [{_id(source): -amount, _id(sink): amount} for sink, amount in sinks if _id(sink) != _id(source)]
        postings = [_posting(move) for move in moves]
        is_refused = self._apply(moves) is None
        try:
            with transaction():
                made = operations.post(postings, at=AT)
        except InsufficientBalance:
            assert is_refused
            return multiple()
        assert not is_refused
        assert set(made) == {posting.key for posting in postings}
        return multiple(*postings)

    @rule(posting=posted, is_same=st.booleans(), company=st.booleans())
    def repeat_a_key(self, posting: Posting, is_same: bool, company: bool) -> None:
        """The same again does nothing; the same key for something else is refused, and so is all that came with it."""
        again = posting if is_same else _posting({w: 2 * a for w, a in posting.moved.items()}, key=posting.key)
        (source,) = (wallet for wallet, amount in posting.moved.items() if amount < 0)
        (sink,) = (wallet for wallet, amount in posting.moved.items() if amount > 0)
        another = [_posting({source: -1, sink: 1})] if company else []
        before = dict(self.balances)
        is_short = bool(another) and self._apply([another[0].moved]) is None
        try:
            with transaction():
                operations.post([*another, again], at=AT)
        except KeyReused:
            assert not is_same
            self.balances = before
        except InsufficientBalance:
            assert is_same
            assert is_short
        else:
            assert is_same
            assert not is_short

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        """Whatever happened."""
        found = rows(
            """SELECT w.id, CASE WHEN w.kind IN ('customer', 'escrow') THEN w.balance_mrial ELSE
                   coalesce((SELECT sum(amount_mrial) FROM ledger_entry e WHERE e.wallet_id = w.id), 0) END AS mrial
               FROM ledger_wallet w WHERE w.id = ANY(:ids)""",
            ids=list(self.balances),
        )
        db.session.rollback()
        assert {wallet.id: wallet.mrial for wallet in found} == self.balances

    def teardown(self) -> None:
        """The invariants of the design, over everything any example left."""
        assert queries.broken() == {"I1": [], "I2": [], "I3": []}
        db.session.rollback()

    def _apply(self, moves: list[dict[int, int]]) -> dict[int, int] | None:
        """The model's ledger: balances after the moves, or None (and nothing changed) when one is refused."""
        after = dict(self.balances)
        for move in moves:
            for wallet_id, amount in sorted(move.items()):
                after[wallet_id] += amount
                if amount < 0 and wallet_id in self.limits and after[wallet_id] < -self.limits[wallet_id]:
                    return None
        self.balances = after
        return after


def _id(wallet: object) -> int:
    """The wallet of a bundle's value."""
    found = wallet[1] if isinstance(wallet, tuple) else wallet
    assert isinstance(found, int)
    return found


def _wallet(code: str) -> int:
    """The id of the wallet called so."""
    found = int(scalar("SELECT id FROM ledger_wallet WHERE code = :code", code=code))
    db.session.rollback()
    return found


def _posting(amounts: dict[int, int], key: str = "") -> Posting:
    name = key or f"model:{next(_names)}"
    return Posting(TransferKind.CREDIT, key=name, subject="model:1", amounts_mrial=amounts)


@pytest.mark.timeout(scaled(300, 4 * 3_600))
def test_random_postings_keep_the_invariants_and_equal_the_model(app: Flask):
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=scaled(40, 500),
            stateful_step_count=scaled(25, 200),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
