"""A comparison as it is begun and read: one send a line, refusals beside it, nobody else's."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from sms.core.actor import PANEL
from sms.core.db import execute, row, scalar, transaction
from sms.core.errors import NotFound, Refusal
from sms.lines.public import operations as public
from sms.lines.public.rules import NewPolicy, Policy
from sms.operators.rules import Outcome
from sms.outbox.comparison import operations, queries
from sms.outbox.operations.outcomes import Final, apply
from tests.factories import AT, Shop, make_account, make_refund_rule, make_root, make_shop
from tests.outbox.conftest import Steps

ME, FRIEND = 989121110001, 989351110002


@pytest.fixture
def rival(shop: Shop) -> Shop:
    """A second operator with a public line, dearer and paying back more."""
    made = make_shop(operator_code="2000")
    with transaction():
        execute("UPDATE billing_tariff SET price_mrial = 1300000 WHERE operator_id = :id", id=made.operator_id)
        public.add_verified(account_id=shop.account_id, recipients=(ME, FRIEND), at=AT)
    make_refund_rule(operator_id=made.operator_id, outcome="not_in_network", delay_seconds=48 * 3600)
    return made


def _compare(shop: Shop, *recipients: int, body: str = "سلام", after: timedelta = timedelta()) -> int:
    with transaction():
        return operations.compare(
            account_id=shop.account_id,
            user_id=shop.user_id,
            body=body,
            recipients=recipients or (ME, FRIEND),
            at=AT + after,
        )


def _see(shop: Shop, comparison_id: int) -> queries.Comparison:
    return queries.comparison(shop.account_id, comparison_id, at=AT)


def test_the_same_text_goes_over_every_operators_line_and_is_timed(shop: Shop, rival: Shop, steps: Steps) -> None:
    made = _compare(shop)
    assert _compare(shop) == made  # pressed twice
    seen = _see(shop, made)
    assert [line.operator_code for line in seen.lines] == ["2000", "3000"]
    assert not seen.is_finished
    assert seen.advice is None
    for each, taken, reported in ((shop, 1, 3), (rival, 2, 40)):
        Steps(each).send(at=AT + timedelta(seconds=taken))
        line = next(line for line in seen.lines if line.line_id == each.line_id)
        ids = row("SELECT first_id, last_id FROM outbox_campaign WHERE id = :id", id=line.campaign_id)
        assert ids is not None
        with transaction():
            finals = [Final(message_id, Outcome.DELIVERED, "1") for message_id in range(ids.first_id, ids.last_id + 1)]
            apply(finals, at=AT + timedelta(seconds=taken + reported))
        steps.settle(int(line.campaign_id or 0))
    dear, cheap = _see(shop, made).lines
    assert (cheap.accepted, cheap.reported, cheap.price_mrial, cheap.is_free) == (1.0, 3.0, 1_000_000, True)
    assert (dear.accepted, dear.reported, dear.price_mrial) == (2.0, 40.0, 1_300_000)
    assert {outcome: (refund.percent, refund.delay_seconds) for outcome, refund in dear.refunds} == {
        "blocked": (100, 0),
        "not_in_network": (100, 172_800),
    }
    assert dict(cheap.refunds)["not_in_network"].percent == 0
    advice = _see(shop, made).advice
    assert advice is not None
    assert (_see(shop, made).is_finished, advice.chosen.operator_code) == (True, "3000")
    steps.verify()


def test_a_line_that_cannot_be_tried_says_why_and_the_others_go_on(shop: Shop, rival: Shop) -> None:
    with transaction():
        public.add_policy(NewPolicy(Policy.FORBIDDEN, rival.operator_id, 0, AT), by=PANEL, at=AT)
    barred, tried = _see(shop, _compare(shop)).lines
    assert (barred.campaign_id, barred.is_finished) == (None, True)
    assert "may not be used since" in barred.problem
    assert tried.count == 2
    assert scalar("SELECT count(*) FROM outbox_draft WHERE account_id = :id", id=shop.account_id) == 1


def test_it_goes_to_ones_own_verified_numbers_only_and_is_seen_by_nobody_else(shop: Shop, rival: Shop) -> None:
    with pytest.raises(Refusal):
        _compare(shop, 989129999999)
    made = _compare(shop, ME, 989129999999)
    assert scalar("SELECT array_agg(DISTINCT recipient) FROM outbox_message") == [ME]
    stranger, _, _ = make_account()
    with pytest.raises(NotFound):
        queries.comparison(stranger, made, at=AT)
    assert queries.comparisons(stranger) == []
    with pytest.raises(Refusal):
        _compare(rival, ME)  # another account's number


def test_a_code_is_sent_by_the_house_and_read_by_nobody_in_the_account(shop: Shop, steps: Steps) -> None:
    house = make_root()
    with transaction():
        assert operations.send_code(
            account_id=shop.account_id, user_id=shop.user_id, recipient=ME, body="code %(code)s", at=AT
        )
    sent = row("SELECT account_id, body, is_free, held_mrial FROM outbox_campaign")
    assert sent is not None
    assert (sent.account_id, sent.is_free, sent.held_mrial) == (house, True, 0)
    assert [batch.body for batch in steps.claim()] == [sent.body]
    with transaction():
        assert public.try_code(account_id=shop.account_id, recipient=ME, code=sent.body[-6:], at=AT)
        public.add_policy(NewPolicy(Policy.FORBIDDEN, None, 0, AT), by=PANEL, at=AT)
    with pytest.raises(Refusal, match="no line the code"), transaction():
        operations.send_code(
            account_id=shop.account_id, user_id=shop.user_id, recipient=FRIEND, body="code %(code)s", at=AT
        )


def test_commands_set_policies_and_compare(app: Flask, shop: Shop, rival: Shop) -> None:
    def run(*words: str) -> Any:
        done = app.test_cli_runner().invoke(args=[*words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    told = run("public-policy-add", "--policy", "trial", "--free", "1", "--operator", "2000", "--note", "letter")
    assert told["now"] == {"2000": "trial", "3000": "allowed"}
    assert run("public-policy-add", "--policy", "forbidden", "--from", "2999-01-01")["now"]["3000"] == "allowed"
    username = str(scalar("SELECT username FROM accounts_user WHERE id = :id", id=shop.user_id))
    told = run("compare", "--as", username, "--text", "hello", "--to", "09121110001")
    assert [(line["operator_code"], line["count"], line["is_free"]) for line in told["lines"]] == [
        ("2000", 1, True),
        ("3000", 1, True),
    ]
    again = run("compare", "--as", username, "--text", "hello again")
    assert "free messages left" in again["lines"][0]["problem"]
    wrong = app.test_cli_runner().invoke(args=["compare", "--as", username, "--to", "nobody"])
    assert wrong.exit_code == 1
