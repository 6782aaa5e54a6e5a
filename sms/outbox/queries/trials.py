"""Whether a send over a public line may be, and whether it is free: asked alike by the preview, the acceptance and the
pages of a send that waits."""

from dataclasses import dataclass
from datetime import datetime

from sms.core.errors import Refusal
from sms.core.text import N_
from sms.lines.public.queries import foreign
from sms.lines.public.rules import Payment, Policy, trial_refusal
from sms.lines.queries import UsableLine, usable_line
from sms.lines.queries import line as any_line
from sms.outbox.intake.queries import chunks
from sms.outbox.intake.rules.packing import VALID, unpack
from sms.outbox.models import Campaign


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a line's policy makes of a send: free or not, or refused."""

    is_free: bool = False
    refusal: Refusal | None = None


def judge(line: UsableLine, *, account_id: int, draft_id: int, count: int, payment: Payment) -> Verdict:
    """What holds for `count` messages of a ready draft over a line, by what the account has left now."""
    standing = line.standing
    if standing is None:
        return Verdict()
    if payment is Payment.HOUSE and not standing.is_forbidden:
        return Verdict(is_free=True)
    is_trial = standing.policy == Policy.TRIAL
    if not is_trial and (payment is Payment.TARIFF or standing.is_forbidden):
        return Verdict(refusal=line.paid_refusal)
    # So few can be free that their list is read at once; a longer one need not be.
    strangers = foreign(account_id, _recipients(draft_id)) if count <= standing.left else 0
    refusal = trial_refusal(standing, count=count, foreign_count=strangers)
    if refusal is None:
        return Verdict(is_free=True)
    return Verdict(refusal=refusal if is_trial else None)


def _recipients(draft_id: int) -> set[int]:
    return {int(text) for chunk in chunks(draft_id) for kind, _, text in unpack(chunk) if kind == VALID}


def waits_for(campaign: Campaign, *, at: datetime) -> Refusal | None:
    """Why what is left of a send may not go out over its line any more; None when it may, or when the line is only
    switched off."""
    line = usable_line(campaign.account_id, campaign.line_id, at=at)
    if line is None:
        is_on = any_line(campaign.line_id).is_active
        return Refusal(N_("You can no longer send from this line.")) if is_on else None
    if line.standing is None or (campaign.is_free and not line.standing.is_forbidden):
        return None
    return line.paid_refusal
