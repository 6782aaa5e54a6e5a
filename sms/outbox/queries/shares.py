"""What must hold between what resellers earn of messages and what their profit wallets recorded, as SQL."""

I13_ARITY = """
SELECT m.id AS message_id, m.campaign_id, cardinality(m.shares_mrial) AS shares, cardinality(c.payee_wallet_ids) AS
       payees, 'a message has other shares than its campaign has payees' AS problem
FROM outbox_message m JOIN outbox_campaign c ON c.id = m.campaign_id
WHERE cardinality(m.shares_mrial) IS DISTINCT FROM
      CASE WHEN m.batch_id IS NOT NULL THEN cardinality(c.payee_wallet_ids) END
LIMIT 20
"""

I13_REFUNDED = """
SELECT r.message_id, r.campaign_id, r.shares_mrial, 'a refund gives back other shares than its rule says' AS problem
FROM outbox_refund r JOIN outbox_message m ON m.id = r.message_id JOIN billing_refund_rule b ON b.id = r.rule_id
WHERE r.shares_mrial IS DISTINCT FROM (
    SELECT array_agg(each.share * b.percent / 100 ORDER BY each.level)
    FROM unnest(m.shares_mrial) WITH ORDINALITY AS each (share, level))
LIMIT 20
"""

# Sums of shares by campaign and wallet, and what was posted under the same kinds of transfers.
_POSTED = """
WITH shares AS ({shares}), expected AS (
    SELECT s.campaign_id, c.payee_wallet_ids[s.level] AS wallet_id, s.share
    FROM shares s JOIN outbox_campaign c ON c.id = s.campaign_id
), posted AS (
    SELECT t.subject, e.wallet_id, sum(e.amount_mrial) AS share
    FROM ledger_wallet w JOIN ledger_entry e ON e.wallet_id = w.id JOIN ledger_transfer t ON t.id = e.transfer_id
    WHERE w.kind = 'profit' AND t.kind IN ({kinds}) GROUP BY t.subject, e.wallet_id
)
SELECT x.campaign_id, p.subject, coalesce(x.wallet_id, p.wallet_id) AS wallet_id, x.share AS expected_mrial,
       p.share AS posted_mrial, '{problem}' AS problem
FROM expected x FULL JOIN posted p ON p.subject = 'campaign:' || x.campaign_id AND p.wallet_id = x.wallet_id
WHERE coalesce(x.share, 0) <> coalesce(p.share, 0) LIMIT 20
"""

_OF_MESSAGES = """
    SELECT m.campaign_id, each.level, sum({amount}) AS share
    FROM outbox_message m CROSS JOIN LATERAL unnest(m.shares_mrial) WITH ORDINALITY AS each (share, level)
    WHERE {taken} GROUP BY m.campaign_id, each.level
"""

I13_CHARGED = _POSTED.format(
    shares=_OF_MESSAGES.format(
        amount="each.share", taken="EXISTS (SELECT FROM outbox_submission s WHERE s.message_id = m.id)"
    ),
    kinds="'charge'",
    problem="profit differs from what the messages earned",
)

I13_FUNDED = _POSTED.format(
    shares=_OF_MESSAGES.format(amount="greatest(0, -each.share)", taken="m.batch_id IS NOT NULL"),
    kinds="'hold', 'reprice'",
    problem="what is sold at a loss is not funded",
)

I13_PAID_BACK = _POSTED.format(
    shares="""
    SELECT r.campaign_id, each.level, -sum(each.share) AS share
    FROM outbox_refund r CROSS JOIN LATERAL unnest(r.shares_mrial) WITH ORDINALITY AS each (share, level)
    WHERE r.transfer_id IS NOT NULL GROUP BY r.campaign_id, each.level
""",
    kinds="'refund'",
    problem="profit given back differs from the refunds",
)

I13 = (I13_ARITY, I13_REFUNDED, I13_CHARGED, I13_FUNDED, I13_PAID_BACK)
