"""In whose name a line is ordered, what of an order is news, and renewals in the ledger."""

from alembic import op

revision = "0022"
down_revision = "0021"

HOLDERS = """
ALTER TABLE lines_order ADD COLUMN holder text NOT NULL DEFAULT 'person'
    CHECK (holder IN ('person', 'company', 'government'));
COMMENT ON COLUMN lines_order.holder IS 'in whose name the operator writes the line: says which documents are needed';
CREATE INDEX ix_lines_order_step_unseen ON lines_order_step (order_id) WHERE seen_at IS NULL;
"""

KINDS = """
ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_kind_check;
ALTER TABLE ledger_transfer ADD CONSTRAINT ledger_transfer_kind_check CHECK (kind IN (
    'topup', 'adjustment', 'hold', 'charge', 'release', 'reprice', 'refund', 'credit', 'renewal', 'reversal'));
"""


def upgrade() -> None:
    """Orders made before are of persons: nobody could say otherwise."""
    for sql in (HOLDERS, KINDS):
        op.execute(sql)
