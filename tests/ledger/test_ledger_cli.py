"""Money from the command line: the same operations as the pages."""

import json

import pytest
from flask import Flask

from sms.core.db import scalar
from sms.ledger import queries
from tests.factories import make_account


def _run(app: Flask, *words: str, code: int = 0) -> str:
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == code, result.output
    return str(result.output)


def test_an_adjustment_tells_the_transfer_and_the_balance(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    words = (
        "wallet-adjust",
        "--account",
        str(account_id),
        "--rial",
        "1390.5",
        "--reason",
        "paid",
        "--key",
        "receipt 7",
    )
    answer = json.loads(_run(app, *words, "--json"))
    assert answer == {
        "account": account_id,
        "balance_rial": "1390.5",
        "balance_mrial": 1_390_500,
        "credit_limit_mrial": 0,
        "transfer": scalar("SELECT max(id) FROM ledger_transfer"),
        "is_repeated": False,
    }
    again = json.loads(_run(app, *words, "--json"))
    assert again == answer | {"is_repeated": True}
    assert queries.balance(account_id) == 1_390_500


def test_a_user_name_stands_for_its_account(app: Flask):
    account_id, user_id, _ = make_account(money_mrial=5_000)
    username = scalar("SELECT username FROM accounts_user WHERE id = :id", id=user_id)
    _run(app, "wallet-adjust", "--username", username, "--rial", "-2", "--reason", "correction")
    assert queries.balance(account_id) == 3_000
    assert "balance_rial: 3" in _run(app, "balance", "--username", username)


def test_a_limit_is_changed(app: Flask):
    account_id, *_ = make_account(money_mrial=0)
    answer = json.loads(_run(app, "credit-limit", "--account", str(account_id), "--rial", "10", "--json"))
    assert answer["credit_limit_mrial"] == 10_000
    assert json.loads(_run(app, "balance", "--account", str(account_id), "--json"))["set_aside_mrial"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--account", "999999", "--rial", "5", "--reason", "x"), "no such account"),
        (("--username", "nobody", "--rial", "5", "--reason", "x"), "nobody"),
        (("--rial", "5", "--reason", "x"), "--username"),
        (("--account", "{own}", "--username", "x", "--rial", "5", "--reason", "x"), "--username"),
        (("--account", "{own}", "--rial", "much", "--reason", "x"), "not an amount"),
        (("--account", "{own}", "--rial", "0", "--reason", "x"), "other than zero"),
        (("--account", "{own}", "--rial", "-5", "--reason", "x"), "not enough"),
        (("--account", "{own}", "--rial", "5", "--reason", " "), "why"),
    ],
)
def test_what_cannot_be_ends_with_a_sentence_and_code_one(app: Flask, words: tuple[str, ...], said: str):
    account_id, *_ = make_account(money_mrial=0)
    output = _run(app, "wallet-adjust", *(word.format(own=account_id) for word in words), code=1)
    assert said in output
    assert queries.balance(account_id) == 0
