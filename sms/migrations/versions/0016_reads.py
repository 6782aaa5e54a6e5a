"""Indexes of the pages: campaigns by day, a campaign's batches from its end, and the wallets that hold something."""

from alembic import op

revision = "0016"
down_revision = "0012"

# Nothing here changes on a batch or after a campaign is accepted, so their updates stay as cheap as they were. A wallet
# changes once for a hundred messages, and far fewer of them hold something than have held it.
INDEXES = """
CREATE INDEX ix_outbox_campaign_accepted_at ON outbox_campaign (account_id, accepted_at);
CREATE INDEX ix_outbox_batch_last_id ON outbox_batch (campaign_id, last_id);
CREATE INDEX ix_ledger_wallet_escrow ON ledger_wallet (account_id) INCLUDE (balance_mrial)
    WHERE kind = 'escrow' AND balance_mrial <> 0;
"""


def upgrade() -> None:
    """Create them."""
    op.execute(INDEXES)
