"""Sends that carry a link: their text before it is sent, whether the link may go out, and who followed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import rows, scalar
from sms.core.errors import Refusal
from sms.lines.queries import UsableLine
from sms.links import queries as links
from sms.links.rules.clicks import Clicks, is_too_early
from sms.links.rules.codes import PLACE, with_address
from sms.operators.rules import Outcome
from sms.outbox.models import Campaign, Draft


def worded(draft: Draft) -> str:
    """The text of a draft as long and as wide as every recipient will get it."""
    if draft.link_id is None or PLACE not in draft.body:
        return draft.body
    return with_address(draft.body, links.link_settings().base)


def link_refusal(draft: Draft, line: UsableLine, *, begins_at: datetime) -> Refusal | None:
    """Why a draft cannot go over a line because of what its text links to; None when it can."""
    refusal = line.link_refusal(worded(draft))
    if refusal is None and draft.link_id is not None:
        return links.refusal_of(draft.account_id, draft.link_id, at=begins_at)
    return refusal


def check_link(draft: Draft, line: UsableLine, *, begins_at: datetime) -> None:
    """Raises that Refusal when there is one."""
    refusal = link_refusal(draft, line, begins_at=begins_at)
    if refusal is not None:
        raise refusal


def sent_at(message_ids: Sequence[int]) -> Mapping[int, datetime]:
    """When the operator took some messages, the first time."""
    if not message_ids:
        return {}
    found = rows(
        """SELECT wanted.id, s.submitted_at FROM unnest(CAST(:ids AS bigint[])) AS wanted (id) CROSS JOIN LATERAL (
               SELECT min(submitted_at) AS submitted_at FROM outbox_submission WHERE message_id = wanted.id OFFSET 0) s
           WHERE s.submitted_at IS NOT NULL""",
        ids=list(message_ids),
    )
    return {each.id: each.submitted_at for each in found}


@dataclass(frozen=True, slots=True)
class Followed:
    """How a send's link was followed: over time, and by which share of those who got it (None: nobody has yet)."""

    link_id: int
    host: str
    title: str
    clicks: Clicks
    share: float | None


def followed(campaign: Campaign) -> Followed | None:
    """Who followed the link of a send; None when it carries none."""
    if campaign.link_use_id is None:
        return None
    (found,) = rows(
        "SELECT l.id, l.host, l.title FROM links_use u JOIN links_link l ON l.id = u.link_id WHERE u.id = :id",
        id=campaign.link_use_id,
    )
    clicks = links.clicks_of_use(campaign.link_use_id)
    delivered = campaign.counts.get(Outcome.DELIVERED, 0)
    share = min(1.0, clicks.recipient_count / delivered) if delivered else None
    return Followed(found.id, found.host, found.title, clicks, share)


@dataclass(frozen=True, slots=True)
class OwnLink:
    """A message's own text and address, and each time it was followed."""

    text: str
    address: str
    clicks: Sequence[Mapping[str, Any]]


def own_link(message: Row[Any], *, sent: datetime | None) -> OwnLink | None:
    """What one message had of its send's link; None when it carried none. `sent` is when the operator took it."""
    use_id = scalar("SELECT link_use_id FROM outbox_campaign WHERE id = :id", id=message.campaign_id)
    if use_id is None or not message.batch_id:
        return None
    use = links.use(int(use_id))
    within = links.link_settings().prefetch_seconds
    clicks = [
        {
            "at": each.at,
            "agent": each.agent,
            "is_bot": each.is_bot,
            "is_early": is_too_early(clicked_at=each.at, sent_at=sent, within_seconds=within),
        }
        for each in links.clicks_of_message(message.id)
    ]
    return OwnLink(use.text(message.body, message.id), use.address(message.id), clicks)
