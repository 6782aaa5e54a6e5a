"""Lines handed to accounts below, send-only or two-way; and from which balance on an account is warned."""

from alembic import op

revision = "0051"
down_revision = "0050"

TABLES = """
ALTER TABLE lines_share ADD COLUMN is_two_way boolean NOT NULL DEFAULT false;
COMMENT ON TABLE lines_share IS
    'a line that an account above lets this one send from, with the name it has here; who has it may hand it on';
COMMENT ON COLUMN lines_share.is_two_way IS 'replies reach this account, unless it handed that on in turn';

CREATE TABLE resellers_low_balance (
    account_id bigint PRIMARY KEY REFERENCES accounts_account,
    threshold_mrial bigint NOT NULL CHECK (threshold_mrial > 0),
    set_at timestamptz NOT NULL,
    set_by bigint REFERENCES accounts_user
);
COMMENT ON TABLE resellers_low_balance IS 'below what can be spent still, the account and the one above it are told';
"""


def upgrade() -> None:
    """What was shared so far was send-only."""
    op.execute(TABLES)
