"""Handing batches to an operator: claim, mark the wire, record what it said. The talking itself is the caller's.

Leases and the wire mark are kept by the database's clock; the fence is the attempt number, with the epoch it belongs
to, in every WHERE (reliability reference, "exactly-once-ish dispatch")."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sms.core.crash import crash_point
from sms.core.db import array, bulk, copy_in, copy_text, execute, rows
from sms.core.errors import SmsError
from sms.core.parts import Encoding, encoding_of
from sms.links.queries import use as link_use
from sms.links.rules.codes import Use
from sms.operators.contract import Answer, AnswerKind, Envelope, PartRef
from sms.operators.rules import Outcome
from sms.outbox.operations.batches import move_to_new_batch
from sms.outbox.operations.charging import Charge, charge, shares_of
from sms.outbox.operations.claiming import pick
from sms.outbox.operations.counters import add_to_batches, touch
from sms.outbox.operations.parts import add_parts
from sms.outbox.rules import runs

# One row a batch: a row a message costs more to carry than to read.
_LOAD = """
SELECT batch_id, array_agg(id ORDER BY id), array_agg(recipient ORDER BY id), array_agg(price_mrial ORDER BY id),
    array_agg(cost_mrial ORDER BY id)
FROM outbox_message
WHERE id BETWEEN :low AND :high AND batch_id = ANY(CAST(:batch_ids AS bigint[])) AND outcome IS NULL GROUP BY batch_id
"""

_TEXTS = """
SELECT b.id, c.body || b.suffix AS body, b.suffix = c.suffix AS is_as_accepted, c.is_unicode, c.escrow_wallet_id,
       c.payee_wallet_ids, c.link_use_id, l.number AS line_number, l.joined_units, o.code AS operator_code
FROM outbox_batch b JOIN outbox_campaign c ON c.id = b.campaign_id JOIN lines_line l ON l.id = b.line_id
JOIN operators_operator o ON o.id = l.operator_id WHERE b.id = ANY(:ids)
"""

# Nothing may be written to the wire when the lease could run out before the operator's answer.
_MARK_WIRE = """
UPDATE outbox_batch b SET wire_at = clock_timestamp()
FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS smallint[]), CAST(:epochs AS bigint[])) AS n (id, attempt, epoch)
WHERE b.id = n.id AND b.attempt = n.attempt AND b.epoch = n.epoch AND b.state = 'submitting'
  AND b.lease_until > clock_timestamp() + make_interval(secs => :timeout_seconds)
RETURNING b.id
"""

_FENCE = """
SELECT b.id FROM outbox_batch b
JOIN unnest(CAST(:ids AS bigint[]), CAST(:attempts AS smallint[]), CAST(:epochs AS bigint[])) AS n (id, attempt, epoch)
    ON n.id = b.id AND n.attempt = b.attempt AND n.epoch = b.epoch
WHERE b.state = 'submitting' ORDER BY b.id FOR UPDATE OF b
"""


class Recipient(NamedTuple):
    """One message of a claimed batch, with the money it carries."""

    message_id: int
    number: int
    price_mrial: int
    cost_mrial: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A batch that is ours to send until its lease ends."""

    id: int
    attempt: int
    campaign_id: int
    escrow_wallet_id: int
    operator_code: str
    line_number: str
    body: str
    is_unicode: bool
    recipients: Sequence[Recipient]
    epoch: int = 0
    joined_units: int = 67
    payee_wallet_ids: Sequence[int] = ()
    use: Use | None = None  # of a link: then each recipient's text has an address of its own

    def envelopes(self, most: int | None = None) -> list[Envelope]:
        """Its recipients, or the first `most` of them, as they are handed over."""
        some, use, body = self.recipients[:most], self.use, self.body
        if use is None:
            return [Envelope(each.message_id, each.number) for each in some]
        return [Envelope(each.message_id, each.number, use.text(body, each.message_id)) for each in some]


@dataclass(slots=True)
class Result:
    """What became of a batch on the wire: `is_unsent` when nothing of it can have been accepted, `unsent` the messages
    of which nothing can, when it is only some; `error` when the gateway fails."""

    batch: Claimed
    answers: Mapping[int, Answer] = field(default_factory=dict)
    parts: Sequence[PartRef] = ()
    unsent: Sequence[int] = ()
    is_unsent: bool = False
    retry_seconds: float = 0.0
    error: SmsError | None = None


def claim(
    *, gateway_id: int, most: int, lease_seconds: float, epoch: int | None = None, at: datetime | None = None
) -> list[Claimed]:
    """Take up to `most` queued batches of a gateway, otp before single before bulk, fair between accounts.

    Whoever began in an `epoch` that is over, because a backup was restored meanwhile, gets nothing. The hours of lines
    are those `at` this moment (None: the database's).
    """
    picked = pick(gateway_id=gateway_id, most=most, lease_seconds=lease_seconds, epoch=epoch, at=at)
    if not picked:
        return []
    execute(
        "UPDATE outbox_campaign SET state = 'sending', is_dirty = true WHERE id = ANY(:ids) AND state = 'queued'",
        ids=sorted({batch.campaign_id for batch in picked}),
    )
    texts = {text.id: text for text in rows(_TEXTS, ids=[batch.id for batch in picked])}
    recipients = _recipients(picked)
    uses = {use_id: link_use(use_id) for use_id in {text.link_use_id for text in texts.values()} - {None}}
    return [_claimed(batch, texts[batch.id], recipients[batch.id], uses) for batch in picked]


def _recipients(picked: Sequence[Any]) -> dict[int, list[Recipient]]:
    """By batch, in the order of their ids; a batch all of whose messages ended meanwhile has none."""
    found: dict[int, list[Recipient]] = defaultdict(list)
    for run in runs([(batch.id, batch.first_id, batch.last_id) for batch in picked]):
        for batch_id, *columns in bulk(_LOAD, low=run.low, high=run.high, batch_ids=array(run.batch_ids)):
            found[batch_id] += map(Recipient, *columns)
    return found


def _claimed(batch: Any, text: Any, recipients: Sequence[Recipient], uses: Mapping[int, Use]) -> Claimed:
    return Claimed(
        id=batch.id,
        attempt=batch.attempt,
        campaign_id=batch.campaign_id,
        escrow_wallet_id=text.escrow_wallet_id,
        operator_code=text.operator_code,
        line_number=text.line_number,
        body=text.body,
        is_unicode=text.is_unicode if text.is_as_accepted else encoding_of(text.body) is Encoding.UCS2,
        recipients=recipients,
        epoch=batch.epoch,
        joined_units=text.joined_units,
        payee_wallet_ids=text.payee_wallet_ids or (),
        use=uses.get(text.link_use_id),
    )


def mark_wire(batches: Sequence[Claimed], *, timeout_seconds: float) -> list[Claimed]:
    """State, before a byte leaves, that from now on these may have been sent; returns those that may go."""
    marked = rows(
        _MARK_WIRE,
        ids=[batch.id for batch in batches],
        attempts=[batch.attempt for batch in batches],
        epochs=[batch.epoch for batch in batches],
        timeout_seconds=timeout_seconds,
    )
    ids = {batch.id for batch in marked}
    return [batch for batch in batches if batch.id in ids]


def record(
    results: Sequence[Result],
    *,
    gateway_id: int,
    lookup_after_seconds: float | None,
    poll_after_seconds: float,
    at: datetime,
) -> set[int]:
    """Store what the operator said of these batches and move the money of what it accepted, in the caller's
    transaction; returns the ids of those that were still ours.

    With `lookup_after_seconds` None, what is of unknown fate is parked at once: the operator cannot look it up.
    """
    mine = {
        found.id
        for found in rows(
            _FENCE,
            ids=[result.batch.id for result in results],
            attempts=[result.batch.attempt for result in results],
            epochs=[result.batch.epoch for result in results],
        )
    }
    held = [result for result in results if result.batch.id in mine]
    requeue([result for result in held if result.is_unsent])
    sent = [result for result in held if not result.is_unsent]
    for result in sent:
        if result.unsent:
            move_to_new_batch(result.batch.id, result.unsent, retry_seconds=result.retry_seconds)
    if sent:
        _store(
            sent,
            gateway_id=gateway_id,
            lookup_after_seconds=lookup_after_seconds,
            poll_after_seconds=poll_after_seconds,
            at=at,
        )
    return mine


def late(results: Sequence[Result]) -> dict[int, Answer]:
    """The acceptances in these results, of batches whose lease had ended: what the operator said is still true."""
    return {
        answer.message_id: answer
        for result in results
        for answer in result.answers.values()
        if answer.kind is AnswerKind.ACCEPTED
    }


def requeue(results: Sequence[Result]) -> None:
    """Put back what certainly was not sent and is still ours; it may be tried again after `retry_seconds`."""
    if results:
        execute(
            """UPDATE outbox_batch b SET wire_at = NULL, lease_until = NULL,
                   state = CASE WHEN b.is_pinned OR c.cancelled_at IS NULL THEN 'queued' ELSE 'cancelled' END,
                   not_before = clock_timestamp() + make_interval(secs => n.seconds)
               FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS int[]), CAST(:epochs AS bigint[]),
                           CAST(:seconds AS double precision[])) AS n (id, attempt, epoch, seconds), outbox_campaign c
               WHERE b.id = n.id AND b.state = 'submitting' AND b.attempt = n.attempt AND b.epoch = n.epoch
                 AND c.id = b.campaign_id""",
            ids=[result.batch.id for result in results],
            attempts=[result.batch.attempt for result in results],
            epochs=[result.batch.epoch for result in results],
            seconds=[result.retry_seconds for result in results],
        )


def _store(
    results: Sequence[Result],
    *,
    gateway_id: int,
    lookup_after_seconds: float | None,
    poll_after_seconds: float,
    at: datetime,
) -> None:
    sorted_out = [_sort(result) for result in results]
    add_submissions([each for share in sorted_out for each in share.submissions], gateway_id=gateway_id, at=at)
    add_parts([(each.batch.attempt, part) for each in results for part in each.parts], gateway_id=gateway_id)
    crash_point("submissions_stored")
    _finish_refused([pair for share in sorted_out for pair in share.refused], at=at)
    _remember_unknown(sorted_out, gateway_id=gateway_id, after_seconds=lookup_after_seconds)
    _finish_batches(sorted_out, at=at, poll_after_seconds=poll_after_seconds)
    touch({result.batch.campaign_id for result in results})
    crash_point("before_charge")
    due = [share for share in sorted_out if share.submissions]
    _read_shares([share for share in due if share.charge.payee_wallet_ids])
    charge([share.charge for share in due], at=at)


@dataclass(slots=True)
class _Share:
    """One result, sorted by what the operator said of each recipient."""

    result: Result
    charge: Charge  # what was accepted costs
    submissions: list[tuple[int, int, str]] = field(default_factory=list)  # message id, attempt, operator's reference
    refused: list[tuple[Recipient, Answer]] = field(default_factory=list)
    unknown: list[Recipient] = field(default_factory=list)


def _read_shares(shares: Sequence[_Share]) -> None:
    """What the resellers above earn of what was accepted; nothing is read where nobody is between."""
    if shares:
        earned = shares_of({share.result.batch.id: [each[0] for each in share.submissions] for share in shares})
        for share in shares:
            share.charge.shares_mrial = earned[share.result.batch.id]


def _sort(result: Result) -> _Share:
    batch, answers, unsent = result.batch, result.answers, frozenset(result.unsent)
    key = f"charge:{batch.id}:{batch.attempt}"
    money = Charge(
        key=key,
        campaign_id=batch.campaign_id,
        escrow_wallet_id=batch.escrow_wallet_id,
        operator_code=batch.operator_code,
        price_mrial=0,
        cost_mrial=0,
        payee_wallet_ids=batch.payee_wallet_ids,
    )
    share = _Share(result, money)
    for recipient in batch.recipients:
        answer = answers.get(recipient.message_id)
        if answer is None:
            if recipient.message_id not in unsent:
                share.unknown.append(recipient)
        elif answer.kind is AnswerKind.ACCEPTED:
            share.submissions.append((recipient.message_id, batch.attempt, answer.operator_ref))
            money.price_mrial += recipient.price_mrial
            money.cost_mrial += recipient.cost_mrial
        else:
            share.refused.append((recipient, answer))
    return share


def add_submissions(submissions: Sequence[tuple[int, int, str]], *, gateway_id: int, at: datetime) -> None:
    """Append (message id, attempt, operator's reference): a report finds its message here."""
    if submissions:
        tail = f"\t{gateway_id}\t{at.isoformat()}\n"
        copy_in(
            "outbox_submission",
            ("message_id", "attempt", "operator_ref", "gateway_id", "submitted_at"),
            ["".join(f"{message_id}\t{attempt}\t{copy_text(ref)}{tail}" for message_id, attempt, ref in submissions)],
        )


def _finish_refused(refused: Sequence[tuple[Recipient, Answer]], *, at: datetime) -> None:
    if refused:
        execute(
            """UPDATE outbox_message m SET outcome = CAST(n.outcome AS outbox_outcome), code = n.code, final_at = :at
               FROM unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[]), CAST(:codes AS text[])) AS n (id,
               outcome, code)
               WHERE m.id = n.id AND m.id BETWEEN :low AND :high AND m.outcome IS NULL""",
            ids=[recipient.message_id for recipient, _ in refused],
            outcomes=[str(answer.outcome or Outcome.REFUSED) for _, answer in refused],
            codes=[answer.code for _, answer in refused],
            low=min(recipient.message_id for recipient, _ in refused),
            high=max(recipient.message_id for recipient, _ in refused),
            at=at,
        )


def _remember_unknown(shares: Sequence[_Share], *, gateway_id: int, after_seconds: float | None) -> None:
    lost = [(recipient.message_id, share.result.batch) for share in shares for recipient in share.unknown]
    if lost:
        execute(
            """INSERT INTO outbox_unknown (message_id, batch_id, campaign_id, gateway_id, attempt, wire_at,
            next_lookup_at)
               SELECT n.message_id, b.id, b.campaign_id, :gateway_id, b.attempt, b.wire_at,
                      b.wire_at + make_interval(secs => CAST(:after_seconds AS double precision))
               FROM unnest(CAST(:messages AS bigint[]), CAST(:batches AS bigint[])) AS n (message_id, batch_id)
               JOIN outbox_batch b ON b.id = n.batch_id
               ON CONFLICT (message_id) DO NOTHING""",
            messages=[message_id for message_id, _ in lost],
            batches=[batch.id for _, batch in lost],
            gateway_id=gateway_id,
            after_seconds=after_seconds,
        )


def _finish_batches(shares: Sequence[_Share], *, at: datetime, poll_after_seconds: float) -> None:
    execute(
        """UPDATE outbox_batch b
           SET state = 'submitted', lease_until = NULL, submitted_at = :at, poll_step = 0,
               submitted_count = n.accepted, unknown_count = n.unknown, charged_mrial = n.charged,
               releasable_mrial = releasable_mrial + n.releasable,
               poll_at = CASE WHEN n.accepted > 0 THEN CAST(:at AS timestamptz) + make_interval(secs => :poll_after) END
           FROM unnest(CAST(:ids AS bigint[]), CAST(:accepted AS int[]), CAST(:unknown AS int[]),
           CAST(:charged AS bigint[]),
                       CAST(:releasable AS bigint[])) AS n (id, accepted, unknown, charged, releasable)
           WHERE b.id = n.id""",
        ids=array(share.result.batch.id for share in shares),
        accepted=array(len(share.submissions) for share in shares),
        unknown=array(len(share.unknown) for share in shares),
        charged=array(share.charge.price_mrial for share in shares),
        releasable=array(sum(recipient.price_mrial for recipient, _ in share.refused) for share in shares),
        poll_after=poll_after_seconds,
        at=at,
    )
    counted: Counter[tuple[int, Outcome]] = Counter(
        (share.result.batch.id, answer.outcome or Outcome.REFUSED) for share in shares for _, answer in share.refused
    )
    add_to_batches(counted)
