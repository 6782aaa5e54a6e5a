"""I1 to I3 are silent over a sound ledger and name the rows of a broken one."""

from collections.abc import Callable

import psycopg
import pytest

from sms.core.config import Settings
from sms.core.db import transaction
from sms.ledger import operations, queries
from tests.factories import AT, make_account, make_campaign, make_shop

pytestmark = pytest.mark.usefixtures("app")

Break = Callable[[str], None]


@pytest.fixture
def tamper(settings: Settings) -> Break:
    """Run a statement as somebody who has the database in his hands and its triggers switched off."""

    def run(statement: str) -> None:
        with psycopg.connect(settings.database_url, options="-c session_replication_role=replica") as owner:
            owner.execute(statement)

    return run


def _ledger() -> None:
    shop = make_shop(money_mrial=10_000_000)
    make_campaign(shop, size=3, price_mrial=1_000)
    with transaction():
        operations.adjust(
            account_id=shop.account_id, amount_mrial=-5, key="k", reason="correction", actor_id=None, at=AT
        )


def test_nothing_is_broken_in_a_ledger_that_was_only_posted_to():
    assert queries.broken() == {"I1": [], "I2": [], "I3": []}
    _ledger()
    assert queries.broken() == {"I1": [], "I2": [], "I3": []}


@pytest.mark.parametrize(
    ("statement", "names", "problem"),
    [
        (
            "UPDATE ledger_entry SET amount_mrial = amount_mrial + 1"
            " WHERE id = (SELECT min(id) FROM ledger_entry WHERE wallet_version IS NULL)",
            {"I1"},
            "zero",
        ),
        ("DELETE FROM ledger_entry WHERE id = (SELECT max(id) FROM ledger_entry)", {"I1"}, "fewer"),
        ("DELETE FROM ledger_entry WHERE transfer_id = (SELECT max(id) FROM ledger_transfer)", {"I1", "I2"}, "sum"),
        ("UPDATE ledger_wallet SET balance_mrial = balance_mrial + 1 WHERE kind = 'customer'", {"I2"}, "sum"),
        ("UPDATE ledger_wallet SET version = version + 1 WHERE kind = 'escrow'", {"I2"}, "sum"),
        (
            "UPDATE ledger_entry SET balance_after_mrial = balance_after_mrial + 1"
            " WHERE id = (SELECT min(id) FROM ledger_entry WHERE wallet_version = 2)",
            {"I2"},
            "follow",
        ),
        (
            "UPDATE ledger_entry SET wallet_version = 9"
            " WHERE id = (SELECT max(id) FROM ledger_entry WHERE wallet_version = 3)",
            {"I2"},
            "follow",
        ),
        (
            "UPDATE ledger_entry SET wallet_version = 7, balance_after_mrial = 0"
            " WHERE id = (SELECT min(id) FROM ledger_entry WHERE wallet_version IS NULL)",
            {"I2"},
            "recording",
        ),
        (
            "UPDATE ledger_entry SET credit_limit_mrial = -10000000 WHERE wallet_version = 2",
            {"I3"},
            "limit",
        ),
    ],
)
def test_each_way_to_break_it_is_found_with_its_rows(tamper: Break, statement: str, names: set[str], problem: str):
    _ledger()
    tamper(statement)
    broken = queries.broken()
    assert {name for name, found in broken.items() if found} == names
    assert any(problem in found["problem"] for found in broken[max(names)])


def test_money_that_enters_a_wallet_below_a_lowered_limit_breaks_nothing():
    account_id, *_ = make_account(money_mrial=0)
    with transaction():
        operations.change_credit_limit(account_id=account_id, credit_limit_mrial=100, actor_id=None, at=AT)
        for number, amount in enumerate((-100, 10)):
            operations.adjust(
                account_id=account_id, amount_mrial=amount, key=f"k{number}", reason="why", actor_id=None, at=AT
            )
            operations.change_credit_limit(account_id=account_id, credit_limit_mrial=0, actor_id=None, at=AT)
    assert queries.broken()["I3"] == []
