"""What a report comes to: the outcome of a message, counted on its batch, and the refund that follows by rule."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sms.billing.queries import RefundResolver, refund_rules
from sms.core.db import execute, row, rows
from sms.core.money import share
from sms.operators.rules import Outcome
from sms.outbox.operations.counters import add_to_batches, lock_batches, touch
from sms.outbox.rules import OVERRULABLE, WEAKEST, refund_due_at, stands_over

# One HOT update a message in its life. A report for a message that has its outcome changes nothing here.
_APPLY = """
UPDATE outbox_message m SET outcome = CAST(n.outcome AS outbox_outcome), code = n.code, final_at = :at
FROM unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[]), CAST(:codes AS text[])) AS n (id, outcome, code)
WHERE m.id = n.id AND m.id BETWEEN :low AND :high AND m.outcome IS NULL
RETURNING m.id, m.batch_id, m.campaign_id, m.account_id, m.line_id, m.network_id, m.price_mrial, m.cost_mrial, n.outcome
"""

# What is reported later may say more, never less; once the refund is posted, it stays and the conflict is counted.
_FAILED = """
SELECT id, batch_id, campaign_id, outcome::text AS earlier FROM outbox_message
WHERE id = ANY(:ids) AND id BETWEEN :low AND :high AND outcome::text = ANY(:weaker)
ORDER BY id FOR NO KEY UPDATE
"""

# Locked before it is looked at: whoever is paying these out just now has first to be done with it.
_REFUNDS = """
SELECT message_id, transfer_id FROM outbox_refund WHERE message_id = ANY(:ids) ORDER BY message_id FOR UPDATE
"""

_OVERRULE = """
UPDATE outbox_message m SET outcome = CAST(n.outcome AS outbox_outcome), code = n.code, final_at = :at
FROM unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[]), CAST(:codes AS text[])) AS n (id, outcome, code)
WHERE m.id = n.id AND m.id BETWEEN :low AND :high
RETURNING m.id, m.batch_id, m.campaign_id, m.account_id, m.line_id, m.network_id, m.price_mrial, m.cost_mrial, n.outcome
"""

_FORGET_REFUNDS = """
WITH gone AS (
    DELETE FROM outbox_refund WHERE message_id = ANY(:ids) AND transfer_id IS NULL RETURNING campaign_id, amount_mrial
)
UPDATE outbox_campaign c SET refund_due_mrial = refund_due_mrial - g.amount, refund_due_count = refund_due_count - g.n
FROM (SELECT campaign_id, sum(amount_mrial) AS amount, count(*) AS n FROM gone GROUP BY 1) g WHERE c.id = g.campaign_id
"""


@dataclass(frozen=True, slots=True)
class Final:
    """The outcome a report states for a message."""

    message_id: int
    outcome: Outcome
    code: str


def apply(finals: Sequence[Final], *, at: datetime) -> list[int]:
    """Give messages their outcome, count it, and note the refunds that follow by rule; returns the ids of those it
    was news to."""
    first = _strongest(finals)
    if not first:
        return []
    ids = sorted(first)
    ended = rows(
        _APPLY,
        ids=ids,
        outcomes=[str(first[message_id].outcome) for message_id in ids],
        codes=[first[message_id].code or None for message_id in ids],
        low=ids[0],
        high=ids[-1],
        at=at,
    )
    add_to_batches(Counter((message.batch_id, Outcome(message.outcome)) for message in ended))
    note_refunds([message for message in ended if message.outcome != Outcome.DELIVERED], at=at)
    touch({message.campaign_id for message in ended})
    return [message.id for message in ended]


def _strongest(finals: Iterable[Final]) -> dict[int, Final]:
    """By message id, of several reports of one message the one that says most: whatever came first, the end is one."""
    found: dict[int, Final] = {}
    for final in finals:
        known = found.get(final.message_id)
        if known is None or stands_over(final.outcome, known.outcome):
            found[final.message_id] = final
    return found


def overrule(finals: Sequence[Final], *, at: datetime) -> int:
    """Let what says more stand over a failure that was reported before; returns how many messages changed."""
    said = _strongest(final for final in finals if final.outcome is not WEAKEST)
    if not said:
        return 0
    ids = sorted(said)
    failed = rows(_FAILED, ids=ids, low=ids[0], high=ids[-1], weaker=[str(outcome) for outcome in OVERRULABLE])
    failed = [each for each in failed if stands_over(said[each.id].outcome, Outcome(each.earlier))]
    lock_batches(message.batch_id for message in failed)
    refunds = rows(_REFUNDS, ids=[message.id for message in failed])
    paid = {refund.message_id for refund in refunds if refund.transfer_id is not None}
    changed = [message for message in failed if message.id not in paid]
    if changed:
        _change([said[message.id] for message in changed], changed, at=at)
    return len(changed)


def _change(finals: Sequence[Final], earlier: Sequence[Any], *, at: datetime) -> None:
    """Give messages another outcome than `earlier`, with its counts and its refund in place of the old ones."""
    ids = [final.message_id for final in finals]
    changed = rows(
        _OVERRULE,
        ids=ids,
        outcomes=[str(final.outcome) for final in finals],
        codes=[final.code or None for final in finals],
        low=ids[0],
        high=ids[-1],
        at=at,
    )
    counted: Counter[tuple[int, Outcome]] = Counter()
    for before, final in zip(earlier, finals, strict=True):
        counted[before.batch_id, final.outcome] += 1
        counted[before.batch_id, Outcome(before.earlier)] -= 1
    add_to_batches(counted)
    execute(_FORGET_REFUNDS, ids=ids)
    note_refunds([message for message in changed if message.outcome != Outcome.DELIVERED], at=at)
    touch({message.campaign_id for message in changed})


@lru_cache(maxsize=1024)
def _resolver(line_id: int, accepted_at: datetime) -> RefundResolver:
    """The rules that were valid when a campaign was accepted; dated rows do not change afterwards."""
    return refund_rules(line_ids=[line_id], at=accepted_at)


def note_refunds(ended: Sequence[Any], *, at: datetime) -> None:
    """Write down what is to be refunded, and when, for messages that ended so and were charged."""
    due: list[tuple[Any, int, int, int, datetime]] = []
    accepted = _accepted_at({message.campaign_id for message in ended})
    sent = _sent_at({message.batch_id for message in ended})
    for message in ended:
        resolver = _resolver(message.line_id, accepted[message.campaign_id])
        rule = resolver.rule(line_id=message.line_id, network_id=message.network_id, outcome=Outcome(message.outcome))
        if rule is None or not message.price_mrial or not rule.percent:
            continue
        due_at = refund_due_at(sent_at=sent[message.batch_id], delay_seconds=rule.delay_seconds, at=at)
        amount = share(message.price_mrial, percent=rule.percent)
        due.append((message, rule.id, amount, share(message.cost_mrial, percent=rule.percent), due_at))
    _insert_refunds(due)


def _accepted_at(campaign_ids: set[int]) -> dict[int, datetime]:
    found = rows("SELECT id, accepted_at FROM outbox_campaign WHERE id = ANY(:ids)", ids=sorted(campaign_ids))
    return {campaign.id: campaign.accepted_at for campaign in found}


def _sent_at(batch_ids: set[int]) -> dict[int, datetime]:
    found = rows("SELECT id, submitted_at FROM outbox_batch WHERE id = ANY(:ids)", ids=sorted(batch_ids))
    return {batch.id: batch.submitted_at for batch in found}


def _insert_refunds(due: Sequence[tuple[Any, int, int, int, datetime]]) -> None:
    if not due:
        return
    row(
        """WITH made AS (
               INSERT INTO outbox_refund (message_id, account_id, campaign_id, rule_id, outcome, amount_mrial,
               cost_mrial, due_at)
               SELECT n.id, n.account_id, n.campaign_id, n.rule_id, CAST(n.outcome AS outbox_outcome), n.amount,
               n.cost, n.due_at
               FROM unnest(CAST(:ids AS bigint[]), CAST(:accounts AS bigint[]), CAST(:campaigns AS bigint[]),
                           CAST(:rules AS int[]), CAST(:outcomes AS text[]), CAST(:amounts AS bigint[]),
                           CAST(:costs AS bigint[]),
                           CAST(:due AS timestamptz[])) AS n (id, account_id, campaign_id, rule_id, outcome,
                           amount, cost, due_at)
               ON CONFLICT (message_id) DO NOTHING RETURNING campaign_id, amount_mrial
           ), more AS (
               UPDATE outbox_campaign c
               SET refund_due_mrial = refund_due_mrial + m.amount, refund_due_count = refund_due_count + m.n
               FROM (SELECT campaign_id, sum(amount_mrial) AS amount, count(*) AS n FROM made GROUP BY 1) m
               WHERE c.id = m.campaign_id
           )
           SELECT count(*) AS n FROM made""",
        ids=[message.id for message, *_ in due],
        accounts=[message.account_id for message, *_ in due],
        campaigns=[message.campaign_id for message, *_ in due],
        rules=[rule_id for _, rule_id, *_ in due],
        outcomes=[message.outcome for message, *_ in due],
        amounts=[amount for _, _, amount, _, _ in due],
        costs=[cost for *_, cost, _ in due],
        due=[due_at for *_, due_at in due],
    )
