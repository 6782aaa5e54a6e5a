"""Jobs of texts that go on: to addresses, several at once and few at one host, and to mailboxes, one after another."""

import logging
import random
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime

from sms.core import clock, mail, outward
from sms.core.config import settings
from sms.core.crash import crash_point
from sms.core.db import release, transaction
from sms.core.errors import SmsError
from sms.core.queue import FORWARD_QUEUE, Job, answered, ring_now
from sms.core.seal import unseal
from sms.inbox.forwarding.operations import deliveries, mails
from sms.inbox.forwarding.operations.deliveries import Claimed, Outcome
from sms.inbox.forwarding.operations.hooks import fence
from sms.inbox.forwarding.operations.mails import ClaimedMail
from sms.inbox.forwarding.queries import MailServer, has_due, mail_server
from sms.inbox.forwarding.rules import answer_text, headers, mail_of, payload

log = logging.getLogger(__name__)
_HANDS = 8
_SECONDS = 60.0  # then the job ends, and the next ring goes on
_MAILS = 100
post, send_mail = outward.post, mail.send


def forward() -> None:
    """Deliver what is due, then mail what is due."""
    answered(Job.FORWARD)
    ends_at = time.monotonic() + _SECONDS
    with ThreadPoolExecutor(_HANDS) as hands:
        _deliver(hands, ends_at)
    _mail(ends_at)
    is_left = has_due(at=clock.now())
    release()
    if is_left:
        ring_now(Job.FORWARD, queue=FORWARD_QUEUE)


def _deliver(hands: ThreadPoolExecutor, ends_at: float) -> None:
    """Keep the hands busy: what one has done is noted, and something new claimed for it."""
    at_work: dict[Future[Outcome], tuple[Claimed, datetime]] = {}
    while True:
        if time.monotonic() < ends_at:
            for claimed in _claimed(_HANDS - len(at_work)):
                began_at = clock.now()
                at_work[hands.submit(_tried, claimed, settings().seal_key, fence(), began_at)] = (claimed, began_at)
        if not at_work:
            return
        done, _ = wait(at_work, return_when=FIRST_COMPLETED)
        for each in done:
            claimed, began_at = at_work.pop(each)
            crash_point("forwarded")
            with transaction():
                deliveries.note(
                    claimed=claimed, outcome=each.result(), began_at=began_at, at=clock.now(), share=random.random()
                )


def _claimed(most: int) -> list[Claimed]:
    if not most:
        return []
    with transaction():
        return deliveries.claim(most=most, at=clock.now())


def _tried(claimed: Claimed, seal_key: str, within: outward.Fence, at: datetime) -> Outcome:
    """One try, in a thread of its own: it knows no database."""
    body = payload(claimed.told)
    began = time.monotonic()
    try:
        secret = unseal(claimed.secret_sealed, seal_key=seal_key)["secret"]
        answer = post(claimed.url, body, headers(secret, told=claimed.told, body=body, at=at), fence=within)
    except SmsError as error:
        problem = str(error) if error.params else error.message
        return Outcome(milliseconds=_since(began), problem=problem)
    return Outcome(milliseconds=_since(began), status=answer.status, answer=answer_text(answer.body))


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


# Mail


def _mail(ends_at: float) -> None:
    server = mail_server()
    release()
    if server is None:
        return
    for claimed in _claimed_mails():
        problem, is_final = _mailed(claimed, server)
        with transaction():
            mails.note(mail=claimed, problem=problem, is_final=is_final, at=clock.now(), share=random.random())
        if time.monotonic() > ends_at:
            break


def _claimed_mails() -> Iterator[ClaimedMail]:
    for _ in range(_MAILS):
        with transaction():
            claimed = mails.claim(at=clock.now())
        if claimed is None:
            return
        yield claimed


def _mailed(claimed: ClaimedMail, server: MailServer) -> tuple[str, bool]:
    sealed = server.password_sealed
    try:
        password = unseal(sealed, seal_key=settings().seal_key)["password"] if sealed else ""
        message = mail_of(
            claimed.told,
            sender=server.sender,
            recipient=claimed.recipient,
            automation=claimed.automation,
            message_id=f"<text-{claimed.told.delivery_id}@{server.sender.partition('@')[2]}>",
        )
        send_mail(message, mail.Server(server.host, server.port, server.security, server.username, password))
    except mail.NotMailed as error:
        return error.message, error.is_final
    except SmsError as error:
        return error.message, False
    return "", False
