"""Commands for scripts: the same operations as the pages."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click
from flask.cli import with_appcontext

from sms.accounts.queries import user_by_name
from sms.core import clock, phone
from sms.core.calendar import TEHRAN
from sms.core.console import json_option, refusals, tell, tell_line
from sms.core.db import release, transaction
from sms.core.errors import NotFound, Refusal
from sms.core.money import parse_rial
from sms.core.text import N_
from sms.lines.queries import UsableLine, usable_line_by_number
from sms.links.queries import link_by_code
from sms.outbox.intake import queries as intake
from sms.outbox.intake.operations import drafts, reading
from sms.outbox.models import Campaign
from sms.outbox.operations import control, failover
from sms.outbox.operations.accept import accept_draft
from sms.outbox.operations.campaigns import cancel
from sms.outbox.operations.restored import after_restore
from sms.outbox.queries import campaigns, exports
from sms.outbox.queries.control import rest
from sms.outbox.queries.messages import progress_of
from sms.outbox.queries.waiting import why_waiting
from sms.outbox.rules import CampaignState, OutOfHours, PlanLine, Progress, Terms, standing

_LOOK_SECONDS = 0.5
_MOMENTS = ("accepted_at", "scheduled_at", "paused_at", "submitted_at", "cancelled_at", "closed_at")


def _moment_of(value: str) -> datetime:
    """A moment as scripts write it; without an offset it is on Tehran's clock."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("write it as 2026-11-23T08:00 or 2026-11-23T08:00:00+00:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=TEHRAN)


def _time_to_come(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    return None if value is None else _moment_of(value)


@click.command("send")
@click.option("--as", "username", required=True, help="User name of the customer who sends.")
@click.option("--line", "number", required=True, help="The line to send from.")
@click.option("--text-file", type=click.File("r", encoding="utf-8"), required=True, help="The text, in UTF-8.")
@click.option("--recipients-file", type=click.File("rb"), required=True, help="CSV, TXT or XLSX.")
@click.option("--title", default="", help="A title for the customer's own lists.")
@click.option("--link", "link_code", default="", help="Code of the link that stands at {link} in the text.")
@click.option(
    "--schedule-at",
    "scheduled_at",
    callback=_time_to_come,
    help="When it begins, as 2026-11-23T08:00; now when left out.",
)
@click.option(
    "--plan",
    multiple=True,
    metavar="LINE:CAP",
    help="A line to go on over when the operator fails, and the rial the send may then cost in all. Repeatable.",
)
@click.option(
    "--out-of-hours",
    type=click.Choice([str(each) for each in OutOfHours]),
    default=str(OutOfHours.WAIT),
    show_default=True,
    help="What becomes of what the hours of the line cut off.",
)
@click.option("--wait", "is_waiting", is_flag=True, help="Wait until the campaign is closed.")
@json_option
@with_appcontext
def send(
    *,
    username: str,
    number: str,
    text_file: Any,
    recipients_file: BinaryIO,
    title: str,
    link_code: str,
    scheduled_at: datetime | None,
    plan: tuple[str, ...],
    out_of_hours: str,
    is_waiting: bool,
    as_json: bool,
) -> None:
    """Send a text to a list: read, price, hold and queue it, and tell the campaign's totals."""
    with refusals():
        user = user_by_name(username)
        terms = Terms(scheduled_at, OutOfHours(out_of_hours), [_planned(user.account_id, words) for words in plan])
        link_id = link_by_code(user.account_id, link_code, at=clock.now()).id if link_code else None
        words = _Words(text_file.read().removesuffix("\n"), title, link_id)
        campaign_id = _send(user, number, words=words, list_file=recipients_file, terms=terms)
        if is_waiting:
            _wait(user.account_id, campaign_id)
        tell(_totals(_found(campaign_id)), as_json)


def _line(account_id: int, number: str) -> UsableLine:
    line = usable_line_by_number(account_id, number)
    if line is None:
        raise NotFound(N_("There is no such line."))
    return line


def _planned(account_id: int, words: str) -> PlanLine:
    """LINE:CAP, the cap in rial."""
    number, colon, cap = words.partition(":")
    if not colon:
        raise click.BadParameter("write a line and a cap in rial, as 20004505:900000", param_hint="--plan")
    return PlanLine(_line(account_id, number).id, parse_rial(cap))


class _Words(NamedTuple):
    """What a send says."""

    body: str
    title: str
    link_id: int | None


def _send(user: Any, number: str, *, words: _Words, list_file: BinaryIO, terms: Terms) -> int:
    line = _line(user.account_id, number)
    with transaction():
        draft_id = drafts.draft_from_file(
            account_id=user.account_id,
            user_id=user.id,
            line_id=line.id,
            title=words.title,
            body=words.body,
            link_id=words.link_id,
            file_name=Path(list_file.name).name,
            stream=list_file,
            at=clock.now(),
        )
    _read(user.account_id, draft_id)
    with transaction():
        return accept_draft(draft_id=draft_id, account_id=user.account_id, user_id=user.id, terms=terms, at=clock.now())


def _read(account_id: int, draft_id: int) -> None:
    """Read the list here and now; a worker that was quicker is waited for."""
    while True:
        with transaction():
            reading.read_draft(draft_id=draft_id, at=clock.now())
        draft = intake.draft(account_id, draft_id)
        if draft.state == "failed":
            raise Refusal(draft.problem, **draft.problem_params)
        if draft.state != "reading":
            return
        release()
        time.sleep(_LOOK_SECONDS)


def _wait(account_id: int, campaign_id: int) -> None:
    while True:
        campaign = campaigns.campaign(account_id=account_id, campaign_id=campaign_id)
        if campaign is not None and campaign.state == CampaignState.CLOSED and not campaign.is_dirty:
            return
        release()
        time.sleep(_LOOK_SECONDS)


def _found(campaign_id: int) -> Campaign:
    account_id = campaigns.owner_of(campaign_id=campaign_id)
    found = campaigns.campaign(account_id=account_id, campaign_id=campaign_id) if account_id is not None else None
    if found is None:
        raise NotFound(N_("There is no such campaign."))
    return found


def _totals(campaign: Campaign) -> dict[str, object]:
    counts = standing(campaign.counts, sendable_count=campaign.sendable_count, skipped=campaign.skipped)
    moments = {name: getattr(campaign, name) for name in _MOMENTS}
    return {
        "campaign": campaign.id,
        "account": campaign.account_id,
        "state": campaign.state,
        "title": campaign.title,
        "parts": campaign.parts,
        "total": campaign.total_count,
        "accepted": campaign.sendable_count,
        "by_outcome": {code: count for code, count in counts.items() if code not in set(Progress)},
        "by_progress": {code: count for code, count in counts.items() if code in set(Progress)},
        "held_mrial": campaign.held_mrial,
        "charged_mrial": campaign.charged_mrial,
        "released_mrial": campaign.released_mrial,
        "refunded_mrial": campaign.refunded_mrial,
        "refund_due_mrial": campaign.refund_due_mrial,
        "waits": [str(each.reason) for each in why_waiting(campaign, at=clock.now())],
        "moved": campaign.moved_count,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }


@click.command("campaign")
@click.argument("campaign_id", type=int)
@json_option
@with_appcontext
def show_campaign(campaign_id: int, as_json: bool) -> None:
    """Tell a campaign's totals."""
    with refusals():
        tell(_totals(_found(campaign_id)), as_json)


@click.command("campaign-cancel")
@click.argument("campaign_id", type=int)
@json_option
@with_appcontext
def cancel_campaign(campaign_id: int, as_json: bool) -> None:
    """Stop what of a campaign is not sent yet."""
    with refusals():
        account_id = _found(campaign_id).account_id
        with transaction():
            stopped = cancel(campaign_id=campaign_id, account_id=account_id, at=clock.now())
    tell({"campaign": campaign_id, "cancelled": stopped}, as_json)


@click.command("campaign-pause")
@click.argument("campaign_id", type=int)
@json_option
@with_appcontext
def pause_campaign(campaign_id: int, as_json: bool) -> None:
    """Hand over nothing more of a campaign until it is resumed."""
    with refusals():
        account_id = _found(campaign_id).account_id
        with transaction():
            waiting = control.pause(campaign_id=campaign_id, account_id=account_id, user_id=None, at=clock.now())
    tell({"campaign": campaign_id, "waiting": waiting}, as_json)


@click.command("campaign-resume")
@click.argument("campaign_id", type=int)
@json_option
@with_appcontext
def resume_campaign(campaign_id: int, as_json: bool) -> None:
    """Let a paused campaign go on."""
    with refusals():
        account_id = _found(campaign_id).account_id
        with transaction():
            left = control.resume(campaign_id=campaign_id, account_id=account_id, user_id=None, at=clock.now())
    tell({"campaign": campaign_id, "left": left}, as_json)


@click.command("campaign-schedule")
@click.argument("campaign_id", type=int)
@click.option("--at", "scheduled_at", callback=_time_to_come, help="As 2026-11-23T08:00; left out, it begins now.")
@json_option
@with_appcontext
def schedule_campaign(*, campaign_id: int, scheduled_at: datetime | None, as_json: bool) -> None:
    """Let a campaign of which nothing is sent yet begin at another time, or now."""
    with refusals():
        account_id = _found(campaign_id).account_id
        with transaction():
            control.schedule(
                campaign_id=campaign_id,
                account_id=account_id,
                user_id=None,
                scheduled_at=scheduled_at,
                at=clock.now(),
            )
    tell({"campaign": campaign_id, "scheduled_at": scheduled_at.isoformat() if scheduled_at else None}, as_json)


@click.command("campaign-switch-line")
@click.argument("campaign_id", type=int)
@click.option("--line", "number", required=True, help="The line for the rest.")
@click.option(
    "--most", help="The rial the whole campaign may cost then; left out, its price is told and nothing moves."
)
@json_option
@with_appcontext
def switch_line(*, campaign_id: int, number: str, most: str | None, as_json: bool) -> None:
    """Send the rest of a campaign over another line, or tell what that would cost."""
    with refusals():
        campaign = _found(campaign_id)
        line = _line(campaign.account_id, number)
        told = _rest_over(campaign, line) if most is None else {}
        if most is not None:
            with transaction():
                told["moved"] = failover.switch_line(
                    campaign_id=campaign_id,
                    account_id=campaign.account_id,
                    line_id=line.id,
                    cap_mrial=parse_rial(most),
                    user_id=None,
                    at=clock.now(),
                )
    tell({"campaign": campaign_id, "line": line.number} | told, as_json)


def _rest_over(campaign: Campaign, line: UsableLine) -> dict[str, object]:
    left = rest(account_id=campaign.account_id, campaign_id=campaign.id, at=clock.now())
    other = next((each for each in left.lines if each.line.id == line.id), None)
    if other is None:
        raise Refusal(N_("Nothing is left that could go over another line."))
    if other.problem is not None:
        raise other.problem
    return {
        "rest": left.count,
        "price_mrial": left.price_mrial,
        "total_mrial": other.total_mrial,
        "difference_mrial": other.difference_mrial,
        "whole_mrial": campaign.held_mrial + other.difference_mrial,
        "is_down": other.is_down,
        "is_closed": other.is_closed,
    }


@click.command("messages")
@click.option("--campaign", "campaign_id", type=int, required=True, help="The campaign's number.")
@with_appcontext
def list_messages(campaign_id: int) -> None:
    """Tell each recipient of a campaign, one JSON object a line, in the order of its list."""
    with refusals():
        campaign = _found(campaign_id)
        for some in exports.recipients(account_id=campaign.account_id, campaign_id=campaign_id):
            for message in some:
                tell_line(_message(message))


def _message(message: Any) -> dict[str, object]:
    return {
        "id": message.id,
        "row_number": message.row_number,
        "recipient": None if message.recipient is None else phone.local(message.recipient),
        "given": message.given,
        "state": message.outcome or str(progress_of(message)),
        "outcome": message.outcome,
        "code": message.code,
        "parts": message.parts,
        "price_mrial": message.price_mrial,
        "refund_mrial": message.amount_mrial,
        "refund_due_at": message.due_at.isoformat() if message.due_at else None,
        "is_refunded": message.transfer_id is not None,
        "submitted_at": message.submitted_at.isoformat() if message.submitted_at else None,
        "final_at": message.final_at.isoformat() if message.final_at else None,
    }


def _moment(_context: click.Context, _option: click.Parameter, value: str) -> datetime:
    """A moment with its offset from UTC, not in the future: of a backup."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("write it as 2026-11-23T08:00:00+00:00") from None
    if moment.tzinfo is None:
        raise click.BadParameter("write it with its offset from UTC, as 2026-11-23T08:00:00+00:00")
    if moment > datetime.now(UTC):
        raise click.BadParameter("a backup is not taken in the future")
    return moment


@click.command("after-restore")
@click.option("--taken-at", required=True, callback=_moment, help="The moment the database went back to, with offset.")
@json_option
@with_appcontext
def finish_restore(*, taken_at: datetime, as_json: bool) -> None:
    """To be run before anything else on a database that went back in time by means other than `restore`.

    What may have been sent since becomes unknown, everybody is signed out, and nothing is sent by itself.
    """
    with refusals(), transaction():
        restored = after_restore(taken_at=taken_at, at=clock.now())
    tell(asdict(restored), as_json)


COMMANDS: tuple[click.Command, ...] = (
    send,
    show_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    switch_line,
    cancel_campaign,
    list_messages,
    finish_restore,
)
