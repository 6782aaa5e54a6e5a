"""Tables of tariffs and refund rules: dated rows, ended rather than changed."""

from sqlalchemy import ForeignKey, Identity, Integer, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Model, Moment, Mrial


class Tariff(Model):
    """What a part costs over an operator or one of its lines, to a network (None: any) in a language."""

    __tablename__ = "billing_tariff"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators_operator.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("lines_line.id"))
    network_id: Mapped[int | None] = mapped_column(ForeignKey("operators_network.id"))
    language: Mapped[str]
    price_mrial: Mapped[Mrial]
    cost_mrial: Mapped[Mrial]
    valid_from: Mapped[Moment]
    valid_until: Mapped[Moment | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))


class RefundRule(Model):
    """What comes back when a message ends so: percent, after a delay counted from sending."""

    __tablename__ = "billing_refund_rule"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators_operator.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("lines_line.id"))
    network_id: Mapped[int | None] = mapped_column(ForeignKey("operators_network.id"))
    outcome: Mapped[str]
    percent: Mapped[int] = mapped_column(SmallInteger)
    delay_seconds: Mapped[int]
    note: Mapped[str]
    valid_from: Mapped[Moment]
    valid_until: Mapped[Moment | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
