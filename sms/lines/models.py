"""Table of sender numbers."""

from datetime import time

from sqlalchemy import ForeignKey, Identity, Integer, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Model, Moment


class Line(Model):
    """A sender number: public (shared, send-only) or dedicated (one owner)."""

    __tablename__ = "lines_line"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators_operator.id"))
    gateway_id: Mapped[int] = mapped_column(ForeignKey("operators_gateway.id"))
    number: Mapped[str]
    kind: Mapped[str]
    service_class: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_account.id"))
    alias: Mapped[str]
    is_active: Mapped[bool]
    joined_units: Mapped[int] = mapped_column(SmallInteger)
    opens_at: Mapped[time | None]
    closes_at: Mapped[time | None]
    per_second: Mapped[int | None]
    links: Mapped[str]
    demands_suffix: Mapped[bool | None]
    created_at: Mapped[Moment]
