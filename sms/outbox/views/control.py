"""Pages of what is done about a send that is not through: pause, resume, cancel, another time, another line."""

from collections.abc import Callable

from flask import flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.web.filters import moment_text, number_text
from sms.core.web.guards import in_an_acting_look, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, say
from sms.outbox.forms import NewTimeForm
from sms.outbox.operations import control, failover
from sms.outbox.operations.campaigns import cancel
from sms.outbox.queries.control import rest
from sms.outbox.views.sends import bp, campaign_of, campaign_page

__all__ = ["bp"]

_LARGEST = 2**63 - 1


def _done(campaign_id: int, act: Callable[[], str]) -> ResponseReturnValue:
    """Do it, say what was done, and show the send; what is refused is said on its page."""
    try:
        with transaction():
            told = act()
    except NotFound:
        raise
    except SmsError as refusal:
        return campaign_page(campaign_of(campaign_id), refusal=refusal)
    flash(told, "success")
    return redirect_to(url_for(".campaign", campaign_id=campaign_id))


@bp.post("/campaigns/<int:campaign_id>/pause")
@require(Permission.SEND_MESSAGES)
@in_an_acting_look
def pause_campaign(campaign_id: int) -> ResponseReturnValue:
    """Hand nothing more over until it is resumed."""

    def act() -> str:
        count = control.pause(
            campaign_id=campaign_id, account_id=visitor().account_id, user_id=visitor().id, at=clock.now()
        )
        return _("Paused: %(count)s messages wait. What is already on its way stays there.", count=number_text(count))

    return _done(campaign_id, act)


@bp.post("/campaigns/<int:campaign_id>/resume")
@require(Permission.SEND_MESSAGES)
def resume_campaign(campaign_id: int) -> ResponseReturnValue:
    """Let a paused send go on."""

    def act() -> str:
        count = control.resume(
            campaign_id=campaign_id, account_id=visitor().account_id, user_id=visitor().id, at=clock.now()
        )
        return _("The send goes on with %(count)s messages.", count=number_text(count))

    return _done(campaign_id, act)


@bp.post("/campaigns/<int:campaign_id>/cancel")
@require(Permission.SEND_MESSAGES)
def cancel_campaign(campaign_id: int) -> ResponseReturnValue:
    """Stop what is not sent yet."""

    def act() -> str:
        stopped = cancel(campaign_id=campaign_id, account_id=visitor().account_id, user_id=visitor().id, at=clock.now())
        return _("%(count)s messages are not sent; their price comes back within moments.", count=number_text(stopped))

    return _done(campaign_id, act)


@bp.post("/campaigns/<int:campaign_id>/schedule")
@require(Permission.SEND_MESSAGES)
def schedule_campaign(campaign_id: int) -> ResponseReturnValue:
    """Let a send of which nothing is sent yet begin at another time."""
    form = NewTimeForm()
    if not form.validate_on_submit():
        return campaign_page(campaign_of(campaign_id), schedule=form)
    begins_at = form.moment

    def act() -> str:
        control.schedule(
            campaign_id=campaign_id,
            account_id=visitor().account_id,
            user_id=visitor().id,
            scheduled_at=begins_at,
            at=clock.now(),
        )
        return _("The send begins at %(moment)s.", moment=moment_text(begins_at or clock.now()))

    return _done(campaign_id, act)


@bp.post("/campaigns/<int:campaign_id>/begin")
@require(Permission.SEND_MESSAGES)
def begin_campaign(campaign_id: int) -> ResponseReturnValue:
    """Begin a scheduled send now."""

    def act() -> str:
        control.schedule(
            campaign_id=campaign_id,
            account_id=visitor().account_id,
            user_id=visitor().id,
            scheduled_at=None,
            at=clock.now(),
        )
        return _("The send no longer waits for its time.")

    return _done(campaign_id, act)


# Another line for the rest


@bp.get("/campaigns/<int:campaign_id>/switch")
@require(Permission.SEND_MESSAGES)
def switch(campaign_id: int) -> ResponseReturnValue:
    """What the rest of a send would cost over each other line, before it goes over one."""
    return _switch_page(campaign_id)


def _switch_page(campaign_id: int, *, refusal: SmsError | None = None) -> ResponseReturnValue:
    found = campaign_of(campaign_id)
    left = rest(account_id=found.account_id, campaign_id=found.id, at=clock.now())
    return render_page(
        "outbox/switch.html",
        status=200 if refusal is None else 422,
        campaign=found,
        rest=left,
        refusal=say(refusal) if refusal is not None else "",
        problem_of=say,
    )


@bp.post("/campaigns/<int:campaign_id>/switch")
@require(Permission.SEND_MESSAGES)
def switch_line(campaign_id: int) -> ResponseReturnValue:
    """Send the rest over the line that was chosen, for no more than was shown; however often it is posted, once."""
    try:
        with transaction():
            moved = failover.switch_line(
                campaign_id=campaign_id,
                account_id=visitor().account_id,
                line_id=request.form.get("line_id", 0, type=int),
                cap_mrial=min(request.form.get("cap_mrial", 0, type=int), _LARGEST),  # as the page said
                user_id=visitor().id,
                at=clock.now(),
            )
    except NotFound:
        raise
    except SmsError as refusal:
        return _switch_page(campaign_id, refusal=refusal)
    if moved:
        flash(_("%(count)s messages have gone over to the other line.", count=number_text(moved)), "success")
    return redirect_to(url_for(".campaign", campaign_id=campaign_id))
