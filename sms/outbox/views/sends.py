"""Pages of what was sent: sends with their progress, recipients and money, the outbox, one message, exports."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Response, request, stream_with_context
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.contacts.queries import name_of
from sms.core import clock
from sms.core.calendar import day_of, day_text
from sms.core.errors import NotFound, Refusal, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import digits
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import STOP_POLLING, is_htmx, render_page
from sms.core.web.i18n import _, language, localised, say
from sms.operators.queries import networks as all_networks
from sms.operators.rules import OUTCOME_LABELS, Outcome
from sms.outbox.forms import CampaignFilterForm, MessageFilterForm, NewTimeForm, RecipientFilterForm
from sms.outbox.intake.views import bp
from sms.outbox.models import Campaign
from sms.outbox.queries import campaigns, control, exports, messages
from sms.outbox.queries.linked import followed, own_link
from sms.outbox.queries.messages import MessageFilter, progress_of
from sms.outbox.queries.waiting import Waiting, why_waiting
from sms.outbox.rules import (
    CAMPAIGN_LABELS,
    MOVE_LABELS,
    PROGRESS_LABELS,
    TRY_SENTENCES,
    BatchState,
    CampaignState,
    MoveReason,
    Progress,
    expected_end,
    standing,
    tries,
)

__all__ = ["bp"]

_PAGE = 25
_FEW_REFUNDS = 5_000  # so many are summed at every look; of more only the totals are shown while a send runs
_TONES: dict[str, str] = {
    Outcome.DELIVERED: "success",
    Outcome.UNDELIVERED: "danger",
    Outcome.REFUSED: "danger",
    Outcome.FILTERED: "danger",
    Outcome.INVALID: "danger",
    Outcome.EXPIRED: "muted",
    Outcome.CANCELLED: "muted",
    Outcome.DUPLICATE: "muted",
    Progress.WAITING: "info",
    Progress.SENDING: "info",
    Progress.QUEUED: "muted",
}

nav.add(
    N_("Sends"),
    endpoint="outbox.campaigns",
    icon="list-details",
    permission=Permission.VIEW_MESSAGES,
    section="customer",
    order=20,
)
nav.add(
    N_("Outbox"),
    endpoint="outbox.messages",
    icon="send",
    permission=Permission.VIEW_MESSAGES,
    section="customer",
    order=25,
)


@bp.app_template_global()
def outcome_label(code: str) -> str:
    """The name of an outcome."""
    return _(OUTCOME_LABELS[Outcome(code)])


@bp.app_template_global()
def progress_label(code: str) -> str:
    """The name of where a message without an outcome stands."""
    return _(PROGRESS_LABELS[Progress(code)])


@bp.app_template_global()
def campaign_label(state: str) -> str:
    """The name of a campaign's state."""
    return _(CAMPAIGN_LABELS[CampaignState(state)])


def _fate_label(code: str) -> str:
    return outcome_label(code) if code in OUTCOME_LABELS else progress_label(code)


def _before() -> int | None:
    return request.args.get("before", type=int)


# Sends


@bp.get("/campaigns", endpoint="campaigns")
@require(Permission.VIEW_MESSAGES)
def campaign_list() -> ResponseReturnValue:
    """All sends of the account, newest first."""
    account_id = visitor().account_id
    form = CampaignFilterForm.read(lines=campaigns.used_lines(account_id=account_id))
    found = campaigns.campaigns(account_id=account_id, narrowed=form.narrowed, before=_before(), most=_PAGE + 1)
    older = found[_PAGE - 1].first_id if len(found) > _PAGE else None
    return render_page("outbox/campaigns.html", form=form, campaigns=found[:_PAGE], older=older, before=_before())


def campaign_of(campaign_id: int) -> Campaign:
    """A send of the visitor's account; raises NotFound."""
    found = campaigns.campaign(account_id=visitor().account_id, campaign_id=campaign_id)
    if found is None:
        raise NotFound(N_("There is no such campaign."))
    return found


@bp.get("/campaigns/<int:campaign_id>")
@require(Permission.VIEW_MESSAGES)
def campaign(campaign_id: int) -> ResponseReturnValue:
    """One send: how far it is, what it cost and gave back, and each of its recipients."""
    found = campaign_of(campaign_id)
    is_finished = found.state == CampaignState.CLOSED
    if not is_htmx():
        return campaign_page(found)
    status = STOP_POLLING if is_finished else 200
    response = render_page("outbox/campaign.html", fragment="progress", status=status, **_progress(found))
    if is_finished:
        response.headers["HX-Refresh"] = "true"  # the list of recipients stands still meanwhile; now it is final too
    return response


def campaign_page(found: Campaign, *, schedule: NewTimeForm | None = None, refusal: SmsError | None = None) -> Response:
    """The page of a send, with what was refused."""
    form = RecipientFilterForm.read()
    listed = messages.messages(
        account_id=found.account_id, narrowed=form.narrowed(found.id), before=_before(), most=_PAGE + 1
    )
    return render_page(
        "outbox/campaign.html",
        status=200 if refusal is None and schedule is None else 422,
        form=form,
        schedule=schedule or NewTimeForm(formdata=None),
        refusal=say(refusal) if refusal is not None else "",
        messages=listed[:_PAGE],
        older=listed[_PAGE - 1].id if len(listed) > _PAGE else None,
        before=_before(),
        progress_of=progress_of,
        followed=followed(found),
        **_progress(found),
    )


def _progress(found: Campaign) -> dict[str, Any]:
    """What the live block shows."""
    at = clock.now()
    counts = standing(found.counts, sendable_count=found.sendable_count, skipped=found.skipped)
    unsent = counts.get(Progress.QUEUED, 0) + counts.get(Progress.SENDING, 0)
    is_finished = found.state == CampaignState.CLOSED
    line = campaigns.line_of(campaign_id=found.id)
    stands = control.standing(campaign_id=found.id) if unsent else control.NOTHING_LEFT
    refund_count = found.refunded_count + found.refund_due_count
    return {
        "campaign": found,
        "counts": counts,
        "bar": [(count, _TONES.get(code, "warning"), _fate_label(code)) for code, count in counts.items()],
        "unsent": unsent,
        "still_held_mrial": found.held_mrial - found.charged_mrial - found.released_mrial,
        "line": line,
        "is_finished": is_finished,
        "pace_seconds": _pace(found, at),
        "waits": [_told(waiting) for waiting in why_waiting(found, at=at)],
        "sent_by": expected_end(
            sendable_count=found.sendable_count,
            unsent_count=unsent,
            begun_at=max(found.accepted_at, found.scheduled_at or found.accepted_at),
            at=at,
        ),
        "reported_by": (found.submitted_at or at) + timedelta(seconds=line.report_horizon_seconds),
        "refunds": campaigns.refunds(campaign_id=found.id) if 0 < refund_count <= _FEW_REFUNDS else [],
        "refund_due": campaigns.refund_due(campaign_id=found.id) if found.refund_due_count else None,
        "is_cancellable": counts.get(Progress.QUEUED, 0) > 0 and found.cancelled_at is None,
        "is_begun": stands.is_begun or found.cancelled_at is not None,
        "is_paused": found.paused_at is not None and unsent > 0,
        "lines": control.used_lines(campaign_id=found.id),
        "plan": control.plan(campaign_id=found.id),
        "moves": [_move(move) for move in control.moves(campaign_id=found.id)],
    }


def _told(waiting: Waiting) -> dict[str, Any]:
    """Why a send waits, in words."""
    written = {"line": digits(f"\u2066{waiting.params['line']}\u2069")} if "line" in waiting.params else {}
    written |= {name: say(value) for name, value in waiting.params.items() if isinstance(value, Refusal)}
    text = _(waiting.sentence, **localised(waiting.params) | written)
    return {"reason": waiting.reason, "text": text, "tone": "info" if waiting.is_calm else "warning"}


def _move(move: Any) -> dict[str, Any]:
    """A move as pages show it: its facts, its reason, and why it ended before its end."""
    problem = _(move.problem, **localised(move.problem_params)) if move.problem else ""
    return {"at": move, "reason": _(MOVE_LABELS[MoveReason(move.reason)]), "problem": problem}


def _pace(found: Campaign, at: datetime) -> int:
    """How long the live block waits before it asks again: a send that only waits is not asked after every moment."""
    if found.submitted_at is None and (found.paused_at or (found.scheduled_at or at) > at + timedelta(minutes=1)):
        return 10
    if found.submitted_at is None or at - found.submitted_at < timedelta(minutes=2):
        return 2
    return 5 if at - found.submitted_at < timedelta(minutes=15) else 30


@bp.get("/campaigns/<int:campaign_id>/networks")
@require(Permission.VIEW_MESSAGES)
def networks(campaign_id: int) -> ResponseReturnValue:
    """How a closed send spread over the networks; asked for apart, as all its messages are read for it."""
    found = campaign_of(campaign_id)
    shares = (
        campaigns.networks(
            campaign_id=found.id,
            first_id=found.first_id,
            last_id=found.last_id,
            counted=tuple(sorted(found.counts.items())),
        )
        if found.state == CampaignState.CLOSED
        else ()
    )
    return render_page("outbox/networks.html", fragment="networks", campaign=found, shares=shares)


@bp.get("/campaigns/<int:campaign_id>/blocked")
@require(Permission.VIEW_MESSAGES)
def blocked(campaign_id: int) -> ResponseReturnValue:
    """The recipients of a send who have blocked advertising, and what was paid back for each."""
    found = campaign_of(campaign_id)
    narrowed = MessageFilter(campaign_id=found.id, outcome=Outcome.BLOCKED)
    listed = messages.messages(account_id=found.account_id, narrowed=narrowed, before=_before(), most=_PAGE + 1)
    return render_page(
        "outbox/blocked.html",
        campaign=found,
        count=found.counts.get(Outcome.BLOCKED, 0),
        messages=listed[:_PAGE],
        older=listed[_PAGE - 1].id if len(listed) > _PAGE else None,
        before=_before(),
    )


# The outbox


@bp.get("/outbox", endpoint="messages")
@require(Permission.VIEW_MESSAGES)
def message_list() -> ResponseReturnValue:
    """All messages of the account, newest first."""
    account_id = visitor().account_id
    form = _message_filter()
    listed = messages.messages(account_id=account_id, narrowed=form.narrowed, before=_before(), most=_PAGE + 1)
    today = day_of(clock.now())
    return render_page(
        "outbox/messages.html",
        form=form,
        messages=listed[:_PAGE],
        older=listed[_PAGE - 1].id if len(listed) > _PAGE else None,
        before=_before(),
        progress_of=progress_of,
        today=day_text(today, language()),
        yesterday=day_text(today - timedelta(days=1), language()),
    )


def _message_filter() -> MessageFilterForm:
    form: MessageFilterForm = MessageFilterForm.read(lines=campaigns.used_lines(account_id=visitor().account_id))
    return form


@bp.get("/messages/<int:message_id>")
@require(Permission.VIEW_MESSAGES)
def message(message_id: int) -> ResponseReturnValue:
    """One message: what happened to it, step by step, and what became of its price."""
    found = messages.message(account_id=visitor().account_id, message_id=message_id)
    if found is None:
        raise NotFound(N_("There is no such message."))
    taken = messages.submissions(message_id=message_id)
    sent = min((each.submitted_at for each in taken), default=None)
    return render_page(
        "outbox/message.html",
        name=name_of(visitor().account_id, found.recipient) if found.recipient else "",
        message=found,
        own_link=own_link(found, sent=sent),
        progress=progress_of(found),
        waits=_waits(found),
        submissions=taken,
        tries=_tries(found, taken),
        moves=[_move(move) for move in control.moves_of_message(batch_id=found.batch_id)] if found.batch_id else [],
        reports=messages.reports(message_id=message_id, final_at=found.final_at) if found.final_at else [],
        refund=messages.refund(message_id=message_id),
        network=_network_names().get(found.network_id, ""),
    )


def _waits(found: Any) -> list[dict[str, Any]]:
    """Why a message that is queued is not handed over."""
    if found.outcome or found.batch_state not in {BatchState.QUEUED, BatchState.PAUSED}:
        return []
    return [_told(waiting) for waiting in why_waiting(campaign_of(found.campaign_id), at=clock.now())]


def _tries(found: Any, taken: Sequence[Any]) -> list[dict[str, Any]]:
    """Every try to hand a message over, with what became of it; the operator's reference where it took it."""
    if not found.batch_id:
        return []
    by_number = {submission.attempt: submission for submission in taken}
    ended = tries(
        attempt=found.attempt,
        batch_state=found.batch_state,
        accepted=sorted(by_number),
        unknown=found.unknown_attempt,
        outcome=found.outcome,
        is_pinned=found.is_pinned,
    )
    return [
        {
            "number": each.number,
            "end": each.end,
            "text": _(TRY_SENTENCES[each.end]),
            "submission": by_number.get(each.number),
            "wire_at": found.wire_at if each.number == found.attempt else None,
        }
        for each in ended
    ]


# Exports


@bp.get("/campaigns/<int:campaign_id>/export.csv")
@require(Permission.VIEW_MESSAGES)
def export_campaign(campaign_id: int) -> ResponseReturnValue:
    """Every recipient of a send, as a file."""
    found = campaign_of(campaign_id)
    lines = exports.of_campaign(account_id=found.account_id, campaign_id=found.id, words=_words())
    return _csv(lines, f"send-{found.id}.csv")


@bp.get("/campaigns/<int:campaign_id>/blocked.csv")
@require(Permission.VIEW_MESSAGES)
def export_blocked(campaign_id: int) -> ResponseReturnValue:
    """The blocked recipients of a send, as a file."""
    found = campaign_of(campaign_id)
    lines = exports.of_campaign(
        account_id=found.account_id, campaign_id=found.id, words=_words(), outcome=Outcome.BLOCKED
    )
    return _csv(lines, f"blocked-{found.id}.csv")


@bp.get("/outbox/export.csv")
@require(Permission.VIEW_MESSAGES)
def export_messages() -> ResponseReturnValue:
    """All messages of the outbox's filter, as a file."""
    form = _message_filter()
    lines = exports.of_filter(account_id=visitor().account_id, narrowed=form.narrowed, words=_words())
    return _csv(lines, f"outbox-{day_of(clock.now()).isoformat()}.csv")


def _network_names() -> dict[int, str]:
    return {network.id: network.name_fa if language() == "fa" else network.name_en for network in all_networks()}


def _words() -> exports.Words:
    labels = {str(code): _(label) for code, label in (*OUTCOME_LABELS.items(), *PROGRESS_LABELS.items())}
    return exports.Words(translate=_, language=language(), networks=_network_names(), labels=labels)


def _csv(lines: Iterator[str], name: str) -> Response:
    response = Response(stream_with_context(lines), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
