"""Opt-outs are looked at once more after they came: in sends that wait for hours."""

from alembic import op

revision = "0082"
down_revision = "0081"

NOTED = """
ALTER TABLE contacts_optout ADD COLUMN noted_at timestamptz;
UPDATE contacts_optout SET noted_at = created_at;
ALTER TABLE contacts_optout ALTER COLUMN noted_at SET NOT NULL, ALTER COLUMN noted_at SET DEFAULT clock_timestamp();
COMMENT ON COLUMN contacts_optout.noted_at IS
    'when we heard of it; a text may say so that was sent long before, and sends accepted meanwhile know nothing of it';
ALTER TABLE contacts_optout ADD COLUMN is_news boolean NOT NULL DEFAULT false;
ALTER TABLE contacts_optout ALTER COLUMN is_news SET DEFAULT true;
COMMENT ON COLUMN contacts_optout.is_news IS 'whether sends that wait have not been looked through for it yet';
CREATE INDEX ix_contacts_optout_news ON contacts_optout (id) WHERE is_news;
"""


def upgrade() -> None:
    """What is known already has been left out when a send was accepted, or when it began."""
    op.execute(NOTED)
