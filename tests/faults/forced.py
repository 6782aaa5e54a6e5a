"""Forced failovers in mid-campaign: operators vanish, staff hold them back, customers switch. Nobody may get a text
from two operators, and no send may cost more than was agreed."""

import time
from collections import Counter
from dataclasses import replace
from random import Random

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.db import transaction
from sms.operators.health.operations import staff
from sms.operators.health.rules.breaker import BreakerState
from sms.outbox.operations import failover
from sms.outbox.rules import PlanLine, Terms
from tests.faults.model import TEXTS, Sent, price_of
from tests.faults.points import Bench
from tests.faults.run import Told
from tests.faults.stage import GaveUp

KINDS = {"held back by staff": 40, "switched by hand": 40, "operator vanished": 20}
_COUNT, _BATCH, _ANSWER_MS = 400, 10, 250
_TRIES = 3
_LOW_CAP = 0.2  # of those that go on by themselves, so many may not cost more than they do now


def failovers(bench: Bench, told: Told, *, seed: int, times: int) -> None:
    """Force so many, each of a campaign of its own of which a part is sent."""
    random, stage, done = Random(f"failovers {seed}"), bench.stage, Counter[str]()
    stage.set_times(batch_size=_BATCH, concurrency=2)
    for number in range(times):
        kind = random.choices(list(KINDS), list(KINDS.values()))[0]
        code, other = random.sample(list(stage.codes), 2)
        is_low = kind != "switched by hand" and random.random() < _LOW_CAP
        for _ in range(_TRIES):
            try:
                moved = _force(bench, told, kind, code, other, is_low=is_low)
            except GaveUp as error:
                told.broke.append(f"failover {number + 1}, {kind}, {code} to {other}: {error}"[:2000])
                stage.heal()
                moved = True
            if moved:
                break
        done[f"{kind}{', too dear' if is_low else ''}"] += moved
    told.figures |= {"failovers": done.total(), "by_kind": dict(sorted(done.items()))}
    told.broke += bench.settle()


def _force(bench: Bench, told: Told, kind: str, code: str, other: str, *, is_low: bool) -> bool:
    """One failover; False when the campaign was sent before it began."""
    stage, text = bench.stage, TEXTS[0]
    price = {each: _price(bench, each, text) for each in (code, other)}
    cap = price[code] if is_low else max(price.values())
    plan = () if kind == "switched by hand" else (PlanLine(stage.line(other), cap),)
    for each in (code, other):  # one that was down until now would be gone round from the beginning
        bench.wait(lambda down=each: stage.breaker(down) != "open", f"{each} to be tried again", seconds=90)
    stage.simulator.control(code, accept_delay_ms=_ANSWER_MS)
    sent = replace(bench.campaign(code, text=text, count=_COUNT, terms=Terms(plan=plan)), elsewhere=(other,))
    bench.sent[-1] = sent
    bench.wait(lambda: bench.taken(sent) > 0, "a part to be sent")
    _strike(bench, kind, sent, cap=cap)
    is_beyond = is_low and price[other] > price[code]
    if not is_beyond:
        bench.wait(lambda: bench.taken(sent, other) or not _waiting(bench, sent), "the other operator to get the rest")
    else:
        time.sleep(4)
    moved = bench.taken(sent, other)
    _mend(bench, kind, code)
    held = stage.ask("SELECT held_mrial FROM outbox_campaign WHERE id = %(id)s", id=sent.campaign_id)
    if held > cap:
        told.broke.append(f"campaign {sent.campaign_id} costs {held}, agreed were {cap}")
    if is_beyond and moved:
        told.broke.append(f"campaign {sent.campaign_id} went on over a line that is too dear")
    bench.wait(lambda: not _waiting(bench, sent), "the rest to be sent", seconds=90)
    return bool(moved) or is_beyond


def _price(bench: Bench, code: str, text: str) -> int:
    """What the whole next campaign costs over an operator."""
    return sum(price_of(code, number, text)[0] for number in bench.peek(_COUNT))


def _strike(bench: Bench, kind: str, sent: Sent, *, cap: int) -> None:
    stage, code = bench.stage, sent.code
    if kind == "operator vanished":
        stage.proxy.fault(code, is_refusing=True)
        return
    account_id = stage.ask("SELECT account_id FROM outbox_campaign WHERE id = %(id)s", id=sent.campaign_id)
    with bench.running():
        at = clock.now()
        if kind == "held back by staff":
            with transaction():
                staff.override(
                    gateway_id=stage.gateway(code), state=BreakerState.OPEN, minutes=10, reason="fault", by=PANEL, at=at
                )
        elif _waiting(bench, sent):
            with transaction():
                failover.switch_line(
                    campaign_id=sent.campaign_id,
                    account_id=account_id,
                    line_id=stage.line(sent.elsewhere[0]),
                    cap_mrial=cap,
                    user_id=None,
                    at=at,
                )


def _mend(bench: Bench, kind: str, code: str) -> None:
    stage = bench.stage
    stage.proxy.heal(code)
    stage.heal_operator(code)
    if kind == "held back by staff":
        with bench.running(), transaction():
            staff.release(gateway_id=stage.gateway(code), by=PANEL, at=clock.now())


def _waiting(bench: Bench, sent: Sent) -> int:
    return int(
        bench.stage.ask(
            "SELECT count(*) FROM outbox_batch WHERE campaign_id = %(id)s AND state IN ('queued', 'submitting')",
            id=sent.campaign_id,
        )
    )
