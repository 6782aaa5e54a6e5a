"""Accepting a draft: priced, held and copied in, all in one transaction or not at all."""

import hashlib
import json
from collections import Counter
from datetime import datetime

from sqlalchemy import select

from sms.billing.queries import Price, payers, price_list
from sms.contacts.queries import Suppression, suppression
from sms.core.crash import crash_point
from sms.core.db import after_commit, copy_in, copy_text, db, execute, rows, scalar
from sms.core.errors import NotFound, Refusal
from sms.core.parts import Encoding, Measure
from sms.core.queue import Job, ring, sending_queue
from sms.core.text import N_
from sms.ledger.operations import open_wallet, profit_wallets
from sms.ledger.rules import WalletKind
from sms.lines.public.operations import take_free
from sms.lines.public.rules import Payment
from sms.lines.queries import UsableLine, usable_line, usable_lines
from sms.operators.queries import network_guess
from sms.outbox.intake.queries import NO_SUCH_DRAFT
from sms.outbox.intake.rules.pricing import language_of, losses_mrial, measured, sendable
from sms.outbox.models import Draft
from sms.outbox.operations.holding import fund, hold, refuse_when_short
from sms.outbox.operations.linking import give_link
from sms.outbox.operations.loading import Loading, load
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

_BATCH_COLUMNS = (
    *("id", "first_id", "last_id", "size", "turn"),
    *("campaign_id", "account_id", "line_id", "gateway_id", "state", "priority", "suffix"),
)


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
    draft = _locked(draft_id, account_id)
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
    load(loading, draft)
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


def _locked(draft_id: int, account_id: int) -> Draft | None:
    """Whoever confirms at the same time waits here, and then sees the draft as the first one left it."""
    return db.session.scalar(
        select(Draft)
        .where(Draft.id == draft_id, Draft.account_id == account_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _refuse_unready(draft: Draft) -> None:
    if draft.state == "failed":
        raise Refusal(draft.problem, **draft.problem_params)
    if draft.state != "ready":
        raise Refusal(N_("The list is still being read; try again in a moment."))


def _prepared(draft: Draft, terms: Terms, at: datetime) -> Loading:
    if terms.scheduled_at is not None:
        check_schedule(terms.scheduled_at, at=at)
    begins_at = terms.scheduled_at or at
    line = usable_line(draft.account_id, draft.line_id, at=begins_at) if draft.line_id else None
    if line is None:
        raise Refusal(N_("Choose a line that you may send from."))
    check_link(draft, line, begins_at=begins_at)
    text = measured(line.text_of(worded(draft)), joined_units=line.joined_units)
    opted_out = Suppression() if terms.is_answer else suppression(draft.account_id)
    return Loading(
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


def _settle_payment(draft: Draft, loading: Loading, payment: Payment, at: datetime) -> None:
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


def _counts(draft: Draft, loading: Loading) -> dict[int, int]:
    return sendable(draft.networks, {} if loading.terms.is_answer else draft.suppressed, line_id=loading.line.id)


def _refuse_out_of_hours(loading: Loading, count: int, at: datetime) -> None:
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


def _refuse_when_short(draft: Draft, loading: Loading, agreed_mrial: int | None) -> None:
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


def _insert_campaign(loading: Loading, *, draft: Draft, key: str, user_id: int, wallet_id: int, at: datetime) -> None:
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


def _insert_batches(loading: Loading) -> None:
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


def _insert_plan(loading: Loading) -> None:
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


def _hold(loading: Loading, *, wallet_id: int, user_id: int, at: datetime) -> None:
    hold(
        campaign_id=loading.campaign_id,
        account_id=loading.account_id,
        escrow_wallet_id=wallet_id,
        held_mrial=loading.held_mrial,
        funded=fund(loading.payers, loading.payee_wallet_ids, loading.losses_mrial, at=at),
        actor_id=user_id,
        at=at,
    )
