"""Writes of tiers: steps, what top-ups earn, what staff set by hand. Rows are added, never edited."""

from dataclasses import dataclass
from datetime import datetime

from sms.accounts.operations import record
from sms.accounts.queries import account
from sms.billing.tiers import queries
from sms.billing.tiers.rules import LONGEST_REASON, MOST_DAYS, WHOLE, Basis, TierAudience, earned
from sms.core.db import execute, scalar
from sms.core.errors import Refusal
from sms.core.text import N_

_DISCOUNT = N_("A discount is more than zero and less than 100 percent.")


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step to add; `discount_permille` None takes the step of this amount away. `valid_from` None: at once."""

    audience: TierAudience
    basis: Basis
    days: int
    from_mrial: int
    discount_permille: int | None
    valid_from: datetime | None = None


def add_step(step: NewStep, *, actor_id: int | None, at: datetime) -> int:
    """Add a step, or another discount of one; what accounts have earned stays theirs until its day. Raises Refusal."""
    if step.discount_permille is not None and not 0 < step.discount_permille < WHOLE:
        raise Refusal(_DISCOUNT)
    if not 1 <= step.days <= MOST_DAYS:
        raise Refusal(N_("A tier looks back over 1 to 3,660 days."))
    if step.from_mrial <= 0:
        raise Refusal(N_("A tier begins at an amount above zero."))
    begins = step.valid_from or at
    if begins < at:
        raise Refusal(N_("It can begin now or later, not in the past."))
    made = scalar(
        """INSERT INTO billing_tier (audience, basis, days, from_mrial, discount_permille, valid_from, created_by,
               created_at)
           VALUES (:audience, :basis, :days, :from_mrial, :permille, :begins, :actor, :at) RETURNING id""",
        audience=str(step.audience),
        basis=str(step.basis),
        days=step.days,
        from_mrial=step.from_mrial,
        permille=step.discount_permille,
        begins=begins,
        actor=actor_id,
        at=at,
    )
    details = {
        "audience": str(step.audience),
        "basis": str(step.basis),
        "days": step.days,
        "from_mrial": step.from_mrial,
        "discount_permille": step.discount_permille,
        "valid_from": begins.isoformat(),
    }
    record(actor_id=actor_id, account_id=None, action="tier.added", subject=f"tier:{made}", details=details, at=at)
    return int(made)


def end_step(*, tier_id: int, actor_id: int | None, at: datetime) -> None:
    """Take a step away; whoever has reached it keeps it until its day. Raises Refusal when it is not in force."""
    found = next((each for each in queries.steps(at=at) if each.id == tier_id), None)
    if found is None:
        raise Refusal(N_("This tier is not in force."))
    gone = NewStep(TierAudience(found.audience), Basis(found.basis), found.days, found.from_mrial, None)
    add_step(gone, actor_id=actor_id, at=at)


def note_paid_in(*, account_id: int, at: datetime) -> None:
    """After a top-up: keep which steps it reaches, until when and by how much."""
    for each in earned(queries.steps_for(account_id, at=at), queries.paid_in(account_id, at=at), at=at):
        execute(
            """INSERT INTO billing_account_tier (account_id, tier_id, discount_permille, counted_mrial, valid_from,
                   valid_until, created_at)
               SELECT :account_id, :tier_id, :permille, :counted, :at, :until, :at
               WHERE NOT EXISTS (
                   SELECT FROM billing_account_tier t WHERE t.account_id = :account_id AND t.tier_id = :tier_id
                   AND t.valid_until >= :until AND t.counted_mrial = :counted)""",
            account_id=account_id,
            tier_id=each.step.id,
            permille=each.step.discount_permille,
            counted=each.counted_mrial,
            until=each.valid_until,
            at=at,
        )


def set_by_hand(
    *,
    account_id: int,
    discount_permille: int | None,
    reason: str,
    valid_until: datetime | None,
    actor_id: int | None,
    at: datetime,
) -> None:
    """Give an account a discount whatever it topped up, until a day or for good; None lets its top-ups count again.

    Raises Refusal without a reason, NotFound without such an account.
    """
    account(account_id)
    stated = " ".join(reason.split())[:LONGEST_REASON]
    if not stated:
        raise Refusal(N_("Say why: the customer reads the reason."))
    if discount_permille is not None and not 0 <= discount_permille < WHOLE:
        raise Refusal(_DISCOUNT)
    if valid_until is not None and valid_until <= at:
        raise Refusal(N_("It can end later only."))
    made = scalar(
        """INSERT INTO billing_account_tier (account_id, discount_permille, reason, valid_from, valid_until, created_by,
               created_at)
           VALUES (:account_id, :permille, :reason, :at, :until, :actor, :at) RETURNING id""",
        account_id=account_id,
        permille=discount_permille,
        reason=stated,
        until=valid_until,
        actor=actor_id,
        at=at,
    )
    details = {"discount_permille": discount_permille, "reason": stated}
    record(
        actor_id=actor_id,
        account_id=account_id,
        action="tier.set_by_hand",
        subject=f"account_tier:{made}",
        details=details,
        at=at,
    )
