"""Going on over another line: what moves, what stays, what it costs, and what the books say afterwards."""

import json
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from flask import Flask

from sms.contacts.operations import opt_out
from sms.core.db import execute, row, rows, scalar, transaction
from sms.core.errors import NotFound, Refusal, SmsError
from sms.ledger.rules import InsufficientBalance
from sms.outbox.operations import control, failover, unknown
from sms.outbox.queries.control import down_gateways, stranded
from sms.outbox.rules import PlanLine
from tests.factories import AT, Shop, make_account, make_campaign, make_gateway, make_line, make_shop, make_tariff
from tests.outbox.conftest import Steps, balance

DEAR, SAME, CHEAP = 1_500_000, 1_000_000, 700_000


def other(shop: Shop, *, price_mrial: int = SAME, **gateway: Any) -> Shop:
    """The same customer with a line of another operator."""
    operator_id, gateway_id = make_gateway(operator_code="2000", **gateway)
    line_id = make_line(operator_id=operator_id, gateway_id=gateway_id)
    make_tariff(operator_id=operator_id, price_mrial=price_mrial, cost_mrial=500_000)
    return replace(shop, operator_id=operator_id, gateway_id=gateway_id, line_id=line_id, operator_code="2000")


def planned(campaign_id: int, *lines: PlanLine) -> None:
    """The customer's plan."""
    with transaction():
        for place, line in enumerate(lines):
            execute(
                "INSERT INTO outbox_campaign_line (campaign_id, place, line_id, cap_mrial) VALUES (:c, :p, :l, :cap)",
                c=campaign_id,
                p=place,
                l=line.line_id,
                cap=line.cap_mrial,
            )


def breaker(shop: Shop, state: str) -> None:
    """The breaker of a gateway, as its health says."""
    with transaction():
        execute(
            "INSERT INTO operators_health (gateway_id, breaker) VALUES (:id, :state)"
            " ON CONFLICT (gateway_id) DO UPDATE SET breaker = :state",
            id=shop.gateway_id,
            state=state,
        )


def failed_over(*, most: int = 500) -> None:
    """The jobs of going on over another line, to their end."""
    with transaction():
        failover.begin_due(at=AT)
    for move in rows("SELECT id FROM outbox_move WHERE ended_at IS NULL ORDER BY id"):
        is_over = False
        while not is_over:
            try:
                with transaction():
                    is_over = failover.move_some(move_id=move.id, at=AT, most=most).is_over
            except SmsError as error:
                with transaction():
                    failover.fail_move(move_id=move.id, error=error, at=AT)
                is_over = True


def switched(shop: Shop, campaign_id: int, to: Shop, *, agreed_mrial: int = 0) -> int:
    """The rest over another line, by hand."""
    with transaction():
        return failover.switch_line(
            campaign_id=campaign_id,
            account_id=shop.account_id,
            line_id=to.line_id,
            cap_mrial=held(campaign_id) + max(agreed_mrial, 0),
            user_id=shop.user_id,
            at=AT,
        )


def held(campaign_id: int) -> int:
    """What a send costs at most, by its own account."""
    return int(scalar("SELECT held_mrial FROM outbox_campaign WHERE id = :id", id=campaign_id))


def escrow(campaign_id: int) -> int:
    """What is set aside for it just now."""
    return int(
        scalar(
            "SELECT w.balance_mrial FROM outbox_campaign c JOIN ledger_wallet w ON w.id = c.escrow_wallet_id"
            " WHERE c.id = :id",
            id=campaign_id,
        )
    )


def test_a_hundred_failovers_in_mid_campaign_send_nothing_twice_and_stay_within_the_cap(
    shop: Shop, steps: Steps
) -> None:
    away = other(shop, price_mrial=SAME)
    campaign_id = make_campaign(shop, size=1010, batch_size=5)
    planned(campaign_id, *(PlanLine(each.line_id, held(campaign_id)) for each in (shop, away)))
    here, there = shop, away
    for _ in range(100):
        their_steps = Steps(here)
        batches = their_steps.mark(their_steps.claim(most=2))
        breaker(here, "open")
        failed_over()
        their_steps.record(batches[:1])
        their_steps.record(batches[1:], is_unsent=True)
        breaker(here, "closed")
        here, there = there, here
    assert scalar("SELECT count(*) FROM outbox_move WHERE message_count > 0") == 100
    for each in (shop, away):
        while Steps(each).send():
            pass
    steps.settle(campaign_id)
    assert scalar("SELECT count(DISTINCT message_id) FROM outbox_submission") == 1010
    assert scalar("SELECT count(*) FROM outbox_submission") == 1010
    assert held(campaign_id) <= 1010 * SAME
    assert escrow(campaign_id) == 0
    steps.verify()


@pytest.mark.parametrize("price", [CHEAP, SAME, DEAR])
def test_a_move_is_priced_anew_in_the_same_transaction(shop: Shop, steps: Steps, price: int) -> None:
    before = balance(shop.wallet_id)
    away = other(shop, price_mrial=price)
    campaign_id = make_campaign(shop, size=20, batch_size=5)
    steps.record(steps.mark(steps.claim(most=1)))
    difference = 15 * (price - SAME)

    assert switched(shop, campaign_id, away, agreed_mrial=difference) == 15
    steps.verify()
    assert held(campaign_id) == 20 * SAME + difference
    assert balance(shop.wallet_id) == before - held(campaign_id)
    Steps(away).send()
    steps.settle(campaign_id)
    assert escrow(campaign_id) == 0
    steps.verify()


def test_a_dearer_line_beyond_the_cap_or_the_balance_takes_nothing(app: Flask) -> None:
    shop = make_shop(money_mrial=12 * SAME)
    away = other(shop, price_mrial=DEAR)
    campaign_id = make_campaign(shop, size=10)
    with pytest.raises(Refusal, match="more than you agreed to"):
        switched(shop, campaign_id, away, agreed_mrial=1)
    with pytest.raises(InsufficientBalance):
        switched(shop, campaign_id, away, agreed_mrial=5_000_000)
    assert scalar("SELECT count(*) FROM outbox_move") == 0
    assert scalar("SELECT count(*) FROM outbox_batch WHERE line_id = :id", id=away.line_id) == 0
    Steps(shop).verify()


def test_who_has_no_way_on_keeps_nobody_from_theirs(shop: Shop, steps: Steps) -> None:
    """A plan over lines of the gateway that is down leads nowhere, and is not looked at before those that do not."""
    away = other(shop)
    beside = make_line(operator_id=shop.operator_id, gateway_id=shop.gateway_id)
    for line_id in (beside, beside, away.line_id):
        campaign_id = make_campaign(shop, size=5)
        planned(campaign_id, PlanLine(shop.line_id, 10**9), PlanLine(line_id, 10**9))
    breaker(shop, "open")
    assert [each.campaign_id for each in stranded(down=down_gateways(at=AT), most=1)] == [campaign_id]
    failed_over()
    assert scalar("SELECT array_agg(campaign_id) FROM outbox_move") == [campaign_id]
    steps.verify()


def test_a_way_on_that_cannot_be_paid_is_told_and_not_tried_at_once_again(app: Flask) -> None:
    shop = make_shop(money_mrial=10 * SAME)
    away = other(shop, price_mrial=DEAR)
    campaign_id = make_campaign(shop, size=10)
    planned(campaign_id, PlanLine(shop.line_id, 10 * SAME), PlanLine(away.line_id, 10 * DEAR))
    breaker(shop, "open")
    failed_over()
    failed_over()
    (move,) = rows("SELECT problem, problem_params, message_count FROM outbox_move")
    assert move.problem == "The balance is not enough."
    assert json.loads(json.dumps(move.problem_params)) == {"missing_mrial": 5_000_000}
    assert move.message_count == 0
    Steps(shop).verify()


def test_the_same_order_given_twice_moves_and_costs_once(shop: Shop, steps: Steps) -> None:
    away = other(shop, price_mrial=DEAR)
    campaign_id = make_campaign(shop, size=10, batch_size=5)
    before = held(campaign_id)

    def order() -> int:
        with transaction():
            return failover.switch_line(
                campaign_id=campaign_id,
                account_id=shop.account_id,
                line_id=away.line_id,
                cap_mrial=before + 10 * (DEAR - SAME),
                user_id=shop.user_id,
                at=AT,
            )

    assert (order(), order()) == (10, 0)
    assert held(campaign_id) == 10 * DEAR
    assert scalar("SELECT count(*) FROM outbox_move") == 1
    steps.verify()


def test_nobody_else_switches_a_send_and_nobody_over_a_line_that_is_not_his(shop: Shop, steps: Steps) -> None:
    away = other(shop)
    campaign_id = make_campaign(shop, size=5)
    stranger_id, stranger, _ = make_account()
    with pytest.raises(NotFound):
        switched(replace(shop, account_id=stranger_id, user_id=stranger), campaign_id, away)
    theirs = make_line(operator_id=away.operator_id, gateway_id=away.gateway_id, account_id=stranger_id)
    with pytest.raises(Refusal, match="Choose a line"):
        switched(shop, campaign_id, replace(away, line_id=theirs))
    assert scalar("SELECT count(*) FROM outbox_move") == 0


def test_who_does_not_want_to_wait_is_not_switched_to_a_closed_line(shop: Shop, steps: Steps) -> None:
    away = other(shop)
    campaign_id = make_campaign(shop, size=5)
    with transaction():
        execute("UPDATE outbox_campaign SET out_of_hours = 'refuse'")
        execute("UPDATE lines_line SET opens_at = '01:00', closes_at = '02:00' WHERE id = :id", id=away.line_id)
    with pytest.raises(Refusal, match="The line is closed"):
        switched(shop, campaign_id, away)


def test_what_is_on_its_way_or_of_unknown_fate_stays(shop: Shop, steps: Steps) -> None:
    away = other(shop)
    campaign_id = make_campaign(shop, size=15, batch_size=5)
    on_the_wire, lost = steps.mark(steps.claim(most=2))
    steps.record([lost], say=lambda _recipient: None)
    assert switched(shop, campaign_id, away) == 5
    steps.record([on_the_wire])
    assert scalar("SELECT count(*) FROM outbox_batch WHERE line_id = :id", id=away.line_id) == 1
    assert scalar("SELECT count(*) FROM outbox_unknown WHERE gateway_id = :id", id=shop.gateway_id) == 5
    steps.verify()


def test_what_is_sent_again_after_an_unknown_fate_never_leaves_its_operator(shop: Shop, steps: Steps) -> None:
    away = other(shop)
    campaign_id = make_campaign(shop, size=5, batch_size=5)
    steps.record(steps.mark(steps.claim()), say=lambda _recipient: None)
    with transaction():
        unknown.resend([found.message_id for found in rows("SELECT message_id FROM outbox_unknown")])
    with pytest.raises(Refusal, match="Nothing is left"):
        switched(shop, campaign_id, away)
    assert len(steps.send()) == 1
    steps.verify()


def test_a_gateway_that_takes_fewer_at_once_gets_smaller_batches(shop: Shop, steps: Steps) -> None:
    away = other(shop, batch_size=3)
    campaign_id = make_campaign(shop, size=20, batch_size=10)
    assert switched(shop, campaign_id, away) == 20
    sizes = [batch.size for batch in rows("SELECT size FROM outbox_batch ORDER BY first_id, id")]
    assert sorted(sizes) == [1, 1, 3, 3, 3, 3, 3, 3]
    steps.verify()
    assert len(Steps(away).send()) == 8
    steps.settle(campaign_id)
    steps.verify()


def test_who_has_opted_out_of_the_new_line_stays_with_the_old_one(shop: Shop, steps: Steps) -> None:
    away = other(shop)
    campaign_id = make_campaign(shop, size=10, batch_size=5)
    unwilling = [found.recipient for found in rows("SELECT recipient FROM outbox_message ORDER BY id LIMIT 6")]
    with transaction():
        opt_out(account_id=shop.account_id, recipients=unwilling, line_id=away.line_id, reason="", at=AT)
    assert switched(shop, campaign_id, away) == 4
    steps.verify()
    sent = [recipient.number for batch in Steps(away).send() for recipient in batch.recipients]
    assert not set(sent) & set(unwilling)
    assert sum(len(batch.recipients) for batch in steps.send()) == 6
    steps.verify()


def test_a_large_move_goes_in_sets_and_a_paused_send_moves_by_hand_only(shop: Shop, steps: Steps) -> None:
    away = other(shop)
    campaign_id = make_campaign(shop, size=50, batch_size=5)
    planned(campaign_id, PlanLine(shop.line_id, held(campaign_id)), PlanLine(away.line_id, held(campaign_id)))
    with transaction():
        control.pause(campaign_id=campaign_id, account_id=shop.account_id, user_id=None, at=AT)
    breaker(shop, "open")
    failed_over()
    assert scalar("SELECT count(*) FROM outbox_move") == 0
    with transaction():
        control.resume(campaign_id=campaign_id, account_id=shop.account_id, user_id=None, at=AT)
    failed_over(most=3)
    found = row("SELECT message_count, ended_at, reason FROM outbox_move")
    assert found is not None
    assert (found.message_count, found.ended_at, found.reason) == (50, AT, "gateway_down")
    assert scalar("SELECT moved_count FROM outbox_campaign") == 50
    steps.verify()


def test_a_switch_beside_claims_leaves_no_batch_both_claimed_and_moved(app: Flask, shop: Shop, steps: Steps) -> None:
    """A claim and a switch, at the same moments, on connections of their own, until nothing is left to do."""
    away = other(shop)
    campaign_id = make_campaign(shop, size=400, batch_size=2)
    claimed: list[int] = []

    def claim() -> None:
        with app.app_context():
            while batches := steps.claim(most=1):
                claimed.extend(batch.id for batch in batches)

    claimers = [Thread(target=claim) for _ in range(2)]
    for claimer in claimers:
        claimer.start()
    switched(shop, campaign_id, away)
    for claimer in claimers:
        claimer.join()
    moved = {found.batch_id for found in rows("SELECT batch_id FROM outbox_moved")}
    assert len(claimed) == len(set(claimed))
    assert not moved & set(claimed)
    assert len(moved) + len(claimed) == 200
    assert (
        scalar("SELECT count(*) FROM outbox_batch WHERE state = 'submitting' AND line_id = :id", id=away.line_id) == 0
    )
    steps.verify()
