"""A person's word on messages of unknown fate, with its line in the audit."""

from collections.abc import Sequence
from datetime import datetime

from sms.accounts.operations import record
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.outbox.operations import unknown
from sms.outbox.queries.unknown import parked_batch, still_parked


def decide(
    *, batch_id: int, message_ids: Sequence[int], decision: str, actor_id: int, address: str, at: datetime
) -> int:
    """Decide on those of a batch's messages that still wait for it; returns how many these were.

    Raises Refusal when none waits any more (somebody else was first), or for an unknown word; then nothing is written.
    """
    batch = parked_batch(batch_id=batch_id)
    waiting = still_parked(message_ids, batch_id=batch_id)
    if batch is None or not waiting:
        raise Refusal(N_("None of these messages waits for a decision any more."))
    decided = unknown.decide(waiting, decision=decision, at=at)
    record(
        actor_id=actor_id,
        account_id=batch.account_id,
        action="messages.decided",
        subject=f"campaign:{batch.campaign_id}",
        details={"decision": decision, "batch": batch_id, "messages": waiting},
        at=at,
        address=address,
    )
    return decided
