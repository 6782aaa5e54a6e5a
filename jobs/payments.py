"""Jobs of payments: the gateway is asked about those nobody came back from, or of which it did not say."""

import logging

from sms.billing.topups import queries
from sms.billing.topups.operations import settling
from sms.billing.topups.operations.settings import connect
from sms.core import clock
from sms.core.config import settings
from sms.core.db import release, transaction
from sms.core.errors import SmsError
from sms.core.queue import Job, answered

log = logging.getLogger(__name__)


def look_up_topups() -> None:
    """Ask about what is due; each is settled in a transaction of its own."""
    answered(Job.LOOK_UP_TOPUPS)
    with transaction():
        due = settling.claim_due(at=clock.now())
    for topup_id in due:
        try:
            _look_up(topup_id)
        except SmsError as error:  # such as credentials that cannot be unsealed; the others are asked all the same
            log.warning("top-up %s not looked up: %s", topup_id, type(error).__name__)


def _look_up(topup_id: int) -> None:
    topup = queries.topup(topup_id)
    gateway = connect(topup.gateway_id, seal_key=settings().seal_key)
    release()
    try:
        answer = settling.ask(gateway, topup, is_returned=False)
    finally:
        gateway.close()
    with transaction():
        settling.settle(topup_id=topup_id, answer=answer, at=clock.now())
