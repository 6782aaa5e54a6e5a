"""Alerts of resellers' prices that came to stand below what the reseller pays itself, and their policy."""

from alembic import op

revision = "0083"
down_revision = "0082"

ASKED = """
ALTER TABLE dashboard_alert DROP CONSTRAINT dashboard_alert_kind_check;
ALTER TABLE dashboard_alert ADD CONSTRAINT dashboard_alert_kind_check
    CHECK (kind IN ('price_below_cost', 'credit_low', 'spend_high', 'spend_low', 'asked_below_cost'));
CREATE INDEX ix_dashboard_alert_asked ON dashboard_alert (account_id, id) WHERE kind = 'asked_below_cost';
ALTER TABLE dashboard_alert_policy ADD COLUMN is_asked_told boolean NOT NULL DEFAULT true,
    ADD COLUMN asked_ahead_days smallint NOT NULL DEFAULT 30 CHECK (asked_ahead_days BETWEEN 0 AND 90);
ALTER TABLE dashboard_alert_policy ALTER COLUMN is_asked_told DROP DEFAULT, ALTER COLUMN asked_ahead_days DROP DEFAULT;
COMMENT ON COLUMN dashboard_alert_policy.is_asked_told IS
    'whether resellers are told of prices of theirs below what they pay themselves';
COMMENT ON COLUMN dashboard_alert_policy.asked_ahead_days IS 'so many days ahead they are told of what begins then';
"""


def upgrade() -> None:
    """Every policy so far, the one in force among them, tells resellers, thirty days ahead."""
    op.execute(ASKED)
