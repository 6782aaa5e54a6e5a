"""Tables of the outbox that pages read through the ORM; the bulk paths speak SQL to them and to the others."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, LargeBinary, SmallInteger
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Big, Model, Moment, Mrial


class Draft(Model):
    """A send being composed: its text, and recipients read once into chunks."""

    __tablename__ = "outbox_draft"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts_account.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("accounts_user.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("lines_line.id"))
    title: Mapped[str]
    body: Mapped[str]
    link_id: Mapped[int | None] = mapped_column(BigInteger)
    source: Mapped[str]
    file_name: Mapped[str]
    stored_name: Mapped[str]
    group_id: Mapped[Big | None]
    state: Mapped[str]
    problem: Mapped[str]
    problem_params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    rows_read: Mapped[int]
    valid_count: Mapped[int]
    invalid_count: Mapped[int]
    duplicate_count: Mapped[int]
    networks: Mapped[dict[str, int]] = mapped_column(JSONB)
    suppressed: Mapped[dict[str, dict[str, int]]] = mapped_column(JSONB)
    created_at: Mapped[Moment]


class Campaign(Model):
    """One act of sending, from one recipient to millions."""

    __tablename__ = "outbox_campaign"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts_account.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("accounts_user.id"))
    key: Mapped[str]
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    line_id: Mapped[int] = mapped_column(ForeignKey("lines_line.id"))
    escrow_wallet_id: Mapped[int] = mapped_column(ForeignKey("ledger_wallet.id"))
    payee_wallet_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    title: Mapped[str]
    body: Mapped[str]
    suffix: Mapped[str]
    is_free: Mapped[bool]
    is_unicode: Mapped[bool]
    parts: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str]
    priority: Mapped[int] = mapped_column(SmallInteger)
    total_count: Mapped[int]
    sendable_count: Mapped[int]
    held_mrial: Mapped[Mrial]
    first_id: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)
    skipped: Mapped[dict[str, int]] = mapped_column(JSONB)
    counts: Mapped[dict[str, int]] = mapped_column(JSONB)
    is_dirty: Mapped[bool]
    charged_mrial: Mapped[Mrial]
    released_mrial: Mapped[Mrial]
    refunded_mrial: Mapped[Mrial]
    refunded_count: Mapped[int]
    refund_due_mrial: Mapped[Mrial]
    refund_due_count: Mapped[int]
    accepted_at: Mapped[Moment]
    submitted_at: Mapped[Moment | None]
    cancelled_at: Mapped[Moment | None]
    closed_at: Mapped[Moment | None]
    scheduled_at: Mapped[Moment | None]
    paused_at: Mapped[Moment | None]
    out_of_hours: Mapped[str]
    moved_count: Mapped[int]
    link_use_id: Mapped[int | None] = mapped_column(BigInteger)
