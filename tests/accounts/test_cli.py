"""Commands for scripts: the same operations, answers as JSON, refusals as one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from sms.accounts import operations, queries
from sms.accounts.rules import By, WrongCredentials
from sms.core import clock
from sms.core.db import scalar, transaction
from tests.accounts.conftest import PASSWORD, Make


def _run(app: Flask, *arguments: object, text: str = "") -> Result:
    return app.test_cli_runner().invoke(args=[str(argument) for argument in arguments], input=text)


def _answer(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def _may_sign_in(username: str, password: str) -> bool:
    try:
        with transaction():
            operations.sign_in(username=username, password=password, by=By(actor_id=None, at=clock.now()))
    except WrongCredentials:
        return False
    return True


def test_the_installation_then_its_accounts_are_made_from_a_script(app: Flask, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\nanything else\n")
    house = ("account-create", "--kind", "installation", "--name", "House", "--username", "keeper", "--json")
    made = _answer(_run(app, *house, "--password-file", secret))
    assert set(made) == {"account_id", "user_id", "username"}
    assert made["account_id"] == queries.root_id()
    assert _may_sign_in("keeper", PASSWORD)

    seller = _answer(_run(app, "account-create", "--kind", "reseller", "--name", "S", "--username", "seller", "--json"))
    assert _may_sign_in("seller", seller["password"])
    options = ("--parent", seller["account_id"], "--mobile", "09121234567", "--password-file", "-", "--json")
    shop = _answer(_run(app, "account-create", "--name", "Shop", "--username", "Shop", *options, text=f"{PASSWORD}\n"))
    account = queries.account(shop["account_id"])
    assert (account.kind, account.parent_id) == ("customer", seller["account_id"])
    assert _may_sign_in("shop", PASSWORD)
    assert queries.user(account.id, shop["user_id"]).mobile == 989121234567


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--username", "sara"), "taken"),
        (("--username", "new", "--parent", "999999"), "no such account"),
        (("--username", "new", "--password", "short"), "at least 10 characters"),
        (("--username", "new", "--mobile", "12"), "not an Iranian mobile number"),
        (("--username", "new", "--kind", "installation"), "one installation"),
    ],
)
def test_a_refusal_is_one_sentence_and_exit_code_1(app: Flask, make: Make, options: tuple[str, ...], told: str) -> None:
    make("sara")
    before = scalar("SELECT count(*) FROM accounts_account")
    result = _run(app, "account-create", "--name", "Shop", *options, "--json")
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stdout == ""
    assert scalar("SELECT count(*) FROM accounts_account") == before


def test_a_user_is_added_and_their_password_replaced(app: Flask, make: Make) -> None:
    person = make("sara")
    made = _answer(_run(app, "user-create", "--account", person.account_id, "--username", "helper", "--json"))
    helper = queries.user_by_name("helper")
    assert (helper.account_id, helper.role) == (person.account_id, "member")
    assert _may_sign_in("helper", made["password"])

    assert "password" not in _answer(
        _run(app, "user-password", "--username", "sara", "--password", "a new walk", "--json")
    )
    assert _may_sign_in("sara", "a new walk")
    assert not _may_sign_in("sara", PASSWORD)
    assert _run(app, "user-password", "--username", "nobody").exit_code == 1
