"""Ten thousand reports, duplicated, shuffled, contradicting each other and of strangers: the end is as if they had come
in order."""

import random
from collections import Counter
from datetime import timedelta
from itertools import cycle, islice

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sms.core.actor import PANEL
from sms.core.db import rows, scalar, transaction
from sms.operators.push import operations as push
from sms.operators.push.rules import path_of
from sms.outbox.operations import refunds, reports
from tests.factories import AT, Shop, make_campaign, make_refund_rule, make_shop
from tests.outbox.conftest import Steps, balance

# What is told of a message in its course, by Magfa's codes, and what it comes to.
COURSES: tuple[tuple[tuple[str, ...], str | None], ...] = (
    (("8", "1"), "delivered"),
    (("0", "8", "1"), "delivered"),
    (("8", "2"), "undelivered"),
    (("8", "27"), "blocked"),
    (("8", "16"), "not_in_network"),
    (("2", "1"), "delivered"),  # contradictions
    (("16", "1"), "delivered"),
    (("2", "27"), "blocked"),
    (("2", "16", "8"), "not_in_network"),
    (("8",), None),  # nothing final
    (("4711", "8"), None),  # a code nobody knows
    (("-1", "1"), "delivered"),
)
SIZE = 1_800
TOTAL = 10_000
LATER = AT + timedelta(hours=49)  # when refunds that wait 48 hours are due

Told = tuple[str, str]  # reference and code


def _sent(operator_code: str) -> tuple[Shop, int, list[str]]:
    """A shop, its campaign, and the operator's references in order."""
    shop = make_shop(operator_code=operator_code)
    make_refund_rule(operator_id=shop.operator_id, outcome="not_in_network", delay_seconds=48 * 3600)
    campaign_id = make_campaign(shop, size=SIZE, batch_size=100)
    Steps(shop).send()
    found = rows(
        "SELECT operator_ref FROM outbox_submission WHERE gateway_id = :id ORDER BY message_id", id=shop.gateway_id
    )
    return shop, campaign_id, [submission.operator_ref for submission in found]


def _address(shop: Shop) -> str:
    with transaction():
        return path_of(shop.gateway_id, push.renew(gateway_id=shop.gateway_id, by=PANEL, at=AT))


def _push(client: FlaskClient, address: str, told: list[Told], *, how: int) -> None:
    """By one of the ways operators push."""
    if how == 0:
        answer = client.post(address, json=[{"mid": ref, "status": code} for ref, code in told])
    elif how == 1:
        answer = client.post(
            address, data={"messageid": [ref for ref, _ in told], "status": [code for _, code in told]}
        )
    else:
        refs, codes = (",".join(words) for words in zip(*told, strict=True))
        answer = client.get(address, query_string={"id": refs, "status": codes})
    assert answer.status_code == 200


def _work(*, at: object = AT) -> None:
    """What the job does with the sets that wait."""
    applied = 1
    while applied:
        with transaction():
            applied = reports.apply_waiting(most=20, at=AT)
    with transaction():
        reports.match_again(most=10_000, at=AT)
    with transaction():
        refunds.post_due(most=20_000, at=at)  # type: ignore[arg-type]


def _end(shop: Shop, campaign_id: int) -> tuple[list[str | None], int, int]:
    """The outcomes in order, the number of refunds, and what the customer has."""
    found = rows(
        "SELECT outcome::text AS outcome FROM outbox_message WHERE campaign_id = :id ORDER BY row_number",
        id=campaign_id,
    )
    count = scalar("SELECT count(*) FROM outbox_refund WHERE campaign_id = :id", id=campaign_id)
    return [message.outcome for message in found], int(count), balance(shop.wallet_id)


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_reports_end_as_if_they_had_come_in_order(app: Flask, client: FlaskClient, seed: int) -> None:
    chance = random.Random(seed)
    ordered, ordered_id, ordered_refs = _sent("3000")
    shuffled, shuffled_id, shuffled_refs = _sent("2000")
    courses = list(islice(cycle(COURSES), SIZE))
    chance.shuffle(courses)

    # In order, once, one step of every course after the other.
    address = _address(ordered)
    for step in range(3):
        told = [(ref, codes[step]) for ref, (codes, _) in zip(ordered_refs, courses, strict=True) if step < len(codes)]
        _push(client, address, told, how=0)
        _work()

    # In no order, every report at least twice, and among them reports on the other operator's messages and on none.
    address = _address(shuffled)
    once = [(ref, code) for ref, (codes, _) in zip(shuffled_refs, courses, strict=True) for code in codes]
    many = once * 2 + [(ref, chance.choice(["27", "1", "2"])) for ref in ordered_refs]
    many += [(f"nobody{number}", "27") for number in range(TOTAL - len(many))]
    assert len(many) >= TOTAL
    chance.shuffle(many)
    while many:
        size = min(chance.choice([1, 3, 50, 400]), len(many))
        told, many = many[:size], many[size:]
        _push(client, address, told, how=chance.randrange(3) if size <= 50 else 0)
        if chance.random() < 0.1:
            _work()
    _work()
    _work(at=LATER)

    outcomes, refunded, has_mrial = _end(shuffled, shuffled_id)
    assert outcomes == [outcome for _, outcome in courses]
    assert (outcomes, refunded, has_mrial) == _end(ordered, ordered_id)
    expected = Counter(outcome for _, outcome in courses)
    assert refunded == expected["blocked"] + expected["not_in_network"]
    for shop, campaign_id in ((ordered, ordered_id), (shuffled, shuffled_id)):
        Steps(shop).settle(campaign_id)
    Steps(shuffled).verify()
    assert scalar("SELECT count(*) FROM outbox_report WHERE code = '4711'") == 3 * expected[None] // 2
