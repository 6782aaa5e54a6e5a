"""Counts of outcomes on the batches, and the mark that a campaign's totals must be taken anew.

Every transaction of the outbox locks in one order: messages, batches (by id), refunds, campaigns, wallets."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from sms.core.db import execute, rows
from sms.operators.rules import Outcome
from sms.outbox.rules import COUNT_COLUMNS

# The column names come from our own enum, never from outside.
_ADD = (
    "UPDATE outbox_batch b SET "  # noqa: S608 - the names put in are our own enum
    + ", ".join(f"{column} = b.{column} + n.{column}" for column in COUNT_COLUMNS.values())
    + " FROM (SELECT * FROM unnest(CAST(:ids AS bigint[]), "
    + ", ".join(f"CAST(:{column} AS int[])" for column in COUNT_COLUMNS.values())
    + ") AS u (id, "
    + ", ".join(COUNT_COLUMNS.values())
    + ")) n WHERE b.id = n.id"
)


def add_to_batches(counted: Counter[tuple[int, Outcome]]) -> None:
    """Add (batch id, outcome) counts to their batches, in one statement; negative counts take away."""
    by_batch: dict[int, dict[Outcome, int]] = defaultdict(dict)
    for (batch_id, outcome), count in counted.items():
        by_batch[batch_id][outcome] = count
    if by_batch:
        ids = sorted(by_batch)
        lock_batches(ids)
        columns = {
            column: [by_batch[batch_id].get(outcome, 0) for batch_id in ids]
            for outcome, column in COUNT_COLUMNS.items()
        }
        execute(_ADD, ids=ids, **columns)


def touch(campaign_ids: Iterable[int]) -> None:
    """Mark campaigns whose totals changed; `settle` takes them anew."""
    ids = sorted(set(campaign_ids))
    if ids:
        # Also where it is dirty already: the mark that stands may be the one `settle` is about to take away.
        execute("UPDATE outbox_campaign SET is_dirty = true WHERE id = ANY(:ids)", ids=ids)


def lock_batches(batch_ids: Iterable[int]) -> None:
    """Lock batches in the order of their ids, before a statement changes several of them."""
    rows("SELECT id FROM outbox_batch WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE", ids=sorted(set(batch_ids)))
