"""What was posted stays: the application's role has no right to change it, and triggers refuse it to everybody."""

import psycopg
import pytest
from psycopg import errors

from sms.core.config import Settings
from sms.core.db import APPLICATION_ROLE, db, scalar, transaction
from sms.ledger import operations
from tests.factories import AT, make_account

pytestmark = pytest.mark.usefixtures("app")

TABLES = ("ledger_transfer", "ledger_entry")
CHANGES = (
    "UPDATE ledger_transfer SET reason = 'another'",
    "UPDATE ledger_entry SET amount_mrial = 1",
    "DELETE FROM ledger_transfer",
    "DELETE FROM ledger_entry",
)


@pytest.fixture
def posted(app: object) -> None:
    """One transfer that stands."""
    account_id, *_ = make_account(money_mrial=0)
    with transaction():
        operations.adjust(account_id=account_id, amount_mrial=5, key="k", reason="gift", actor_id=None, at=AT)


@pytest.mark.usefixtures("posted")
@pytest.mark.parametrize("change", [*CHANGES, *(f"TRUNCATE {table} CASCADE" for table in TABLES)])
def test_the_applications_role_may_not_change_what_was_posted(settings: Settings, change: str):
    with psycopg.connect(settings.database_url, options=f"-c role={APPLICATION_ROLE}") as application:
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied"):
            application.execute(change)
        application.rollback()
    assert scalar("SELECT reason FROM ledger_transfer") == "gift"


@pytest.mark.usefixtures("posted")
@pytest.mark.parametrize("change", CHANGES)
def test_triggers_refuse_it_even_to_the_owner(settings: Settings, change: str):
    with psycopg.connect(settings.database_url) as owner:
        with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
            owner.execute(change)
        owner.rollback()
    assert scalar("SELECT sum(abs(amount_mrial)) FROM ledger_entry") == 10


def test_the_app_itself_works_as_that_role():
    assert scalar("SELECT current_user") == APPLICATION_ROLE
    for table in TABLES:
        for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
            assert scalar("SELECT has_table_privilege(:table, :privilege)", table=table, privilege=privilege) is False
    assert scalar("SELECT has_table_privilege('ledger_wallet', 'DELETE')") is False
    db.session.rollback()
