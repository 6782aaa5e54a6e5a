"""Paying in online: the form, the way to the gateway and back, and what became of it."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from sms.accounts.rules import Permission
from sms.billing.taxes.queries import vat_permille
from sms.billing.tiers.queries import standing, steps_for
from sms.billing.topups import queries
from sms.billing.topups.contract import NotBegun
from sms.billing.topups.forms import TopupForm
from sms.billing.topups.operations import settling, starting
from sms.billing.topups.operations.settings import connect
from sms.billing.topups.queries import Topup
from sms.billing.topups.rules import CAN_BE_PAID_FOR, STATE_LABELS, STATE_SENTENCES, TopupState, path_of
from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav, subjects
from sms.core.web.filters import digits
from sms.core.web.forms import refuse
from sms.core.web.guards import public, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.core.web.limits import limiter
from sms.core.web.subjects import Cause
from sms.ledger.queries import wallet_of

bp = Blueprint("topups", __name__)

PAGE = 25
_LATEST = 5
_OK = "OK"

nav.add(
    N_("Top up"),
    endpoint="topups.new",
    icon="cash-plus",
    section="customer",
    permission=Permission.VIEW_MONEY,
    order=58,
)


def _causes(_account_id: int, lines: Sequence[Any]) -> dict[int, Cause]:
    """A payment answers 404 to whoever it does not belong to."""
    return {line.transfer_id: Cause(url_for("topups.topup", topup_id=line.subject.id)) for line in lines}


subjects.explain("topup", _causes)


@bp.app_template_global()
def topup_state_label(state: str) -> str:
    """The name of where an attempt to pay stands."""
    return _(STATE_LABELS[state])


@bp.route("/wallet/top-up", methods=["GET", "POST"])
@require(Permission.VIEW_MONEY)
def new() -> ResponseReturnValue:
    """How much to pay in, what comes on top, and what it does to the tier."""
    form = TopupForm()
    if form.validate_on_submit():
        try:
            topup_id = _begin(form)
        except NotFound:
            raise
        except SmsError as error:
            refuse(form, error)
        else:
            return redirect_to(url_for(".topup", topup_id=topup_id))
    at, account_id = clock.now(), visitor().account_id
    return render_page(
        "billing/topup.html",
        status=422 if form.errors else 200,
        form=form,
        wallet=wallet_of(account_id),
        vat=vat_permille(at),
        standing=standing(account_id, at=at),
        steps=steps_for(account_id, at=at),
        latest=queries.account_topups(account_id, most=_LATEST),
    )


def _begin(form: TopupForm) -> int:
    """Our row first, then the gateway: a payment nobody wrote down cannot exist."""
    with transaction():
        started = starting.start(
            account_id=visitor().account_id,
            user_id=visitor().id,
            gateway_id=form.gateway_id.data,
            amount_mrial=form.amount.data or 0,
            at=clock.now(),
        )
    gateway = connect(started.gateway_id, seal_key=settings().seal_key)
    release()
    try:
        begun = gateway.request(
            amount_rial=started.total_rial,
            description=_("Top-up %(number)s", number=digits(started.id)),
            callback_url=settings().public_url + path_of(started.token),
        )
    except NotBegun as error:
        with transaction():
            starting.note_not_begun(topup_id=started.id, code=str(error.params.get("code", "")), at=clock.now())
        raise
    finally:
        gateway.close()
    with transaction():
        starting.note_begun(topup_id=started.id, authority=begun.authority)
    return started.id


@bp.get("/wallet/top-ups")
@require(Permission.VIEW_MONEY)
def topups() -> ResponseReturnValue:
    """Everything the account ever paid in online, or tried to."""
    before = request.args.get("before", type=int)
    found = queries.account_topups(visitor().account_id, before=before, most=PAGE + 1)
    return render_page(
        "billing/topups.html",
        topups=found[:PAGE],
        older_url=url_for(".topups", before=found[PAGE - 1].id) if len(found) > PAGE else None,
        newest_url=url_for(".topups") if before else None,
    )


@bp.get("/wallet/top-ups/<int:topup_id>")
@require(Permission.VIEW_MONEY)
def topup(topup_id: int) -> ResponseReturnValue:
    """One attempt: what is to be paid, where it stands."""
    found = queries.account_topup(visitor().account_id, topup_id)
    return render_page(
        "billing/topup_state.html",
        topup=found,
        sentence=STATE_SENTENCES[found.state],
        can_be_paid=_can_be_paid(found),
        standing=standing(found.account_id, at=clock.now()),
    )


def _can_be_paid(found: Topup) -> bool:
    is_young = clock.now() < found.started_at + CAN_BE_PAID_FOR
    return found.state == TopupState.STARTED and found.authority is not None and is_young


@bp.get("/wallet/top-ups/<int:topup_id>/pay")
@require(Permission.VIEW_MONEY)
def pay(topup_id: int) -> ResponseReturnValue:
    """On to the gateway's own page."""
    found = queries.account_topup(visitor().account_id, topup_id)
    if not _can_be_paid(found):
        return redirect_to(url_for(".topup", topup_id=topup_id))
    gateway = connect(found.gateway_id, seal_key=settings().seal_key)
    try:
        return redirect_to(gateway.address(found.authority or ""))
    finally:
        gateway.close()


@bp.get("/payments/<string:payment_token>")
@limiter.limit("300 per minute")
@public
def returned(payment_token: str) -> ResponseReturnValue:
    """The payer comes back from the gateway, signed in or not, once or many times, or never. What the address says is
    no more than a hint: only the gateway's own word on our own row credits anything."""
    found = queries.by_token(payment_token)
    authority = request.args.get("Authority")
    if authority is None:
        return redirect_to(url_for(".topup", topup_id=found.id))
    if authority != found.authority:
        raise NotFound(queries.NO_SUCH_TOPUP)
    if found.state != TopupState.PAID:
        _settle(found, is_cancelled=request.args.get("Status") != _OK)
    if current_user.is_authenticated and visitor().account_id == found.account_id:
        return redirect_to(url_for(".topup", topup_id=found.id))
    found = queries.by_token(payment_token)
    return render_page("billing/topup_returned.html", topup=found, sentence=STATE_SENTENCES[found.state])


def _settle(found: Topup, *, is_cancelled: bool) -> None:
    gateway = connect(found.gateway_id, seal_key=settings().seal_key)
    release()
    try:
        answer = settling.ask(gateway, found, is_returned=True)
    finally:
        gateway.close()
    with transaction():
        settling.settle(topup_id=found.id, answer=answer, is_returned=True, is_cancelled=is_cancelled, at=clock.now())
