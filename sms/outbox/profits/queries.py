"""What resellers earn of what is sent below them: per campaign, and in all, with what of it is theirs already."""

from dataclasses import dataclass
from datetime import datetime

from sms.core.db import row, rows


@dataclass(frozen=True, slots=True)
class Profit:
    """A reseller's profit that is not paid out, in milli-rial: what is final (all that it earned of has ended, and
    nothing of it is to be given back) and what is pending. What a sale at a loss cost stands in it below zero."""

    final_mrial: int
    pending_mrial: int

    @property
    def total_mrial(self) -> int:
        """Both."""
        return self.final_mrial + self.pending_mrial

    @property
    def payable_mrial(self) -> int:
        """What would be paid out now: a final profit below zero waits until it is earned again."""
        return max(0, self.final_mrial)


# Entries of campaigns that are not through yet are looked for by these few campaigns; the rest is final.
_PROFIT = """
WITH wallet AS (SELECT id FROM ledger_wallet WHERE code = 'profit:' || CAST(:account_id AS bigint)),
posted AS (
    SELECT t.subject, sum(e.amount_mrial) AS amount_mrial
    FROM wallet w JOIN ledger_entry e ON e.wallet_id = w.id JOIN ledger_transfer t ON t.id = e.transfer_id
    GROUP BY t.subject
)
SELECT coalesce(sum(p.amount_mrial) FILTER (WHERE c.id IS NULL), 0)::bigint AS final_mrial,
       coalesce(sum(p.amount_mrial) FILTER (WHERE c.id IS NOT NULL), 0)::bigint AS pending_mrial
FROM posted p LEFT JOIN outbox_campaign c
    ON 'campaign:' || c.id = p.subject AND (c.closed_at IS NULL OR c.refund_due_count > 0)
"""


def profit_of(account_id: int) -> Profit:
    """How much a reseller has earned and not been paid out yet; reads every entry of its profit."""
    found = row(_PROFIT, account_id=account_id)
    return Profit(found.final_mrial, found.pending_mrial) if found else Profit(0, 0)


@dataclass(frozen=True, slots=True)
class Level:
    """One account of a campaign's chain, the sender first: what it paid for what was sent and not given back, and what
    of that it earned (the sender nothing), in milli-rial."""

    account_id: int
    paid_mrial: int
    earned_mrial: int


_EARNED = """
SELECT w.account_id, each.level, coalesce((
    SELECT sum(e.amount_mrial) FROM ledger_transfer t JOIN ledger_entry e ON e.transfer_id = t.id AND e.wallet_id = w.id
    WHERE t.subject = 'campaign:' || c.id AND t.kind IN ('charge', 'refund')), 0)::bigint AS earned_mrial
FROM outbox_campaign c CROSS JOIN LATERAL unnest(c.payee_wallet_ids) WITH ORDINALITY AS each (wallet_id, level)
JOIN ledger_wallet w ON w.id = each.wallet_id WHERE c.id = :id ORDER BY each.level
"""


def levels(*, campaign_id: int) -> list[Level]:
    """What each account of a campaign's chain paid and earned, the sender first; for those who may see all of it."""
    campaign = row(
        "SELECT account_id, (SELECT coalesce(sum(b.charged_mrial), 0) FROM outbox_batch b WHERE b.campaign_id = c.id)"
        " - refunded_mrial AS paid_mrial FROM outbox_campaign c WHERE id = :id",
        id=campaign_id,
    )
    if campaign is None:
        return []
    paid = int(campaign.paid_mrial)
    chain = [Level(campaign.account_id, paid, 0)]
    for level in rows(_EARNED, id=campaign_id):
        paid -= level.earned_mrial
        chain.append(Level(level.account_id, paid, level.earned_mrial))
    return chain


def level_of(*, campaign_id: int, account_id: int) -> Level | None:
    """What one account of a campaign's chain may see: its own price and margin; None for everybody else."""
    return next((level for level in levels(campaign_id=campaign_id) if level.account_id == account_id), None)


# The campaigns of the sub-accounts, newest first: each with the child right below through whom it came.
_SOLD = """
WITH tree AS (
    SELECT a.id, child.id AS child_id FROM accounts_account me
    JOIN accounts_account a ON a.path ~>~ me.path AND a.path ~<~ (left(me.path, -1) || '/')
    JOIN accounts_account child
        ON child.path = me.path || split_part(substr(a.path, length(me.path) + 1), '.', 1) || '.'
    WHERE me.id = :account_id
), found AS MATERIALIZED (
    SELECT c.id, c.accepted_at, c.state, c.sendable_count, c.refunded_mrial, c.payee_wallet_ids, t.child_id
    FROM tree t JOIN outbox_campaign c ON c.account_id = t.id
    WHERE c.payee_wallet_ids IS NOT NULL AND (CAST(:before AS bigint) IS NULL OR c.id < :before)
    ORDER BY c.id DESC LIMIT :most
)
SELECT f.id, f.accepted_at, f.sendable_count, f.state = 'closed' AS is_closed, child.name AS account_name,
       (coalesce(b.charged_mrial, 0) - f.refunded_mrial - coalesce(p.up_to_mine_mrial, 0))::bigint AS paid_mrial,
       coalesce(p.mine_mrial, 0)::bigint AS earned_mrial
FROM found f JOIN accounts_account child ON child.id = f.child_id
CROSS JOIN LATERAL (SELECT sum(charged_mrial) AS charged_mrial FROM outbox_batch WHERE campaign_id = f.id) b
CROSS JOIN LATERAL (
    SELECT sum(e.amount_mrial) FILTER (WHERE each.level <= mine.level) AS up_to_mine_mrial,
           sum(e.amount_mrial) FILTER (WHERE each.level = mine.level) AS mine_mrial
    FROM ledger_transfer t JOIN ledger_entry e ON e.transfer_id = t.id
    JOIN unnest(f.payee_wallet_ids) WITH ORDINALITY AS each (wallet_id, level) ON each.wallet_id = e.wallet_id,
    (SELECT array_position(f.payee_wallet_ids, id) AS level FROM ledger_wallet
     WHERE code = 'profit:' || CAST(:account_id AS bigint)) mine
    WHERE t.subject = 'campaign:' || f.id AND t.kind IN ('charge', 'refund')) p
ORDER BY f.id DESC
"""


@dataclass(frozen=True, slots=True)
class Sold:
    """A campaign of somebody below, as the reseller may see it: what it paid itself and what it earned."""

    id: int
    accepted_at: datetime
    sendable_count: int
    is_closed: bool
    account_name: str
    paid_mrial: int
    earned_mrial: int


def sold(account_id: int, *, before: int | None = None, most: int = 26) -> list[Sold]:
    """A page of what the accounts below a reseller sent, newest first, with its own price and margin of each."""
    return [Sold(**found._mapping) for found in rows(_SOLD, account_id=account_id, before=before, most=most)]
