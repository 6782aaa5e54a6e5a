"""An installation that was started for sample data."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from sms.core.config import Settings, use

SIMULATOR = "http://127.0.0.1:9/"
SMPP = "smpp://127.0.0.1:9"


@pytest.fixture
def sample_mode(app: Flask, settings: Settings) -> Iterator[Settings]:
    """The settings of an installation with sample data, in force for the test."""
    chosen = replace(settings, mode="sample", simulator_url=SIMULATOR.rstrip("/"), simulator_smpp_url=SMPP)
    use(chosen)
    yield chosen
    use(settings)
