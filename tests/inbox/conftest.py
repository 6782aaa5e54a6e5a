"""Two owners of lines of one operator, and texts that arrive there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Row

from sms.core.db import rows, scalar, transaction
from sms.inbox.operations import arriving
from sms.operators.contract import InboundText
from sms.operators.inbound import operations as inbound
from tests.factories import AT, Shop, make_account, make_line, make_shop

SENDER = "989121234567"


@dataclass(frozen=True, slots=True)
class Post:
    """A shop with a line of its own, and a rival with another."""

    shop: Shop
    line_id: int
    number: str
    rival_id: int
    rival_number: str

    def bring(self, *texts: InboundText, at: datetime = AT) -> None:
        """An operator brings these, and they are taken in."""
        with transaction():
            inbound.keep(texts, gateway_id=self.shop.gateway_id, at=at)
        with transaction():
            arriving.take_arrived(most=1_000)

    def text(
        self, body: str, *, sender: str = SENDER, number: str = "", ref: str = "", sent_at: Any = None
    ) -> InboundText:
        """A text to the shop's line, or to another."""
        return InboundText(sender, number or self.number, body, sent_at, ref)

    def kept(self) -> Sequence[Row[Any]]:
        """What is in all inboxes."""
        return rows("SELECT account_id, line_id, sender, body, times, missing FROM inbox_message ORDER BY id")


@pytest.fixture
def post(app: Flask) -> Post:
    shop = make_shop()
    rival_id = make_account()[0]
    line_id = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=shop.account_id)
    rival = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id, account_id=rival_id)
    numbers = [str(scalar("SELECT number FROM lines_line WHERE id = :id", id=each)) for each in (line_id, rival)]
    return Post(shop, line_id, numbers[0], rival_id, numbers[1])
