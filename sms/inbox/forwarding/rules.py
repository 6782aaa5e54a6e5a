"""How a text goes on to an address or a mailbox: what is told, how it is signed, when it is tried again."""

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from enum import StrEnum
from hashlib import sha256

from sms.core.errors import Refusal
from sms.core.text import N_

KEPT_FOR = timedelta(days=3)  # so long a text is tried
TOLD_AFTER = timedelta(days=1)  # of failures, then the owner is told
NAME_LENGTH = 100
ANSWER_LENGTH = 200
MOST_HOOKS = 10  # of a line
AT_A_HOST = 2  # deliveries at once to one host
LEASE = timedelta(seconds=60)
_PAUSES = (10, 60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600)  # seconds, then the last again and again
_LAST_PAUSE = 12 * 3_600
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


STATE_LABELS: dict[str, str] = {
    DeliveryState.WAITING: N_("Waiting"),
    DeliveryState.DELIVERED: N_("Taken"),
    DeliveryState.GIVEN_UP: N_("Given up"),
    "sent": N_("Sent"),
}


class Security(StrEnum):
    """How a mail server is spoken to."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


SECURITY_LABELS: dict[str, str] = {
    Security.STARTTLS: N_("STARTTLS (usually port 587)"),
    Security.TLS: N_("TLS from the beginning (usually port 465)"),
    Security.NONE: N_("None; only within the same machine or network"),
}


class UnusableHook(Refusal):
    """An address cannot be used like this; `field` is the form's field to mark."""

    def __init__(self, field: str, message: str, **params: object) -> None:
        super().__init__(message, **params)
        self.field = field


def next_try(*, attempt: int, at: datetime, share: float) -> datetime:
    """When to try again after so many failures; `share` from 0 to 1 moves it by up to a fifth, so that not all come
    back in the same second."""
    seconds = _PAUSES[attempt - 1] if attempt <= len(_PAUSES) else _LAST_PAUSE
    return at + timedelta(seconds=seconds * (0.9 + share / 5))


def is_taken(status: int) -> bool:
    """Whether an answer means that the text was taken; a redirect does not."""
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own numbers


@dataclass(frozen=True, slots=True)
class Told:
    """A text as it is told to others."""

    delivery_id: int
    text_id: int
    line: str
    sender: str
    body: str
    received_at: datetime
    attempt: int


def payload(told: Told) -> bytes:
    """The JSON that is posted."""
    return json.dumps(
        {
            "delivery": told.delivery_id,
            "id": told.text_id,
            "to": told.line,
            "from": told.sender,
            "text": told.body,
            "received_at": told.received_at.astimezone(UTC).isoformat(timespec="seconds"),
        },
        ensure_ascii=False,
    ).encode("utf-8", "replace")


def signature(secret: str, *, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over `timestamp.body`, in hexadecimal."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()


def headers(secret: str, *, told: Told, body: bytes, at: datetime) -> Mapping[str, str]:
    """The headers of a delivery; docs/forwarding.md says how to check them."""
    timestamp = int(at.timestamp())
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "payamgah",
        "X-Payamgah-Delivery": str(told.delivery_id),
        "X-Payamgah-Attempt": str(told.attempt),
        "X-Payamgah-Timestamp": str(timestamp),
        "X-Payamgah-Signature": f"v1={signature(secret, timestamp=timestamp, body=body)}",
    }


def answer_text(body: bytes) -> str:
    """The beginning of an answer as text that can be kept and shown."""
    text = body[: ANSWER_LENGTH * 4].decode("utf-8", "replace").replace("\0", "")
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)[:ANSWER_LENGTH]


def is_email(text: str) -> bool:
    """Whether this can be the address of a mailbox."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None  # noqa: PLR2004 - the longest there may be


def mail_of(told: Told, *, sender: str, recipient: str, automation: str, message_id: str) -> EmailMessage:
    """An e-mail that tells a text. Tried again it has the same id, by which a mailbox knows a repeat."""
    message = EmailMessage()
    message["Subject"] = " ".join(f"{automation}: {told.sender} → {told.line}".split())[:200]
    message["From"] = sender
    message["To"] = recipient
    message["Message-ID"] = message_id
    message["Date"] = told.received_at
    message.set_content(told.body.encode("utf-8", "replace").decode())
    return message
