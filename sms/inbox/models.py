"""Table of texts that came in."""

from sqlalchemy import ForeignKey, Identity, LargeBinary, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Big, Model, Moment


class InboxMessage(Model):
    """A text somebody sent to a line; of nobody in particular when `account_id` is none."""

    __tablename__ = "inbox_message"

    id: Mapped[Big] = mapped_column(Identity(), primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("operators_gateway.id"))
    key: Mapped[bytes] = mapped_column(LargeBinary)
    line_id: Mapped[int | None] = mapped_column(ForeignKey("lines_line.id"))
    account_id: Mapped[Big | None] = mapped_column(ForeignKey("accounts_account.id"))
    line_number: Mapped[str]
    sender: Mapped[str]
    body: Mapped[str]
    parts: Mapped[int] = mapped_column(SmallInteger)
    missing: Mapped[int] = mapped_column(SmallInteger)
    operator_ref: Mapped[str]
    sent_at: Mapped[Moment | None]
    received_at: Mapped[Moment]
    read_at: Mapped[Moment | None]
    archived_at: Mapped[Moment | None]
    times: Mapped[int]
