"""Three levels of accounts for the tests of money in the tree: what each has, earned, and may be paid out."""

from dataclasses import dataclass

from sms.core.db import scalar, transaction
from sms.outbox.operations.accept import accept_draft
from sms.outbox.profits.operations import pay_out_profit
from sms.outbox.profits.queries import profit_of
from tests.factories import AT, Tree
from tests.outbox.conftest import Steps, balance
from tests.outbox.test_accept import listed, make_draft

TARIFF, COST = 1_000_000, 600_000
TOP, SUB = 1_100_000, 1_375_000  # what the sub-reseller pays, and what the customer pays: 10 % and 25 % more
SHARES = (SUB - TOP, TOP - TARIFF)


@dataclass(frozen=True, slots=True)
class Books:
    """What a level has in its wallet, and what its profit comes to."""

    tree: Tree

    def send(self, count: int = 10, *, body: str = "hello") -> int:
        """Compose and confirm a send of the customer's; returns the campaign."""
        return self.accept(make_draft(self.tree.shop, listed(count), body))

    def accept(self, draft_id: int) -> int:
        """Confirm it."""
        shop = self.tree.shop
        with transaction():
            return accept_draft(draft_id=draft_id, account_id=shop.account_id, user_id=shop.user_id, at=AT)

    @property
    def profits(self) -> tuple[int, int]:
        """What the two resellers have earned and not been paid, nearest first."""
        sub, top = (profit_of(account_id).total_mrial for account_id in self.tree.payers)
        return sub, top

    @property
    def balances(self) -> tuple[int, int, int]:
        """The wallets from the customer upwards."""
        return balance(self.tree.shop.wallet_id), balance(self.tree.sub[2]), balance(self.tree.top[2])

    def paid_out(self, account_id: int, key: str = "one") -> int:
        """Pay out what is final."""
        with transaction():
            return pay_out_profit(account_id=account_id, key=key, actor_id=None, at=AT)


def recorded(kind: str) -> int:
    """The sum of the house's wallets of a kind, in milli-rial."""
    return int(
        scalar(
            "SELECT coalesce(sum(e.amount_mrial), 0)::bigint FROM ledger_entry e"
            " JOIN ledger_wallet w ON w.id = e.wallet_id WHERE w.kind = :kind",
            kind=kind,
        )
    )


def add_up(steps: Steps) -> None:
    """Every invariant holds, and what left the customer is what all levels, the operator and the house have."""
    steps.verify()
    assert scalar("SELECT coalesce(sum(amount_mrial), 0) FROM ledger_entry") == 0
