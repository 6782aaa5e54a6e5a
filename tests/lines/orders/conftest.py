"""An open desk for every test of orders."""

import pytest
from flask import Flask

from tests.lines.orders.desk import Desk


@pytest.fixture
def desk(app: Flask) -> Desk:
    return Desk.open()
