"""A shop to send from, the steps of a send, and the hours counted."""

import pytest
from flask import Flask

from sms.core.db import transaction
from sms.outbox.operations import hours
from tests.factories import Shop, make_shop
from tests.outbox.conftest import Steps
from tests.outbox.test_hours import LATER


@pytest.fixture
def shop(app: Flask) -> Shop:
    """A customer with money and a line."""
    return make_shop()


@pytest.fixture
def steps(shop: Shop) -> Steps:
    """The steps of a send."""
    return Steps(shop)


def count_hours() -> None:
    """Count all there is."""
    counted = 1
    while counted:
        with transaction():
            counted = hours.count_some(at=LATER) + hours.count_refunds()
