"""After a restore a message may have gone over another line meanwhile: its own operator's *no* proves nothing then."""

from alembic import op

revision = "0018"
down_revision = "0013"


def upgrade() -> None:
    """Everything that is unknown now was handed to the gateway it names."""
    op.execute(
        """
        ALTER TABLE outbox_unknown ADD COLUMN may_be_elsewhere boolean NOT NULL DEFAULT false;
        COMMENT ON COLUMN outbox_unknown.may_be_elsewhere IS
            'of hours a restore took away: it may have been sent over another gateway, so absence here proves nothing';
        CREATE INDEX ix_outbox_campaign_refuse ON outbox_campaign (id)
            WHERE out_of_hours = 'refuse' AND submitted_at IS NULL;
        """
    )
