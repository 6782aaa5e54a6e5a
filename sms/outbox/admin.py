"""Staff pages of messages of unknown fate: a person decides what became of them."""

from flask import Blueprint, abort, flash, request, url_for
from flask.typing import ResponseReturnValue

from sms.accounts.rules import Permission
from sms.core import clock
from sms.core.db import transaction
from sms.core.errors import NotFound, Refusal
from sms.core.text import N_
from sms.core.web import nav
from sms.core.web.filters import number_text
from sms.core.web.guards import require, visitor
from sms.core.web.htmx import redirect_to, render_page
from sms.core.web.i18n import _, say
from sms.outbox.operations.decisions import decide
from sms.outbox.queries import unknown
from sms.outbox.rules import DECISION_LABELS, DECISION_MEANINGS

bp = Blueprint("outbox_admin", __name__)
_PAGE = 25

nav.add(
    N_("Unknown fates"),
    endpoint="outbox_admin.parked",
    icon="help-circle",
    permission=Permission.MANAGE_MESSAGES,
    section="admin",
    order=60,
)


@bp.get("/admin/unknown")
@require(Permission.MANAGE_MESSAGES)
def parked() -> ResponseReturnValue:
    """Batches with messages nobody will look up any more."""
    before = request.args.get("before", type=int)
    batches = unknown.parked_batches(before=before, most=_PAGE + 1)
    older = batches[_PAGE - 1].batch_id if len(batches) > _PAGE else None
    return render_page("outbox/unknown.html", batches=batches[:_PAGE], older=older, before=before)


@bp.get("/admin/unknown/<int:batch_id>")
@require(Permission.MANAGE_MESSAGES)
def parked_batch(batch_id: int) -> ResponseReturnValue:
    """The messages of one batch, to decide on all or some of them."""
    return _batch_page(batch_id)


def _batch_page(batch_id: int, *, refusal: Refusal | None = None) -> ResponseReturnValue:
    batch = unknown.parked_batch(batch_id=batch_id)
    if batch is None and refusal is None:
        raise NotFound(N_("Nothing of this batch waits for a decision."))
    return render_page(
        "outbox/unknown_batch.html",
        status=200 if refusal is None else 422,
        batch=batch,
        messages=unknown.parked_messages(batch_id=batch_id),
        labels=DECISION_LABELS,
        meanings=DECISION_MEANINGS,
        refusal=refusal,
    )


@bp.post("/admin/unknown/<int:batch_id>")
@require(Permission.MANAGE_MESSAGES)
def decide_batch(batch_id: int) -> ResponseReturnValue:
    """First shown again for a second look, then done."""
    decision = request.form.get("decision", "")
    message_ids = request.form.getlist("message_id", type=int)
    if decision not in DECISION_LABELS:
        abort(400)
    if not message_ids:
        return _batch_page(batch_id, refusal=Refusal(N_("Choose at least one message.")))
    if "is_sure" not in request.form:
        return render_page(
            "outbox/unknown_sure.html",
            batch_id=batch_id,
            message_ids=message_ids,
            decision=decision,
            label=DECISION_LABELS[decision],
            meaning=DECISION_MEANINGS[decision],
        )
    try:
        with transaction():
            decided = decide(
                batch_id=batch_id,
                message_ids=message_ids,
                decision=decision,
                actor_id=visitor().id,
                address=request.remote_addr or "",
                at=clock.now(),
            )
    except Refusal as refusal:
        flash(say(refusal), "danger")
        return redirect_to(url_for(".parked"))
    flash(_("Decided for %(count)s messages.", count=number_text(decided)), "success")
    return redirect_to(url_for(".parked"))
