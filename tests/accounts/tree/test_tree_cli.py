"""Suspending and letting in again from a script."""

import json

from flask import Flask

from sms.core.db import scalar
from tests.factories import make_account


def test_an_account_is_suspended_and_let_in_again_by_command(app: Flask) -> None:
    reseller, _, _ = make_account(kind="reseller")
    below, _, _ = make_account(parent_id=reseller)

    def run(command: str) -> tuple[int, str]:
        words = [command, "--account-id", str(reseller), "--reason", "unpaid", "--json"]
        done = app.test_cli_runner().invoke(args=words)
        return done.exit_code, done.output

    assert run("account-suspend")[0] == 0
    assert scalar("SELECT is_open FROM accounts_account WHERE id = :id", id=below) is False
    assert run("account-suspend")[0] == 1
    code, output = run("account-resume")
    assert (code, json.loads(output)["is_open"]) == (0, True)
    assert scalar("SELECT is_open FROM accounts_account WHERE id = :id", id=below) is True
