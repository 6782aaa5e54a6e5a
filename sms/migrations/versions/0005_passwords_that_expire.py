"""A password that staff made for somebody opens the panel once, and only for some days; the audit is read by action."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """NULL: the user chose the password."""
    op.execute(
        """
        ALTER TABLE accounts_user ADD COLUMN password_expires_at timestamptz;
        COMMENT ON COLUMN accounts_user.password_expires_at IS
            'set for a password somebody else made: to be changed at sign-in, worthless after this moment';
        CREATE INDEX ix_accounts_audit_action ON accounts_audit (action, id);
        """
    )
