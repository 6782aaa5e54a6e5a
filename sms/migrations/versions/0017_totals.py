"""Kept beside the campaigns: the totals of an account's days, and which outcomes a campaign has."""

from alembic import op

revision = "0017"
down_revision = "0016"

_OUTCOMES = (
    *("delivered", "undelivered", "blocked", "opted_out", "not_in_network"),
    *("refused", "filtered", "out_of_hours", "expired", "cancelled"),
)

TABLES = """
CREATE TABLE outbox_day (
    account_id bigint NOT NULL,
    day date NOT NULL,
    is_folded boolean NOT NULL DEFAULT false,
    messages bigint NOT NULL,
    refund_due_mrial bigint NOT NULL,
    refund_due_count bigint NOT NULL,
    {columns}
);
COMMENT ON TABLE outbox_day IS 'what was added to an account''s totals of a Tehran day; they are the sum of its rows';
CREATE INDEX ix_outbox_day_account_id ON outbox_day (account_id, day);
CREATE INDEX ix_outbox_day_unfolded ON outbox_day (account_id, day) WHERE NOT is_folded;

CREATE TABLE outbox_campaign_outcome (
    account_id bigint NOT NULL,
    outcome text NOT NULL,
    first_id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    PRIMARY KEY (account_id, outcome, first_id, campaign_id)
);
COMMENT ON TABLE outbox_campaign_outcome IS 'campaigns that have an outcome, or once had it';
"""

_ADD = """
INSERT INTO outbox_day (account_id, day, messages, refund_due_mrial, refund_due_count, {names})
SELECT account_id, (accepted_at AT TIME ZONE 'Asia/Tehran')::date, sum(sign * sendable_count),
       sum(sign * refund_due_mrial), sum(sign * refund_due_count), {sums}
FROM ({changed}) AS c GROUP BY 1, 2;
"""
_CHANGED = """
    SELECT 1 AS sign, NEW.account_id, NEW.accepted_at, NEW.sendable_count, NEW.counts, NEW.refund_due_mrial,
           NEW.refund_due_count
    UNION ALL
    SELECT -1, OLD.account_id, OLD.accepted_at, OLD.sendable_count, OLD.counts, OLD.refund_due_mrial,
           OLD.refund_due_count WHERE TG_OP = 'UPDATE'
"""
_SO_FAR = """
    SELECT 1 AS sign, account_id, accepted_at, sendable_count, counts, refund_due_mrial, refund_due_count
    FROM outbox_campaign
"""

# Rows are only added, so that campaigns of one account that change at once never wait for each other.
TRIGGER = """
CREATE FUNCTION outbox_keep_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND (OLD.accepted_at, OLD.sendable_count, OLD.counts, OLD.refund_due_mrial, OLD.refund_due_count)
        IS NOT DISTINCT FROM
        (NEW.accepted_at, NEW.sendable_count, NEW.counts, NEW.refund_due_mrial, NEW.refund_due_count)
    THEN RETURN NULL; END IF;
    {add}
    IF TG_OP = 'INSERT' OR NEW.counts <> OLD.counts THEN
        INSERT INTO outbox_campaign_outcome (account_id, outcome, first_id, campaign_id)
        SELECT NEW.account_id, o.outcome, NEW.first_id, NEW.id
        FROM unnest(enum_range(NULL::outbox_outcome)::text[]) AS o (outcome)
        WHERE NEW.counts ? o.outcome AND (TG_OP = 'INSERT' OR NOT OLD.counts ? o.outcome)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_totals AFTER INSERT OR UPDATE OF accepted_at, sendable_count, counts, refund_due_mrial,
    refund_due_count ON outbox_campaign FOR EACH ROW EXECUTE FUNCTION outbox_keep_totals();
"""

FIND_OUTCOMES = """
INSERT INTO outbox_campaign_outcome (account_id, outcome, first_id, campaign_id)
SELECT c.account_id, o.outcome, c.first_id, c.id
FROM outbox_campaign c CROSS JOIN unnest(enum_range(NULL::outbox_outcome)::text[]) AS o (outcome)
WHERE c.counts ? o.outcome
"""


def upgrade() -> None:
    """Create them, count what there is, and keep it from now on."""
    names = ", ".join(f"{outcome}_count" for outcome in _OUTCOMES)
    sums = ", ".join(f"sum(sign * coalesce((counts->>'{outcome}')::integer, 0))" for outcome in _OUTCOMES)
    op.execute(TABLES.format(columns=names.replace(",", " bigint NOT NULL,") + " bigint NOT NULL"))
    op.execute(_ADD.format(names=names, sums=sums, changed=_SO_FAR))
    op.execute("UPDATE outbox_day SET is_folded = true")
    op.execute(FIND_OUTCOMES)
    op.execute(TRIGGER.format(add=_ADD.format(names=names, sums=sums, changed=_CHANGED)))
