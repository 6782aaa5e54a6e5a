"""Prices and rules from the command line: the same operations as the pages."""

import json

import pytest
from flask import Flask

from sms.core.db import rows, scalar
from tests.factories import make_shop


def _run(app: Flask, *words: str, code: int = 0) -> str:
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == code, result.output
    return str(result.output)


def test_a_price_is_added_for_both_languages(app: Flask):
    make_shop()
    words = ("tariff-add", "--operator", "3000", "--price", "1390.5", "--cost", "1100", "--json")
    made = json.loads(_run(app, *words))["tariffs"]
    found = rows("SELECT language, price_mrial, cost_mrial FROM billing_tariff WHERE id = ANY(:ids)", ids=made)
    assert {tuple(tariff) for tariff in found} == {
        ("persian", 1_390_500, 1_100_000),
        ("latin", 1_390_500, 1_100_000),
    }


def test_a_price_for_a_line_a_network_and_a_later_day_is_tehrans_day(app: Flask):
    shop = make_shop()
    number = scalar("SELECT number FROM lines_line WHERE id = :id", id=shop.line_id)
    _run(
        app,
        *("tariff-add", "--line", number, "--network", "mci", "--language", "persian"),
        *("--price", "5", "--cost", "4", "--from", "2099-01-01"),
    )
    (found,) = rows("SELECT network_id, valid_from FROM billing_tariff WHERE line_id = :id", id=shop.line_id)
    assert found.network_id == 1
    assert found.valid_from.isoformat() == "2098-12-31T20:30:00+00:00"


def test_a_refund_rule_is_added(app: Flask):
    shop = make_shop()
    words = ("refund-rule-add", "--operator", "3000", "--outcome", "not_in_network", "--delay-hours", "48", "--json")
    rule_id = json.loads(_run(app, *words))["refund_rule"]
    (found,) = rows(
        "SELECT operator_id, outcome, percent, delay_seconds FROM billing_refund_rule WHERE id = :id", id=rule_id
    )
    assert tuple(found) == (shop.operator_id, "not_in_network", 100, 172_800)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tariff-add", "--price", "5", "--cost", "4"), "--operator"),
        (("tariff-add", "--operator", "3000", "--line", "3", "--price", "5", "--cost", "4"), "--operator"),
        (("tariff-add", "--operator", "7", "--price", "5", "--cost", "4"), "no operator 7"),
        (("tariff-add", "--line", "7", "--price", "5", "--cost", "4"), "no line 7"),
        (("tariff-add", "--operator", "3000", "--network", "x", "--price", "5", "--cost", "4"), "no network x"),
        (("tariff-add", "--operator", "3000", "--price", "much", "--cost", "4"), "not an amount"),
        (("tariff-add", "--operator", "3000", "--price", "5", "--cost", "4", "--from", "2020-01-01"), "past"),
        (("refund-rule-add", "--operator", "3000", "--outcome", "blocked", "--percent", "200"), "100 percent"),
    ],
)
def test_what_cannot_be_ends_with_a_sentence_and_code_one(app: Flask, words: tuple[str, ...], said: str):
    make_shop()
    assert said in _run(app, *words, code=1)
    assert scalar("SELECT count(*) FROM billing_tariff") == 2


def test_a_rule_for_a_delivered_message_cannot_even_be_asked_for(app: Flask):
    make_shop()
    words = ("refund-rule-add", "--operator", "3000", "--outcome", "delivered")
    assert "delivered" in _run(app, *words, code=2)
