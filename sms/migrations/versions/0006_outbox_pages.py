"""Indexes of the outbox's lists: an account's campaigns by the ids of their messages, recipients never written to,
reports by the moment they arrived, and the refunds a campaign still waits for."""

from alembic import op

revision = "0006"
down_revision = "0005"

# On the big table the index holds only rows that belong to no batch, and no column that changes: updates stay HOT.
INDEXES = """
CREATE INDEX ix_outbox_campaign_first_id ON outbox_campaign (account_id, first_id);
CREATE INDEX ix_outbox_campaign_line_id ON outbox_campaign (account_id, line_id, first_id);
CREATE INDEX ix_outbox_message_never_sent ON outbox_message (campaign_id, id) WHERE batch_id IS NULL;
CREATE INDEX ix_outbox_report_set_received_at ON outbox_report_set (gateway_id, received_at);
CREATE INDEX ix_outbox_refund_campaign_due ON outbox_refund (campaign_id, due_at) WHERE transfer_id IS NULL;
"""


def upgrade() -> None:
    """Create them."""
    op.execute(INDEXES)
