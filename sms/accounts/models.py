"""Tables of accounts, users, sessions and the audit."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Big, Model, Moment


class Account(Model):
    """A tenant: the installation itself, a reseller or a customer; together they are a tree."""

    __tablename__ = "accounts_account"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_account.id"))
    path: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    state: Mapped[str]
    is_open: Mapped[bool]
    money_unit: Mapped[str]
    created_at: Mapped[Moment]


class User(Model):
    """Somebody who signs in; belongs to one account."""

    __tablename__ = "accounts_user"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts_account.id"))
    username: Mapped[str]
    password_hash: Mapped[str]
    full_name: Mapped[str]
    mobile: Mapped[Big | None]
    role: Mapped[str]
    language: Mapped[str]
    is_active: Mapped[bool]
    created_at: Mapped[Moment]
    password_changed_at: Mapped[Moment]
    password_expires_at: Mapped[Moment | None]


class Session(Model):
    """A sign-in that lives on the server: gone at sign-out, whatever cookie a browser kept."""

    __tablename__ = "accounts_session"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("accounts_user.id"))
    created_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    address: Mapped[str]
    agent: Mapped[str]
    look_id: Mapped[int | None]


class Audit(Model):
    """Who did what, when, from where; append-only."""

    __tablename__ = "accounts_audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[Moment]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_account.id"))
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    address: Mapped[str]
    look_id: Mapped[int | None]
