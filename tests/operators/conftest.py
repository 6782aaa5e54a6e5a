"""Operators to talk to: the simulator in a process of its own, and every adapter pointed at it."""

from collections.abc import Iterator

import pytest

from sms.operators.contract import Operator
from sms.operators.registry import ADAPTERS, build
from tests.simulator.running import RunningSimulator

SIMULATED = {"magfa": "3000"}  # which simulated operator speaks an adapter's language


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    with RunningSimulator(tmp_path_factory.mktemp("simulator"), own_port_of=("3000",)) as running:
        yield running


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    simulator_process.reset()
    return simulator_process


@pytest.fixture(params=sorted(ADAPTERS))
def adapter(request: pytest.FixtureRequest, simulator: RunningSimulator) -> Iterator[Operator]:
    """Each adapter of the registry, pointed at its simulated operator."""
    adapter = build(request.param, simulator.access(SIMULATED[request.param]))
    yield adapter
    adapter.close()
