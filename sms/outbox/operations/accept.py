"""Accepting a draft: priced, held and copied in, all in one transaction or not at all."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from sms.billing.queries import Price, payers, price_list
from sms.contacts.queries import Suppression, suppression
from sms.core.crash import crash_point
from sms.core.db import after_commit, array, copy_in, copy_text, db, execute, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.parts import Encoding, Measure
from sms.core.phone import NetworkGuess
from sms.core.queue import Job, ring, sending_queue
from sms.core.text import N_
from sms.ledger.operations import open_wallet, profit_wallets
from sms.ledger.rules import WalletKind
from sms.lines.public.operations import take_free
from sms.lines.public.rules import Payment
from sms.lines.queries import UsableLine, usable_line, usable_lines
from sms.operators.queries import network_guess
from sms.operators.rules import Outcome
from sms.outbox.intake.queries import NO_SUCH_DRAFT, chunks
from sms.outbox.intake.rules.packing import DUPLICATE, INVALID, VALID, unpack
from sms.outbox.intake.rules.pricing import language_of, losses_mrial, measured, sendable
from sms.outbox.models import Draft
from sms.outbox.operations.holding import fund, hold, refuse_when_short
from sms.outbox.operations.linking import give_link
from sms.outbox.operations.turns import first_turn
from sms.outbox.queries.linked import check_link, worded
from sms.outbox.queries.trials import judge
from sms.outbox.rules import (
    AT_ONCE,
    MOST_PLAN_LINES,
    BatchState,
    OutOfHours,
    PlanLine,
    Priority,
    Terms,
    check_schedule,
    priority_of,
)

_HEAD = 7  # 98 and five national digits decide the network
_SKIPPED = {VALID: Outcome.OPTED_OUT, DUPLICATE: Outcome.DUPLICATE, INVALID: Outcome.INVALID}
_MESSAGE_COLUMNS = (
    *("id", "row_number", "recipient", "batch_id", "given", "outcome"),
    *("account_id", "campaign_id", "line_id", "network_id", "parts", "price_mrial", "cost_mrial", "shares_mrial"),
)
_BATCH_COLUMNS = (
    *("id", "first_id", "last_id", "size", "turn"),
    *("campaign_id", "account_id", "line_id", "gateway_id", "state", "priority", "suffix"),
)


@dataclass(slots=True)
class _Loading:
    """What is being written of one campaign; filled while its rows stream by."""

    campaign_id: int
    account_id: int
    line: UsableLine
    measured: Measure
    ending: str
    prices: dict[int, Price]
    guess: NetworkGuess
    opted_out: Set[str]
    terms: Terms
    payers: tuple[int, ...] = ()
    payee_wallet_ids: Sequence[int] = ()
    is_free: bool = False
    next_id: int = 0
    batch_ids: list[int] = field(default_factory=list)
    batches: list[tuple[int, int, int, int]] = field(default_factory=list)
    heads: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    tails: dict[str, tuple[str, Price]] = field(default_factory=dict)  # with the price of a whole message

    @property
    def held_mrial(self) -> int:
        """The exact price of all that is sent."""
        return sum(price.price_mrial * count for price, count in self._sold().items())

    @property
    def losses_mrial(self) -> list[int]:
        """What each reseller above loses, where its price is below its own: nearest first."""
        return losses_mrial(self._sold(), levels=len(self.payers), parts=1)

    def _sold(self) -> Counter[Price]:
        sold = Counter[Price]()
        for head, count in self.heads.items():
            sold[self.tails[head][1]] += count
        return sold

    def tail(self, head: str) -> str:
        """The columns that are alike for all recipients of one network."""
        known = self.tails.get(head)
        if known is None:
            network_id = self.guess.of(int(head) * 10**5)
            price = self.prices[network_id].of(self.measured.parts)
            shares = array(price.shares_mrial) if self.payers else "\\N"
            text = (
                f"\t\\N\t\\N\t{self.account_id}\t{self.campaign_id}\t{self.line.id}\t{network_id}"
                f"\t{self.measured.parts}\t{price.price_mrial}\t{price.cost_mrial}\t{shares}\n"
            )
            known = self.tails[head] = (text, price)
        return known[0]


def accept_draft(
    *,
    draft_id: int,
    account_id: int,
    user_id: int,
    at: datetime,
    agreed_mrial: int | None = None,
    terms: Terms = AT_ONCE,
    payment: Payment = Payment.TARIFF,
) -> int:
    """Hold the price and queue the messages of a ready draft; returns the campaign's id, the same one however often
    asked. With `agreed_mrial` a dearer send is refused. A scheduled one is held as any other and queued when its moment
    has come. On a public line it may be free, or refused by policy.

    Raises InsufficientBalance, Refusal or NotFound; then nothing is written.
    """
    # Whoever confirms at the same time waits here, and then sees the draft as the first one left it.
    draft = db.session.scalar(
        select(Draft)
        .where(Draft.id == draft_id, Draft.account_id == account_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    key = f"draft:{draft_id}"
    made = scalar(
        "SELECT id FROM outbox_campaign WHERE account_id = :account AND key = :key", account=account_id, key=key
    )
    if made is not None:
        return int(made)
    if draft is None:
        raise NotFound(NO_SUCH_DRAFT)
    _refuse_unready(draft)
    loading = _prepared(draft, terms, at)
    _settle_payment(draft, loading, payment, at)
    _refuse_out_of_hours(loading, sum(_counts(draft, loading).values()), at)
    _refuse_when_short(draft, loading, agreed_mrial)
    loading.payee_wallet_ids = profit_wallets(loading.payers, at=at) if loading.payers else ()
    _load(loading, draft)
    wallet_id = open_wallet(
        code=f"campaign:{loading.campaign_id}", kind=WalletKind.ESCROW, account_id=account_id, at=at
    )
    _insert_campaign(loading, draft=draft, key=key, user_id=user_id, wallet_id=wallet_id, at=at)
    give_link(draft, campaign_id=loading.campaign_id, begins_at=terms.scheduled_at or at, at=at)
    _insert_batches(loading)
    _insert_plan(loading)
    _hold(loading, wallet_id=wallet_id, user_id=user_id, at=at)
    execute("UPDATE outbox_draft SET state = 'used' WHERE id = :id", id=draft_id)
    execute("DELETE FROM outbox_draft_chunk WHERE draft_id = :id", id=draft_id)
    crash_point("accepting")
    after_commit(lambda: crash_point("accepted"))
    return loading.campaign_id


def _refuse_unready(draft: Draft) -> None:
    if draft.state == "failed":
        raise Refusal(draft.problem, **draft.problem_params)
    if draft.state != "ready":
        raise Refusal(N_("The list is still being read; try again in a moment."))


def _prepared(draft: Draft, terms: Terms, at: datetime) -> _Loading:
    if terms.scheduled_at is not None:
        check_schedule(terms.scheduled_at, at=at)
    begins_at = terms.scheduled_at or at
    line = usable_line(draft.account_id, draft.line_id, at=begins_at) if draft.line_id else None
    if line is None:
        raise Refusal(N_("Choose a line that you may send from."))
    check_link(draft, line, begins_at=begins_at)
    text = measured(line.text_of(worded(draft)), joined_units=line.joined_units)
    opted_out = Suppression() if terms.is_answer else suppression(draft.account_id)
    return _Loading(
        campaign_id=int(scalar("SELECT nextval(pg_get_serial_sequence('outbox_campaign', 'id'))")),
        account_id=draft.account_id,
        line=line,
        measured=text,
        prices=_prices(draft.account_id, line, text, at),
        guess=network_guess(),
        ending=line.ending_of(draft.body),
        opted_out=frozenset(map(str, opted_out.everywhere | opted_out.by_line.get(line.id, frozenset()))),
        terms=terms,
        payers=payers(draft.account_id),
    )


def _settle_payment(draft: Draft, loading: _Loading, payment: Payment, at: datetime) -> None:
    """Refuse what the policy of a public line does not allow; what is free costs the customer nothing, and the house
    what the operator takes for it."""
    line, count = loading.line, sum(_counts(draft, loading).values())
    verdict = judge(line, account_id=draft.account_id, draft_id=draft.id, count=count, payment=payment)
    if verdict.refusal is not None:
        raise verdict.refusal
    if verdict.is_free:
        if payment is not Payment.HOUSE:
            take_free(account_id=draft.account_id, operator_id=line.operator_id, count=count, at=at)
        loading.is_free = True
        nothing = (0,) * len(loading.payers)
        loading.prices = {
            network_id: Price(0, price.cost_mrial, nothing) for network_id, price in loading.prices.items()
        }


def _prices(account_id: int, line: UsableLine, text: Measure, at: datetime) -> dict[int, Price]:
    language = language_of(text.encoding)
    listed = price_list(account_id=account_id, line_id=line.id, operator_id=line.operator_id, at=at)
    return {network_id: price for (network_id, spoken), price in listed.items() if spoken == language}


def _counts(draft: Draft, loading: _Loading) -> dict[int, int]:
    return sendable(draft.networks, {} if loading.terms.is_answer else draft.suppressed, line_id=loading.line.id)


def _refuse_out_of_hours(loading: _Loading, count: int, at: datetime) -> None:
    """Whoever does not want to wait for the line's opening is told before anything is held."""
    begins_at = loading.terms.scheduled_at or at
    if loading.terms.out_of_hours is OutOfHours.REFUSE:
        refuse_when_closed(loading.line, is_single=priority_of(count) is Priority.SINGLE, begins_at=begins_at)


def refuse_when_closed(line: UsableLine, *, is_single: bool, begins_at: datetime) -> None:
    """Raise Refusal when a send that is not to wait would begin while its line is closed."""
    if line.window is not None and line.is_held(begins_at, is_single=is_single):
        raise Refusal(
            N_("The line is closed at that time: it sends from %(opens)s to %(closes)s."),
            opens=line.window.opens_at.strftime("%H:%M"),
            closes=line.window.closes_at.strftime("%H:%M"),
        )


def _refuse_when_short(draft: Draft, loading: _Loading, agreed_mrial: int | None) -> None:
    """Tell at once what a long copy would only find out at its end."""
    sold = Counter[Price]()
    for network_id, count in _counts(draft, loading).items():
        if count:
            sold[loading.prices[network_id]] += count
    refuse_when_short(
        account_id=loading.account_id,
        payers=loading.payers,
        total_mrial=loading.measured.parts * sum(price.price_mrial * count for price, count in sold.items()),
        losses_mrial=losses_mrial(sold, levels=len(loading.payers), parts=loading.measured.parts),
        agreed_mrial=agreed_mrial,
    )


def _load(loading: _Loading, draft: Draft) -> None:
    """Copy every row of the draft in, sent or skipped."""
    packed = chunks(draft.id)  # before COPY takes the connection
    total = draft.valid_count + draft.invalid_count + draft.duplicate_count
    first_id = loading.next_id = int(scalar("SELECT outbox_reserve_ids(:total)", total=total))
    loading.batch_ids = [
        found.id
        for found in rows(
            "SELECT nextval(pg_get_serial_sequence('outbox_batch', 'id')) AS id FROM generate_series(1, :n)"
            " ORDER BY id",
            n=-(-draft.valid_count // loading.line.batch_size),
        )
    ]
    copy_in("outbox_message", _MESSAGE_COLUMNS, _blocks(loading, packed))
    if loading.next_id != first_id + total:
        raise RuntimeError(f"draft {draft.id} holds other rows than it counts")
    if not loading.heads:
        raise Refusal(N_("Nobody is left to send to: every recipient is invalid, repeated or opted out."))


def _blocks(loading: _Loading, packed: Iterable[bytes]) -> Iterator[str]:
    """The rows of outbox_message, a chunk at a time; batches are cut on the way."""
    size, opted_out, tail = loading.line.batch_size, loading.opted_out, loading.tail
    waiting = iter(loading.batch_ids)
    batch_id = first_id = last_id = sent_in_batch = 0
    message_id = loading.next_id
    for chunk in packed:
        lines: list[str] = []
        heads: list[str] = []
        for kind, row_number, text in unpack(chunk):
            if kind == VALID and text not in opted_out:
                if not sent_in_batch:
                    batch_id, first_id = next(waiting), message_id
                head = text[:_HEAD]
                heads.append(head)
                lines.append(f"{message_id}\t{row_number}\t{text}\t{batch_id}{tail(head)}")
                sent_in_batch += 1
                last_id = message_id
                if sent_in_batch == size:
                    loading.batches.append((batch_id, first_id, last_id, size))
                    sent_in_batch = 0
            else:
                lines.append(_skipped(loading, message_id, kind, row_number, text))
            message_id += 1
        loading.heads.update(heads)
        loading.next_id = message_id
        yield "".join(lines)
    if sent_in_batch:
        loading.batches.append((batch_id, first_id, last_id, sent_in_batch))


def _skipped(loading: _Loading, message_id: int, kind: str, row_number: str, text: str) -> str:
    """The row of a recipient nobody writes to: it costs nothing, and it is in the report."""
    outcome = _SKIPPED[kind]
    loading.skipped[outcome] += 1
    recipient, given = ("\\N", copy_text(text)) if kind == INVALID else (text, "\\N")
    return (
        f"{message_id}\t{row_number}\t{recipient}\t\\N\t{given}\t{outcome}\t{loading.account_id}"
        f"\t{loading.campaign_id}\t{loading.line.id}\t0\t0\t0\t0\t\\N\n"
    )


def _insert_campaign(loading: _Loading, *, draft: Draft, key: str, user_id: int, wallet_id: int, at: datetime) -> None:
    sent = sum(loading.heads.values())
    total = sent + sum(loading.skipped.values())
    rows(
        """INSERT INTO outbox_campaign (id, account_id, user_id, key, body_hash, line_id, escrow_wallet_id, title, body,
               suffix, is_unicode, parts, state, priority, total_count, sendable_count, held_mrial, first_id, last_id,
               skipped, accepted_at, scheduled_at, out_of_hours, is_free, payee_wallet_ids)
           VALUES (:id, :account_id, :user_id, :key, :body_hash, :line_id, :wallet_id, :title, :body, :suffix,
               :is_unicode, :parts, 'queued', :priority, :total, :sendable, :held, :first_id, :last_id,
               CAST(:skipped AS jsonb), :at, :scheduled_at, :out_of_hours, :is_free, CAST(:payees AS bigint[]))
           RETURNING id""",
        id=loading.campaign_id,
        account_id=loading.account_id,
        user_id=user_id,
        key=key,
        body_hash=hashlib.sha256(f"{loading.line.id}\n{draft.body}".encode()).digest(),
        line_id=loading.line.id,
        wallet_id=wallet_id,
        title=draft.title,
        body=draft.body,
        suffix=loading.ending,
        is_unicode=loading.measured.encoding is Encoding.UCS2,
        parts=loading.measured.parts,
        priority=int(priority_of(sent)),
        total=total,
        sendable=sent,
        held=loading.held_mrial,
        first_id=loading.next_id - total,
        last_id=loading.next_id - 1,
        skipped=json.dumps(loading.skipped),
        at=at,
        scheduled_at=loading.terms.scheduled_at,
        out_of_hours=str(loading.terms.out_of_hours),
        is_free=loading.is_free,
        payees=list(loading.payee_wallet_ids) or None,
    )


def _insert_batches(loading: _Loading) -> None:
    priority = priority_of(sum(loading.heads.values()))
    gateway_id = loading.line.gateway_id
    turn = first_turn(gateway_id=gateway_id, account_id=loading.account_id, priority=priority)
    state = BatchState.QUEUED if loading.terms.scheduled_at is None else BatchState.PAUSED
    tail = f"\t{loading.campaign_id}\t{loading.account_id}\t{loading.line.id}\t{gateway_id}\t{state}\t{int(priority)}"
    tail += f"\t{copy_text(loading.ending)}\n"
    copy_in(
        "outbox_batch",
        _BATCH_COLUMNS,
        (
            f"{batch_id}\t{first}\t{last}\t{size}\t{turn + place}{tail}"
            for place, (batch_id, first, last, size) in enumerate(loading.batches)
        ),
    )
    if state is BatchState.QUEUED:
        ring(Job.DISPATCH, queue=sending_queue(gateway_id), gateway_id=gateway_id)


def _insert_plan(loading: _Loading) -> None:
    """The lines it may go on over, its own first: it may come back there. No cap is lower than what is held, as what is
    sent already is not priced anew."""
    wanted = {each.line_id: each.cap_mrial for each in reversed(loading.terms.plan) if each.line_id != loading.line.id}
    plan = [PlanLine(line_id, cap) for line_id, cap in reversed(wanted.items())][:MOST_PLAN_LINES]
    if not plan:
        return
    held = loading.held_mrial
    usable = {line.id for line in usable_lines(loading.account_id) if line.paid_refusal is None}
    if any(each.line_id not in usable for each in plan):
        raise Refusal(N_("Choose lines that you may send from."))
    lines = [PlanLine(loading.line.id, held), *plan]
    execute(
        "INSERT INTO outbox_campaign_line (campaign_id, place, line_id, cap_mrial) SELECT :campaign_id, n.* FROM"
        " unnest(CAST(:places AS smallint[]), CAST(:lines AS int[]), CAST(:caps AS bigint[])) AS n",
        campaign_id=loading.campaign_id,
        places=list(range(len(lines))),
        lines=[each.line_id for each in lines],
        caps=[max(each.cap_mrial, held) for each in lines],
    )


def _hold(loading: _Loading, *, wallet_id: int, user_id: int, at: datetime) -> None:
    hold(
        campaign_id=loading.campaign_id,
        account_id=loading.account_id,
        escrow_wallet_id=wallet_id,
        held_mrial=loading.held_mrial,
        funded=fund(loading.payers, loading.payee_wallet_ids, loading.losses_mrial, at=at),
        actor_id=user_id,
        at=at,
    )
