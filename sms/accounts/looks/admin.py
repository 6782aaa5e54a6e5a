"""Staff sign in as somebody of any account but their own."""

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.looks.views import begin_page
from sms.accounts.rules import Permission
from sms.core.web.guards import require

bp = Blueprint("looks_admin", __name__, url_prefix="/admin")


@bp.route("/accounts/<int:account_id>/users/<int:user_id>/look", methods=["GET", "POST"])
@require(Permission.MANAGE_CUSTOMERS)
def begin(account_id: int, user_id: int) -> ResponseReturnValue:
    """Why, and whether more than to look."""
    return begin_page(account_id, user_id, back_url=url_for("accounts_admin.account", account_id=account_id))
