"""One run: campaigns over all operators while everything fails, then quiet, then the comparison of three truths."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from sms.core.config import load
from sms.core.db import db, transaction
from sms.dashboard import queries
from tests.faults.beside import app_beside
from tests.faults.mischief import Mischief, schedule
from tests.faults.model import Account, Judgement, Kept, judge, money_differences, truth_of
from tests.faults.people import Crowd
from tests.faults.stage import GaveUp, Stage

_LOOK_SECONDS = 0.5
_CALM_SECONDS, _CALM_SHARE = 90, 1.0  # so long, and this much of the run itself
_HURRY_SECONDS = 6
_HORIZON_SECONDS = 3 * 3600
_REFUND_SECONDS = 50 * 3600
_TOLD = 20  # of what is wrong, so much is printed

_OPEN = """
SELECT (SELECT count(*) FROM outbox_batch WHERE state IN ('queued', 'paused', 'submitting'))
     + (SELECT count(*) FROM outbox_unknown WHERE next_lookup_at IS NOT NULL)
     + (SELECT count(*) FROM outbox_report_set WHERE applied_at IS NULL)
     + (SELECT count(*) FROM outbox_message m WHERE m.outcome IS NULL AND m.batch_id IS NOT NULL
        AND {narrowed} NOT EXISTS (SELECT FROM outbox_unknown u WHERE u.message_id = m.id))
"""
# Before the horizon nothing is told of some recipients by the digits rule, nor of texts of which a part never arrived.
_TOLD_OF = """m.recipient % 100 <> 98
    AND NOT EXISTS (SELECT FROM outbox_part p WHERE p.message_id = m.id AND p.operator_ref = '') AND"""
_SHOWN = ("operator", "row", "parts", "batch", "attempt", "submissions", "poll_at", "wire_at", "ref")
_SHOW_OPEN = """
SELECT o.code, m.recipient % 10000000, m.parts, b.state, b.attempt,
       (SELECT count(*) FROM outbox_submission s WHERE s.message_id = m.id), b.poll_at::text, b.wire_at::text,
       (SELECT min(operator_ref) FROM outbox_submission s WHERE s.message_id = m.id)
FROM outbox_message m JOIN outbox_batch b ON b.id = m.batch_id JOIN lines_line l ON l.id = m.line_id
JOIN operators_operator o ON o.id = l.operator_id
WHERE m.outcome IS NULL AND {narrowed} NOT EXISTS (SELECT FROM outbox_unknown u WHERE u.message_id = m.id) LIMIT 5
"""
_UNPAID = "SELECT count(*) FROM outbox_refund WHERE transfer_id IS NULL"
_DIRTY = "SELECT count(*) FROM outbox_campaign WHERE is_dirty"
_KEPT = """
SELECT m.recipient, m.campaign_id, m.outcome::text, s.message_id IS NOT NULL, u.message_id IS NOT NULL
FROM outbox_message m LEFT JOIN (SELECT DISTINCT message_id FROM outbox_submission) s ON s.message_id = m.id
LEFT JOIN outbox_unknown u ON u.message_id = m.id WHERE m.batch_id IS NOT NULL
"""
_WALLETS = """
SELECT w.kind, w.code, coalesce(u.username, ''),
       CASE WHEN w.kind IN ('customer', 'escrow') THEN w.balance_mrial ELSE coalesce(e.sum, 0) END
FROM ledger_wallet w
LEFT JOIN (SELECT account_id, min(username) AS username FROM accounts_user GROUP BY 1) u ON u.account_id = w.account_id
LEFT JOIN (SELECT wallet_id, sum(amount_mrial)::bigint AS sum FROM ledger_entry GROUP BY 1) e ON e.wallet_id = w.id
"""


@dataclass(eq=False)
class Watch(threading.Thread):
    """Verifies all invariants again and again while everything fails, and remembers who was ever of unknown fate."""

    stage: Stage
    is_over: threading.Event = field(default_factory=threading.Event)
    verified: int = 0
    missed: int = 0
    slowest_seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    unknown: dict[int, int] = field(default_factory=dict)  # message → gateway

    def __post_init__(self) -> None:
        super().__init__(name="watch", daemon=True)

    def run(self) -> None:
        with app_beside(load(self.stage.panel.settings)).app_context():  # and not for all threads of this process
            next_at = 0.0
            while not self.is_over.wait(_LOOK_SECONDS):
                with suppress(Exception):  # a server that is away
                    self.unknown |= dict(self.stage.rows("SELECT message_id, gateway_id FROM outbox_unknown"))
                if time.monotonic() >= next_at:
                    began = time.monotonic()
                    self._verify()
                    took = time.monotonic() - began
                    self.slowest_seconds = max(self.slowest_seconds, took)
                    next_at = time.monotonic() + max(3.0, 5 * took)
            with suppress(SQLAlchemyError):
                db.engine.dispose()
        self.stage.close()

    def _verify(self) -> None:
        try:
            with transaction() as session:
                session.execute(db.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                found = {name: rows for name, rows in queries.broken().items() if rows}
        except SQLAlchemyError:
            self.missed += 1
            return
        finally:
            with suppress(SQLAlchemyError):
                db.session.remove()
        self.verified += 1
        self.broken += [f"during: {name} {each}" for name, rows in found.items() for each in rows[:3]]


@dataclass
class Told:
    """What is printed of a run."""

    seed: int
    figures: dict[str, Any] = field(default_factory=dict)
    broke: list[str] = field(default_factory=list)


def run(stage: Stage, told: Told, *, minutes: float, messages: int, kills: int) -> None:
    """Send, break, mend, wait, compare."""
    seed = told.seed
    began = time.monotonic()
    start = ledger_of(stage)
    watch, seconds = Watch(stage), 60 * minutes
    mischief = Mischief(stage, schedule(seed=seed, seconds=seconds, kills=kills, codes=stage.codes))
    campaigns = max(2 * len(stage.codes), min(int(16 * minutes), messages // 50))
    crowd = Crowd(stage, total=messages, campaigns=campaigns, seconds=seconds * 0.9, seed=seed)
    watch.start()
    crowd.start()
    at = time.monotonic()
    while not (mischief.is_over and not crowd.is_alive()):
        stage.tend()
        mischief.step(time.monotonic() - at)
        time.sleep(0.05)
    if crowd.error is not None:
        told.broke.append(f"a customer could not send: {crowd.error!r}"[:500])
    stage.heal()
    calm_down(stage, told, seconds=_CALM_SECONDS + _CALM_SHARE * seconds)
    watch.is_over.set()
    watch.join(60)
    told.broke += watch.broken
    verify_after(stage, told)
    judged = compare(stage, crowd.sent, start, told)
    told.figures |= {
        "seconds": round(time.monotonic() - began),
        "messages": sum(campaign.count for campaign in crowd.sent),
        "campaigns": len(crowd.sent),
        "kills": dict(stage.kills),
        "kills_in_all": stage.kills.total(),
        "faults": dict(sorted(mischief.done.items())),
        "verified_during": watch.verified,
        "verify_missed": watch.missed,
        "verify_slowest_seconds": round(watch.slowest_seconds, 1),
        "unknown": _unknown(stage, watch, judged),
    }


def calm_down(stage: Stage, told: Told, *, seconds: float) -> None:
    """Everything comes to its end; the clock then passes the operators' horizon and the last refunds."""
    for offset, narrowed in (
        (0, _TOLD_OF),
        (_HORIZON_SECONDS, ""),
        (_REFUND_SECONDS + _HORIZON_SECONDS, ""),
    ):
        code, output, errors = stage.panel.run("clock", "--offset", str(offset))
        if code:
            told.broke.append(f"the clock was not moved: {output}{errors}")
        _wait_for_end(stage, told, narrowed, seconds=seconds)
    try:
        stage.wait_until(lambda: not stage.ask(_UNPAID) and not stage.ask(_DIRTY), what="the last refund", seconds=60)
    except GaveUp as error:
        told.broke.append(str(error)[:3000])


def _wait_for_end(stage: Stage, told: Told, narrowed: str, *, seconds: float) -> None:
    hurried_at = 0.0
    question, shown = (each.replace("{narrowed}", narrowed) for each in (_OPEN, _SHOW_OPEN))

    def is_over() -> bool:
        nonlocal hurried_at
        if time.monotonic() - hurried_at > _HURRY_SECONDS:
            hurried_at = time.monotonic()
            stage.hurry()
        time.sleep(_LOOK_SECONDS / 2)
        return not stage.ask(question)

    try:
        stage.wait_until(is_over, what="everything to be sent and reported", seconds=seconds)
    except GaveUp as error:
        open_ones = [dict(zip(_SHOWN, each, strict=True)) for each in stage.rows(shown)]
        told.broke.append(f"{stage.ask(question)} are open, such as {open_ones}. {error}"[:4000])


def verify_after(stage: Stage, told: Told) -> None:
    """The command `verify`."""
    code, output, errors = stage.panel.run("verify", "--json", seconds=600)
    if code:
        told.broke.append(f"verify afterwards: {output[:2000]} {errors[-500:]}")


def compare(stage: Stage, sent: list[Any], start: Account, told: Told) -> Judgement:
    """Operators' logs, our database and the model; what differs is broken."""
    truths = {code: truth_of(stage.truth_dir, code) for code in stage.codes}
    kept = {row[0]: Kept(*row[1:]) for row in stage.rows(_KEPT)}
    judged = judge(sent, truths, kept)
    now = ledger_of(stage)
    moved = Account(
        customers=_less(start.customers, now.customers),
        escrow=now.escrow - start.escrow,
        revenue=_less(now.revenue, start.revenue),
        cost=_less(now.cost, start.cost),
    )
    told.broke += judged.wrong[:_TOLD] + money_differences(judged.account, moved)
    if judged.lost:
        told.broke.append(f"{len(judged.lost)} recipients were lost, such as row {judged.lost[0] % 10**7}")
    if judged.at_two:
        told.broke.append(f"{len(judged.at_two)} recipients are at two operators")
    told.broke += [f"{count} recipients got it twice from {code}" for code, count in judged.duplicates.items() if count]
    told.figures |= {
        "lost": len(judged.lost),
        "duplicates": judged.duplicates,
        "at_two_operators": len(judged.at_two),
        "charged_in_part": judged.halves,
        "escrow_mrial": moved.escrow,
        "spent_mrial": dict(moved.customers),
    }
    return judged


def _less(more: Mapping[str, int], less: Mapping[str, int]) -> Counter[str]:
    return Counter({name: more.get(name, 0) - less.get(name, 0) for name in set(more) | set(less)})


def ledger_of(stage: Stage) -> Account:
    """What the wallets say."""
    account = Account()
    for kind, code, username, balance in stage.rows(_WALLETS):
        match kind:
            case "customer" if username:
                account.customers[username] += balance
            case "escrow":
                account.escrow += balance
            case "revenue":
                account.revenue[code.partition(":")[2]] += balance
            case "operator_cost":
                account.cost[code.partition(":")[2]] += balance
    return account


def _unknown(stage: Stage, watch: Watch, judged: Judgement) -> dict[str, Any]:
    by_gateway = Counter(watch.unknown.values())
    found: dict[str, Any] = {}
    for code in stage.codes:
        left, taken = judged.unknown_left[code], judged.unknown_taken[code]
        resolved = by_gateway[stage.gateway(code)] - left
        found[code] = {
            "seen": resolved + left,
            "left": left,
            "left_and_taken": taken,
            "resolved_share_of_taken": round(resolved / (resolved + taken), 4) if resolved + taken else None,
            "left_per_kill": round(left / max(1, stage.kills.total()), 3),
        }
    return found
