"""Two resellers above the bench's customer, as if they had been there when its archive was accepted."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from bench.shop import Shop
from sms.core import clock
from sms.core.db import execute, rows, scalar, transaction
from sms.ledger.operations import post, profit_wallets
from sms.ledger.rules import Posting, TransferKind

_SHARES_MRIAL = (120_000, 70_000)  # of each message, nearest first


def put_below_two_resellers(shop: Shop) -> None:
    """Move the customer below them; of what was charged each has earned its share, which its refunds take back."""
    with transaction():
        top = _reseller("1.", parent_id=None)
        sub = _reseller("1.top.", parent_id=top)
        execute(
            "UPDATE accounts_account SET parent_id = :sub, path = '1.top.sub.' || id || '.' WHERE id = :id",
            sub=sub,
            id=shop.account_id,
        )
        payees = profit_wallets([sub, top], at=clock.now())
        shares = list(_SHARES_MRIAL)
        execute("UPDATE outbox_campaign SET payee_wallet_ids = CAST(:payees AS bigint[])", payees=payees)
        execute("UPDATE outbox_message SET shares_mrial = CAST(:shares AS bigint[])", shares=shares)
        execute("UPDATE outbox_refund SET shares_mrial = CAST(:shares AS bigint[])", shares=shares)
        revenue = int(scalar("SELECT id FROM ledger_wallet WHERE kind = 'revenue'"))
        post([_earned(campaign.id, campaign.size, payees, revenue) for campaign in _campaigns()], at=clock.now())


def _campaigns() -> Sequence[Row[Any]]:
    return rows("SELECT id, sendable_count AS size FROM outbox_campaign")


def _earned(campaign_id: int, size: int, payees: list[int], revenue_id: int) -> Posting:
    amounts = {wallet_id: size * share for wallet_id, share in zip(payees, _SHARES_MRIAL, strict=True)}
    return Posting(
        kind=TransferKind.CHARGE,
        key=f"earned:{campaign_id}",
        subject=f"campaign:{campaign_id}",
        amounts_mrial={revenue_id: -sum(amounts.values()), **amounts},
    )


def _reseller(above: str, *, parent_id: int | None) -> int:
    """Below the root, or below another; it asks a tenth more than it pays."""
    reseller_id = scalar(
        "INSERT INTO accounts_account (parent_id, path, kind, name, created_at)"
        " SELECT coalesce(:parent_id, id), :path, 'reseller', 'Reseller', :at FROM accounts_account"
        " WHERE kind = 'installation' RETURNING id",
        parent_id=parent_id,
        path=f"{above}{'sub' if parent_id else 'top'}.",
        at=clock.now(),
    )
    scalar(
        "INSERT INTO billing_price_list (owner_id, operator_id, markup_permille, valid_from)"
        " SELECT :owner, id, 100, '2020-01-01' FROM operators_operator RETURNING id",
        owner=reseller_id,
    )
    return int(reseller_id)
