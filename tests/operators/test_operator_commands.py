"""The commands do what the pages do."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from sms.core.db import scalar
from sms.core.seal import unseal
from sms.lines import queries as lines
from sms.operators import queries
from tests.factories import make_account
from tests.simulator.running import CREDENTIALS, RunningSimulator

KEY = "a seal that only tests know"


def _run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=list(words))


def _told(app: Flask, *words: str) -> dict[str, Any]:
    result = _run(app, *words, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def _operator(app: Flask) -> int:
    return int(_told(app, "operator-add", "3000", "--name-fa", "مگفا", "--name-en", "Magfa")["operator_id"])


def _gateway(app: Flask, url: str, *more: str) -> int:
    words = ["gateway-add", "--operator", "3000", "--name", "magfa-1", "--base-url", url]
    return int(_told(app, *words, *more)["gateway_id"])


def _credentials(code: str = "3000") -> list[str]:
    return [word for name, value in CREDENTIALS[code].items() for word in ("--credential", f"{name}={value}")]


def test_a_script_sets_an_installation_up(app: Flask, simulator: RunningSimulator) -> None:
    simulator.control("3000", credit_mrial=7_000)
    operator_id = _operator(app)
    gateway_id = _gateway(app, simulator.base_url("3000"), *_credentials())
    account_id, user_id, _ = make_account()
    username = scalar("SELECT username FROM accounts_user WHERE id = :id", id=user_id)
    line = _told(
        app, "line-add", "--operator", "3000", "--gateway", "magfa-1", "--number", "+9830001234", "--account", username
    )

    assert queries.gateway(gateway_id).operator_id == operator_id
    assert line["number"] == "30001234"
    assert lines.usable_line(account_id, line["line_id"]) is not None
    assert _told(app, "gateway-test", "magfa-1")["balance_mrial"] == 7_000
    assert _told(app, "gateway-switch", "magfa-1", "off")["state"] == "off"
    assert _told(app, "gateway-switch", "magfa-1", "on")["state"] == "on"


@pytest.mark.parametrize(
    "text",
    [
        "username=payamgah\ndomain=sample\npassword=sample=3000\n",
        "\ufeffusername=payamgah\r\ndomain=sample\r\npassword=sample=3000",
        '{"username": "payamgah", "domain": "sample", "password": "sample=3000"}',
    ],
)
def test_credentials_come_from_a_file(app: Flask, tmp_path: Path, text: str) -> None:
    file = tmp_path / "credentials"
    file.write_text(text, encoding="utf-8")
    _operator(app)
    _gateway(app, "http://127.0.0.1:9/", "--credentials-file", str(file))

    sealed = scalar("SELECT credentials_sealed FROM operators_gateway")
    assert unseal(bytes(sealed), seal_key=KEY)["password"] == "sample=3000"


@pytest.mark.parametrize("text", ["", "username", "[1]", "{", '{"username": 1}', "username=only\n"])
def test_a_file_that_holds_no_credentials_is_refused_without_a_trace(app: Flask, tmp_path: Path, text: str) -> None:
    file = tmp_path / "credentials"
    file.write_text(text)
    _operator(app)
    result = _run(
        app,
        *("gateway-add", "--operator", "3000", "--name", "m", "--base-url", "http://127.0.0.1:9/"),
        *("--credentials-file", str(file)),
    )

    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert queries.gateways() == []


def test_what_is_refused_is_one_sentence_and_exit_code_1(app: Flask) -> None:
    _operator(app)
    for words, told in (
        (("operator-add", "3000", "--name-fa", "a", "--name-en", "b"), "already"),
        (("gateway-test", "nobody"), "no gateway called nobody"),
        (("gateway-switch", "nobody", "off"), "no gateway called nobody"),
        (("line-add", "--operator", "9000", "--gateway", "x", "--number", "1"), "no operator 9000"),
        (
            (
                *("gateway-add", "--operator", "3000", "--name", "x", "--base-url", "http://h/", *_credentials()),
                *("--lease", "10"),
            ),
            "at least 55 seconds",
        ),
    ):
        result = _run(app, *words)
        assert (result.exit_code, told in result.stderr) == (1, True), result.output
    result = _run(
        app, "gateway-add", "--operator", "3000", "--name", "x", "--base-url", "http://h/", "--credential", "x"
    )
    assert result.exit_code == 2


def test_a_failed_test_exits_with_1_and_says_why(app: Flask, simulator: RunningSimulator) -> None:
    _operator(app)
    _gateway(app, simulator.base_url("3000"), *_credentials("2000"))
    result = _run(app, "gateway-test", "magfa-1")

    assert result.exit_code == 1
    assert "does not accept these credentials" in result.stderr
    assert queries.gateways()[0].stopped_reason == "credentials"
    assert _told(app, "gateway-switch", "magfa-1", "resume")["state"] == "on"
