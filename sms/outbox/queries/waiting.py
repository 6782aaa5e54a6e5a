"""What still waits to be done, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sms.core.db import rows, scalar
from sms.lines.queries import usable_line
from sms.operators.rules import StopReason
from sms.outbox.models import Campaign
from sms.outbox.queries.campaigns import gateway_trouble
from sms.outbox.queries.trials import waits_for
from sms.outbox.rules import CALM_WAITS, WAIT_SENTENCES, CampaignState, Priority, Wait

AWAITED = """EXISTS (SELECT FROM outbox_batch b WHERE b.gateway_id = g.id AND b.poll_at IS NOT NULL)
    OR EXISTS (SELECT FROM outbox_unknown u WHERE u.gateway_id = g.id
               AND u.wire_at > clock_timestamp() - make_interval(secs => g.report_horizon_seconds))"""


def has_queued(*, gateway_id: int) -> bool:
    """Whether batches of a gateway may be claimed now."""
    return bool(
        scalar(
            "SELECT 1 FROM outbox_batch WHERE gateway_id = :id AND state = 'queued' AND not_before <= now() LIMIT 1",
            id=gateway_id,
        )
    )


def current_epoch() -> int:
    """Which life of the database this is: 0, until the first backup is restored."""
    return int(scalar("SELECT max(number) FROM core_epoch"))


def awaits_reports(*, gateway_id: int) -> bool:
    """Whether anything sent through a gateway may still be reported; also what became of messages of unknown fate."""
    return bool(scalar(f"SELECT 1 FROM operators_gateway g WHERE g.id = :id AND ({AWAITED})", id=gateway_id))  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class Waiting:
    """One reason why a send, or what of it stands on one line, waits: its sentence has `params` for its places, among
    them perhaps a Refusal, which has a sentence of its own."""

    reason: Wait
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """Its message id."""
        return WAIT_SENTENCES[self.reason]

    @property
    def is_calm(self) -> bool:
        """Whether it is as the customer wants it."""
        return self.reason in CALM_WAITS


def why_waiting(campaign: Campaign, *, at: datetime) -> list[Waiting]:
    """Why nothing of a send is being handed over, or nothing of what stands on some of its lines; empty when it goes,
    or when nothing of it is left."""
    if campaign.state not in {CampaignState.QUEUED, CampaignState.SENDING}:
        return []
    if not scalar("SELECT is_open FROM accounts_account WHERE id = :id", id=campaign.account_id):
        return [Waiting(Wait.SUSPENDED)]
    if campaign.paused_at is not None:
        return [Waiting(Wait.PAUSED, {"since": campaign.paused_at})]
    if campaign.scheduled_at is not None and campaign.scheduled_at > at:
        return [Waiting(Wait.SCHEDULED, {"begins": campaign.scheduled_at})]
    found = rows(
        """SELECT l.id, l.number FROM lines_line l WHERE l.id IN (
               SELECT line_id FROM outbox_batch WHERE campaign_id = :id AND state IN ('queued', 'paused', 'submitting'))
           ORDER BY l.number""",
        id=campaign.id,
    )
    why = (_why(campaign, line.id, line.number, at=at) for line in found)
    told = [each for each in why if each is not None]
    refusal = None if told else waits_for(campaign, at=at)  # what nothing else holds up may have lost its line
    return told if refusal is None else [Waiting(Wait.BARRED, {"refusal": refusal})]


def _why(campaign: Campaign, line_id: int, number: str, *, at: datetime) -> Waiting | None:
    trouble = gateway_trouble(line_id=line_id)
    told = {"line": number}
    if trouble is not None and not trouble.is_active:
        return Waiting(Wait.LINE_OFF, told)
    line = usable_line(campaign.account_id, line_id)
    if line is not None and line.window is not None and line.is_held(at, is_single=campaign.priority < Priority.BULK):
        return Waiting(Wait.CLOSED, told | {"opens": line.window.next_opening(at)})
    if trouble is None:
        return None
    if trouble.stopped_reason == StopReason.CREDIT:
        return Waiting(Wait.NO_CREDIT, told)
    if not trouble.is_on or trouble.stopped_reason:
        return Waiting(Wait.GATEWAY_HELD, told)
    return Waiting(Wait.FAILING, told | {"since": trouble.failing_since})
