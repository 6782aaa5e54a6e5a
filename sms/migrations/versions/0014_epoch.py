"""The epoch: which life of the database an attempt belongs to. A restored backup begins a new one."""

from alembic import op

revision = "0014"
down_revision = "0011"


def upgrade() -> None:
    """A claim takes the epoch of its moment along; what was claimed in an earlier one stores nothing any more."""
    op.execute(
        """
        CREATE TABLE core_epoch (
            number bigint PRIMARY KEY,
            began_at timestamptz NOT NULL,
            restored_to timestamptz
        );
        COMMENT ON TABLE core_epoch IS 'the first row is the installation, each further one a restored backup';
        COMMENT ON COLUMN core_epoch.restored_to IS 'the moment of the backup, by the database''s clock';
        INSERT INTO core_epoch (number, began_at) VALUES (0, now());
        REVOKE UPDATE, DELETE ON core_epoch FROM payamgah_app;
        ALTER TABLE outbox_batch ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
        """
    )
