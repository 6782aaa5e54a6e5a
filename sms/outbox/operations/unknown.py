"""Messages of unknown fate: found by look-up, sent again where that is safe, or parked for a person."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sms.core.db import execute, rows
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.operators.rules import Capability, Outcome
from sms.outbox.operations.batches import move_to_new_batch
from sms.outbox.operations.charging import Charge, charge
from sms.outbox.operations.counters import add_to_batches, lock_batches, touch
from sms.outbox.operations.dispatch import add_submissions
from sms.outbox.rules import Fate, fate_of_absent

# A lease that ended: before the wire mark nothing was sent and the batch waits again; after it, everything may have
# been.
_RETURN = """
WITH late AS (
    SELECT id FROM outbox_batch WHERE state = 'submitting' AND lease_until < clock_timestamp() AND wire_at IS NULL
    ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE outbox_batch b SET state = 'queued', lease_until = NULL FROM late WHERE b.id = late.id RETURNING b.gateway_id
"""

_LOSE = """
WITH late AS (
    SELECT b.id, g.lookup_after_seconds, b.unknown_count AS earlier
    FROM outbox_batch b JOIN operators_gateway g ON g.id = b.gateway_id
    WHERE b.state = 'submitting' AND b.lease_until < clock_timestamp() AND b.wire_at IS NOT NULL
    ORDER BY b.id LIMIT 200 FOR UPDATE OF b SKIP LOCKED
), lost AS (
    INSERT INTO outbox_unknown (message_id, batch_id, campaign_id, gateway_id, attempt, wire_at, next_lookup_at)
    SELECT m.id, b.id, b.campaign_id, b.gateway_id, b.attempt, b.wire_at,
           b.wire_at + make_interval(secs => late.lookup_after_seconds)
    FROM late JOIN outbox_batch b ON b.id = late.id
    JOIN outbox_message m ON m.id BETWEEN b.first_id AND b.last_id AND m.batch_id = b.id AND m.outcome IS NULL
    ON CONFLICT (message_id) DO NOTHING RETURNING batch_id
), counted AS (SELECT batch_id, count(*) AS lost FROM lost GROUP BY batch_id)
UPDATE outbox_batch b
SET state = 'submitted', lease_until = NULL, submitted_at = :at, poll_at = NULL, unknown_count = coalesce(c.lost, 0)
FROM late LEFT JOIN counted c ON c.batch_id = late.id WHERE b.id = late.id RETURNING b.campaign_id
"""

# Pushing the next look-up away is the lease of whoever asks now.
_CLAIM = """
WITH due AS (
    SELECT message_id FROM outbox_unknown WHERE gateway_id = :gateway_id AND next_lookup_at <= clock_timestamp()
    ORDER BY next_lookup_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE outbox_unknown u SET next_lookup_at = clock_timestamp() + make_interval(secs => :lease_seconds)
FROM due WHERE u.message_id = due.message_id RETURNING u.message_id
"""

_TAKE = """
DELETE FROM outbox_unknown WHERE message_id = ANY(:ids) RETURNING message_id, batch_id, campaign_id, attempt
"""

_MONEY = """
SELECT m.id, m.price_mrial, m.cost_mrial, m.shares_mrial, c.escrow_wallet_id, c.payee_wallet_ids,
       o.code AS operator_code
FROM outbox_message m JOIN outbox_campaign c ON c.id = m.campaign_id
JOIN lines_line l ON l.id = m.line_id JOIN operators_operator o ON o.id = l.operator_id
WHERE m.id = ANY(:ids)
"""


@dataclass(frozen=True, slots=True)
class Absent:
    """A message the operator did not know when asked by our id."""

    message_id: int


def end_leases(*, at: datetime) -> None:
    """Give back what was claimed and never begun; what was begun and never answered becomes unknown."""
    rows(_RETURN)
    touch(found.campaign_id for found in rows(_LOSE, at=at))


def claim_lookups(*, gateway_id: int, most: int, lease_seconds: float) -> list[int]:
    """The messages to ask a gateway about now."""
    return [found.message_id for found in rows(_CLAIM, gateway_id=gateway_id, most=most, lease_seconds=lease_seconds)]


def found(refs: Mapping[int, str], *, gateway_id: int, at: datetime) -> int:
    """The operator did take these (message id → its reference): submitted and charged after all. Returns how many
    were news."""
    if not refs:
        return 0
    taken = rows(_TAKE, ids=sorted(refs))
    add_submissions(
        [(message.message_id, message.attempt, refs[message.message_id]) for message in taken],
        gateway_id=gateway_id,
        at=at,
    )
    _charge_found(taken, at=at)
    return len(taken)


def _charge_found(taken: Sequence[Any], *, at: datetime) -> None:
    if not taken:
        return
    money = {message.id: message for message in rows(_MONEY, ids=[message.message_id for message in taken])}
    by_batch: dict[int, list[Any]] = defaultdict(list)
    for message in taken:
        by_batch[message.batch_id].append(message)
    charges = []
    for batch_id, messages in sorted(by_batch.items()):
        first = money[messages[0].message_id]
        charges.append(
            Charge(
                key=f"charge:{batch_id}:found:{min(message.message_id for message in messages)}",
                campaign_id=messages[0].campaign_id,
                escrow_wallet_id=first.escrow_wallet_id,
                operator_code=first.operator_code,
                price_mrial=sum(money[message.message_id].price_mrial for message in messages),
                cost_mrial=sum(money[message.message_id].cost_mrial for message in messages),
                payee_wallet_ids=first.payee_wallet_ids or (),
                shares_mrial=[
                    sum(level)
                    for level in zip(
                        *(money[message.message_id].shares_mrial or () for message in messages), strict=True
                    )
                ],
            )
        )
    _count_found(by_batch, charges, at=at)
    touch({message.campaign_id for message in taken})
    charge(charges, at=at)


def _count_found(by_batch: Mapping[int, Sequence[Any]], charges: Sequence[Charge], *, at: datetime) -> None:
    """Polling starts (again) at once: the report of what was found may be there already."""
    ids = sorted(by_batch)
    lock_batches(ids)
    execute(
        """UPDATE outbox_batch b
           SET unknown_count = b.unknown_count - n.found, submitted_count = b.submitted_count + n.found,
               charged_mrial = b.charged_mrial + n.charged, poll_at = least(b.poll_at, :at)
           FROM unnest(CAST(:ids AS bigint[]), CAST(:found AS int[]), CAST(:charged AS bigint[])) AS n (id, found,
           charged)
           WHERE b.id = n.id""",
        ids=ids,
        found=[len(by_batch[batch_id]) for batch_id in ids],
        charged=[item.price_mrial for item in charges],
        at=at,
    )


def absent(
    message_ids: Sequence[int],
    *,
    capability: Capability,
    on_absent: str,
    ask_again_seconds: float,
    remembers_seconds: float,
) -> None:
    """The operator does not know these: ask again, send again or park, as its class, its memory and the gateway's
    setting allow."""
    if not message_ids:
        return
    counts = rows(
        "UPDATE outbox_unknown SET absent_count = absent_count + 1 WHERE message_id = ANY(:ids) RETURNING "
        "message_id, absent_count, may_be_elsewhere, "
        "wire_at < clock_timestamp() - make_interval(secs => :remembers) AS is_forgotten",
        ids=list(message_ids),
        remembers=remembers_seconds,
    )
    fates: dict[Fate, list[int]] = defaultdict(list)
    for message in counts:
        # What another operator may have is never sent again by itself, however well this one knows what it has.
        fate = fate_of_absent(
            capability=Capability.LOOKS_UP if message.may_be_elsewhere else capability,
            on_absent="park" if message.may_be_elsewhere else on_absent,
            absent_count=message.absent_count,
            is_forgotten=message.is_forgotten,
        )
        fates[fate].append(message.message_id)
    _ask_again(fates[Fate.ASK_AGAIN], ask_again_seconds)
    park(fates[Fate.PARK])
    resend(fates[Fate.RESEND])


def _ask_again(message_ids: Sequence[int], seconds: float) -> None:
    if message_ids:
        execute(
            "UPDATE outbox_unknown SET next_lookup_at = clock_timestamp() + make_interval(secs => :seconds)"
            " WHERE message_id = ANY(:ids)",
            ids=list(message_ids),
            seconds=seconds,
        )


def untold(message_ids: Sequence[int], *, remembers_seconds: float) -> None:
    """The operator did not answer about these: they are asked about again, until it would have forgotten them."""
    if message_ids:
        execute(
            "UPDATE outbox_unknown SET next_lookup_at = NULL"
            " WHERE message_id = ANY(:ids) AND wire_at < clock_timestamp() - make_interval(secs => :remembers)",
            ids=list(message_ids),
            remembers=remembers_seconds,
        )


def park(message_ids: Sequence[int]) -> None:
    """Ask no more: a report or a person resolves these, and their money stays held."""
    if message_ids:
        execute("UPDATE outbox_unknown SET next_lookup_at = NULL WHERE message_id = ANY(:ids)", ids=list(message_ids))


def resend(message_ids: Sequence[int]) -> None:
    """Move messages that the operator certainly does not have into new batches of their own."""
    taken = rows(_TAKE, ids=list(message_ids)) if message_ids else []
    by_batch: dict[int, list[int]] = defaultdict(list)
    for message in taken:
        by_batch[message.batch_id].append(message.message_id)
    for batch_id, ids in sorted(by_batch.items()):
        move_to_new_batch(batch_id, ids, are_unknown=True)
    touch({message.campaign_id for message in taken})


def decide(message_ids: Sequence[int], *, decision: str, at: datetime) -> int:
    """A person's word on parked messages: `sent` charges them, `not_sent` gives the money back, `resend` sends again.

    Returns how many were decided; raises Refusal for any other word.
    """
    if decision == "resend":
        resend(message_ids)
        return len(message_ids)
    if decision == "sent":
        return _take_as_sent(message_ids, at=at)
    if decision == "not_sent":
        return _give_back(message_ids, at=at)
    raise Refusal(N_("Choose what became of these messages."))


def _take_as_sent(message_ids: Sequence[int], *, at: datetime) -> int:
    """Sent as a person says: charged, but without a reference no report can ever find them, so they expire."""
    taken = rows(_TAKE, ids=list(message_ids))
    gateways = {
        batch.id: batch.gateway_id
        for batch in rows(
            "SELECT id, gateway_id FROM outbox_batch WHERE id = ANY(:ids)", ids=[message.batch_id for message in taken]
        )
    }
    for message in taken:
        submission = (message.message_id, message.attempt, "")
        add_submissions([submission], gateway_id=gateways[message.batch_id], at=at)
    _charge_found(taken, at=at)
    _finish([message.message_id for message in taken], Outcome.EXPIRED, releases=False, at=at)
    return len(taken)


def _give_back(message_ids: Sequence[int], *, at: datetime) -> int:
    taken = rows(_TAKE, ids=list(message_ids))
    for batch_id, count in Counter(message.batch_id for message in taken).items():
        execute("UPDATE outbox_batch SET unknown_count = unknown_count - :n WHERE id = :id", n=count, id=batch_id)
    _finish([message.message_id for message in taken], Outcome.REFUSED, releases=True, at=at)
    touch({message.campaign_id for message in taken})
    return len(taken)


def _finish(message_ids: Sequence[int], outcome: Outcome, *, releases: bool, at: datetime) -> None:
    if not message_ids:
        return
    ended = rows(
        "UPDATE outbox_message SET outcome = CAST(:outcome AS outbox_outcome), final_at = :at"
        " WHERE id = ANY(:ids) AND outcome IS NULL RETURNING batch_id, price_mrial",
        outcome=str(outcome),
        at=at,
        ids=list(message_ids),
    )
    add_to_batches(Counter((message.batch_id, outcome) for message in ended))
    if releases:
        for message in ended:
            execute(
                "UPDATE outbox_batch SET releasable_mrial = releasable_mrial + :price WHERE id = :id",
                price=message.price_mrial,
                id=message.batch_id,
            )
