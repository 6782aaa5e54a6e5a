"""Commands for scripts: the same operations as the pages."""

from typing import Any

import click
from flask.cli import with_appcontext

from sms.core import clock
from sms.core.actor import PANEL
from sms.core.console import json_option, refusals, tell, tell_line
from sms.core.db import transaction
from sms.core.money import parse_rial
from sms.lines.orders import queries
from sms.lines.orders.operations import moving
from sms.lines.orders.queries import OrderFilter, OrderView
from sms.lines.orders.rules import FOR_STAFF, USUAL_QUOTE_DAYS, OrderState
from sms.operators.queries import gateway_by_name

_MOST = 1000
_ORDER = click.argument("order_id", type=int)
_NOTE = click.option("--note", default="", help="A word to the customer.")


def _told(order: OrderView) -> dict[str, Any]:
    return {
        "order": order.id,
        "state": str(order.state),
        "account": order.account_id,
        "operator": order.operator_code,
        "number": order.number,
        "digits": order.digits,
        "price_mrial": order.price_mrial,
        "set_aside_mrial": order.set_aside_mrial,
        "line": order.line_id,
    }


@click.command("order-list")
@click.option("--state", "states", multiple=True, type=click.Choice([str(state) for state in OrderState]))
@json_option
@with_appcontext
def order_list(*, states: tuple[str, ...], as_json: bool) -> None:
    """List orders of lines, the oldest first; without --state those that wait for staff."""
    wanted = OrderFilter(states=states or tuple(map(str, FOR_STAFF)))
    found = [_told(each) for each in queries.orders_page(wanted, last=None, most=_MOST, is_oldest_first=True)]
    if as_json:
        tell_line({"orders": found})
        return
    for each in found:
        click.echo(" ".join(f"{name}={value}" for name, value in each.items() if value not in {None, ""}))


@click.command("order-quote")
@_ORDER
@click.option("--rial", required=True, help="The price for the customer, in rial.")
@click.option("--days", type=int, default=USUAL_QUOTE_DAYS, show_default=True, help="How long it holds.")
@_NOTE
@json_option
@with_appcontext
def order_quote(*, order_id: int, rial: str, days: int, note: str, as_json: bool) -> None:
    """Answer an inquiry with a price."""
    with refusals():
        with transaction():
            moving.quote(
                order_id=order_id, price_mrial=parse_rial(rial), days=days, note=note, by=PANEL, at=clock.now()
            )
        tell(_told(queries.order(order_id)), as_json)


@click.command("order-approve")
@_ORDER
@click.option("--rial", required=True, help="The price that is approved, in rial: another one is refused.")
@json_option
@with_appcontext
def order_approve(*, order_id: int, rial: str, as_json: bool) -> None:
    """Approve a quote for its customer; the price is set aside."""
    with refusals():
        account_id = queries.order(order_id).account_id
        with transaction():
            moving.approve(
                order_id=order_id, account_id=account_id, shown_mrial=parse_rial(rial), by=PANEL, at=clock.now()
            )
        tell(_told(queries.order(order_id)), as_json)


@click.command("order-purchase")
@_ORDER
@click.option("--cost-rial", required=True, help="What the operator takes, in rial.")
@click.option("--number", default="", help="The number, where the operator assigned it.")
@click.option("--without-documents", is_flag=True, help="Buy although documents are missing; it is written down.")
@_NOTE
@json_option
@with_appcontext
def order_purchase(
    *, order_id: int, cost_rial: str, number: str, without_documents: bool, note: str, as_json: bool
) -> None:
    """Note that the number was bought at the operator."""
    with refusals():
        with transaction():
            moving.purchase(
                order_id=order_id,
                cost_mrial=parse_rial(cost_rial),
                number=number,
                is_without_documents=without_documents,
                note=note,
                by=PANEL,
                at=clock.now(),
            )
        tell(_told(queries.order(order_id)), as_json)


@click.command("order-hand-over")
@_ORDER
@click.option("--gateway", "gateway_name", required=True, help="Name of the gateway it sends through.")
@_NOTE
@json_option
@with_appcontext
def order_hand_over(*, order_id: int, gateway_name: str, note: str, as_json: bool) -> None:
    """Make the line and charge its price."""
    with refusals():
        with transaction():
            moving.hand_over(
                order_id=order_id,
                gateway_id=gateway_by_name(gateway_name).id,
                note=note,
                by=PANEL,
                at=clock.now(),
            )
        tell(_told(queries.order(order_id)), as_json)


@click.command("order-reject")
@_ORDER
@click.option("--reason", required=True, help="Why; the customer reads it.")
@json_option
@with_appcontext
def order_reject(*, order_id: int, reason: str, as_json: bool) -> None:
    """Turn an order down; what was set aside goes back."""
    with refusals():
        with transaction():
            moving.reject(order_id=order_id, reason=reason, by=PANEL, at=clock.now())
        tell(_told(queries.order(order_id)), as_json)


COMMANDS: tuple[click.Command, ...] = (
    order_list,
    order_quote,
    order_approve,
    order_purchase,
    order_hand_over,
    order_reject,
)
