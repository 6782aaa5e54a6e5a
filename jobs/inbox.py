"""Jobs of the inbox: operators are asked for texts, what they answer is kept before it is read, and taken in."""

import logging
from collections.abc import Iterator

from jobs.health import take_calls
from sms.contacts.words import queries as words
from sms.contacts.words.operations import take_due
from sms.core import clock
from sms.core.config import settings
from sms.core.crash import crash_point
from sms.core.db import release, transaction
from sms.core.errors import SmsError
from sms.core.queue import GENERAL_QUEUE, Job, answered, ring_now
from sms.inbox.operations import arriving
from sms.lines.queries import dedicated_numbers
from sms.operators import operations as operators
from sms.operators import queries as operator_queries
from sms.operators.contract import RawInbound
from sms.operators.health.rules.talks import TalkKind
from sms.operators.inbound import operations as inbound
from sms.operators.inbound.queries import reader_of
from sms.operators.inbound.rules import Way
from sms.operators.queries import GatewayWay
from sms.outbox.operations.answering import answer

log = logging.getLogger(__name__)
_TEXTS_AT_ONCE = 100
_QUESTIONS = 100  # then the job ends, and the next ring goes on
_LEASE_SECONDS = 60.0  # so soon somebody else asks when this job dies; two at once do no harm
_RAWS_AT_ONCE = 50
_TAKEN_AT_ONCE = 1_000
_REPLIES_AT_ONCE = 100


def poll_inbound(*, gateway_id: int) -> None:
    """Ask an operator for the texts to our lines; each answer is committed before the next question."""
    answered(Job.POLL_INBOUND, gateway_id)
    gateway = operator_queries.reachable_gateway(gateway_id)
    release()
    if gateway is None or operator_queries.is_bound(gateway):
        return
    with transaction():
        poll = inbound.claim_poll(gateway_id=gateway_id, lease_seconds=_LEASE_SECONDS, at=clock.now())
    if poll is None:
        return
    has_failed = not _asked(gateway, is_again=poll.is_again)
    with transaction():
        inbound.end_poll(gateway_id=gateway_id, has_failed=has_failed, at=clock.now())
    ring_now(Job.TAKE_INBOUND, queue=GENERAL_QUEUE)


def _asked(gateway: GatewayWay, *, is_again: bool) -> bool:
    """Ask until nothing more is told; returns whether every question was answered."""
    lines = dedicated_numbers(gateway.id)
    release()
    try:
        adapter = operator_queries.open_adapter(gateway, seal_key=settings().seal_key)
    except SmsError as error:
        _note(gateway.id, error)
        return False
    try:
        if is_again:
            _kept(gateway, adapter.inbound(_TEXTS_AT_ONCE, lines, again=True))
        for _ in range(_QUESTIONS):
            if not take_calls(gateway, TalkKind.ASK, 1) or not _kept(gateway, adapter.inbound(_TEXTS_AT_ONCE, lines)):
                break
    except SmsError as error:
        _note(gateway.id, error)
        return False
    except Exception:
        log.exception("adapter failed")
        return False
    finally:
        adapter.close()
    return True


def _kept(gateway: GatewayWay, answers: Iterator[RawInbound]) -> int:
    count = 0
    for raw in answers:
        with transaction():
            inbound.keep_raw([raw], gateway_id=gateway.id, way=Way.ASKED, at=clock.now())
        crash_point("inbound_kept")
        count += 1
    return count


def _note(gateway_id: int, error: SmsError) -> None:
    log.warning("gateway %s does not tell its texts: %s", gateway_id, type(error).__name__)
    if operators.stop_reason(error):
        with transaction():
            operators.note_failure(gateway_id=gateway_id, error=error, at=clock.now())


def take_inbound() -> None:
    """Read what was kept raw, then put everything that has arrived into the inbox."""
    answered(Job.TAKE_INBOUND)
    count = 1
    while count:
        with transaction():
            count = inbound.read_raw(reader_of, most=_RAWS_AT_ONCE, at=clock.now())
            crash_point("inbound_read")
    count = 1
    while count:
        with transaction():
            count = arriving.take_arrived(most=_TAKEN_AT_ONCE)
            crash_point("inbound_taken")


def send_replies() -> None:
    """Answer those who opted out or came back, where a line's owner wants that; each answer is a send of its own."""
    answered(Job.SEND_REPLIES)
    while waiting := words.due(most=_REPLIES_AT_ONCE):
        for reply in waiting:
            _reply(reply.id)


def _reply(reply_id: int) -> None:
    try:
        with transaction():
            answer(reply_id=reply_id, at=clock.now())
    except SmsError as error:
        log.warning("answer %s is not sent: %s", reply_id, type(error).__name__)
        with transaction():
            take_due(reply_id=reply_id)
