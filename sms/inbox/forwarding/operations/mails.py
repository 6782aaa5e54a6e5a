"""E-mails that tell a text: the server they leave through, and each of them, tried again until three days are over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sms.accounts.operations import record
from sms.core.actor import Actor
from sms.core.db import execute, row
from sms.core.errors import Refusal
from sms.core.queue import FORWARD_QUEUE, Job, ring
from sms.core.seal import seal
from sms.core.text import N_
from sms.inbox.forwarding.queries import mail_server
from sms.inbox.forwarding.rules import KEPT_FOR, Security, Told, UnusableHook, is_email, next_try

_LEASE = timedelta(seconds=60)
_MOST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServer:
    """A mail server as the staff set it; without a password the one that is kept stays, unless the host is another."""

    host: str
    port: int
    security: Security
    username: str
    password: str
    sender: str


def set_server(*, wanted: NewServer, seal_key: str, by: Actor, at: datetime) -> None:
    """Let e-mails leave through this server. Raises UnusableHook with the field."""
    host, before = wanted.host.strip(), mail_server()
    if not host or any(letter.isspace() for letter in host):
        raise UnusableHook("host", N_("Give the name of the server."))
    if not 1 <= wanted.port <= _MOST_PORT:
        raise UnusableHook("port", N_("A port is a number from 1 to 65535."))
    if not is_email(wanted.sender):
        raise UnusableHook("sender", N_("This is no e-mail address."))
    is_same = before is not None and (before.host, before.username) == (host, wanted.username)
    sealed = before.password_sealed if before is not None and is_same else None
    if wanted.password:
        sealed = seal({"password": wanted.password}, seal_key=seal_key)
    if wanted.username and sealed is None:
        raise UnusableHook("password", N_("Give the password: the one that is kept belongs to another server or user."))
    execute(
        """INSERT INTO inbox_mail_server (host, port, security, username, password_sealed, sender, changed_at)
           VALUES (:host, :port, :security, :username, :sealed, :sender, :at)
           ON CONFLICT (id) DO UPDATE SET host = excluded.host, port = excluded.port, security = excluded.security,
               username = excluded.username, password_sealed = excluded.password_sealed, sender = excluded.sender,
               changed_at = excluded.changed_at""",
        host=host,
        port=wanted.port,
        security=str(wanted.security),
        username=wanted.username,
        sealed=sealed if wanted.username else None,
        sender=wanted.sender,
        at=at,
    )
    record(
        actor_id=by.id,
        account_id=None,
        action="texts.mail_server_set",
        subject="mail_server",
        details={"host": host, "port": wanted.port, "security": str(wanted.security)},
        at=at,
        address=by.address,
    )


def queue(*, text_ids: Sequence[int], automation_ids: Sequence[int], recipients: Sequence[str], at: datetime) -> None:
    """Queue each of these texts for the mailbox beside it, once for each automation."""
    if not text_ids:
        return
    execute(
        """INSERT INTO inbox_mail (account_id, text_id, automation_id, recipient, created_at, next_at)
           SELECT m.account_id, m.id, n.automation_id, n.recipient, :at, :at
           FROM unnest(CAST(:texts AS bigint[]), CAST(:automations AS int[]), CAST(:recipients AS text[]))
               AS n (text_id, automation_id, recipient)
           JOIN inbox_message m ON m.id = n.text_id WHERE m.account_id IS NOT NULL
           ON CONFLICT (text_id, automation_id) DO NOTHING""",
        texts=list(text_ids),
        automations=list(automation_ids),
        recipients=list(recipients),
        at=at,
    )
    ring(Job.FORWARD, queue=FORWARD_QUEUE)


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """An e-mail that may be sent now."""

    told: Told
    recipient: str
    automation: str
    created_at: datetime


def claim(*, at: datetime) -> ClaimedMail | None:
    """Take the e-mail that has waited longest; commit before sending. Who dies over it leaves it for a minute."""
    found = row(
        """WITH taken AS (
               UPDATE inbox_mail SET attempt = attempt + 1, next_at = :lease WHERE id = (
                   SELECT id FROM inbox_mail WHERE state = 'waiting' AND next_at <= :at
                   ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
               RETURNING *)
           SELECT e.id, e.text_id, e.attempt, e.recipient, e.created_at, a.name, m.line_number, m.sender, m.body,
                  m.received_at
           FROM taken e JOIN inbox_message m ON m.id = e.text_id JOIN inbox_automation a ON a.id = e.automation_id""",
        at=at,
        lease=at + _LEASE,
    )
    if found is None:
        return None
    told = Told(found.id, found.text_id, found.line_number, found.sender, found.body, found.received_at, found.attempt)
    return ClaimedMail(told, found.recipient, found.name, found.created_at)


def note(*, mail: ClaimedMail, problem: str, is_final: bool = False, at: datetime, share: float) -> None:
    """It was sent, or will be tried again; after three days, or when the mailbox is refused, it is given up."""
    following = next_try(attempt=mail.told.attempt, at=at, share=share)
    has_ended = not problem or is_final or following > mail.created_at + KEPT_FOR
    state = "sent" if not problem else "given_up" if has_ended else "waiting"
    execute(
        """UPDATE inbox_mail SET state = :state, problem = :problem, next_at = :next_at,
               ended_at = CASE WHEN :has_ended THEN CAST(:at AS timestamptz) END
           WHERE id = :id AND state = 'waiting'""",
        id=mail.told.delivery_id,
        state=state,
        problem=problem[:200],
        next_at=following,
        has_ended=has_ended,
        at=at,
    )


def refuse_without_server() -> None:
    """Raise Refusal when no e-mail could leave."""
    if mail_server() is None:
        raise Refusal(N_("No mail server is set up here; ask the staff."))
