"""Settings that cannot lose or double a message, and what becomes of a gateway's health."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms.core.errors import SmsError
from sms.operators.rules import (
    Capability,
    GatewaySettings,
    GatewayState,
    Health,
    OnAbsent,
    StopReason,
    UnusableSetting,
    after_failure,
    after_success,
    check_settings,
    has_new_credit,
    is_address,
    is_same_place,
    recalled,
    remembered,
    retry_seconds,
    state_of,
)

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
GOOD = GatewaySettings(name="Magfa", base_url="https://sms.magfa.com/api/http/sms/v2/")


def _check(capability: Capability = Capability.LOOKS_UP, **changes: Any) -> None:
    check_settings(replace(GOOD, **changes), capability=capability, max_batch=100)


def test_the_usual_settings_hold_for_every_capability() -> None:
    for capability in Capability:
        _check(capability)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "  "),
        ("name", "x" * 61),
        ("base_url", ""),
        ("base_url", "ftp://sms.magfa.com/"),
        ("base_url", "https://"),
        ("base_url", "https://payamgah:secret@sms.magfa.com/"),
        ("base_url", "https://sms.magfa.com/?password=secret"),
        ("base_url", "https://sms.magfa.com:port/"),
        ("base_url", "https://sms.magfa.com/\nHost: elsewhere"),
        ("batch_size", 0),
        ("batch_size", 101),
        ("concurrency", 0),
        ("concurrency", 65),
        ("timeout_seconds", 0.0),
        ("timeout_seconds", 121.0),
        ("slowest_accept_seconds", -1.0),
        ("lease_seconds", 54.9),
        ("lease_seconds", 601.0),
        ("report_horizon_seconds", 0),
        ("report_horizon_seconds", 15 * 86_400),
        ("polling_plan_seconds", ()),
        ("polling_plan_seconds", (0, 5)),
        ("polling_plan_seconds", (5, 5)),
        ("polling_plan_seconds", (60, 15)),
        ("polling_plan_seconds", tuple(range(1, 22))),
        ("lookup_after_seconds", 0.0),
    ],
)
def test_a_setting_that_cannot_be_is_named(field: str, value: object) -> None:
    with pytest.raises(UnusableSetting) as caught:
        _check(**{field: value})

    assert caught.value.field == field


def test_a_lease_may_be_as_short_as_time_limit_and_twice_the_slowest_acceptance_and_five() -> None:
    _check(timeout_seconds=0.1, slowest_accept_seconds=0.1, lease_seconds=5.3001)
    with pytest.raises(UnusableSetting, match=r"at least 5\.3 seconds"):
        _check(timeout_seconds=0.1, slowest_accept_seconds=0.1, lease_seconds=5.2)


@pytest.mark.parametrize(
    ("capability", "is_allowed"),
    [
        (Capability.DEDUPES, True),
        (Capability.LOOKS_UP, True),
        (Capability.LISTS, False),
        (Capability.NOTHING, False),
    ],
)
def test_sending_again_needs_an_operator_that_can_be_asked(capability: Capability, is_allowed: bool) -> None:
    if is_allowed:
        _check(capability, on_absent=OnAbsent.RESEND)
    else:
        with pytest.raises(UnusableSetting, match="send twice"):
            _check(capability, on_absent=OnAbsent.RESEND)


def test_what_may_be_sent_again_is_not_looked_up_while_it_may_still_be_accepted() -> None:
    _check(on_absent=OnAbsent.PARK, lookup_after_seconds=1.0)
    with pytest.raises(UnusableSetting) as caught:
        _check(on_absent=OnAbsent.RESEND, lookup_after_seconds=39.0)

    assert caught.value.field == "lookup_after_seconds"
    _check(on_absent=OnAbsent.RESEND, lookup_after_seconds=40.0)


def test_an_operator_that_dedupes_is_sent_again_what_it_does_not_know_whatever_was_chosen() -> None:
    with pytest.raises(UnusableSetting, match="at least 40 seconds"):
        _check(Capability.DEDUPES, on_absent=OnAbsent.PARK, lookup_after_seconds=39.0)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9100/3000/api/http/sms/v2/", "https://sms.magfa.com"])
def test_an_address_names_scheme_and_host(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("https://sms.magfa.com/other/path", True),
        ("https://SMS.magfa.com/api", True),
        ("http://sms.magfa.com/api", False),
        ("https://sms.magfa.com:8443/api", False),
        ("https://sms.magfa.com.example/api", False),
    ],
)
def test_credentials_stay_with_their_host(other: str, is_same: bool) -> None:
    assert is_same_place(GOOD.base_url, other) is is_same


# Health

HEALTHY = Health(last_ok_at=AT - timedelta(hours=1))


def _fail(health: Health, **changes: Any) -> Health:
    facts: dict[str, Any] = {"error": "it broke", "stop": None, "wait_seconds": None, "at": AT}
    return after_failure(health, **facts | changes)


def test_a_failure_is_tried_again_after_one_second() -> None:
    health = _fail(HEALTHY)

    assert (health.failing_since, health.failure_count, health.retry_at) == (AT, 1, AT + timedelta(seconds=1))
    assert (health.last_error, health.stopped_reason) == ("it broke", "")
    assert health.last_ok_at == HEALTHY.last_ok_at


def test_failures_in_a_row_wait_longer_but_never_more_than_fifteen_seconds() -> None:
    assert [retry_seconds(count) for count in range(1, 8)] == [1, 2, 4, 8, 15, 15, 15]
    assert retry_seconds(100_000) == 15


def test_failing_since_is_the_first_failure() -> None:
    health = _fail(_fail(HEALTHY), at=AT + timedelta(seconds=9))

    assert (health.failing_since, health.failure_count) == (AT, 2)


def test_an_operator_that_says_when_is_believed() -> None:
    assert _fail(HEALTHY, wait_seconds=30.0).retry_at == AT + timedelta(seconds=30)


@pytest.mark.parametrize("reason", list(StopReason))
def test_a_stop_outlives_an_answer_and_another_failure(reason: StopReason) -> None:
    stopped = _fail(HEALTHY, stop=reason)

    assert stopped.stopped_reason == reason
    assert _fail(stopped).stopped_reason == reason
    assert after_success(stopped, at=AT).stopped_reason == reason


def test_an_answer_ends_a_failure() -> None:
    assert after_success(_fail(_fail(HEALTHY)), at=AT) == Health(last_ok_at=AT)


@pytest.mark.parametrize(
    ("is_on", "stopped", "failing", "state"),
    [
        (True, "", None, GatewayState.ON),
        (True, "", AT, GatewayState.FAILING),
        (True, "credit", AT, GatewayState.STOPPED),
        (False, "credit", AT, GatewayState.OFF),
        (False, "", None, GatewayState.OFF),
    ],
)
def test_the_state_is_one_word(is_on: bool, stopped: str, failing: datetime | None, state: GatewayState) -> None:
    assert state_of(is_on=is_on, stopped_reason=stopped, failing_since=failing) is state


def test_what_staff_hold_back_is_told_before_what_fails_and_after_what_stops_it() -> None:
    assert state_of(is_on=True, stopped_reason="", failing_since=AT, is_held=True) is GatewayState.HELD
    assert state_of(is_on=True, stopped_reason="credit", failing_since=AT, is_held=True) is GatewayState.STOPPED


@pytest.mark.parametrize(
    ("before_mrial", "balance_mrial", "is_new"),
    [(None, 10, False), (0, 10, True), (10, 10, False), (10, 9, False), (-5, 0, False), (-5, 1, True)],
)
def test_new_credit_is_more_than_was_there(before_mrial: int | None, balance_mrial: int, is_new: bool) -> None:
    assert has_new_credit(before_mrial=before_mrial, balance_mrial=balance_mrial) is is_new


def test_an_error_is_remembered_with_its_places() -> None:
    error = recalled(remembered(SmsError("Code %(code)s.", code="18")))

    assert str(error) == "Code 18."
    assert recalled("") is None
