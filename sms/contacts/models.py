"""Table of recipients who want no more texts; groups are only spoken to by SQL."""

from sqlalchemy import BigInteger, ForeignKey, Identity
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Big, Model, Moment


class OptOut(Model):
    """A recipient an account must not write to: over one line, or over none at all (line None)."""

    __tablename__ = "contacts_optout"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_account.id"))
    recipient: Mapped[Big]
    line_id: Mapped[int | None] = mapped_column(ForeignKey("lines_line.id"))
    reason: Mapped[str]
    source: Mapped[str]
    created_at: Mapped[Moment]
    noted_at: Mapped[Moment]
    is_news: Mapped[bool]
