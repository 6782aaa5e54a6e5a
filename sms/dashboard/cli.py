"""Commands that look across capabilities: sample data, invariants, a demo campaign, the clock."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import click
from flask.cli import with_appcontext

from sms.accounts.queries import user_by_name
from sms.core import clock
from sms.core.config import settings
from sms.core.console import json_option, refusals, tell, tell_line
from sms.core.db import release, transaction
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.dashboard import operations, queries
from sms.dashboard.rules import CUSTOMER, DEMO_BODY, OPERATORS, Simulator, demo_recipients
from sms.lines.queries import usable_line_by_number
from sms.outbox.intake import queries as intake
from sms.outbox.intake.operations import drafts, reading
from sms.outbox.models import Campaign
from sms.outbox.operations.accept import accept_draft
from sms.outbox.queries import campaigns
from sms.outbox.rules import CampaignState, Progress

_LOOK_SECONDS = 0.2
_MOST_RECIPIENTS = 1_000_000


@click.command("sample-data")
@json_option
@with_appcontext
def sample_data(as_json: bool) -> None:
    """Make the sample data; where it is made already, follow the simulator to its address."""
    chosen = settings()
    with refusals(), transaction():
        is_new = operations.make_sample(
            mode=chosen.mode,
            simulator=Simulator(chosen.simulator_url, chosen.simulator_smpp_url),
            seal_key=chosen.seal_key,
            at=clock.now(),
        )
    tell({"sample_data": "made" if is_new else "there already"}, as_json)


@click.command("verify")
@json_option
@with_appcontext
def verify(as_json: bool) -> None:
    """Check the invariants I1 to I7 and I13 over everything; exit code 1 with the offending rows when one is broken."""
    with transaction():
        broken = queries.broken()
    is_well = not any(broken.values())
    if as_json:
        tell_line({"ok": is_well, "invariants": broken})
    else:
        for name, found in broken.items():
            click.echo(f"{name}: {f'{len(found)} offending rows' if found else 'ok'}")
            for each in found:
                click.echo("  " + ", ".join(f"{key}={value}" for key, value in each.items()))
    if not is_well:
        sys.exit(1)


@click.command("clock")
@click.option("--offset", type=float, required=True, help="Seconds to move all clocks of this installation by.")
@json_option
@with_appcontext
def move_clock(offset: float, as_json: bool) -> None:
    """Move the clock of an installation that is not in production, so that 48 hours need not be waited for."""
    if settings().is_production:
        raise click.ClickException("The clock of a production installation cannot be moved.")
    clock.set_offset(offset)
    tell({"offset_seconds": offset, "now": clock.now().isoformat()}, as_json)


@click.command("demo-campaign")
@click.option("--recipients", "count", type=click.IntRange(1, _MOST_RECIPIENTS), default=1000, show_default=True)
@click.option("--line", "number", default=OPERATORS[0].public_line, show_default=True, help="The line to send from.")
@click.option("--timeout", "seconds", type=float, default=3600.0, show_default=True, help="How long to wait.")
@json_option
@with_appcontext
def demo_campaign(count: int, number: str, seconds: float, as_json: bool) -> None:
    """Send as the sample customer to made-up recipients of all last digits, and wait until the campaign is closed."""
    with refusals():
        account_id, campaign_id, took = _accept(count, number)
        campaign = _wait(account_id, campaign_id, seconds=seconds)
    tell(_told(campaign, took), as_json)


def _accept(count: int, number: str) -> tuple[int, int, dict[str, float]]:
    """(account id, campaign id, seconds for reading the list and for accepting it)."""
    customer = user_by_name(CUSTOMER.username)
    line = usable_line_by_number(customer.account_id, number)
    if line is None:
        raise NotFound(N_("There is no such line."))
    began = time.monotonic()
    with transaction():
        draft_id = drafts.draft_from_text(
            account_id=customer.account_id,
            user_id=customer.id,
            line_id=line.id,
            title="",
            body=DEMO_BODY,
            recipients="\n".join(demo_recipients(count)),
            at=clock.now(),
        )
    _read(customer.account_id, draft_id)
    read = time.monotonic()
    with transaction():
        campaign_id = accept_draft(
            draft_id=draft_id, account_id=customer.account_id, user_id=customer.id, at=clock.now()
        )
    accepted = time.monotonic()
    return customer.account_id, campaign_id, {"read": read - began, "accept": accepted - read}


def _read(account_id: int, draft_id: int) -> None:
    """Read the list here and now, or wait for the worker that was quicker."""
    while intake.draft(account_id, draft_id).state == "reading":
        with transaction():
            reading.read_draft(draft_id=draft_id, at=clock.now())
        time.sleep(_LOOK_SECONDS / 10)


def _wait(account_id: int, campaign_id: int, *, seconds: float) -> Campaign:
    deadline = time.monotonic() + seconds
    while True:
        campaign = campaigns.campaign(account_id=account_id, campaign_id=campaign_id)
        is_closed = campaign is not None and campaign.state == CampaignState.CLOSED and not campaign.is_dirty
        if campaign is not None and is_closed and not _is_owed(campaign_id):
            return campaign
        release()
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"Campaign {campaign_id} is not closed after {seconds:.0f} s; does the panel run?"
            )
        time.sleep(_LOOK_SECONDS)


def _is_owed(campaign_id: int) -> bool:
    """Whether refunds are due that a worker is about to post."""
    refunds = campaigns.refunds(campaign_id=campaign_id)
    return any(not refund.is_posted and refund.first_due_at <= clock.now() for refund in refunds)


def _told(campaign: Campaign, took: Mapping[str, float]) -> dict[str, Any]:
    ends = {"submit": campaign.submitted_at, "all_reports": campaign.closed_at}
    seconds = {name: (at - campaign.accepted_at).total_seconds() for name, at in ends.items() if at is not None}
    return {
        "campaign": campaign.id,
        "accepted": campaign.sendable_count,
        "by_outcome": {name: count for name, count in campaign.counts.items() if name not in _NOT_OUTCOMES and count},
        "held_mrial": campaign.held_mrial,
        "charged_mrial": campaign.charged_mrial,
        "released_mrial": campaign.released_mrial,
        "refunded_mrial": campaign.refunded_mrial,
        "refund_due_mrial": campaign.refund_due_mrial,
        "seconds": {name: round(each, 3) for name, each in {**took, **seconds}.items()},
    }


_NOT_OUTCOMES = frozenset({*map(str, Progress), "submitted"})

COMMANDS: tuple[click.Command, ...] = (sample_data, verify, move_clock, demo_campaign)
