"""Setting aside what a send costs: the price out of the sender's wallet, and out of the wallets of the resellers above
what they lose where they sell below their own price."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sms.core.errors import Refusal, SmsError
from sms.core.text import N_
from sms.ledger.operations import customer_wallet_id, post
from sms.ledger.queries import customer_wallet
from sms.ledger.rules import InsufficientBalance, Posting, TransferKind, missing


class DearerNow(SmsError):
    """The price has gone up since it was shown."""

    def __init__(self, *, total_mrial: int) -> None:
        super().__init__(N_("The price has changed to %(total)s. Look at it again."), total_mrial=total_mrial)


class ProviderShort(Refusal):
    """Somebody above sells at a loss and has not the money for it."""

    def __init__(self) -> None:
        super().__init__(
            N_("Your provider’s balance is not enough for this send, yours is. Nothing was sent; tell your provider.")
        )


def refuse_when_short(
    *,
    account_id: int,
    payers: Sequence[int],
    total_mrial: int,
    losses_mrial: Sequence[int],
    agreed_mrial: int | None,
) -> None:
    """Raise DearerNow, InsufficientBalance or ProviderShort when a send could not be held as things stand now."""
    if agreed_mrial is not None and total_mrial > agreed_mrial:
        raise DearerNow(total_mrial=total_mrial)
    if lack := _lack(account_id, total_mrial):
        raise InsufficientBalance(missing_mrial=lack)
    if any(_lack(above, loss) for above, loss in zip(payers, losses_mrial, strict=True) if loss):
        raise ProviderShort


def _lack(account_id: int, amount_mrial: int) -> int:
    wallet = customer_wallet(account_id=account_id)
    return missing(
        balance_mrial=wallet.balance_mrial, credit_limit_mrial=wallet.credit_limit_mrial, amount_mrial=amount_mrial
    )


def fund(
    payers: Sequence[int], payee_wallet_ids: Sequence[int], losses_mrial: Sequence[int], *, at: datetime
) -> dict[int, int]:
    """What resellers set aside for what they lose (below zero: get back of it), by wallet: from their own to that
    which records their profit, so that a charge never waits for anybody's money."""
    amounts: dict[int, int] = {}
    for account_id, profit, loss in zip(payers, payee_wallet_ids, losses_mrial, strict=True):
        if loss:
            amounts |= {customer_wallet_id(account_id=account_id, at=at): -loss, profit: loss}
    return amounts


def hold(
    *,
    campaign_id: int,
    account_id: int,
    escrow_wallet_id: int,
    held_mrial: int,
    funded: Mapping[int, int],
    actor_id: int | None,
    at: datetime,
) -> None:
    """Set the price of a send aside, and in the same posting what the resellers above put to it (`funded`)."""
    if held_mrial or funded:
        customer = customer_wallet(account_id=account_id)
        posting = Posting(
            kind=TransferKind.HOLD,
            key=f"hold:{campaign_id}",
            subject=f"campaign:{campaign_id}",
            amounts_mrial={customer.id: -held_mrial, escrow_wallet_id: held_mrial, **funded},
            actor_id=actor_id,
        )
        post_held(posting, sender_wallet_id=customer.id, at=at)


def post_held(posting: Posting, *, sender_wallet_id: int, at: datetime) -> None:
    """Post what is set aside; raises InsufficientBalance, or ProviderShort where it is not the sender who is short."""
    try:
        post([posting], at=at)
    except InsufficientBalance as error:
        if error.wallet_id in {0, sender_wallet_id}:
            raise
        raise ProviderShort from error
