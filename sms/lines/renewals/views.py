"""An owner renews a line."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.actor import Actor
from sms.core.db import transaction
from sms.core.errors import NotFound, SmsError
from sms.core.web import subjects
from sms.core.web.filters import moment_text, money_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, say
from sms.core.web.subjects import Cause
from sms.ledger.queries import wallet_of
from sms.ledger.rules import InsufficientBalance
from sms.lines.renewals import operations, queries
from sms.lines.renewals.rules import STAGE_SENTENCES

bp = Blueprint("renewals", __name__)


def _causes(_account_id: int, lines: Sequence[Any]) -> dict[int, Cause]:
    """The page of the line that was renewed; it answers 404 to whoever it does not belong to."""
    return {line.transfer_id: Cause(url_for("renewals.renewal", line_id=line.subject.id)) for line in lines}


subjects.explain("line", _causes)


@bp.get("/lines/<int:line_id>/renewal")
@require(Permission.VIEW_LINES)
def renewal(line_id: int) -> ResponseReturnValue:
    """When a line ends, and what one more period costs."""
    return _page(line_id)


@bp.post("/lines/<int:line_id>/renewal")
@require(Permission.MANAGE_ACCOUNT)
def renew(line_id: int) -> ResponseReturnValue:
    """Pay for one more period."""
    price = request.form.get("price", "")
    try:
        with transaction():
            until = operations.renew(
                account_id=visitor().account_id,
                line_id=line_id,
                expires_at=request.form.get("expires_at", ""),
                shown_mrial=int(price) if price.isascii() and price.isdecimal() else None,
                by=Actor(id=visitor().id, address=request.remote_addr or ""),
                at=clock.now(),
            )
    except NotFound:
        raise
    except InsufficientBalance as error:
        missing = money_text(error.missing_mrial)
        return _page(line_id, problem=_("Your balance is not enough: %(amount)s is missing.", amount=missing))
    except SmsError as error:
        return _page(line_id, problem=say(error))
    flash(_("The line is yours until %(moment)s.", moment=moment_text(until)), "success")
    return redirect_to(url_for(".renewal", line_id=line_id))


def _page(line_id: int, *, problem: str = "") -> Response:
    now = clock.now()
    found = queries.lease(account_id=visitor().account_id, line_id=line_id, at=now)
    return render_page(
        "lines/renewal.html",
        lease=found,
        stage=found.stage(now),
        sentences=STAGE_SENTENCES,
        renewals=queries.renewals(line_id),
        wallet=wallet_of(visitor().account_id),
        problem=problem,
        status=422 if problem else 200,
    )
