"""The adapter against the simulator, over real HTTP."""

from collections.abc import Iterator

import pytest

from sms.billing.topups.adapters.simulated import Simulated
from sms.billing.topups.adapters.zarinpal import Zarinpal
from sms.billing.topups.contract import Access, NotBegun, Standing
from sms.billing.topups.registry import ADAPTERS, build
from sms.billing.topups.rules import Verdict
from sms.core.errors import NotFound
from tests.billing.topups.conftest import MERCHANT, press
from tests.simulator.running import RunningSimulator

BACK = "http://localhost/payments/x"


@pytest.fixture
def gateway(simulator: RunningSimulator) -> Iterator[Simulated]:
    adapter = Simulated(Access({"merchant_id": MERCHANT}, base_url=simulator.url, timeout_seconds=1))
    yield adapter
    adapter.close()


def _begin(gateway: Simulated, amount_rial: int = 110_000) -> str:
    return gateway.request(amount_rial=amount_rial, description="شارژ ۱", callback_url=BACK).authority


def test_a_payment_is_asked_for_in_rial(gateway: Simulated, simulator: RunningSimulator):
    authority = _begin(gateway)
    assert simulator.truth("payments")[authority]["amount_rial"] == 110_000
    assert gateway.address(authority) == f"{simulator.url}/pg/StartPay/{authority}"


def test_paid_is_told_once_as_100_and_ever_after_as_101(gateway: Simulated):
    authority = _begin(gateway)
    back = press(gateway.address(authority), "pay")
    assert back == f"{BACK}?Authority={authority}&Status=OK"
    first, second = (gateway.verify(authority=authority, amount_rial=110_000) for _ in range(2))
    assert (first.verdict, second.verdict) == (Verdict.PAID, Verdict.ALREADY)
    assert first.reference == second.reference != ""
    assert first.card.endswith("5995")
    assert gateway.inquire(authority) is Standing.VERIFIED


def test_cancelled_is_told_and_refused(gateway: Simulated):
    authority = _begin(gateway)
    assert press(gateway.address(authority), "cancel").endswith("Status=NOK")
    assert gateway.verify(authority=authority, amount_rial=110_000).verdict is Verdict.REFUSED
    assert gateway.inquire(authority) is Standing.FAILED


def test_another_amount_is_refused(gateway: Simulated):
    authority = _begin(gateway)
    press(gateway.address(authority), "pay")
    answer = gateway.verify(authority=authority, amount_rial=1_100_000)
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, "-50")


def test_what_nobody_asked_for_is_refused(gateway: Simulated):
    assert gateway.verify(authority="S000", amount_rial=1).verdict is Verdict.REFUSED
    assert gateway.inquire("S000") is Standing.FAILED


def test_who_is_still_paying_is_told_as_open(gateway: Simulated):
    assert gateway.inquire(_begin(gateway)) is Standing.OPEN


@pytest.mark.parametrize("manner", ["silent", "lost", "garbage", "refuse"])
def test_anything_but_an_answer_leaves_it_unknown(gateway: Simulated, simulator: RunningSimulator, manner: str):
    authority = _begin(gateway)
    press(gateway.address(authority), "pay")
    simulator.control("payments", verify=manner, inquiry=manner)
    assert gateway.verify(authority=authority, amount_rial=110_000).verdict is Verdict.UNKNOWN
    assert gateway.inquire(authority) is Standing.UNKNOWN


def test_an_answer_that_was_lost_comes_as_101_the_next_time(gateway: Simulated, simulator: RunningSimulator):
    authority = _begin(gateway)
    press(gateway.address(authority), "pay")
    simulator.control("payments", verify="lost")
    gateway.verify(authority=authority, amount_rial=110_000)
    simulator.control("payments", verify="answer")
    assert gateway.verify(authority=authority, amount_rial=110_000).verdict is Verdict.ALREADY


@pytest.mark.parametrize("manner", ["silent", "lost", "garbage", "refuse"])
def test_what_was_not_begun_is_no_payment(gateway: Simulated, simulator: RunningSimulator, manner: str):
    simulator.control("payments", request=manner)
    with pytest.raises(NotBegun):
        _begin(gateway)


def test_a_wrong_merchant_is_told(simulator: RunningSimulator):
    gateway = Simulated(Access({"merchant_id": "short"}, base_url=simulator.url))
    with pytest.raises(NotBegun) as refused:
        _begin(gateway)
    assert refused.value.params["code"] == "-9"
    gateway.close()


@pytest.mark.parametrize(
    ("access", "beginning"),
    [
        (Access({"merchant_id": MERCHANT}), "https://payment.zarinpal.com/pg/StartPay/"),
        (Access({"merchant_id": MERCHANT}, is_sandbox=True), "https://sandbox.zarinpal.com/pg/StartPay/"),
    ],
)
def test_live_and_sandbox_have_their_own_addresses(access: Access, beginning: str):
    gateway = Zarinpal(access)
    assert gateway.address("A").startswith(beginning)
    gateway.close()


def test_the_registry_knows_both_and_nothing_else():
    assert set(ADAPTERS) == {"zarinpal", "simulated"}
    with pytest.raises(NotFound):
        build("cash", Access({}))


def test_the_merchants_id_is_not_told_by_accident():
    assert MERCHANT not in repr(Access({"merchant_id": MERCHANT}))
