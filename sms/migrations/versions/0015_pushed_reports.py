"""Reports that an operator pushes: a secret address a gateway; when a report nobody has matched is looked at again."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Of the address only its hash is kept. Reports that wait for their message are looked at ever more rarely."""
    op.execute(
        """
        ALTER TABLE operators_gateway
            ADD COLUMN push_token_hash bytea CHECK (octet_length(push_token_hash) = 32),
            ADD COLUMN push_made_at timestamptz,
            ADD COLUMN push_addresses text[] NOT NULL DEFAULT '{}';
        COMMENT ON COLUMN operators_gateway.push_addresses IS 'networks reports may come from; empty: from anywhere';

        ALTER TABLE outbox_report_unmatched ADD COLUMN next_at timestamptz NOT NULL DEFAULT now();
        CREATE INDEX ix_outbox_report_unmatched_next_at ON outbox_report_unmatched (next_at);
        """
    )
