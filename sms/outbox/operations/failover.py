"""Going on over another line: what is queued moves, priced anew in the same transaction; what an operator may have does
not: it is no queued batch, or pinned. In sets, so a million is many short transactions; each leaves the books even."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.accounts.operations import record
from sms.billing.queries import payers
from sms.core.db import array, execute, row, rows, scalar
from sms.core.errors import NotFound, Refusal, SmsError
from sms.core.queue import GENERAL_QUEUE, Job, ring, sending_queue
from sms.core.text import N_
from sms.ledger.queries import customer_wallet
from sms.ledger.rules import Posting, TransferKind
from sms.lines.queries import UsableLine, usable_line
from sms.outbox.operations.accept import refuse_when_closed
from sms.outbox.operations.holding import fund, post_held
from sms.outbox.operations.turns import first_turn
from sms.outbox.queries.control import (
    MessagePrices,
    down_gateways,
    is_moving,
    prices_over,
    stranded,
    waiting_elsewhere,
    was_switched,
    way_on,
)
from sms.outbox.rules import BatchState, MoveReason, OutOfHours, PlanLine, Priority, runs

BATCHES_AT_ONCE = 500
_STRANDED_AT_ONCE = 500
_CANNOT_USE = N_("You can no longer send from this line.")

_MOVE = """
SELECT v.id, v.campaign_id, v.from_line_id, v.to_line_id, v.reason, v.actor_id, v.cap_mrial, v.message_count,
       v.difference_mrial, c.account_id, c.body, c.escrow_wallet_id, c.payee_wallet_ids, c.priority,
       f.number AS from_number, t.number AS to_number
FROM outbox_move v JOIN outbox_campaign c ON c.id = v.campaign_id JOIN lines_line f ON f.id = v.from_line_id
JOIN lines_line t ON t.id = v.to_line_id WHERE v.id = :id AND v.ended_at IS NULL
"""

# Waits for whoever is claiming just now, and then no longer sees what was claimed.
_TAKE = """
SELECT b.id, b.first_id, b.last_id, b.size, b.state FROM outbox_batch b
WHERE b.campaign_id = :campaign_id AND b.line_id = :line_id AND b.state = ANY(:states) AND NOT b.is_pinned
  AND b.wire_at IS NULL AND (b.attempt = 0 OR NOT EXISTS (
      SELECT FROM outbox_message m JOIN outbox_submission s ON s.message_id = m.id
      WHERE m.id BETWEEN b.first_id AND b.last_id AND m.batch_id = b.id AND m.outcome IS NULL))
ORDER BY b.id LIMIT :most FOR NO KEY UPDATE OF b
"""

_OPTED_OUT = """
SELECT m.batch_id, array_agg(DISTINCT m.id ORDER BY m.id) AS ids FROM outbox_message m
JOIN contacts_optout o ON o.recipient = m.recipient AND o.line_id = :line_id
WHERE m.id BETWEEN :low AND :high AND m.batch_id = ANY(:ids) AND m.outcome IS NULL
  AND contacts_is_opted_out(m.account_id, m.recipient, :line_id) GROUP BY m.batch_id
"""

_REPRICE = """
WITH before AS MATERIALIZED (
    SELECT id, network_id, price_mrial, shares_mrial FROM outbox_message
    WHERE id BETWEEN :low AND :high AND batch_id = ANY(:ids) AND outcome IS NULL ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE outbox_message m
    SET line_id = :line_id, parts = :parts, price_mrial = n.price_mrial, cost_mrial = n.cost_mrial,
        shares_mrial = CAST(n.shares_mrial AS bigint[])
    FROM before JOIN unnest(CAST(:networks AS int[]), CAST(:prices AS bigint[]), CAST(:costs AS bigint[]),
                            CAST(:shares AS text[]))
        AS n (network_id, price_mrial, cost_mrial, shares_mrial) ON n.network_id = before.network_id
    WHERE m.id = before.id AND m.id BETWEEN :low AND :high
    RETURNING n.price_mrial - before.price_mrial AS difference_mrial, before.shares_mrial AS shares_before,
        CAST(n.shares_mrial AS bigint[]) AS shares_after
)
SELECT (SELECT count(*) FROM before) AS wanted, count(*) AS n,
       coalesce(sum(difference_mrial), 0)::bigint AS difference_mrial, (
           SELECT array_agg(loss ORDER BY level) FROM (
               SELECT level, sum(greatest(0, -after) - greatest(0, -earlier))::bigint AS loss
               FROM moved CROSS JOIN LATERAL
                   unnest(shares_after, shares_before) WITH ORDINALITY AS each (after, earlier, level)
               GROUP BY level) levels) AS losses_mrial
FROM moved
"""

_RELABEL = """
UPDATE outbox_batch b SET line_id = :line_id, gateway_id = :gateway_id, turn = :turn + n.place - 1, not_before = now(),
    suffix = :suffix
FROM unnest(CAST(:ids AS bigint[])) WITH ORDINALITY AS n (id, place) WHERE b.id = n.id
"""

# A gateway that takes fewer at once gets the rest of a large batch in batches of their own.
_SPLIT = """
WITH numbered AS MATERIALIZED (
    SELECT id, batch_id, (row_number() OVER (PARTITION BY batch_id ORDER BY id) - 1) / :size AS piece
    FROM outbox_message WHERE id BETWEEN :low AND :high AND batch_id = ANY(:ids) AND outcome IS NULL
), tails AS MATERIALIZED (
    SELECT batch_id, piece, min(id) AS first_id, max(id) AS last_id, count(*) AS size,
           nextval(pg_get_serial_sequence('outbox_batch', 'id')) AS new_id
    FROM numbered WHERE piece > 0 GROUP BY batch_id, piece
), made AS (
    INSERT INTO outbox_batch (id, campaign_id, account_id, line_id, gateway_id, state, priority, turn, attempt,
        first_id, last_id, size, suffix)
    SELECT t.new_id, b.campaign_id, b.account_id, b.line_id, b.gateway_id, b.state, b.priority, b.turn, b.attempt,
        t.first_id, t.last_id, t.size, b.suffix
    FROM tails t JOIN outbox_batch b ON b.id = t.batch_id
), shifted AS (
    UPDATE outbox_message m SET batch_id = t.new_id FROM numbered n JOIN tails t USING (batch_id, piece)
    WHERE m.id = n.id AND m.id BETWEEN :low AND :high
), kept AS (
    UPDATE outbox_batch b SET size = b.size - t.size
    FROM (SELECT batch_id, sum(size) AS size FROM tails GROUP BY batch_id) t WHERE b.id = t.batch_id
)
INSERT INTO outbox_moved (move_id, batch_id)
SELECT d.move_id, t.new_id FROM tails t JOIN outbox_moved d ON d.batch_id = t.batch_id
"""

_SET_APART = """
WITH made AS (
    INSERT INTO outbox_batch (campaign_id, account_id, line_id, gateway_id, state, priority, turn, attempt, first_id,
        last_id, size, is_pinned, suffix)
    SELECT campaign_id, account_id, line_id, gateway_id, state, priority, turn, attempt, :low, :high, :size, true,
        suffix
    FROM outbox_batch WHERE id = :batch_id RETURNING id
), shifted AS (
    UPDATE outbox_message SET batch_id = (SELECT id FROM made) WHERE id = ANY(:ids) AND id BETWEEN :low AND :high
), kept AS (
    UPDATE outbox_batch SET size = size - :size WHERE id = :batch_id
)
INSERT INTO outbox_moved (move_id, batch_id)
SELECT d.move_id, made.id FROM outbox_moved d, made WHERE d.batch_id = :batch_id
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """What one transaction took along: how many messages, and what they cost more (below zero: less)."""

    count: int
    difference_mrial: int
    is_over: bool = False
    losses_mrial: tuple[int, ...] = ()  # what resellers above lose more by it, nearest first


class BeyondCap(Refusal):
    """The other line has become dearer than the customer agreed to."""

    def __init__(self) -> None:
        super().__init__(N_("The line now costs more than you agreed to."))


def begin_due(*, at: datetime) -> int:
    """Begin a move for each send with a plan whose gateway is down and that can go on over another line; returns how
    many."""
    down = down_gateways(at=at)
    begun = 0
    for waiting in stranded(down=down, most=_STRANDED_AT_ONCE):
        to = way_on(waiting, down=down, at=at)
        if to is not None:
            move_id = begin_move(
                campaign_id=waiting.campaign_id,
                from_line_id=waiting.line_id,
                to=to,
                reason=MoveReason.GATEWAY_DOWN,
                actor_id=None,
                at=at,
            )
            begun += move_id is not None
    return begun


def begin_move(
    *, campaign_id: int, from_line_id: int, to: PlanLine, reason: MoveReason, actor_id: int | None, at: datetime
) -> int | None:
    """Note that what waits on one line of a send is to go over another; returns the move's id, or None when something
    is moving from there already."""
    made = scalar(
        """INSERT INTO outbox_move (campaign_id, from_line_id, to_line_id, reason, actor_id, cap_mrial, begun_at)
           VALUES (:campaign_id, :from_line_id, :to_line_id, :reason, :actor_id, :cap_mrial, :at)
           ON CONFLICT (campaign_id, from_line_id) WHERE ended_at IS NULL DO NOTHING RETURNING id""",
        campaign_id=campaign_id,
        from_line_id=from_line_id,
        to_line_id=to.line_id,
        reason=str(reason),
        actor_id=actor_id,
        cap_mrial=to.cap_mrial,
        at=at,
    )
    if made is not None:
        ring(Job.MOVE, queue=GENERAL_QUEUE, move_id=int(made))
    return int(made) if made is not None else None


def switch_line(
    *, campaign_id: int, account_id: int, line_id: int, cap_mrial: int, user_id: int | None, at: datetime
) -> int:
    """Send the rest of a campaign over another line, by hand; returns how many messages have moved by now (0 when all
    of it stands there already). What is left of a large send follows within moments, by the job of its moves.

    `cap_mrial` is what the whole send may cost at most once it goes on there, as the customer has seen: so the same
    order given twice moves and costs once. Raises NotFound; Refusal or InsufficientBalance when it cannot be; then
    nothing has moved.
    """
    campaign = row(
        "SELECT priority, out_of_hours, scheduled_at FROM outbox_campaign WHERE id = :id AND account_id = :account_id",
        id=campaign_id,
        account_id=account_id,
    )
    if campaign is None:
        raise NotFound(N_("There is no such campaign."))
    line = usable_line(account_id, line_id)
    if line is None:
        raise Refusal(N_("Choose a line that you may send from."))
    if campaign.out_of_hours == OutOfHours.REFUSE:
        begins_at = max(campaign.scheduled_at or at, at)
        refuse_when_closed(line, is_single=campaign.priority != Priority.BULK, begins_at=begins_at)
    to = PlanLine(line_id, cap_mrial)
    moved = 0
    for from_line_id in waiting_elsewhere(campaign_id=campaign_id, line_id=line_id):
        move_id = begin_move(
            campaign_id=campaign_id,
            from_line_id=from_line_id,
            to=to,
            reason=MoveReason.BY_HAND,
            actor_id=user_id,
            at=at,
        )
        if move_id is not None:
            moved += move_some(move_id=move_id, at=at).count
        elif not is_moving(campaign_id=campaign_id, to_line_id=line_id):
            raise Refusal(N_("This send is just going over to another line; wait for it."))
    if not moved and not was_switched(campaign_id=campaign_id, line_id=line_id):
        raise Refusal(N_("Nothing is left that could go over another line."))
    return moved


def move_some(*, move_id: int, at: datetime, most: int = BATCHES_AT_ONCE) -> Moved:
    """Take at most `most` batches along, in the caller's transaction; ends the move when nothing is left of it.

    Raises Refusal or InsufficientBalance when it cannot go on; then nothing is to be written, and `fail_move` told.
    """
    move = row(_MOVE, id=move_id)
    if move is None:
        return Moved(0, 0, is_over=True)
    line = usable_line(move.account_id, move.to_line_id)
    if line is None:
        raise Refusal(_CANNOT_USE)
    prices = prices_over(line, move.body, account_id=move.account_id, at=at)
    states = [str(BatchState.QUEUED)]
    if move.reason == MoveReason.BY_HAND:
        states.append(str(BatchState.PAUSED))
    found = rows(_TAKE, campaign_id=move.campaign_id, line_id=move.from_line_id, states=states, most=most)
    batches = _without_opted_out(found, line)
    moved = _reprice(move, batches, line, prices) if batches else Moved(0, 0)
    if batches:
        _relabel(move, batches, line)
        _post(move, moved, first_batch_id=batches[0].id, at=at)
    if len(found) == most:
        return moved
    _end(move, moved, at)
    return replace(moved, is_over=True)


def _without_opted_out(batches: Sequence[Row[Any]], line: UsableLine) -> list[Any]:
    """Whoever does not want to be written to from the new line stays with the old one, in batches that do not move."""
    if not scalar("SELECT EXISTS (SELECT FROM contacts_optout WHERE line_id = :id)", id=line.id):
        return list(batches)
    apart: dict[int, Sequence[int]] = {}
    for run in runs([(batch.id, batch.first_id, batch.last_id) for batch in batches]):
        found = rows(_OPTED_OUT, low=run.low, high=run.high, ids=list(run.batch_ids), line_id=line.id)
        apart |= {batch.batch_id: batch.ids for batch in found}
    going = []
    for batch in batches:
        ids = apart.get(batch.id, ())
        if len(ids) >= batch.size:
            execute("UPDATE outbox_batch SET is_pinned = true WHERE id = :id", id=batch.id)
            continue
        if ids:
            execute(_SET_APART, batch_id=batch.id, ids=list(ids), low=ids[0], high=ids[-1], size=len(ids))
        going.append(batch)
    return going


def _reprice(move: Row[Any], batches: Sequence[Any], line: UsableLine, prices: MessagePrices) -> Moved:
    networks, new = list(prices.by_network), list(prices.by_network.values())
    levels = len(move.payee_wallet_ids or ())
    if levels and any(len(price.shares_mrial) != levels for price in new):
        raise RuntimeError("another chain of resellers than at acceptance")  # accounts keep their place in the tree
    count = difference = 0
    losses = Counter[int]()
    for run in runs([(batch.id, batch.first_id, batch.last_id) for batch in batches]):
        (moved,) = rows(
            _REPRICE,
            low=run.low,
            high=run.high,
            ids=list(run.batch_ids),
            line_id=line.id,
            parts=prices.parts,
            networks=networks,
            prices=[price.price_mrial for price in new],
            costs=[price.cost_mrial for price in new],
            shares=[array(price.shares_mrial) if levels else None for price in new],
        )
        if moved.n != moved.wanted:
            raise RuntimeError("a message of a network without a price")  # better nothing moves than some of it
        count += int(moved.n)
        difference += int(moved.difference_mrial)
        losses.update(dict(enumerate(moved.losses_mrial or ())))
    return Moved(count, difference, losses_mrial=tuple(losses[level] for level in range(levels)))


def _relabel(move: Row[Any], batches: Sequence[Any], line: UsableLine) -> None:
    """The batches are the other line's from now on, behind what the account has in that queue already."""
    ids = [batch.id for batch in batches]
    turn = first_turn(gateway_id=line.gateway_id, account_id=move.account_id, priority=move.priority)
    suffix = line.ending_of(move.body)
    execute(_RELABEL, ids=ids, line_id=line.id, gateway_id=line.gateway_id, turn=turn, suffix=suffix)
    execute(
        "INSERT INTO outbox_moved (move_id, batch_id) SELECT :move_id, unnest(CAST(:ids AS bigint[]))",
        move_id=move.id,
        ids=ids,
    )
    large = [batch for batch in batches if batch.size > line.batch_size]
    for run in runs([(batch.id, batch.first_id, batch.last_id) for batch in large]):
        execute(_SPLIT, low=run.low, high=run.high, ids=list(run.batch_ids), size=line.batch_size)
    ring(Job.DISPATCH, queue=sending_queue(line.gateway_id), gateway_id=line.gateway_id)


def _post(move: Row[Any], moved: Moved, *, first_batch_id: int, at: datetime) -> None:
    """The difference, dearer or cheaper, between the customer and what is set aside; never beyond what was agreed."""
    difference = moved.difference_mrial
    allowed = execute(
        """UPDATE outbox_campaign SET held_mrial = held_mrial + :difference, moved_count = moved_count + :count,
               is_dirty = true
           WHERE id = :id AND (:difference <= 0 OR held_mrial + :difference <= :cap)""",
        id=move.campaign_id,
        difference=difference,
        count=moved.count,
        cap=move.cap_mrial,
    )
    if not allowed:
        raise BeyondCap
    execute(
        "UPDATE outbox_move SET message_count = message_count + :count,"
        " difference_mrial = difference_mrial + :difference WHERE id = :id",
        id=move.id,
        count=moved.count,
        difference=difference,
    )
    funded: dict[int, int] = {}
    if any(moved.losses_mrial):
        funded = fund(payers(move.account_id), move.payee_wallet_ids, moved.losses_mrial, at=at)
    if difference or funded:
        customer = customer_wallet(account_id=move.account_id)
        posting = Posting(
            kind=TransferKind.REPRICE,
            key=f"reprice:{move.id}:{first_batch_id}",
            subject=f"campaign:{move.campaign_id}",
            amounts_mrial={customer.id: -difference, move.escrow_wallet_id: difference, **funded},
            actor_id=move.actor_id,
        )
        post_held(posting, sender_wallet_id=customer.id, at=at)


def _end(move: Row[Any], last: Moved, at: datetime) -> None:
    execute("UPDATE outbox_move SET ended_at = :at WHERE id = :id AND ended_at IS NULL", at=at, id=move.id)
    count = move.message_count + last.count
    if count:
        record(
            actor_id=move.actor_id,
            account_id=move.account_id,
            action="campaign.moved",
            subject=f"campaign:{move.campaign_id}",
            details={
                "from_line": move.from_number,
                "to_line": move.to_number,
                "reason": move.reason,
                "count": count,
                "difference_mrial": move.difference_mrial + last.difference_mrial,
            },
            at=at,
        )


def fail_move(*, move_id: int, error: SmsError, at: datetime) -> None:
    """End a move that cannot go on, and keep why for the customer; what has moved stays moved."""
    execute(
        "UPDATE outbox_move SET ended_at = :at, problem = :problem, problem_params = CAST(:params AS jsonb)"
        " WHERE id = :id AND ended_at IS NULL",
        at=at,
        problem=error.message,
        params=json.dumps(error.params, default=str),
        id=move_id,
    )
