"""Operators to talk to: the simulator in a process of its own, and every adapter pointed at it."""

from collections.abc import Iterator
from typing import cast

import pytest

from sms.operators.contract import Access, Operator
from sms.operators.registry import ADAPTERS, build
from tests.simulator.running import RunningSimulator

SIMULATED = {"magfa": "3000", "kavenegar": "5000"}  # which simulated operator speaks an adapter's language
ASKED = sorted(code for code, adapter in ADAPTERS.items() if not adapter.is_bound)


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    with RunningSimulator(tmp_path_factory.mktemp("simulator"), own_port_of=("3000", "5000")) as running:
        yield running


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    simulator_process.reset()
    return simulator_process


def build_operator(code: str, access: Access) -> Operator:
    """An adapter that is asked request by request."""
    return cast(Operator, build(code, access))


@pytest.fixture(params=ASKED)
def adapter(request: pytest.FixtureRequest, simulator: RunningSimulator) -> Iterator[Operator]:
    """Each adapter of the registry that is asked request by request, pointed at its simulated operator."""
    adapter = build_operator(request.param, simulator.access(SIMULATED[request.param]))
    yield adapter
    adapter.close()
