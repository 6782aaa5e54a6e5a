"""Simulated operators for tests: one at a desk in this process, or all in a process of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sms.simulator.characters import CHARACTERS
from sms.simulator.controls import changed
from sms.simulator.desk import Desk
from tests.simulator.esme import Esme
from tests.simulator.running import RunningSimulator


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    with RunningSimulator(tmp_path_factory.mktemp("simulator"), own_port_of=("2000",)) as running:
        yield running


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    simulator_process.reset()
    return simulator_process


@pytest.fixture
def esme(simulator: RunningSimulator) -> Iterator[Esme]:
    """A bound link to operator 1000."""
    with Esme(simulator.smpp_port) as link:
        yield link


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Operator 3000, quick."""
    desk = Desk(CHARACTERS["3000"], truth_dir=tmp_path, seed=1)
    desk.controls = changed(desk.controls, {"accept_delay_ms": 0, "report_delay_seconds": [0, 0]})
    yield desk
    desk.truth.close()
