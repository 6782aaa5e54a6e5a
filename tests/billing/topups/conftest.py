"""A payment gateway of the simulator, and whoever pays at it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest

from sms.billing.topups import queries
from sms.billing.topups.operations import settings as writing
from sms.billing.topups.operations import settling, starting
from sms.billing.topups.rules import Answer, Verdict
from sms.core import clock
from sms.core.db import transaction
from tests.factories import make_account
from tests.simulator.running import RunningSimulator

MERCHANT = "00000000-0000-4000-8000-000000000000"
SEAL = "a seal that only tests know"
M = 10**9  # a million rial


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    with RunningSimulator(tmp_path_factory.mktemp("payments")) as running:
        yield running


@pytest.fixture
def simulator(simulator_process: RunningSimulator) -> RunningSimulator:
    simulator_process.control("payments", reset=True)
    return simulator_process


def make_payment_gateway(base_url: str = "http://127.0.0.1:9", **changes) -> int:
    """A gateway in use, whose address leads nowhere unless told."""
    wanted = {
        "name": "Test gateway",
        "is_sandbox": True,
        "is_active": True,
        "least_mrial": 10_000_000,
        "most_mrial": 900 * M,
    }
    with transaction():
        return writing.add_gateway(
            adapter="simulated",
            settings=writing.GatewaySettings(base_url=base_url, **wanted | changes),
            credentials={"merchant_id": MERCHANT},
            seal_key=SEAL,
            actor_id=None,
            at=clock.now(),
        )


@dataclass(frozen=True)
class Attempt:
    """An attempt to pay of an account without money."""

    id: int
    account_id: int
    user_id: int
    wallet_id: int
    gateway_id: int
    token: str


def begin(
    *, gateway_id: int | None = None, amount_mrial: int = 100 * M, authority: str = "A1", account=None, at=None
) -> Attempt:
    """As the page does, with a gateway that calls it `authority`."""
    account_id, user_id, wallet_id = account or make_account(money_mrial=0)
    gateway_id = gateway_id or make_payment_gateway()
    with transaction():
        started = starting.start(
            account_id=account_id,
            user_id=user_id,
            gateway_id=gateway_id,
            amount_mrial=amount_mrial,
            at=at or clock.now(),
        )
        starting.note_begun(topup_id=started.id, authority=authority)
    return Attempt(started.id, account_id, user_id, wallet_id, gateway_id, started.token)


def told(attempt: Attempt, verdict: Verdict = Verdict.PAID, *, reference: str = "201", at=None, **hints):
    """The gateway says so; returns the state afterwards."""
    with transaction():
        return settling.settle(
            topup_id=attempt.id,
            answer=Answer(verdict, reference=reference, card="502229******5995", code="100"),
            at=at or clock.now(),
            **hints,
        )


def state_of(attempt: Attempt) -> str:
    return queries.topup(attempt.id).state


def press(address: str, action: str) -> str:
    """The payer opens the gateway's page and presses a button; returns the address to which it leads on."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", parts.path)
    page = connection.getresponse()
    assert page.status == 200
    assert b"rial" in page.read()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", parts.path, urlencode({"action": action}), headers)
    answer = connection.getresponse()
    links = re.findall(r'<a href="([^"]+)"', answer.read().decode())
    connection.close()
    return answer.headers.get("Location") or unescape(next(iter(links), ""))


def path_of(address: str) -> str:
    """What of an address our own server sees."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"
