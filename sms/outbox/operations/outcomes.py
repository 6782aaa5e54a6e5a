"""What a report comes to: the outcome of a message, counted on its batch, and the refund that follows by rule."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Row

from sms.billing.queries import RefundResolver, refund_rules
from sms.core.db import array, bulk, execute, row, rows
from sms.core.money import share
from sms.operators.rules import Outcome
from sms.outbox.operations.counters import add_to_batches, lock_batches, touch
from sms.outbox.rules import OVERRULABLE, WEAKEST, refund_due_at, stands_over

# One HOT update a message in its life; what comes back is grouped, and only failures carry what a refund is made of.
_GIVE = """
WITH ended AS (
    UPDATE outbox_message m SET outcome = (CAST(:outcomes AS outbox_outcome[]))[n.kind],
        code = (CAST(:codes AS text[]))[n.kind], final_at = :at
    FROM unnest(CAST(:ids AS bigint[]), CAST(:kinds AS int[])) AS n (id, kind)
    WHERE m.id = n.id AND m.id BETWEEN :low AND :high {only}
    RETURNING m.id, m.batch_id, m.campaign_id, m.account_id, m.line_id, m.network_id, m.price_mrial, m.cost_mrial,
        m.outcome, m.outcome <> 'delivered' AS is_failure
)
SELECT batch_id, campaign_id, account_id, line_id, CASE WHEN is_failure THEN network_id ELSE 0 END, outcome::text,
    array_agg(id), coalesce(array_agg(price_mrial) FILTER (WHERE is_failure), '{{}}'),
    coalesce(array_agg(cost_mrial) FILTER (WHERE is_failure), '{{}}')
FROM ended GROUP BY 1, 2, 3, 4, 5, outcome
"""
_APPLY = _GIVE.format(only="AND m.outcome IS NULL")  # a report for a message that has its outcome changes nothing
_OVERRULE = _GIVE.format(only="")

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

_FORGET_REFUNDS = """
WITH gone AS (
    DELETE FROM outbox_refund WHERE message_id = ANY(:ids) AND transfer_id IS NULL RETURNING campaign_id, amount_mrial
)
UPDATE outbox_campaign c SET refund_due_mrial = refund_due_mrial - g.amount, refund_due_count = refund_due_count - g.n
FROM (SELECT campaign_id, sum(amount_mrial) AS amount, count(*) AS n FROM gone GROUP BY 1) g WHERE c.id = g.campaign_id
"""


class Final(NamedTuple):
    """The outcome a report states for a message."""

    message_id: int
    outcome: Outcome
    code: str


class _Ended(NamedTuple):
    """Messages of one batch, and of one network when they failed, that ended alike; prices and costs of failures."""

    batch_id: int
    campaign_id: int
    account_id: int
    line_id: int
    network_id: int
    outcome: Outcome
    message_ids: Sequence[int]
    prices_mrial: Sequence[int]
    costs_mrial: Sequence[int]


def apply(finals: Sequence[Final], *, at: datetime) -> list[int]:
    """Give messages their outcome, count it, and note the refunds that follow by rule; returns the ids of those it
    was news to."""
    ended = _give(_APPLY, _strongest(finals), at=at)
    counted: Counter[tuple[int, Outcome]] = Counter()
    for group in ended:
        counted[group.batch_id, group.outcome] += len(group.message_ids)
    add_to_batches(counted)
    _note_refunds(ended, at=at)
    touch({group.campaign_id for group in ended})
    return [message_id for group in ended for message_id in group.message_ids]


def _give(sql: str, said: Mapping[int, Final], *, at: datetime) -> list[_Ended]:
    """Write outcomes down; many reports say the same few things, so these are sent once."""
    if not said:
        return []
    ids = sorted(said)
    kinds: dict[tuple[Outcome, str], int] = {}
    places = [kinds.setdefault((said[each].outcome, said[each].code), len(kinds) + 1) for each in ids]
    ended = bulk(
        sql,
        ids=array(ids),
        kinds=array(places),
        outcomes=[str(outcome) for outcome, _ in kinds],
        codes=[code or None for _, code in kinds],
        low=ids[0],
        high=ids[-1],
        at=at,
    )
    return [_Ended._make(group)._replace(outcome=Outcome(group[5])) for group in ended]


def _strongest(finals: Iterable[Final]) -> dict[int, Final]:
    """By message id, of several reports of one message the one that says most: whatever came first, the end is one."""
    found: dict[int, Final] = {}
    for final in finals:
        known = found.setdefault(final.message_id, final)
        if known is not final and stands_over(final.outcome, known.outcome):
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
        _change({message.id: said[message.id] for message in changed}, changed, at=at)
    return len(changed)


def _change(said: Mapping[int, Final], earlier: Sequence[Any], *, at: datetime) -> None:
    """Give messages another outcome than `earlier`, with its counts and its refund in place of the old ones."""
    changed = _give(_OVERRULE, said, at=at)
    counted: Counter[tuple[int, Outcome]] = Counter()
    for before in earlier:
        counted[before.batch_id, said[before.id].outcome] += 1
        counted[before.batch_id, Outcome(before.earlier)] -= 1
    add_to_batches(counted)
    execute(_FORGET_REFUNDS, ids=list(said))
    _note_refunds(changed, at=at)
    touch({group.campaign_id for group in changed})


@lru_cache(maxsize=1024)
def _resolver(line_id: int, accepted_at: datetime) -> RefundResolver:
    """The rules that were valid when a campaign was accepted; dated rows do not change afterwards."""
    return refund_rules(line_ids=[line_id], at=accepted_at)


def _note_refunds(ended: Sequence[_Ended], *, at: datetime) -> None:
    """Write down what is to be refunded, and when, for messages that ended so and were charged."""
    failed = [group for group in ended if group.outcome is not Outcome.DELIVERED]
    campaigns = _campaigns({group.campaign_id for group in failed})
    sent = _sent_at({group.batch_id for group in failed})
    due: list[_Due] = []
    for group in failed:
        resolver = _resolver(group.line_id, campaigns[group.campaign_id].accepted_at)
        rule = resolver.rule(line_id=group.line_id, network_id=group.network_id, outcome=group.outcome)
        if rule is None or not rule.percent:
            continue
        percent = rule.percent if campaigns[group.campaign_id].has_payees else 0
        due_at = refund_due_at(sent_at=sent[group.batch_id], delay_seconds=rule.delay_seconds, at=at).isoformat()
        for message_id, price, cost in zip(group.message_ids, group.prices_mrial, group.costs_mrial, strict=True):
            if price:
                amount, of_cost = share(price, percent=rule.percent), share(cost, percent=rule.percent)
                owner = group.account_id, group.campaign_id
                due.append((message_id, *owner, rule.id, group.outcome, amount, of_cost, due_at, percent))
    _insert_refunds(due)


def _campaigns(campaign_ids: set[int]) -> dict[int, Row[Any]]:
    """When each was accepted, and whether a reseller is between (`has_payees`)."""
    found = rows(
        "SELECT id, accepted_at, payee_wallet_ids IS NOT NULL AS has_payees FROM outbox_campaign WHERE id = ANY(:ids)",
        ids=sorted(campaign_ids),
    )
    return {campaign.id: campaign for campaign in found}


def _sent_at(batch_ids: set[int]) -> dict[int, datetime]:
    found = rows("SELECT id, submitted_at FROM outbox_batch WHERE id = ANY(:ids)", ids=sorted(batch_ids))
    return {batch.id: batch.submitted_at for batch in found}


# Message, account, campaign, rule, outcome, milli-rial to pay back, of our cost, and when; the percent of what the
# resellers between give back of their shares, 0 where nobody is.
_Due = tuple[int, int, int, int, Outcome, int, int, str, int]

_NO_SHARES = "CAST(NULL AS bigint[])"
_SHARES = """
CASE WHEN n.percent > 0 THEN (
    SELECT array_agg(each.share * n.percent / 100 ORDER BY each.level)
    FROM outbox_message m CROSS JOIN LATERAL unnest(m.shares_mrial) WITH ORDINALITY AS each (share, level)
    WHERE m.id = n.id) END
"""


def _insert_refunds(due: Sequence[_Due]) -> None:
    if not due:
        return
    names = ("ids", "accounts", "campaigns", "rules", "outcomes", "amounts", "costs", "due", "percents")
    shares = _SHARES if any(each[-1] for each in due) else _NO_SHARES
    row(
        f"""WITH made AS (
               INSERT INTO outbox_refund (message_id, account_id, campaign_id, rule_id, outcome, amount_mrial,
               cost_mrial, due_at, shares_mrial)
               SELECT n.id, n.account_id, n.campaign_id, n.rule_id, n.outcome, n.amount,
               n.cost, n.due_at, {shares}
               FROM unnest(CAST(:ids AS bigint[]), CAST(:accounts AS bigint[]), CAST(:campaigns AS bigint[]),
                           CAST(:rules AS int[]), CAST(:outcomes AS outbox_outcome[]), CAST(:amounts AS bigint[]),
                           CAST(:costs AS bigint[]),
                           CAST(:due AS timestamptz[]), CAST(:percents AS int[])) AS n (id, account_id, campaign_id,
                           rule_id, outcome, amount, cost, due_at, percent)
               ON CONFLICT (message_id) DO NOTHING RETURNING campaign_id, amount_mrial
           ), more AS (
               UPDATE outbox_campaign c
               SET refund_due_mrial = refund_due_mrial + m.amount, refund_due_count = refund_due_count + m.n
               FROM (SELECT campaign_id, sum(amount_mrial) AS amount, count(*) AS n FROM made GROUP BY 1) m
               WHERE c.id = m.campaign_id
           )
           SELECT count(*) AS n FROM made""",  # noqa: S608 - our own words
        **{name: array(column) for name, column in zip(names, zip(*due, strict=True), strict=True)},
    )
