"""Paying back what the rules owe, grouped by campaign, each message once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sms.core.db import array, bulk, execute, row, rows
from sms.ledger.operations import post, recording_wallets
from sms.ledger.queries import customer_wallet
from sms.ledger.rules import Posting, TransferKind, WalletKind
from sms.outbox.operations.charging import earned
from sms.outbox.operations.counters import touch

# The rows are locked one by one, and only those nobody else is paying; the sums are taken over just these.
_TAKE = """
WITH due AS (
    SELECT message_id, campaign_id, account_id, amount_mrial, cost_mrial FROM outbox_refund
    WHERE transfer_id IS NULL AND due_at <= :at ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
)
SELECT d.campaign_id, d.account_id, o.code AS operator_code, sum(d.amount_mrial)::bigint AS amount_mrial,
       sum(d.cost_mrial)::bigint AS cost_mrial, count(*) AS n, min(d.message_id) AS first_id,
       array_agg(d.message_id) AS ids, c.payee_wallet_ids
FROM due d JOIN outbox_campaign c ON c.id = d.campaign_id JOIN lines_line l ON l.id = CASE
    WHEN c.moved_count > 0 THEN (SELECT m.line_id FROM outbox_message m WHERE m.id = d.message_id) ELSE c.line_id END
JOIN operators_operator o ON o.id = l.operator_id
GROUP BY d.campaign_id, d.account_id, o.code, c.payee_wallet_ids ORDER BY d.campaign_id
"""

_SHARES = """
SELECT n.place, each.level, sum(each.share)::bigint
FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS bigint[])) AS n (id, place)
JOIN outbox_refund r ON r.message_id = n.id
CROSS JOIN LATERAL unnest(r.shares_mrial) WITH ORDINALITY AS each (share, level)
GROUP BY 1, 2 ORDER BY 1, 2
"""


def post_due(*, most: int, at: datetime) -> int:
    """Post the refunds that are due, at most `most` of them, in the caller's transaction; returns how many."""
    groups = rows(_TAKE, most=most, at=at)
    if not groups:
        return 0
    for group in groups:
        _lower_due(group)
    wallets = recording_wallets({group.operator_code for group in groups}, at=at)
    shares = _shares([group for group in groups if group.payee_wallet_ids])
    transfers = post([_posting(group, wallets, shares.get(group.first_id, ())) for group in groups], at=at)
    for group in groups:
        _stamp(group.ids, transfers[_key(group)])
    touch(group.campaign_id for group in groups)
    return sum(group.n for group in groups)


def _key(group: Any) -> str:
    return f"refund:{group.campaign_id}:{group.first_id}"


def _shares(groups: Sequence[Any]) -> dict[int, list[int]]:
    """What the resellers between give back, nearest first, by the first message of each group."""
    found: dict[int, list[int]] = defaultdict(list)
    ids = [message_id for group in groups for message_id in group.ids]
    places = [group.first_id for group in groups for _ in group.ids]
    if ids:
        for place, _, share in bulk(_SHARES, ids=array(ids), places=array(places)):
            found[place].append(int(share))
    return found


def _posting(group: Any, wallets: Mapping[tuple[WalletKind, str], int], shares_mrial: Sequence[int]) -> Posting:
    customer = customer_wallet(account_id=group.account_id)
    return Posting(
        kind=TransferKind.REFUND,
        key=_key(group),
        subject=f"campaign:{group.campaign_id}",
        amounts_mrial={
            customer.id: group.amount_mrial,
            wallets[WalletKind.REVENUE, group.operator_code]: group.cost_mrial - group.amount_mrial + sum(shares_mrial),
            wallets[WalletKind.OPERATOR_COST, group.operator_code]: -group.cost_mrial,
        }
        | earned(group.payee_wallet_ids or (), [-share for share in shares_mrial]),
    )


def _lower_due(group: Any) -> None:
    execute(
        """UPDATE outbox_campaign SET refund_due_mrial = refund_due_mrial - :amount, refund_due_count =
        refund_due_count - :n,
               refunded_mrial = refunded_mrial + :amount, refunded_count = refunded_count + :n WHERE id = :id""",
        amount=group.amount_mrial,
        n=group.n,
        id=group.campaign_id,
    )


def _stamp(message_ids: Sequence[int], transfer_id: int) -> None:
    stamped = execute(
        "UPDATE outbox_refund SET transfer_id = :transfer_id WHERE message_id = ANY(:ids) AND transfer_id IS NULL",
        transfer_id=transfer_id,
        ids=list(message_ids),
    )
    if stamped != len(message_ids):
        raise RuntimeError("a refund was taken twice")  # cannot be: its row is locked by us; better no posting than two


def is_due(*, at: datetime) -> bool:
    """Whether any refund waits to be posted."""
    return (
        row("SELECT 1 AS due FROM outbox_refund WHERE transfer_id IS NULL AND due_at <= :at LIMIT 1", at=at) is not None
    )
