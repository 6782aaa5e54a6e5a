"""Shops on the simulated operators, quick."""

import pytest
from flask import Flask

from sms.core.config import Settings
from tests.jobs.conftest import Desk, make_desk
from tests.simulator.running import CREDENTIALS, RunningSimulator


@pytest.fixture
def desk(app: Flask, settings: Settings, simulator: RunningSimulator) -> Desk:
    """A shop on the simulated 3000."""
    return make_desk(simulator, concurrency=4, timeout_seconds=1)


@pytest.fixture
def other(app: Flask, settings: Settings, simulator: RunningSimulator) -> Desk:
    """A shop on the simulated 2000."""
    way = {"base_url": simulator.base_url("2000"), "credentials": CREDENTIALS["2000"]}
    return make_desk(simulator, operator_code="2000", concurrency=4, timeout_seconds=1, **way)
