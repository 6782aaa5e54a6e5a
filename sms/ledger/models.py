"""Tables of the ledger; it knows nothing of messages."""

from sqlalchemy import BigInteger, ForeignKey, Identity, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Big, Model, Moment, Mrial


class Wallet(Model):
    """A balance; recording wallets (see rules) keep none, theirs is the sum of their entries."""

    __tablename__ = "ledger_wallet"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str]
    kind: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_account.id"))
    balance_mrial: Mapped[Mrial]
    credit_limit_mrial: Mapped[Mrial]
    version: Mapped[Big]
    created_at: Mapped[Moment]


class Transfer(Model):
    """Why money moved, once: its entries sum to zero. Append-only."""

    __tablename__ = "ledger_transfer"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    key: Mapped[str]
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    subject: Mapped[str]
    reason: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transfer.id"))
    posted_at: Mapped[Moment]


class Entry(Model):
    """One wallet's side of a transfer. Append-only."""

    __tablename__ = "ledger_entry"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    transfer_id: Mapped[int] = mapped_column(ForeignKey("ledger_transfer.id"))
    wallet_id: Mapped[int] = mapped_column(ForeignKey("ledger_wallet.id"))
    amount_mrial: Mapped[Mrial]
    balance_after_mrial: Mapped[Big | None]
    credit_limit_mrial: Mapped[Big | None]
    wallet_version: Mapped[Big | None]
