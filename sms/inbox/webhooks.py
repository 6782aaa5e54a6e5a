"""The addresses that texts are pushed to, one for each line. Public, so everything is bounded; what is answered with OK
is committed, as it came."""

import logging

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from sms.core import clock
from sms.core.db import release, transaction
from sms.core.queue import GENERAL_QUEUE, Job, ring
from sms.core.web.forms import csrf
from sms.core.web.guards import public
from sms.core.web.machines import Allowance, payload, told
from sms.inbox.queries import line_push
from sms.operators.contract import RawInbound
from sms.operators.inbound import operations as inbound
from sms.operators.inbound.rules import Way
from sms.operators.protocols.pushed import packed
from sms.operators.push.rules import is_from, is_right

log = logging.getLogger(__name__)
bp = Blueprint("inbox_webhooks", __name__)
csrf.exempt(bp)  # an operator has no session, and the address itself is the secret

TEXTS = Allowance(per_second=500, burst=10_000)  # by line
MISTAKES = Allowance(per_second=1, burst=30)  # wrong secrets, by the address they come from


@bp.route("/hooks/lines/<int:line_id>/<string:secret>/texts", methods=["GET", "POST"])
@public
def texts(line_id: int, secret: str) -> ResponseReturnValue:
    """Take a text: 200 and OK once it is committed; 404 for a wrong secret, 403 for a stranger's address, 429 when it
    is too much. Asked without any field, the address answers that it is there."""
    address = request.remote_addr or ""
    line = line_push(line_id) if line_id < 2**31 else None
    release()
    if line is None or not is_right(secret, line.token_hash):
        return told("not found", 404) if MISTAKES.takes(address) else told("too many mistakes", 429)
    if not is_from(line.addresses, address):
        log.warning("line %s: a text from an address that is not on its list", line_id)
        return told("address not allowed", 403)
    said = payload()
    if not said:
        return told("no text found", 400) if request.method == "POST" else told("ready")
    if not TEXTS.takes(line_id):
        return told("too fast", 429)
    raw = RawInbound(packed(said), line.number)
    with transaction():
        inbound.keep_raw([raw], gateway_id=line.gateway_id, way=Way.PUSHED, at=clock.now())
        ring(Job.TAKE_INBOUND, queue=GENERAL_QUEUE)
    return told("OK")
