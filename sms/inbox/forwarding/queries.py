"""Reads of addresses and mailboxes that texts go on to: what they are, what became of each text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sms.core.db import row, rows
from sms.core.errors import NotFound
from sms.core.text import N_
from sms.inbox.forwarding.rules import TOLD_AFTER, Security

NO_SUCH_HOOK = N_("There is no such address.")


@dataclass(frozen=True, slots=True)
class Hook:
    """An address that texts of a line go on to."""

    id: int
    account_id: int
    line_id: int
    line_number: str
    name: str
    url: str
    secret_sealed: bytes
    takes_all: bool
    is_on: bool
    failing_since: datetime | None
    told_at: datetime | None


_HOOK = """
SELECT h.id, h.account_id, h.line_id, l.number AS line_number, h.name, h.url, h.secret_sealed, h.takes_all, h.is_on,
       h.failing_since, h.told_at
FROM inbox_hook h JOIN lines_line l ON l.id = h.line_id
WHERE h.removed_at IS NULL AND h.account_id = :account_id
"""


def _hooks(condition: str, **params: object) -> list[Hook]:
    found = rows(f"{_HOOK} {condition} ORDER BY h.id", **params)
    return [Hook(**dict(each._mapping) | {"secret_sealed": bytes(each.secret_sealed)}) for each in found]


def hooks(account_id: int, line_id: int) -> list[Hook]:
    """The addresses of a line."""
    return _hooks("AND h.line_id = :line_id", account_id=account_id, line_id=line_id)


def hook(account_id: int, hook_id: int) -> Hook:
    """One of the account's; raises NotFound."""
    found = _hooks("AND h.id = :id", account_id=account_id, id=hook_id)
    if not found:
        raise NotFound(NO_SUCH_HOOK)
    return found[0]


def failing(account_id: int, *, at: datetime) -> list[Hook]:
    """The addresses that have taken nothing for a day or more, as long as the owner has not said that he knows."""
    return _hooks(
        "AND h.is_on AND h.failing_since <= :before AND (h.told_at IS NULL OR h.told_at < h.failing_since)",
        account_id=account_id,
        before=at - TOLD_AFTER,
    )


_DELIVERIES = """
SELECT d.id, d.text_id, d.state, d.attempt, d.created_at, d.next_at, d.ended_at, m.sender, m.body, m.received_at,
       t.at AS tried_at, t.status, t.milliseconds, t.problem, t.answer
FROM inbox_delivery d JOIN inbox_message m ON m.id = d.text_id
LEFT JOIN inbox_delivery_try t ON t.delivery_id = d.id AND t.number = d.attempt
"""


def deliveries(hook_id: int, *, before: int | None, most: int) -> Sequence[Row[Any]]:
    """The newest deliveries to an address, each with its last try."""
    older = "AND d.id < :before" if before is not None else ""
    params = {"before": before} if before is not None else {}
    return rows(
        f"{_DELIVERIES} WHERE d.hook_id = :hook_id {older} ORDER BY d.id DESC LIMIT :most",
        hook_id=hook_id,
        most=most,
        **params,
    )


def delivery(hook_id: int, delivery_id: int) -> Row[Any]:
    """One delivery to an address; raises NotFound."""
    found = row(f"{_DELIVERIES} WHERE d.hook_id = :hook_id AND d.id = :id", hook_id=hook_id, id=delivery_id)
    if found is None:
        raise NotFound(N_("There is no such delivery."))
    return found


def tries(delivery_id: int) -> Sequence[Row[Any]]:
    """Every try of a delivery, the newest first."""
    return rows(
        """SELECT number, at, milliseconds, status, problem, answer FROM inbox_delivery_try
           WHERE delivery_id = :id ORDER BY number DESC""",
        id=delivery_id,
    )


# Work that is due


def has_due(*, at: datetime) -> bool:
    """Whether something is to be delivered or mailed now."""
    found = row(
        """SELECT EXISTS (SELECT FROM inbox_delivery d JOIN inbox_hook h ON h.id = d.hook_id
               WHERE d.state = 'waiting' AND d.next_at <= :at AND h.is_on AND h.removed_at IS NULL
                 AND (d.lease_until IS NULL OR d.lease_until <= :at))
             OR (EXISTS (SELECT FROM inbox_mail WHERE state = 'waiting' AND next_at <= :at)
                 AND EXISTS (SELECT FROM inbox_mail_server)) AS is_due""",
        at=at,
    )
    return bool(found and found.is_due)


# Mail


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that e-mails leave through."""

    host: str
    port: int
    security: Security
    username: str
    password_sealed: bytes | None
    sender: str


def mail_server() -> MailServer | None:
    """The server, if one is set."""
    found = row("SELECT host, port, security, username, password_sealed, sender FROM inbox_mail_server")
    if found is None:
        return None
    sealed = None if found.password_sealed is None else bytes(found.password_sealed)
    return MailServer(found.host, found.port, Security(found.security), found.username, sealed, found.sender)


def given_up_mails(*, most: int) -> Sequence[Row[Any]]:
    """The last e-mails that could not be sent, for the staff: without their texts."""
    return rows(
        """SELECT e.id, a.name AS account_name, e.created_at, e.ended_at, e.attempt, e.problem
           FROM inbox_mail e JOIN accounts_account a ON a.id = e.account_id
           WHERE e.state = 'given_up' ORDER BY e.id DESC LIMIT :most""",
        most=most,
    )
