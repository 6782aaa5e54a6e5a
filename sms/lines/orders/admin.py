"""Staff pages of line orders: the queue, and every move that is theirs."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.calendar import day_of
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.forms import Form, refuse
from sms.core.web.guards import actor, require
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _
from sms.lines.documents.queries import attached, checklist
from sms.lines.documents.rules import DOCUMENT_LABELS, HOLDER_LABELS, STATE_LABELS, Holder
from sms.lines.formats.rules.tiers import AUDIENCE_LABELS, CHOICE_LABELS, TIER_LABELS
from sms.lines.orders import queries
from sms.lines.orders.forms import HandOverForm, OrdersFilterForm, PurchaseForm, QuoteForm, RejectForm
from sms.lines.orders.operations import moving
from sms.lines.orders.rules import ORDER_LABELS, OrderState, Side, moves_of
from sms.lines.queries import gateways_of
from sms.operators.queries import operators

bp = Blueprint("line_orders_admin", __name__, url_prefix="/admin")
_ON_A_PAGE = 50

nav.add(
    N_("Orders of lines"),
    endpoint="line_orders_admin.orders",
    icon="clipboard-list",
    permission=Permission.MANAGE_LINES,
    section="admin",
    order=35,
)


@bp.get("/orders")
@require(Permission.MANAGE_LINES)
def orders() -> ResponseReturnValue:
    """What waits for us, the oldest first; or all orders, the newest first."""
    form = OrdersFilterForm.over(operators())
    last = request.args.get("last", type=int)
    found = queries.orders_page(form.wanted, last=last, most=_ON_A_PAGE + 1, is_oldest_first=form.is_queue)
    shown = found[:_ON_A_PAGE]
    return render_page(
        "lines/admin_orders.html",
        form=form,
        orders=shown,
        counts=queries.waiting_counts(),
        labels=ORDER_LABELS,
        tiers=TIER_LABELS,
        is_narrowed=bool(form.address()),
        older_url=_address(form, last=shown[-1].id) if len(found) > _ON_A_PAGE else None,
        newest_url=_address(form) if last else None,
    )


def _address(form: OrdersFilterForm, **changes: object) -> str:
    places: dict[str, Any] = form.address(**changes)
    return url_for(".orders", **places)


@bp.get("/orders/<int:order_id>")
@require(Permission.MANAGE_LINES)
def order(order_id: int) -> ResponseReturnValue:
    """One order with its steps, its documents, and the moves that are ours."""
    return _page(order_id)


@bp.post("/orders/<int:order_id>/quote")
@require(Permission.MANAGE_LINES)
def quote(order_id: int) -> ResponseReturnValue:
    """Answer an inquiry with a price."""
    form = QuoteForm()
    return _moved(
        order_id,
        form,
        lambda: moving.quote(
            order_id=order_id,
            price_mrial=form.price.data or 0,
            days=form.days.data or 0,
            note=form.note.data or "",
            by=actor(),
            at=clock.now(),
        ),
        N_("The price was quoted; the customer is told."),
    )


@bp.post("/orders/<int:order_id>/reject")
@require(Permission.MANAGE_LINES)
def reject(order_id: int) -> ResponseReturnValue:
    """Turn an order down."""
    form = RejectForm()
    return _moved(
        order_id,
        form,
        lambda: moving.reject(order_id=order_id, reason=form.reason.data, by=actor(), at=clock.now()),
        N_("The order was turned down; what was set aside is back with the customer."),
    )


@bp.post("/orders/<int:order_id>/purchase")
@require(Permission.MANAGE_LINES)
def purchase(order_id: int) -> ResponseReturnValue:
    """The number was bought."""
    form = PurchaseForm()
    return _moved(
        order_id,
        form,
        lambda: moving.purchase(
            order_id=order_id,
            cost_mrial=form.cost.data or 0,
            number=form.number.data or "",
            is_without_documents=form.is_without_documents.data,
            note=form.note.data or "",
            by=actor(),
            at=clock.now(),
        ),
        N_("Noted; now connect the number and hand it over."),
    )


@bp.post("/orders/<int:order_id>/hand-over")
@require(Permission.MANAGE_LINES)
def hand_over(order_id: int) -> ResponseReturnValue:
    """Make the line and charge its price."""
    form = HandOverForm()
    form.offer(gateways_of(queries.order(order_id).operator_id))
    return _moved(
        order_id,
        form,
        lambda: moving.hand_over(
            order_id=order_id,
            gateway_id=form.gateway_id.data,
            note=form.note.data or "",
            by=actor(),
            at=clock.now(),
        ),
        N_("The line was handed over and its price charged."),
    )


def _moved(order_id: int, form: Form, move: Callable[[], object], done: str) -> Response:
    """Make a move that a form asks for; what is refused is said on the form."""
    if not form.validate_on_submit():
        return _page(order_id, form)
    try:
        with transaction():
            move()
    except NotFound:
        raise
    except SmsError as error:
        field = {"gateway": "gateway_id"}.get(getattr(error, "field", ""), getattr(error, "field", ""))
        refuse(form, error, form._fields.get(field))
        return _page(order_id, form)
    flash(_(done), "success")
    return redirect_to(url_for(".order", order_id=order_id))


def _page(order_id: int, refused: Form | None = None) -> Response:
    found = queries.order(order_id)
    return render_page(
        "lines/admin_order.html",
        order=found,
        steps=queries.steps(order_id),
        papers=checklist(
            account_id=found.account_id,
            operator_id=found.operator_id,
            holder=Holder(found.holder),
            on=day_of(clock.now()),
        ),
        attached=attached(order_id),
        labels=ORDER_LABELS,
        moves=moves_of(Side.STAFF, found.state),
        states=OrderState,
        tiers=TIER_LABELS,
        choices=CHOICE_LABELS,
        audiences=AUDIENCE_LABELS,
        holders=HOLDER_LABELS,
        kinds=DOCUMENT_LABELS,
        document_states=STATE_LABELS,
        status=422 if refused is not None else 200,
        **_forms(found.operator_id, refused),
    )


def _forms(operator_id: int, refused: Form | None) -> dict[str, Form]:
    """A fresh form for each move, but the refused one as it was filled in."""
    kinds: dict[str, type[Form]] = {
        "quoting": QuoteForm,
        "rejecting": RejectForm,
        "purchasing": PurchaseForm,
        "handing": HandOverForm,
    }
    found = {
        name: refused if refused is not None and isinstance(refused, kind) else kind(formdata=None)
        for name, kind in kinds.items()
    }
    handing = found["handing"]
    if isinstance(handing, HandOverForm):
        handing.offer(gateways_of(operator_id))
    return found
