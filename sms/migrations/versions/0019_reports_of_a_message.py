"""The reports of one message are found within a set, instead of by reading the thousands of reports of the set."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Polled reports name their message and stand in its order; what is pushed names none until it is read."""
    op.execute(
        """
        CREATE INDEX ix_outbox_report_message_id ON outbox_report (set_id, message_id);
        DROP INDEX ix_outbox_report_set_id;
        """
    )
