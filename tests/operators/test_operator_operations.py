"""Operators and gateways on PostgreSQL: what is stored, sealed, audited, and what health does to it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from redis import Redis

from sms.core.actor import PANEL
from sms.core.config import Settings
from sms.core.db import rows, scalar, transaction
from sms.core.errors import NotFound, Refusal, SmsError
from sms.core.seal import CannotUnseal, seal, unseal
from sms.operators import operations, queries
from sms.operators.contract import (
    NOTHING_LEFT,
    UNKNOWN_FATE,
    BadCredentials,
    OutOfCredit,
    Refused,
    Unanswered,
    Unreachable,
)
from sms.operators.operations import Checked
from sms.operators.rules import GatewaySettings, GatewayState, SaleMode, UnusableSetting
from tests.factories import AT, make_gateway

KEY = "a seal that only tests know"
CREDENTIALS = {"username": "payamgah", "domain": "sample", "password": "hunter-2-hunter"}
SETTINGS = GatewaySettings(name="Magfa", base_url="http://127.0.0.1:9/v2/")


@pytest.fixture
def operator_id(app: Flask) -> int:
    with transaction():
        return operations.add_operator(
            code="3000", names=("مگفا", "Magfa"), colour="azure", sale_mode=SaleMode.SINGLE, by=PANEL, at=AT
        )


def _add(operator_id: int, settings: GatewaySettings = SETTINGS, **changes: Any) -> int:
    facts: dict[str, Any] = {"adapter": "magfa", "credentials": CREDENTIALS, "seal_key": KEY} | changes
    with transaction():
        return operations.add_gateway(operator_id=operator_id, settings=settings, by=PANEL, at=AT, **facts)


def _change(
    gateway_id: int, settings: GatewaySettings = SETTINGS, credentials: Mapping[str, str] | None = None
) -> None:
    with transaction():
        operations.change_gateway(
            gateway_id=gateway_id, settings=settings, credentials=credentials or {}, seal_key=KEY, by=PANEL, at=AT
        )


def _stored(gateway_id: int) -> dict[str, str]:
    sealed = scalar("SELECT credentials_sealed FROM operators_gateway WHERE id = :id", id=gateway_id)
    return unseal(bytes(sealed), seal_key=KEY)


def _audit() -> list[tuple[str, dict[str, Any]]]:
    return [(line.action, line.details) for line in rows("SELECT action, details FROM accounts_audit ORDER BY id")]


def _fail(gateway_id: int, error: SmsError, at: Any = AT) -> None:
    with transaction():
        operations.note_failure(gateway_id=gateway_id, error=error, at=at)


# Operators


def test_an_operator_is_added_once(operator_id: int) -> None:
    assert queries.operator_by_code("3000").id == operator_id
    assert [action for action, _ in _audit()] == ["operator.added"]
    with pytest.raises(UnusableSetting, match="already"), transaction():
        operations.add_operator(code="3000", names=("a", "b"), colour="red", sale_mode=SaleMode.RANGE, by=PANEL, at=AT)


@pytest.mark.parametrize(
    ("code", "names", "colour", "field"),
    [
        ("30", ("a", "b"), "red", "code"),
        ("3000000", ("a", "b"), "red", "code"),
        ("۳۰۰۰", ("a", "b"), "red", "code"),
        ("5000", (" ", "b"), "red", "name_fa"),
        ("5000", ("a", ""), "red", "name_en"),
        ("5000", ("a", "b"), "expression(alert)", "colour"),
    ],
)
def test_an_operator_that_cannot_be_is_named(
    app: Flask, code: str, names: tuple[str, str], colour: str, field: str
) -> None:
    with pytest.raises(UnusableSetting) as caught, transaction():
        operations.add_operator(code=code, names=names, colour=colour, sale_mode=SaleMode.SINGLE, by=PANEL, at=AT)

    assert caught.value.field == field


def test_only_what_changed_of_an_operator_is_audited(operator_id: int) -> None:
    for _ in range(2):
        with transaction():
            operations.change_operator(
                operator_id=operator_id,
                names=("مگفا", "Magfa"),
                colour="red",
                sale_mode=SaleMode.SINGLE,
                by=PANEL,
                at=AT,
            )

    assert _audit()[1:] == [("operator.changed", {"colour": "red"})]


# Gateways


def test_credentials_are_sealed_and_open_the_adapter(operator_id: int) -> None:
    gateway_id = _add(operator_id)

    way = queries.any_gateway(gateway_id)
    assert _stored(gateway_id) == CREDENTIALS
    assert CREDENTIALS["password"].encode() not in way.credentials_sealed
    queries.open_adapter(way, KEY).close()
    with pytest.raises(CannotUnseal):
        queries.open_adapter(way, "another key")


def test_a_secret_stands_in_no_repr_and_in_no_audit(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _change(gateway_id, credentials={"password": "swordfish-swordfish"})

    seen = repr((queries.any_gateway(gateway_id), queries.gateway(gateway_id), _audit()))
    assert "hunter-2" not in seen
    assert "swordfish" not in seen
    assert "credentials_sealed" not in seen


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"username": "payamgah", "domain": "sample"},
        CREDENTIALS | {"password": ""},
        CREDENTIALS | {"token": "x"},
        CREDENTIALS | {"username": "two\r\nlines"},
    ],
)
def test_credentials_that_the_adapter_cannot_use_are_refused(operator_id: int, credentials: dict[str, str]) -> None:
    with pytest.raises(UnusableSetting) as caught:
        _add(operator_id, credentials=credentials)

    assert caught.value.field == "credentials"
    assert "two" not in str(caught.value)


def test_what_the_database_would_refuse_is_refused_in_words(operator_id: int) -> None:
    with pytest.raises(UnusableSetting, match="two workers"):
        _add(operator_id, replace(SETTINGS, lease_seconds=10.0))
    with pytest.raises(NotFound):
        _add(operator_id, adapter="nobody")
    with pytest.raises(NotFound):
        _add(operator_id + 1)
    _add(operator_id)
    with pytest.raises(UnusableSetting, match="has this name"):
        _add(operator_id)


@pytest.mark.parametrize("timeout_seconds", [0.1, 0.3, 1.7, 4.1, 33.3])
@pytest.mark.parametrize("slowest_seconds", [0.0, 0.1, 0.7, 9.9])
def test_the_database_takes_every_lease_that_the_rules_take(
    operator_id: int, timeout_seconds: float, slowest_seconds: float
) -> None:
    lease = round(timeout_seconds + 2 * slowest_seconds + 5, 2)
    settings = replace(
        SETTINGS, timeout_seconds=timeout_seconds, slowest_accept_seconds=slowest_seconds, lease_seconds=lease
    )
    try:
        _add(operator_id, settings)
    except UnusableSetting:
        _add(operator_id, replace(settings, lease_seconds=lease + 0.01))


def test_an_empty_credential_keeps_the_one_there_is(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _change(gateway_id, credentials={"username": "", "domain": "", "password": "new-password"})

    assert _stored(gateway_id) == CREDENTIALS | {"password": "new-password"}
    assert _audit()[-1] == ("gateway.changed", {"credentials": ["password"]})


def test_kept_credentials_never_go_to_another_host(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    elsewhere = replace(SETTINGS, base_url="http://attacker.example/v2/")
    with pytest.raises(UnusableSetting) as caught:
        _change(gateway_id, elsewhere, {"username": "only this one"})

    assert caught.value.field == "base_url"
    _change(gateway_id, replace(SETTINGS, base_url="http://127.0.0.1:9/v3/"))
    _change(gateway_id, elsewhere, CREDENTIALS)
    assert queries.gateway(gateway_id).base_url == "http://attacker.example/v2/"


def test_credentials_of_a_lost_key_are_asked_for_again(operator_id: int) -> None:
    gateway_id = _add(operator_id, seal_key="the key before")
    with pytest.raises(CannotUnseal):
        _change(gateway_id, credentials={"password": "new-password"})

    _change(gateway_id, credentials=CREDENTIALS)
    assert _stored(gateway_id) == CREDENTIALS


def test_only_what_changed_of_a_gateway_is_audited(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _change(gateway_id, replace(SETTINGS, timeout_seconds=12.5, polling_plan_seconds=(1, 2)))
    _change(gateway_id, replace(SETTINGS, timeout_seconds=12.5, polling_plan_seconds=(1, 2)))

    assert _audit()[2:] == [("gateway.changed", {"timeout_seconds": 12.5, "polling_plan_seconds": [1, 2]})]


def test_a_way_holds_what_a_sender_needs_and_never_more_than_the_adapter_takes(operator_id: int) -> None:
    gateway_id = _add(operator_id, replace(SETTINGS, batch_size=50))
    way = queries.sendable_gateway(gateway_id, AT)

    assert way is not None
    assert (way.batch_size, way.lease_seconds, list(way.polling_plan_seconds)) == (
        50,
        60.0,
        [5, 15, 60, 300, 900, 3600],
    )
    assert (queries.batch_size_of("magfa", 500), queries.batch_size_of("magfa", 50)) == (100, 50)


# Health


def test_a_failing_gateway_is_left_alone_until_its_retry(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _fail(gateway_id, Unreachable(NOTHING_LEFT))

    assert queries.gateway(gateway_id).state is GatewayState.FAILING
    assert queries.sendable_gateway(gateway_id, AT + timedelta(seconds=0.9)) is None
    assert queries.sendable_gateway(gateway_id, AT + timedelta(seconds=1)) is not None
    assert queries.reachable_gateway(gateway_id) is not None


def test_an_outage_of_hours_is_over_within_fifteen_seconds(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    for _ in range(50):
        _fail(gateway_id, Unanswered(UNKNOWN_FATE))

    assert queries.sendable_gateway(gateway_id, AT + timedelta(seconds=15)) is not None


def test_an_answer_clears_what_failed(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _fail(gateway_id, Unreachable(NOTHING_LEFT))
    with transaction():
        operations.note_success(gateway_id=gateway_id, at=AT)

    gateway = queries.gateway(gateway_id)
    assert (gateway.state, gateway.last_ok_at, gateway.trouble) == (GatewayState.ON, AT, None)
    assert queries.sendable_gateway(gateway_id, AT) is not None


@pytest.mark.parametrize(
    ("error", "reason", "is_asked"),
    [
        (BadCredentials("no (code %(code)s)", code="18"), "credentials", False),
        (CannotUnseal("other key"), "credentials", False),
        (OutOfCredit("empty (code %(code)s)", code="14"), "credit", True),
    ],
)
def test_what_trying_again_cannot_heal_stops_the_gateway_at_once(
    operator_id: int, error: SmsError, reason: str, is_asked: bool
) -> None:
    gateway_id = _add(operator_id)
    _fail(gateway_id, error)

    gateway = queries.gateway(gateway_id)
    assert (gateway.state, gateway.stopped_reason) == (GatewayState.STOPPED, reason)
    assert queries.sendable_gateway(gateway_id, AT + timedelta(days=1)) is None
    assert (queries.reachable_gateway(gateway_id) is not None) is is_asked
    assert [way.id for way in queries.gateways_to_check()] == ([gateway_id] if is_asked else [])
    assert _audit()[-1] == ("gateway.stopped", {"stopped_reason": reason})


def test_a_stop_is_audited_once(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    for _ in range(3):
        _fail(gateway_id, BadCredentials("no", code="18"))

    assert [action for action, _ in _audit()].count("gateway.stopped") == 1


def test_a_busy_operator_is_left_alone_as_long_as_it_says(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _fail(gateway_id, Refused("busy", code="15", retry_after_seconds=40.0))

    assert queries.sendable_gateway(gateway_id, AT + timedelta(seconds=39)) is None
    assert queries.sendable_gateway(gateway_id, AT + timedelta(seconds=40)) is not None


def test_a_person_resumes_a_stopped_gateway(operator_id: int, settings: Settings) -> None:
    gateway_id = _add(operator_id)
    _fail(gateway_id, BadCredentials("no", code="18"))
    with transaction():
        operations.resume(gateway_id=gateway_id, by=PANEL, at=AT)

    assert queries.gateway(gateway_id).state is GatewayState.ON
    assert _audit()[-1] == ("gateway.resumed", {"stopped_reason": "credentials"})
    assert _bells(settings, gateway_id)
    with pytest.raises(Refusal), transaction():
        operations.resume(gateway_id=gateway_id, by=PANEL, at=AT)


def test_switched_off_nothing_is_sent_and_reports_are_still_asked_for(operator_id: int, settings: Settings) -> None:
    gateway_id = _add(operator_id)
    for is_on in (False, False):
        with transaction():
            operations.switch(gateway_id=gateway_id, is_on=is_on, by=PANEL, at=AT)

    assert queries.sendable_gateway(gateway_id, AT) is None
    assert queries.reachable_gateway(gateway_id) is not None
    assert queries.gateways_to_check() == []
    assert not _bells(settings, gateway_id)
    with transaction():
        operations.switch(gateway_id=gateway_id, is_on=True, by=PANEL, at=AT)
    assert _bells(settings, gateway_id)
    assert [action for action, _ in _audit()[-2:]] == ["gateway.switched_off", "gateway.switched_on"]


def _bells(settings: Settings, gateway_id: int) -> bool:
    with Redis.from_url(settings.redis_url) as valkey:
        return bool(valkey.exists(f"{settings.queue_prefix}bell:jobs.outbox.dispatch:{gateway_id}"))


def test_a_look_stores_the_credit_and_clears_what_failed(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _fail(gateway_id, Unreachable(NOTHING_LEFT))
    _check(gateway_id, 5_000)

    gateway = queries.gateway(gateway_id)
    assert (gateway.credit_mrial, gateway.credit_checked_at, gateway.state) == (5_000, AT, GatewayState.ON)


def test_new_credit_starts_again_what_had_run_dry(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _check(gateway_id, 1_000_000)  # spent since
    _fail(gateway_id, OutOfCredit("empty", code="14"))
    _check(gateway_id, 900)  # a rest too small for anything
    _check(gateway_id, 900)
    assert queries.gateway(gateway_id).state is GatewayState.STOPPED

    _check(gateway_id, 800_000)

    assert queries.gateway(gateway_id).state is GatewayState.ON
    assert _audit()[-1] == ("gateway.resumed", {"stopped_reason": "credit"})


def test_credentials_that_a_person_proves_right_end_the_stop(operator_id: int) -> None:
    gateway_id = _add(operator_id)
    _fail(gateway_id, BadCredentials("no", code="18"))
    _check(gateway_id, 1)

    assert queries.gateway(gateway_id).state is GatewayState.ON


def _check(gateway_id: int, balance_mrial: int) -> None:
    with transaction():
        operations.note_checked(Checked(gateway_id, balance_mrial=balance_mrial), at=AT)


def test_an_unreachable_address_is_an_answer_and_no_exception(operator_id: int) -> None:
    for change in ({"base_url": "nonsense"}, {"adapter": "gone"}, {"credentials_sealed": b"x"}):
        way = replace(
            queries.any_gateway(make_gateway(credentials_sealed=seal(CREDENTIALS, seal_key=KEY))[1]), **change
        )
        checked = operations.ask_balance(way, seal_key=KEY)
        assert checked.balance_mrial is None
        assert isinstance(checked.error, SmsError)


def test_nobody_notes_the_health_of_a_gateway_that_is_not_there(app: Flask) -> None:
    with pytest.raises(NotFound), transaction():
        operations.note_success(gateway_id=10**6, at=AT)
    assert queries.sendable_gateway(10**6, AT) is None


# Networks


def test_a_network_is_guessed_by_the_longest_prefix(app: Flask) -> None:
    names = {network.id: network.code for network in queries.networks()}
    guess = queries.network_guess()

    assert [names[guess.of(number)] for number in (989121234567, 989351234567, 989981234567, 989970000000)] == [
        "mci",
        "irancell",
        "rightel",
        "other",
    ]
    assert next(iter(queries.networks()[-1:])).id == 0
    assert queries.network_guess() is guess


def test_the_operators_list_counts_gateways(operator_id: int) -> None:
    _add(operator_id)
    _add(operator_id, replace(SETTINGS, name="Magfa 2"))

    assert [(found.code, found.gateway_count) for found in queries.operators()] == [("3000", 2)]
