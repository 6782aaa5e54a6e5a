"""The named crash points C1 to C15: a process dies, or is stopped, exactly there; then the database is in the state
that was named beforehand, and everything comes to the same good end.

Each campaign goes to one operator and has one batch. A wave makes many of them die before any lease ends; then time is
hurried on and all of them are compared with what the operators took.
"""

import contextlib
import http.client
import io
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.config import load, use
from sms.core.db import db, transaction
from sms.core.errors import SmsError
from sms.operators.push.operations import renew
from sms.outbox.intake.operations import drafts, reading
from sms.outbox.operations.accept import accept_draft
from sms.outbox.operations.campaigns import cancel
from sms.outbox.rules import AT_ONCE, Terms
from tests.faults.beside import app_beside
from tests.faults.model import TEXTS, Sent, recipients
from tests.faults.people import TROUBLE, Customer
from tests.faults.stage import TIMES, GaveUp, Stage

SIZE = 10
SMPP = "1000"
_LONG_LEASE = 300.0  # no lease ends before it is meant to
_END_SECONDS = 90
_TAKEN_SECONDS = 40

# Of one campaign: its batch, and what is known of its messages.
_STATE = """
SELECT coalesce(min(b.state), 'no batch'), coalesce(max(b.attempt), 0), coalesce(bool_or(b.wire_at IS NOT NULL), false),
       coalesce(bool_or(b.lease_until IS NOT NULL), false), (SELECT count(*) FROM outbox_submission s
           JOIN outbox_message m ON m.id = s.message_id WHERE m.campaign_id = %(id)s),
       (SELECT count(*) FROM outbox_unknown u WHERE u.campaign_id = %(id)s),
       (SELECT w.balance_mrial FROM ledger_wallet w WHERE w.code = 'campaign:' || %(id)s)
       = (SELECT c.held_mrial FROM outbox_campaign c WHERE c.id = %(id)s)
FROM outbox_batch b WHERE b.campaign_id = %(id)s
"""
_OPEN = """
SELECT count(*) FROM outbox_message m WHERE m.batch_id IS NOT NULL AND m.outcome IS NULL AND m.recipient % 100 <> 98
  AND NOT EXISTS (SELECT FROM outbox_unknown u WHERE u.message_id = m.id AND u.next_lookup_at IS NULL)
"""


@dataclass(frozen=True)
class State:
    """What the database says of a campaign of one batch."""

    batch: str
    attempt: int
    is_wire_marked: bool
    is_leased: bool
    submissions: int
    unknown: int
    is_all_held: bool  # nothing charged, nothing given back


QUEUED = State("queued", 0, False, False, 0, 0, True)
CLAIMED = State("submitting", 1, False, True, 0, 0, True)
MARKED = State("submitting", 1, True, True, 0, 0, True)
UNKNOWN = State("submitted", 1, True, False, 0, SIZE, True)


@dataclass
class Bench:
    """A running panel on which one point after the other is tried."""

    stage: Stage
    app: Flask
    sent: list[Sent] = field(default_factory=list)
    next_number: int = 0

    # Sending

    def numbers(self, count: int = SIZE) -> tuple[int, list[int]]:
        """Recipients of the next campaign; of a small one, all get what they are sent."""
        first, found = 100 * self.next_number, self.peek(count)
        self.next_number += -(-count // 100)
        return first, found

    def peek(self, count: int) -> list[int]:
        """Those of the next campaign."""
        return list(recipients(100 * self.next_number, count))

    def campaign(self, code: str, *, text: str = TEXTS[0], count: int = SIZE, terms: Terms = AT_ONCE) -> Sent:
        """One that is accepted here and now."""
        first, numbers = self.numbers(count)
        account_id, user_id = self.stage.rows("SELECT account_id, id FROM accounts_user WHERE username = 'customer'")[0]
        listed = "\n".join(f"0{number - 98 * 10**10}" for number in numbers)
        with self.running():
            with transaction():
                draft_id = drafts.draft_from_file(
                    account_id=account_id,
                    user_id=user_id,
                    line_id=self.stage.line(code),
                    title="",
                    body=text,
                    file_name="list.txt",
                    stream=io.BytesIO(listed.encode()),
                    at=clock.now(),
                )
            while self.stage.ask("SELECT state FROM outbox_draft WHERE id = %(id)s", id=draft_id) == "reading":
                with transaction():
                    reading.read_draft(draft_id=draft_id, at=clock.now())
            with transaction():
                made = accept_draft(
                    draft_id=draft_id, account_id=account_id, user_id=user_id, at=clock.now(), terms=terms
                )
        return self.note(made, code, first, text, count)

    def note(self, campaign_id: int, code: str, first: int, text: str = TEXTS[0], count: int = SIZE) -> Sent:
        """Remember a campaign for the comparison."""
        sent = Sent(campaign_id, "customer", code, text, first, count)
        self.sent.append(sent)
        return sent

    def running(self) -> AbstractContextManager[Any]:
        """A place from which operations of the panel can be called."""
        return self.app.app_context()

    def cancel_all(self) -> None:
        """What is not sent yet stays unsent."""
        for campaign_id, account_id in self.stage.rows(
            "SELECT id, account_id FROM outbox_campaign c WHERE EXISTS (SELECT FROM outbox_batch b"
            " WHERE b.campaign_id = c.id AND b.state = 'queued')"
        ):
            with contextlib.suppress(SmsError), transaction():
                cancel(campaign_id=campaign_id, account_id=account_id, at=clock.now())

    # Looking

    def state(self, sent: Sent) -> State:
        """What the database says now."""
        return State(*self.stage.rows(_STATE, id=sent.campaign_id)[0])

    def taken(self, sent: Sent, code: str = "") -> int:
        """How many of a campaign's recipients its operator, or another one, has."""
        code = code or sent.code
        told = self.stage.simulator.truth(f"?operator={code}&since={time.time() - 600}&limit=1000000")[code]
        wanted = set(sent.numbers())
        return len({row["recipient"] for row in told} & wanted)

    def expect(self, sent: Sent, state: State, *, taken: int) -> list[str]:
        """How the state, and what the operator has, differ from what was named."""
        found, has = self.state(sent), self.taken(sent)
        wrong = [] if found == state else [f"campaign {sent.campaign_id} at {sent.code}: {found}, not {state}"]
        if has != taken:
            wrong.append(f"campaign {sent.campaign_id} at {sent.code}: the operator has {has}, not {taken}")
        return wrong

    def wait(self, is_so: Callable[[], object], what: str, *, seconds: float = _TAKEN_SECONDS) -> None:
        """Look after the processes until it is so."""
        self.stage.wait_until(is_so, what=what, seconds=seconds)

    def wait_for_answer(self, sent: Sent) -> None:
        """Until a campaign is sent and answered: nobody is on his way past any point for it."""
        self.wait(lambda: self.state(sent).batch == "submitted", "the campaign to be sent")

    # Tickets

    @contextlib.contextmanager
    def ticket(self, point: str, words: str = "") -> Iterator[Callable[[], None]]:
        """Whoever comes by the point first dies, or is stopped; call what is yielded to wait for that."""
        file = self.stage.tickets / point
        unfinished = self.stage.tickets / "unfinished"
        unfinished.write_text(words)
        unfinished.rename(file)
        try:
            yield lambda: self.wait(lambda: not file.exists(), f"somebody to come by {point}")
        finally:
            file.unlink(missing_ok=True)

    # The end

    def settle(self) -> list[str]:
        """Time passes; whatever was begun comes to its end, and only fates that nobody can look up stay unknown."""
        stage = self.stage
        stage.heal()
        hurried_at = 0.0

        def is_over() -> bool:
            nonlocal hurried_at
            if time.monotonic() - hurried_at > 2.0:
                hurried_at = time.monotonic()
                stage.hurry()
            time.sleep(0.1)
            return not stage.ask(_OPEN)

        stage.set_times(lease_seconds=TIMES["lease_seconds"])
        # As if their time was over; those who held them are dead.
        stage.rows("UPDATE outbox_batch SET lease_until = now() WHERE state = 'submitting'")
        try:
            stage.wait_until(is_over, what="every message to have its end", seconds=_END_SECONDS)
        except GaveUp as error:
            return [str(error)[:3000]]
        return []


@contextlib.contextmanager
def benched(stage: Stage) -> Iterator[Bench]:
    """The app of this process on the panel's servers, beside the running panel."""
    settings = load(stage.panel.settings)
    before = use(settings)
    try:
        app = app_beside(settings)
        yield Bench(stage, app)
        with app.app_context():
            db.engine.dispose()
    finally:
        use(before)


Trial = Callable[[Bench, str], list[str]]
"""One round of a point at an operator: makes it happen and returns what was not as named."""


@dataclass(frozen=True)
class Point:
    """A crash point: what happens, what must be so then, and where it can be tried."""

    code: str
    what: str
    trial: Trial
    operators: Sequence[str] = ("2000", "3000", "5000")
    times: Mapping[str, object] = field(default_factory=dict)
    is_quick: bool = True  # enough to be tried with every test


def _dies(point: str, state: State, *, taken: int) -> Trial:
    """The worker that sends dies at a point of its own."""

    def trial(bench: Bench, code: str) -> list[str]:
        with bench.ticket(point) as is_taken:
            sent = bench.campaign(code)
            is_taken()
        return bench.expect(sent, state, taken=taken)

    return trial


def _c1(bench: Bench, code: str) -> list[str]:
    """The web worker dies before the commit: nothing is there; pressing the button again sends once."""
    first, numbers = bench.numbers()
    customer, stage = Customer(bench.stage, "customer"), bench.stage
    draft_id = customer.draft(line_id=stage.line(code), text=TEXTS[0], numbers=numbers)
    money = _money(stage)
    with bench.ticket("accepting") as is_taken:
        with contextlib.suppress(*TROUBLE):
            customer.confirm(draft_id)
        is_taken()
    wrong = [] if customer.campaign_of(draft_id) is None else ["a campaign is there"]
    wrong += [] if _money(stage) == money else ["money has moved"]
    made = {customer.press(draft_id) for _ in range(2)}  # the second time changes nothing
    bench.wait_for_answer(bench.note(min(made), code, first))
    return wrong + ([] if len(made) == 1 else ["two campaigns were made"])


def _c2(bench: Bench, code: str) -> list[str]:
    """The web worker dies after the commit: all is there, nobody was told; the sweeper tells."""
    first, numbers = bench.numbers()
    customer, stage = Customer(bench.stage, "customer"), bench.stage
    draft_id = customer.draft(line_id=stage.line(code), text=TEXTS[0], numbers=numbers)
    with bench.ticket("accepted") as is_taken:
        with contextlib.suppress(*TROUBLE):
            customer.confirm(draft_id)
        is_taken()
    made = customer.campaign_of(draft_id)
    if made is None:
        return ["no campaign is there"]
    sent = bench.note(made, code, first)
    held = stage.ask("SELECT balance_mrial FROM ledger_wallet WHERE code = %(code)s", code=f"campaign:{made}")
    wrong = [] if held else ["nothing is held"]
    bench.wait_for_answer(sent)
    return wrong


def _money(stage: Stage) -> int:
    return int(
        stage.ask(
            "SELECT w.balance_mrial FROM ledger_wallet w JOIN accounts_user u ON u.account_id = w.account_id"
            " WHERE u.username = 'customer' AND w.kind = 'customer'"
        )
    )


def _c3(bench: Bench, code: str) -> list[str]:
    """The job is taken out of its queue and never begun. Its bell stays rung for a while; here Valkey is emptied
    instead of waiting for that."""
    wrong = _dies("job_taken", QUEUED, taken=0)(bench, code)
    with bench.stage.valkey() as valkey:
        valkey.flushall()
    bench.wait_for_answer(bench.sent[-1])
    return wrong


def _c5(bench: Bench, code: str) -> list[str]:
    """Half of the request leaves, then the network is cut: of unknown fate, and the operator has nothing."""
    bench.stage.proxy.fault(code, cut_request_share=1)
    sent = bench.campaign(code)
    bench.wait(lambda: bench.state(sent).unknown == SIZE, "the fate to be unknown")
    wrong = bench.expect(sent, UNKNOWN, taken=0)
    bench.stage.proxy.heal(code)
    return wrong


def _c6(bench: Bench, code: str) -> list[str]:
    """The worker is killed while the operator's answer is on its way."""
    bench.stage.simulator.control(code, accept_delay_ms=2600)
    sent = bench.campaign(code)
    bench.wait(lambda: bench.taken(sent) == SIZE, "the operator to have it")
    found: list[int] = []
    bench.wait(lambda: found.extend(filter(None, [bench.stage.sender_pid(code)])) or found, "the worker that sends it")
    bench.stage.kill(found[0], "worker")
    wrong = bench.expect(sent, MARKED, taken=SIZE)
    time.sleep(3)  # its answer would have come by now
    wrong += bench.expect(sent, MARKED, taken=SIZE)
    bench.stage.heal_operator(code)
    return wrong


def _c9(bench: Bench, code: str) -> list[str]:
    """A report is pushed while the answer to its submit is on its way: it waits and is matched."""
    stage = bench.stage
    with bench.running(), transaction():
        token = renew(gateway_id=stage.gateway(code), by=PANEL, at=clock.now())
    stage.simulator.control(code, accept_delay_ms=1500, report_delay_seconds=[60, 60])
    sent = bench.campaign(code)
    bench.wait(lambda: bench.taken(sent) == SIZE, "the operator to have it")
    wrong = bench.expect(sent, MARKED, taken=SIZE)
    told = stage.simulator.truth(f"?operator={code}&since={time.time() - 60}&limit=100000")[code]
    wanted = set(sent.numbers())
    for row in told:
        if row["recipient"] in wanted:
            wrong += _push(stage, code, token, row["id"])
    question = "SELECT count(*) FROM outbox_message WHERE campaign_id = %(id)s AND outcome = 'delivered'"
    bench.wait(lambda: stage.ask(question, id=sent.campaign_id) == SIZE, "reports to find their messages", seconds=12)
    stage.heal_operator(code)
    return wrong


def _push(stage: Stage, code: str, token: str, ref: int) -> list[str]:
    names = ("messageid", "status", "10") if code == "5000" else ("mid", "status", "1")
    host = urlsplit(stage.panel.url).netloc
    connection = http.client.HTTPConnection(host, timeout=10)
    path = f"/hooks/{stage.gateway(code)}/{token}/reports"
    connection.request("GET", f"{path}?{names[0]}={ref}&{names[1]}={names[2]}")
    status = connection.getresponse().status
    connection.close()
    return [] if status == http.client.OK else [f"a pushed report is answered with {status}"]


def _c11(bench: Bench, code: str) -> list[str]:
    """The worker is stopped after it has marked the wire and goes on when its lease is over: it sends nothing, and
    what another one sent meanwhile stands."""
    stage = bench.stage
    with bench.ticket("wire_marked", "STOP") as is_taken:
        sent = bench.campaign(code)
        is_taken()
    bench.wait(lambda: any(map(_is_stopped, stage.worker_pids())), "it to be stopped")
    (pid,) = filter(_is_stopped, stage.worker_pids())
    wrong = bench.expect(sent, MARKED, taken=0)
    try:
        bench.wait(lambda: bench.state(sent).unknown or bench.taken(sent), "its lease to end", seconds=30)
        stage.hurry()
        bench.wait(lambda: stage.hurry() or bench.taken(sent) == SIZE, "somebody else to send it", seconds=40)
    finally:
        os.kill(pid, signal.SIGCONT)
    time.sleep(1)
    return wrong


def _is_stopped(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False


def _c12(bench: Bench, code: str) -> list[str]:
    """The operator takes it and answers with garbage: nothing of it counts as refused."""
    kinds = ("error_500", "html", "empty", "wrong_charset", "redirect", "huge")
    bench.stage.simulator.control(code, garbage_share=1, garbage_kinds=[kinds[bench.next_number % len(kinds)]])
    sent = bench.campaign(code)
    bench.wait(lambda: bench.state(sent).unknown == SIZE, "the fate to be unknown")
    wrong = bench.expect(sent, UNKNOWN, taken=SIZE)
    bench.stage.heal_operator(code)
    return wrong


def _c13(bench: Bench, code: str) -> list[str]:
    """The answer has fewer rows, in another order, or somebody else's: no reference goes to the wrong recipient."""
    kinds = ("wrong_count", "reordered", "other_ids")
    kind = kinds[bench.next_number % len(kinds)]
    bench.stage.simulator.control(code, garbage_share=1, garbage_kinds=[kind])
    sent = bench.campaign(code)
    bench.wait(lambda: bench.state(sent).batch == "submitted", "an answer")
    found = bench.state(sent)
    bench.stage.heal_operator(code)
    missing = {"wrong_count": SIZE // 3, "reordered": 0, "other_ids": SIZE}[kind]
    wrong = [] if found.unknown == missing else [f"{kind}: {found.unknown} of unknown fate, not {missing}"]
    return wrong + _wrong_refs(bench, sent)


def _wrong_refs(bench: Bench, sent: Sent) -> list[str]:
    told = bench.stage.simulator.truth(f"?operator={sent.code}&since={time.time() - 600}&limit=1000000")[sent.code]
    refs = {row["recipient"]: str(row["id"]) for row in told}
    stored = bench.stage.rows(
        "SELECT m.recipient, s.operator_ref FROM outbox_message m JOIN outbox_submission s ON s.message_id = m.id"
        " WHERE m.campaign_id = %(id)s",
        id=sent.campaign_id,
    )
    return [f"{to % 10**7} has the reference of somebody else" for to, ref in stored if refs.get(to) != ref]


def _c14(bench: Bench, code: str) -> list[str]:
    """The answer is cut off: nothing below the panel's own code asks a second time."""
    stage = bench.stage
    before = _sends(stage, code)
    stage.proxy.fault(code, cut_reply_share=1)
    sent = bench.campaign(code)
    bench.wait(lambda: bench.state(sent).unknown == SIZE, "the fate to be unknown")
    asked = _sends(stage, code) - before
    stage.proxy.heal(code)
    wrong = [] if asked == 1 else [f"the operator was asked {asked} times to send"]
    return wrong + bench.expect(sent, UNKNOWN, taken=SIZE)


def _sends(stage: Stage, code: str) -> int:
    requests: dict[str, Any] = stage.simulator.truth("summary")[code]["requests"]
    return sum(times for name, times in requests.items() if "send" in name)


def _c15(bench: Bench, code: str) -> list[str]:
    """The link is lost between the parts of texts: those are of unknown fate, and no part is sent twice."""
    stage = bench.stage
    stage.simulator.control(code, accept_delay_ms=400, close_with_unanswered=SIZE + 1)  # of twice as many parts
    sent = bench.campaign(code, text=TEXTS[1])
    bench.wait(lambda: bench.state(sent).batch == "submitted", "the link to be lost", seconds=60)
    found = bench.state(sent)
    stage.heal_operator(code)
    is_lost = found.unknown > 0 and found.submissions + found.unknown <= SIZE
    return [] if is_lost else [f"campaign {sent.campaign_id}: {found}"]


POINTS: tuple[Point, ...] = (
    Point("C1", "after the press of the button, before the commit", _c1),
    Point("C2", "after the commit, before anybody is told", _c2),
    Point("C3", "the job is taken, the worker dies", _c3),
    Point("C4", "claimed, nothing sent", _dies("claimed", CLAIMED, taken=0)),
    Point("C5", "the wire is marked, nothing has left", _dies("wire_marked", MARKED, taken=0)),
    Point("C5b", "half of the request has left", _c5, is_quick=False),
    Point("C6", "the operator has it, its answer is on the way", _c6),
    Point("C7", "the answer is read, not stored", _dies("reply_read", MARKED, taken=SIZE)),
    Point("C8", "half stored", _dies("submissions_stored", MARKED, taken=SIZE)),
    Point("C9", "the report is quicker than the answer", _c9),
    Point("C10", "stored, not charged", _dies("before_charge", MARKED, taken=SIZE)),
    Point("C11", "stopped past the lease", _c11, times={"lease_seconds": 10.0}, is_quick=False),
    Point("C12", "taken, and answered with garbage", _c12),
    Point("C13", "answered with other rows", _c13),
    Point("C14", "nothing repeats by itself", _c14),
    Point("C15", "some parts taken, others not", _c15, operators=(SMPP,), is_quick=False),
)


def try_point(bench: Bench, point: Point, *, times: int) -> list[str]:
    """Make a point happen so often; returns what was not as was named. `settle` then takes all to the end."""
    stage = bench.stage
    stage.set_times(**({"lease_seconds": _LONG_LEASE} | dict(point.times)))
    wrong: list[str] = []
    codes = [code for code in point.operators if code in stage.codes]
    for number in range(times):
        try:
            wrong += point.trial(bench, codes[number % len(codes)])
        except (GaveUp, *TROUBLE) as error:
            wrong.append(f"{error!r}"[:1500])
            stage.heal()
    return wrong
