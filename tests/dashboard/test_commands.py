"""verify, clock and demo-campaign."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask

from sms.core import clock
from sms.core.config import Settings, use
from sms.core.db import execute, transaction
from sms.dashboard import queries
from tests.factories import Shop, make_campaign, make_shop

HURT: dict[str, str] = {
    "I1": "UPDATE ledger_entry SET amount_mrial = amount_mrial + 1 WHERE id = (SELECT min(id) FROM ledger_entry)",
    "I2": "UPDATE ledger_wallet SET balance_mrial = balance_mrial + 1 WHERE kind = 'customer'",
    "I3": "UPDATE ledger_entry SET credit_limit_mrial = -10^15 WHERE amount_mrial < 0 AND wallet_version IS NOT NULL",
    "I4": "INSERT INTO outbox_submission (message_id, attempt, gateway_id, operator_ref, submitted_at)"
    " SELECT id, n, 1, n::text, now() FROM outbox_message, generate_series(1, 2) n",
    "I5": "UPDATE outbox_batch SET charged_mrial = charged_mrial + 1",
    "I6": "DELETE FROM outbox_message WHERE id = (SELECT min(id) FROM outbox_message)",
    "I7": "INSERT INTO outbox_refund (message_id, account_id, campaign_id, rule_id, outcome, amount_mrial, cost_mrial,"
    " due_at) SELECT m.id, m.account_id, m.campaign_id, r.id, 'blocked', 1, 0, now()"
    " FROM outbox_message m, billing_refund_rule r LIMIT 1",
    "I13": "UPDATE outbox_message SET shares_mrial = ARRAY[1]::bigint[]"
    " WHERE id = (SELECT min(id) FROM outbox_message)",
}


@pytest.fixture
def run(app: Flask) -> Callable[..., tuple[int, Any]]:
    """One command with --json: its exit code and what it said."""

    def run(*words: str) -> tuple[int, Any]:
        done = app.test_cli_runner().invoke(args=[*words, "--json"])
        return done.exit_code, json.loads(done.stdout) if done.stdout else done.stderr

    return run


@pytest.fixture
def shop(app: Flask) -> Shop:
    """A customer with a held campaign."""
    shop = make_shop()
    make_campaign(shop)
    return shop


def test_verify_is_green_over_sound_data(shop: Shop, run: Callable[..., tuple[int, Any]]) -> None:
    code, said = run("verify")
    assert code == 0
    assert said == {"ok": True, "invariants": {f"I{number}": [] for number in (*range(1, 8), 13)}}


@pytest.mark.parametrize("name", sorted(HURT))
def test_verify_shows_the_rows_that_break_an_invariant(
    shop: Shop, settings: Settings, run: Callable[..., tuple[int, Any]], name: str
) -> None:
    with psycopg.connect(settings.database_url) as owner:
        owner.execute("SET session_replication_role = replica")  # past the triggers that would refuse it
        owner.execute(HURT[name].encode())
    code, said = run("verify")
    assert code == 1
    assert said["ok"] is False
    assert said["invariants"][name]
    assert all("problem" in row for row in said["invariants"][name])


def test_verify_in_words_names_every_invariant(app: Flask, shop: Shop) -> None:
    done = app.test_cli_runner().invoke(args=["verify"])
    assert done.output.splitlines() == [f"I{number}: ok" for number in (*range(1, 8), 13)]


def test_verify_sees_one_moment_while_money_moves(shop: Shop, settings: Settings) -> None:
    """What commits between two of its statements is invisible to both."""
    with transaction():
        execute("SELECT 1") if not queries.broken() else None
        with psycopg.connect(settings.database_url) as owner:
            owner.execute("SET session_replication_role = replica")
            owner.execute(HURT["I2"].encode())
        assert not any((queries.ledger.broken() | queries.outbox.broken()).values())
    with transaction():
        assert queries.broken()["I2"]


def test_verify_writes_nothing(shop: Shop) -> None:
    with transaction(), pytest.raises(Exception, match="read-only"):  # noqa: PT012 - the second statement must fail
        queries.broken()
        execute("UPDATE ledger_wallet SET version = version")


def test_the_clock_moves_and_comes_back(app: Flask, run: Callable[..., tuple[int, Any]]) -> None:
    before = clock.now()
    assert run("clock", "--offset", "172800")[0] == 0
    moved = clock.now() - before
    assert timedelta(days=2) <= moved < timedelta(days=2, minutes=5)
    assert run("clock", "--offset", "0")[0] == 0
    assert clock.now() - before < timedelta(minutes=5)


def test_the_clock_of_a_production_installation_stays(app: Flask, settings: Settings) -> None:
    use(replace(settings, mode="production"))
    try:
        done = app.test_cli_runner().invoke(args=["clock", "--offset", "5"])
    finally:
        use(settings)
    assert done.exit_code == 1
    assert not (settings.var_dir / "clock").exists()


def test_a_demo_campaign_nobody_works_on_says_so(
    app: Flask, sample_mode: Settings, run: Callable[..., tuple[int, Any]]
) -> None:
    run("sample-data")
    code, said = run("demo-campaign", "--recipients", "10", "--timeout", "0")
    assert code == 1
    assert "does the panel run?" in said


def test_a_demo_campaign_over_a_line_that_is_not_there_is_refused(
    app: Flask, sample_mode: Settings, run: Callable[..., tuple[int, Any]]
) -> None:
    run("sample-data")
    assert run("demo-campaign", "--recipients", "10", "--line", "999") == (1, "Error: There is no such line.\n")
