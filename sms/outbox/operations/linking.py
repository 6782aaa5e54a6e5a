"""The link of a send: given to its messages as it is accepted."""

from datetime import datetime

from sms.core.db import execute, rows
from sms.links import operations as links
from sms.links.rules.codes import PLACE
from sms.outbox.models import Draft


def give_link(draft: Draft, *, campaign_id: int, begins_at: datetime, at: datetime) -> None:
    """Give a draft's link, when it has one, to the messages of its campaign, whose text from now on has a stand-in
    where each one's own address goes. Raises Refusal when it leads nowhere by then."""
    if draft.link_id is None:
        return
    (campaign,) = rows("SELECT first_id, total_count FROM outbox_campaign WHERE id = :id", id=campaign_id)
    given = links.give(
        link_id=draft.link_id,
        account_id=draft.account_id,
        first_id=campaign.first_id,
        count=campaign.total_count,
        begins_at=begins_at,
        at=at,
    )
    execute(
        "UPDATE outbox_campaign SET link_use_id = :use_id, body = :body WHERE id = :id",
        use_id=given.id,
        body=draft.body.replace(PLACE, given.use.stand_in),
        id=campaign_id,
    )
