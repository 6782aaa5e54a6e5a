"""A shop whose gateway leads to the simulator in a process of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from jobs import asking, sending
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.seal import seal
from sms.ledger import queries as ledger
from sms.operators import queries as operators
from sms.operators.queries import GatewayView
from sms.outbox.operations import campaigns, reports, unknown
from sms.outbox.queries import invariants
from tests.factories import AT, Shop, make_campaign, make_shop
from tests.simulator.running import CREDENTIALS, RunningSimulator

KEY = "a seal that only tests know"
SIMULATED = {"timeout_seconds": 2, "slowest_accept_seconds": 0, "lease_seconds": 8, "lookup_after_seconds": 0.1}


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    with RunningSimulator(tmp_path_factory.mktemp("simulator"), own_port_of=("3000",)) as running:
        yield running


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    simulator_process.reset()
    return simulator_process


@dataclass(frozen=True, slots=True)
class Desk:
    """One gateway, its queue, and the operator behind it."""

    shop: Shop
    simulator: RunningSimulator

    def campaign(self, size: int = 10, batch_size: int = 5) -> int:
        """Queue a send to 989120000000, …001 and so on: the last two digits choose each one's fate."""
        return make_campaign(self.shop, size=size, batch_size=batch_size)

    def drain(self) -> int:
        """The sending job's work."""
        return sending.drain(self.shop.gateway_id)

    def poll(self) -> int:
        """The asking job's work, with every look due."""
        with transaction():
            execute("UPDATE outbox_batch SET poll_at = :at WHERE poll_at IS NOT NULL", at=AT)
        return asking.poll(self.shop.gateway_id)

    def look_up(self) -> int:
        """The look-up job's work, with every look-up due."""
        with transaction():
            execute("UPDATE outbox_unknown SET next_lookup_at = now() WHERE next_lookup_at IS NOT NULL")
        return asking.look_up(self.shop.gateway_id)

    def end_leases(self) -> None:
        """Let every lease run out."""
        with transaction():
            execute("UPDATE outbox_batch SET lease_until = now() - interval '1 second' WHERE state = 'submitting'")
            unknown.end_leases(at=AT)

    def try_again(self) -> None:
        """Let the time pass that a failing gateway and its batches are left alone."""
        with transaction():
            execute("UPDATE operators_gateway SET retry_at = NULL WHERE retry_at IS NOT NULL")
            execute("UPDATE outbox_batch SET not_before = now() WHERE state = 'queued'")

    def settled(self, campaign_id: int) -> dict[str, Any]:
        """The campaign after its totals were taken; every invariant holds."""
        with transaction():
            reports.apply_waiting(most=100, at=AT)
        with transaction():
            campaigns.settle(campaign_id=campaign_id, at=AT)
        assert not {name: found for name, found in (ledger.broken() | invariants.broken()).items() if found}
        found = row(
            "SELECT state, counts, charged_mrial, released_mrial FROM outbox_campaign WHERE id = :id", id=campaign_id
        )
        assert found is not None
        return dict(found._mapping)

    def batches(self) -> list[str]:
        """The states of all batches, in order."""
        return [batch.state for batch in rows("SELECT state FROM outbox_batch ORDER BY id")]

    def unknown_count(self) -> int:
        """How many messages are of unknown fate."""
        return int(scalar("SELECT count(*) FROM outbox_unknown"))

    @property
    def gateway(self) -> GatewayView:
        """The gateway as staff see it."""
        return operators.gateway(self.shop.gateway_id)

    def accepted(self) -> dict[str, int]:
        """What the operator itself says it accepted."""
        summary: dict[str, int] = self.simulator.truth("summary")["3000"]
        return summary


def make_desk(simulator: RunningSimulator, **gateway: Any) -> Desk:
    """A shop on the simulated 3000."""
    credentials = CREDENTIALS["3000"] | gateway.pop("credentials", {})
    facts = SIMULATED | {"base_url": simulator.base_url("3000")} | gateway
    return Desk(make_shop(credentials_sealed=seal(credentials, seal_key=KEY), **facts), simulator)


@pytest.fixture
def desk(app: Flask, simulator: RunningSimulator) -> Desk:
    """A shop on the simulated 3000, quick."""
    return make_desk(simulator)
