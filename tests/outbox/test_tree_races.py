"""Everybody at once over two levels of resellers, each on a connection of its own: nobody spends what is not there,
nobody waits for ever, and the books are even. Short beside the other tests; 50 rounds and 60 seconds with NIGHTLY=1."""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from threading import Event

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from sms.core.db import execute, rows, scalar, transaction
from sms.core.errors import Refusal
from sms.core.web.limits import limiter
from sms.ledger import operations as ledger
from sms.ledger.credit.operations import grant_limit
from sms.ledger.rules import InsufficientBalance
from sms.outbox.operations import campaigns
from sms.outbox.operations.holding import ProviderShort
from sms.outbox.profits.operations import pay_out_profit
from tests.factories import AT, Tree, make_asked, make_tree
from tests.journeys.walker import Walker
from tests.outbox.conftest import Steps, accepted, balance, refused
from tests.outbox.test_accept import listed, make_draft
from tests.outbox.tree import SUB, TOP, Books, add_up
from tests.outbox.visits import signed_in
from tests.scale import scaled

SENDS, MONEY_FOR, AT_ONCE = 100, 10, 16
PRICE_AT_A_LOSS = 1_000_000
_TURN_SECONDS = 0.002  # there are fewer connections than people: whoever had one lets the next have it
_keys = count(1)


@pytest.mark.timeout(scaled(120, 3_600))
@pytest.mark.parametrize("short", ["customer", "provider"])
def test_a_hundred_sends_at_once_with_money_for_ten_are_ten(app: Flask, short: str):
    for _ in range(scaled(1, 25)):
        _round(app, short)


def _round(app: Flask, short: str) -> None:
    tree = make_tree(money_mrial=MONEY_FOR * SUB) if short == "customer" else _at_a_loss(money_for=MONEY_FOR)
    books = Books(tree)
    drafts = [make_draft(tree.shop, listed(1)) for _ in range(SENDS)]

    def send(draft_id: int) -> str:
        with app.app_context():
            try:
                books.accept(draft_id)
            except (InsufficientBalance, ProviderShort) as error:
                return type(error).__name__
            return "accepted"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = Counter(pool.map(send, drafts))
    refusal = "InsufficientBalance" if short == "customer" else "ProviderShort"
    assert ends == {"accepted": MONEY_FOR, refusal: SENDS - MONEY_FOR}
    assert min(books.balances) >= 0
    assert books.balances[0 if short == "customer" else 1] == 0
    steps = Steps(tree.shop)
    steps.send()
    add_up(steps)
    with transaction():  # the next round begins on the same operator
        execute("UPDATE billing_tariff SET valid_until = now()")
        execute("UPDATE billing_refund_rule SET valid_until = now()")


@pytest.mark.timeout(scaled(120, 3_600))
def test_a_hundred_presses_of_the_button_with_money_for_ten_are_ten(app: Flask):
    """The same through the web: each of a hundred drafts is confirmed on its page, sixteen at once."""
    for _ in range(scaled(1, 50)):
        limiter.reset()  # sixteen people of one address sign in, round after round
        tree = make_tree(money_mrial=MONEY_FOR * SUB)
        books = Books(tree)
        drafts = [make_draft(tree.shop, listed(1)) for _ in range(SENDS)]
        walkers = [signed_in(app, tree.shop.account_id) for _ in range(AT_ONCE)]

        def press(place: int, drafts: list[int] = drafts, walkers: list[Walker] = walkers) -> list[int]:
            with app.app_context():
                browser = walkers[place].browser
                page = BeautifulSoup(browser.get("/account").get_data(as_text=True), "html.parser")
                field = page.find("input", {"name": "csrf_token"})
                assert field is not None
                form = {"csrf_token": str(field["value"])}
                return [
                    browser.post(f"/drafts/{draft_id}/confirm", data=form).status_code
                    for draft_id in drafts[place::AT_ONCE]
                ]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            ends = Counter(status for some in pool.map(press, range(AT_ONCE)) for status in some)
        assert ends == {303: MONEY_FOR, 422: SENDS - MONEY_FOR}
        assert min(books.balances) >= 0
        assert books.balances[0] == 0
        steps = Steps(tree.shop)
        steps.send()
        add_up(steps)
        with transaction():  # the next round begins on the same operator
            execute("UPDATE billing_tariff SET valid_until = now()")
            execute("UPDATE billing_refund_rule SET valid_until = now()")


def _at_a_loss(*, money_for: int) -> Tree:
    """The customer has money enough, the sub-reseller for what it loses by so many."""
    tree = make_tree()
    sub = tree.payers[0]
    make_asked(
        owner_id=sub,
        operator_id=tree.shop.operator_id,
        account_id=tree.shop.account_id,
        price_mrial=PRICE_AT_A_LOSS,
        is_confirmed=True,
    )
    with transaction():
        ledger.adjust(
            account_id=sub,
            amount_mrial=money_for * (TOP - PRICE_AT_A_LOSS) - balance(tree.sub[2]),
            key=f"race:{next(_keys)}",
            reason="test",
            actor_id=None,
            at=AT,
        )
    return tree


@pytest.mark.timeout(scaled(120, 600))
def test_credit_moves_up_and_down_during_sends_and_nobody_is_deadlocked(app: Flask):
    """Twenty people move credit between three levels, others grant limits, pay profit out, send, and settle."""
    tree = _at_a_loss(money_for=1_000)
    acts = _Acts(tree)
    until = time.monotonic() + scaled(3, 60)
    failed = Event()

    def go_on(act: Callable[[random.Random], None]) -> Counter[str]:
        chance = random.Random(next(_keys))
        done = Counter[str]()
        with app.app_context():
            while time.monotonic() < until and not failed.is_set():
                try:
                    act(chance)
                except (InsufficientBalance, Refusal) as error:
                    done[type(error).__name__] += 1
                except BaseException:
                    failed.set()
                    raise
                else:
                    done["done"] += 1
                time.sleep(_TURN_SECONDS)
        return done

    everybody = [acts.move] * 20 + [acts.send] * 3 + [acts.dispatch, acts.settle, acts.pay_out, acts.grant]
    with ThreadPoolExecutor(len(everybody)) as pool:
        ends = [(act.__name__, pool.submit(go_on, act)) for act in everybody]
        totals = Counter[str]()
        for name, end in ends:
            for what, times in end.result().items():
                totals[f"{name}: {what}"] += times
    assert min(totals["move: done"], totals["send: done"]) > 0, totals
    add_up(acts.steps)
    held = rows("SELECT balance_mrial, credit_limit_mrial FROM ledger_wallet WHERE kind = 'customer'")
    assert all(wallet.balance_mrial >= -wallet.credit_limit_mrial for wallet in held)


class _Acts:
    """What each of them does over and over."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self.steps, self.books = tree, Steps(tree.shop), Books(tree)

    def move(self, chance: random.Random) -> None:
        """A little credit to the neighbour above or below."""
        levels = [self.tree.payers[1], self.tree.payers[0], self.tree.shop.account_id]
        upper = chance.randrange(2)
        above, below = levels[upper], levels[upper + 1]
        is_down = chance.random() < 0.5
        with transaction():
            (ledger.give if is_down else ledger.take)(
                from_account_id=above if is_down else below,
                to_account_id=below if is_down else above,
                amount_mrial=chance.randrange(1, 10**9),
                key=f"move:{next(_keys)}",
                reason="back and forth",
                actor_id=None,
                at=AT,
            )

    def send(self, chance: random.Random) -> None:
        """A few messages, which the sub-reseller pays for too."""
        start = 989120000000 + chance.randrange(10**6)
        draft_id = make_draft(self.tree.shop, "\n".join(map(str, range(start, start + 3))))
        self.books.accept(draft_id)

    def dispatch(self, chance: random.Random) -> None:
        """The operator takes what waits, or takes nothing: then what was set aside for the loss is profit."""
        self.steps.send(accepted if chance.random() < 0.5 else refused)

    def settle(self, _chance: random.Random) -> None:
        """What the jobs do beside it."""
        with transaction():
            ids = campaigns.dirty(most=20)
        for campaign_id in ids:
            self.steps.settle(campaign_id)

    def pay_out(self, chance: random.Random) -> None:
        """Profit becomes credit."""
        with transaction():
            pay_out_profit(account_id=chance.choice(self.tree.payers), key=str(next(_keys)), actor_id=None, at=AT)

    def grant(self, chance: random.Random) -> None:
        """A limit that is covered."""
        with transaction():
            grant_limit(
                parent_account_id=self.tree.payers[0],
                account_id=self.tree.shop.account_id,
                credit_limit_mrial=chance.randrange(10**8),
                actor_id=None,
                at=AT,
            )


def test_two_payouts_at_once_pay_once(app: Flask):
    tree = make_tree()
    books, steps = Books(tree), Steps(tree.shop)
    campaign_id = books.send(5)
    steps.send()
    with transaction():
        execute("UPDATE outbox_message SET outcome = 'delivered'")
        execute("UPDATE outbox_batch SET delivered_count = size")
    steps.settle(campaign_id)

    def pay(key: str) -> bool:
        with app.app_context(), suppress(Refusal):
            books.paid_out(tree.payers[0], key)
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(pay, map(str, range(8)))) == 1
    assert books.balances[1] == 10**12 + 5 * (SUB - TOP)
    assert scalar("SELECT count(*) FROM ledger_transfer WHERE kind = 'profit'") == 1
    steps.verify()
