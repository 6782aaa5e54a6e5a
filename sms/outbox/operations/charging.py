"""Taking the price of what an operator accepted: from what was set aside to the house, to the operator, and to the
resellers between."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sms.core.db import array, bulk
from sms.ledger.operations import post, recording_wallets
from sms.ledger.rules import Posting, TransferKind, WalletKind

# Messages by their ids, whatever the statistics say of ids so new.
_SHARES = """
SELECT n.place, each.level, sum(each.share)::bigint
FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS bigint[])) AS n (id, place)
CROSS JOIN LATERAL (
    SELECT shares_mrial FROM outbox_message WHERE id = n.id AND id BETWEEN :low AND :high OFFSET 0
) m
CROSS JOIN LATERAL unnest(m.shares_mrial) WITH ORDINALITY AS each (share, level)
GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(slots=True, kw_only=True)
class Charge:
    """The money of one batch's accepted messages; `shares_mrial` is what the resellers above earn of it, nearest
    first, recorded in the wallets `payee_wallet_ids`."""

    key: str
    campaign_id: int
    escrow_wallet_id: int
    operator_code: str
    price_mrial: int
    cost_mrial: int
    payee_wallet_ids: Sequence[int] = ()
    shares_mrial: Sequence[int] = ()


def shares_of(messages: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """The sums of what each level earns of these messages (ids by place), nearest first."""
    ids = [message_id for group in messages.values() for message_id in group]
    places = [place for place, group in messages.items() for _ in group]
    found: dict[int, list[int]] = defaultdict(list)
    if ids:
        for place, _, share in bulk(_SHARES, ids=array(ids), places=array(places), low=min(ids), high=max(ids)):
            found[place].append(int(share))
    return found


def earned(payee_wallet_ids: Sequence[int], shares_mrial: Sequence[int]) -> dict[int, int]:
    """What is recorded for each level, by its wallet."""
    return dict(zip(payee_wallet_ids, shares_mrial, strict=True)) if payee_wallet_ids else {}


def charge(charges: Sequence[Charge], *, at: datetime) -> None:
    """Escrow → the resellers' profit and our revenue, and of that our cost to the operator: one posting a batch. The
    cost of what is free for the customer is taken from our revenue."""
    due = sorted(
        (item for item in charges if item.price_mrial or item.cost_mrial or any(item.shares_mrial)),
        key=lambda each: each.key,
    )
    wallets = recording_wallets({item.operator_code for item in due}, at=at)
    postings = [
        Posting(
            kind=TransferKind.CHARGE,
            key=item.key,
            subject=f"campaign:{item.campaign_id}",
            amounts_mrial={
                item.escrow_wallet_id: -item.price_mrial,
                wallets[WalletKind.REVENUE, item.operator_code]: item.price_mrial
                - sum(item.shares_mrial)
                - item.cost_mrial,
                wallets[WalletKind.OPERATOR_COST, item.operator_code]: item.cost_mrial,
            }
            | earned(item.payee_wallet_ids, item.shares_mrial),
        )
        for item in due
    ]
    post(postings, at=at)
