"""A tree of accounts with their owners, and browsers in which they are signed in."""

from dataclasses import dataclass

from flask import Flask

from sms.accounts import operations as accounts
from sms.accounts.rules import AccountKind, By, NewUser
from sms.core import clock
from sms.core.db import scalar, transaction
from sms.ledger import operations as ledger
from tests.factories import make_root
from tests.journeys.walker import Walker

PASSWORD = "a walk by the Zayandeh"
RIAL = 1000


@dataclass(frozen=True, slots=True)
class Tree:
    """R1 with a reseller S and a customer C1; S with a customer D; and beside them R2 with C2. Owners are called so."""

    app: Flask
    r1: int
    s: int
    d: int
    c1: int
    r2: int
    c2: int

    def walker(self, name: str, *, language: str = "en") -> Walker:
        """A browser of the owner of one of them, or of the installation's staff."""
        walker = Walker(self.app.test_client(), language=language)
        return walker.go("/sign-in").submit("/sign-in", username=f"{name}-owner", password=PASSWORD)

    def user(self, name: str) -> int:
        """The owner's id."""
        return int(scalar("SELECT id FROM accounts_user WHERE username = :name", name=f"{name}-owner"))


def open_account(name: str, kind: AccountKind, parent_id: int | None = None) -> int:
    """An account called after its owner."""
    owner = NewUser(username=f"{name}-owner", password=PASSWORD)
    by = By(actor_id=None, at=clock.now())
    with transaction():
        return accounts.open_account(parent_id=parent_id, kind=kind, name=f"House of {name}", owner=owner, by=by)[0]


def make_tree(app: Flask) -> Tree:
    """Make it, with money in R1."""
    with transaction():
        root = make_root()
        accounts.add_user(
            account_id=root,
            user=NewUser(username="staff-owner", password=PASSWORD),
            by=By(actor_id=None, at=clock.now()),
        )
    r1 = open_account("r1", AccountKind.RESELLER)
    s = open_account("s", AccountKind.RESELLER, r1)
    d = open_account("d", AccountKind.CUSTOMER, s)
    c1 = open_account("c1", AccountKind.CUSTOMER, r1)
    r2 = open_account("r2", AccountKind.RESELLER)
    tree = Tree(app, r1, s, d, c1, r2, open_account("c2", AccountKind.CUSTOMER, r2))
    put(r1, 1_000_000)
    return tree


def put(account_id: int, rial: int) -> None:
    """Give an account money by hand."""
    with transaction():
        ledger.adjust(
            account_id=account_id,
            amount_mrial=rial * RIAL,
            key=f"put:{account_id}:{rial}",
            reason="test",
            actor_id=None,
            at=clock.now(),
        )


def balance(account_id: int) -> int:
    """What lies in an account's wallet, in rial."""
    found = scalar(
        "SELECT balance_mrial FROM ledger_wallet WHERE account_id = :id AND kind = 'customer'", id=account_id
    )
    return int(found or 0) // RIAL
