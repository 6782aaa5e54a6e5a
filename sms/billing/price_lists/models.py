"""The table of what resellers ask: dated rows, ended rather than changed."""

from sqlalchemy import ForeignKey, Identity, Integer
from sqlalchemy.orm import Mapped, mapped_column

from sms.core.db import Big, Model, Moment


class PriceList(Model):
    """What a reseller asks of one account right below it (None: of each), by the keys of a tariff."""

    __tablename__ = "billing_price_list"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("accounts_account.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts_account.id"))
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators_operator.id"))
    line_id: Mapped[int | None] = mapped_column(ForeignKey("lines_line.id"))
    network_id: Mapped[int | None] = mapped_column(ForeignKey("operators_network.id"))
    language: Mapped[str | None]
    markup_permille: Mapped[int | None]
    price_mrial: Mapped[Big | None]
    is_below_cost_confirmed: Mapped[bool]
    valid_from: Mapped[Moment]
    valid_until: Mapped[Moment | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts_user.id"))
