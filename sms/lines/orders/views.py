"""A customer's orders of lines."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.calendar import day_of
from sms.core.db import transaction
from sms.core.errors import SmsError
from sms.core.text import N_
from sms.core.web import nav, subjects
from sms.core.web.filters import money_text
from sms.core.web.forms import refuse
from sms.core.web.guards import actor, require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.core.web.subjects import Cause
from sms.ledger.queries import wallet_of
from sms.ledger.rules import InsufficientBalance
from sms.lines.documents.queries import checklist
from sms.lines.documents.rules import DOCUMENT_LABELS, HOLDER_LABELS, STATE_LABELS, Holder
from sms.lines.formats.queries import sellers
from sms.lines.formats.rules.tiers import CHOICE_LABELS, TIER_LABELS, Tier
from sms.lines.orders import queries
from sms.lines.orders.forms import ApproveForm, CancelForm, InquiryForm, NumberForm
from sms.lines.orders.operations import moving, placing
from sms.lines.orders.operations.steps import mark_seen
from sms.lines.orders.rules import NEXT, ORDER_LABELS, OrderState, PriceChanged, Side, Taken, Wanted, moves_of
from sms.lines.rules import UnusableLine

bp = Blueprint("line_orders", __name__)
_ON_A_PAGE = 30

nav.add(
    N_("Line orders"),
    endpoint="line_orders.orders",
    icon="clipboard-list",
    permission=Permission.VIEW_LINES,
    section="customer",
    order=44,
)


def _causes(_account_id: int, lines: Sequence[Any]) -> dict[int, Cause]:
    """An order answers 404 to whoever it does not belong to."""
    return {line.transfer_id: Cause(url_for("line_orders.order", order_id=line.subject.id)) for line in lines}


subjects.explain("line_order", _causes)


@bp.get("/orders")
@require(Permission.VIEW_LINES)
def orders() -> ResponseReturnValue:
    """One's orders, the newest first."""
    before = request.args.get("before", type=int)
    found = queries.account_orders(visitor().account_id, before=before, most=_ON_A_PAGE + 1)
    shown = found[:_ON_A_PAGE]
    return render_page(
        "lines/orders.html",
        orders=shown,
        labels=ORDER_LABELS,
        tiers=TIER_LABELS,
        older_url=url_for(".orders", before=shown[-1].id) if len(found) > _ON_A_PAGE else None,
        newest_url=url_for(".orders") if before else None,
    )


# A new order


@bp.route("/orders/new", methods=["GET", "POST"])
@require(Permission.MANAGE_ACCOUNT)
def new_order() -> ResponseReturnValue:
    """Order a number of the shop (`?number=` its id), or describe the one that is wanted."""
    number_id = request.args.get("number", type=int)
    return _inquiry() if number_id is None else _number(number_id)


def _number(number_id: int) -> Response:
    item = queries.item(number_id=number_id, account_id=visitor().account_id, at=clock.now())
    form = NumberForm()
    if form.validate_on_submit():
        made = _place(form, form.wanted(number_id))
        if made is not None:
            return made
    else:
        form.begin(item.offer.amount_mrial)
    return _new_page("lines/order_number.html", form, item=item)


def _inquiry() -> Response:
    now = clock.now()
    offered = sellers(now)
    form = InquiryForm(**_asked())
    form.offer(offered)
    if form.validate_on_submit():
        made = _place(form, form.wanted)
        if made is not None:
            return made
    elif not form.is_submitted():
        form.begin(None)
    return _new_page("lines/order_inquiry.html", form, sellers=offered)


def _asked() -> dict[str, object]:
    """What a link into the form fills in."""
    args = request.args
    tier = args.get("tier", "")
    found = {
        "operator_id": args.get("operator", type=int),
        "digits": args.get("digits", type=int),
        "tier": tier if tier in set(Tier) else None,
        "number": args.get("wanted", "")[:20],
    }
    return {name: value for name, value in found.items() if value}


def _place(form: NumberForm | InquiryForm, wanted: Wanted) -> Response | None:
    """Order it; None when the form says why not."""
    try:
        with transaction():
            order_id = placing.place(
                account_id=visitor().account_id, wanted=wanted, key=form.key.data or "", by=actor(), at=clock.now()
            )
    except PriceChanged as error:
        form.begin(error.price_mrial)
        form.news = _price_news(error)
    except InsufficientBalance as error:
        form.form_errors = [_missing(error)]
    except UnusableLine as error:
        refuse(form, error, form._fields.get(error.field))
    except SmsError as error:
        refuse(form, error)
        if isinstance(error, Taken):
            return _new_page("lines/order_taken.html", form, status=409)
    else:
        return redirect_to(url_for(".order", order_id=order_id))
    return None


def _price_news(error: PriceChanged) -> str:
    if error.price_mrial is None:
        return _("There is no fixed price for this one: it goes to our staff as an inquiry. Send it once more.")
    return _(
        "It costs %(amount)s. Send the form once more to order it: the price is then set aside from your balance.",
        amount=money_text(error.price_mrial),
    )


def _missing(error: InsufficientBalance) -> str:
    return _(
        "Your balance is not enough: %(amount)s is missing. Nothing was ordered or paid.",
        amount=money_text(error.missing_mrial),
    )


def _new_page(template: str, form: NumberForm | InquiryForm, *, status: int = 0, **context: Any) -> Response:
    return render_page(
        template,
        form=form,
        wallet=wallet_of(visitor().account_id),
        tiers=TIER_LABELS,
        choices=CHOICE_LABELS,
        status=status or (422 if form.errors or form.news else 200),
        **context,
    )


# One order


@bp.get("/orders/<int:order_id>")
@require(Permission.VIEW_LINES)
def order(order_id: int) -> ResponseReturnValue:
    """One order: where it stands, what comes next, all its steps and the documents it needs."""
    return _order_page(order_id)


@bp.post("/orders/<int:order_id>/approve")
@require(Permission.MANAGE_ACCOUNT)
def approve(order_id: int) -> ResponseReturnValue:
    """Accept the quote; the price is set aside."""
    form = ApproveForm()
    try:
        with transaction():
            moving.approve(
                order_id=order_id,
                account_id=visitor().account_id,
                shown_mrial=form.shown_mrial,
                by=actor(),
                at=clock.now(),
            )
    except InsufficientBalance as error:
        return _order_page(order_id, problem=_missing(error))
    except PriceChanged as error:
        return _order_page(order_id, problem=_(error.message))
    flash(_("Approved: the price is set aside, and our staff buy the number."), "success")
    return redirect_to(url_for(".order", order_id=order_id))


@bp.post("/orders/<int:order_id>/cancel")
@require(Permission.MANAGE_ACCOUNT)
def cancel(order_id: int) -> ResponseReturnValue:
    """Take it back."""
    form = CancelForm()
    with transaction():
        moving.cancel(
            order_id=order_id,
            account_id=visitor().account_id,
            reason=form.reason.data or "",
            by=actor(),
            at=clock.now(),
        )
    flash(_("The order was cancelled."), "success")
    return redirect_to(url_for(".order", order_id=order_id))


@bp.post("/orders/<int:order_id>/seen")
@require(Permission.VIEW_LINES)
def seen(order_id: int) -> ResponseReturnValue:
    """What is new on it was read."""
    queries.account_order(visitor().account_id, order_id)
    with transaction():
        mark_seen(order_id=order_id, account_id=visitor().account_id, at=clock.now())
    return redirect_to(url_for(".order", order_id=order_id))


def _order_page(order_id: int, *, problem: str = "") -> Response:
    account_id = visitor().account_id
    found = queries.account_order(account_id, order_id)
    holder = Holder(found.holder)
    return render_page(
        "lines/order.html",
        order=found,
        steps=queries.steps(order_id),
        papers=checklist(account_id=account_id, operator_id=found.operator_id, holder=holder, on=day_of(clock.now())),
        wallet=wallet_of(account_id),
        labels=ORDER_LABELS,
        what_next=NEXT[found.state],
        moves=moves_of(Side.CUSTOMER, found.state),
        states=OrderState,
        tiers=TIER_LABELS,
        choices=CHOICE_LABELS,
        holders=HOLDER_LABELS,
        kinds=DOCUMENT_LABELS,
        document_states=STATE_LABELS,
        approving=ApproveForm(formdata=None, price=str(found.price_mrial or 0)),
        cancelling=CancelForm(formdata=None),
        problem=problem,
        status=422 if problem else 200,
    )
