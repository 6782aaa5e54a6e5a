"""What sending costs, and what comes back: nobody has to ask."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.billing import queries
from sms.billing.tiers.queries import standing
from sms.core import clock
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import render_page

bp = Blueprint("billing", __name__)

nav.add(
    N_("Prices and refunds"),
    endpoint="billing.prices",
    icon="tag",
    section="customer",
    permission=Permission.VIEW_MONEY,
    order=65,
)


@bp.get("/prices")
@require(Permission.VIEW_MONEY)
def prices() -> ResponseReturnValue:
    """The price of a part over each of the account's lines, and what each operator pays back."""
    at = clock.now()
    account_id = visitor().account_id
    return render_page(
        "billing/prices.html",
        sheets=queries.price_sheets(account_id=account_id, at=at),
        levy_mrial=queries.levy_mrial(at),
        standing=standing(account_id, at=at),
    )
