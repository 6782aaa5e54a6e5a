"""A shop whose messages were handed over to an operator, counted."""

import pytest
from flask import Flask

from tests.dashboard.reports.conftest import count_hours
from tests.factories import Shop, make_campaign, make_shop
from tests.outbox.conftest import Steps


@pytest.fixture
def shop(app: Flask) -> Shop:
    """A customer with money and a line."""
    return make_shop()


@pytest.fixture
def steps(shop: Shop) -> Steps:
    """The steps of a send."""
    return Steps(shop)


@pytest.fixture
def sent(steps: Steps, shop: Shop) -> list[int]:
    """Ten messages that the operator took, by id; it calls each ref<id>."""
    make_campaign(shop, size=10)
    batches = steps.send()
    count_hours()
    return sorted(recipient.message_id for batch in batches for recipient in batch.recipients)
