"""What a message centre says of a message afterwards: its receipts, and how it spells ids."""

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

from sms.simulator.characters import FATES, Status
from sms.simulator.smpp.pdu import Tag, tlv

STYLES = ("both", "text", "tlv")
PARTS = ("all", "last", "first")
ID_STYLES = ("exact", "hex_reported", "decimal_reported", "padded", "upper", "mixed")
ODD = ("missing", "reordered", "non_ascii")
_MIXED = ID_STYLES[:-1]
_PADDED_TO = 20
_TEHRAN = timezone(timedelta(hours=3, minutes=30))
_FOREIGN_TEXT = "متن نمونه".encode("cp1256")

# What the text says, its code beside it, and message_state.
_OUTCOMES: dict[int, tuple[bytes, bytes, int]] = {
    Status.DELIVERED: (b"DELIVRD", b"000", 2),
    Status.UNDELIVERED: (b"UNDELIV", b"002", 5),
    Status.NOT_IN_NETWORK: (b"UNDELIV", b"016", 5),
    Status.BLOCKED: (b"REJECTD", b"027", 8),
}
_FAILED = _OUTCOMES[Status.NOT_IN_NETWORK]


class Receipt(NamedTuple):
    """A receipt that is to be delivered."""

    message_id: bytes  # as reports spell it
    recipient: int
    line: bytes
    accepted_at: float
    reference: int
    oddity: str = ""
    is_flipped: bool = False  # says undelivered, whatever became of it

    @property
    def is_delivered(self) -> bool:
        """What became of its message."""
        return FATES[self.recipient % 100].status == Status.DELIVERED


class Manner(NamedTuple):
    """How receipts are written."""

    style: str
    is_reference_echoed: bool


def spelt(style: str, message_id: int) -> tuple[bytes, bytes]:
    """An id as the answer to its submit tells it, and as its reports do."""
    if style == "mixed":
        style = _MIXED[message_id % len(_MIXED)]
    if style == "exact":
        text = b"%d" % message_id
        return text, text
    if style == "hex_reported":
        return b"%d" % message_id, b"%x" % message_id
    if style == "decimal_reported":
        return b"%x" % message_id, b"%d" % message_id
    if style == "padded":
        text = b"%d" % message_id
        return text, text.rjust(_PADDED_TO, b"0")
    return b"%x" % message_id, b"%X" % message_id


@lru_cache(maxsize=4096)
def _minute(number: int) -> bytes:
    return datetime.fromtimestamp(number * 60, _TEHRAN).strftime("%y%m%d%H%M").encode()


@lru_cache(maxsize=1024)
def _around(line: bytes) -> bytes:
    # Type and plan of the line, the line; esm_class "receipt", no protocol, priority, moments, receipt, coding.
    return b"\0\x01\x01" + line + b"\0\x04\0\0\0\0\0\0\0\0"


def body(receipt: Receipt, manner: Manner, now: float) -> bytes:
    """The body of the deliver_sm that carries this receipt."""
    told, error, state = _FAILED if receipt.is_flipped else _OUTCOMES[FATES[receipt.recipient % 100].status]
    more = b""
    if manner.style != "text":
        more = b"\0\x1e\0%c%b\0\x04\x27\0\x01%c" % (len(receipt.message_id) + 1, receipt.message_id, state)
        if error != b"000":
            more += tlv(Tag.NETWORK_ERROR, b"\3" + int(error).to_bytes(2, "big"))
    if receipt.reference and manner.is_reference_echoed:
        more += b"\x02\x04\0\x02" + receipt.reference.to_bytes(2, "big")
    if manner.style == "tlv":
        text = b""
    elif receipt.oddity:
        text = _odd(receipt, told, error, now)
    else:
        text = b"id:%b sub:001 dlvrd:%b submit date:%b done date:%b stat:%b err:%b text:" % (
            receipt.message_id,
            b"001" if state == 2 else b"000",  # noqa: PLR2004 - message_state "delivered"
            _minute(int(receipt.accepted_at) // 60),
            _minute(int(now) // 60),
            told,
            error,
        )
    return b"\0\x01\x01%d%b%c%b%b" % (receipt.recipient, _around(receipt.line), len(text), text, more)


def _odd(receipt: Receipt, told: bytes, error: bytes, now: float) -> bytes:
    """A receipt as some real ones are: fields missing, in another order, with a text in a legacy charset."""
    if receipt.oddity == "missing":
        return b"id:%b stat:%b" % (receipt.message_id, told)
    done = _minute(int(now) // 60)
    if receipt.oddity == "reordered":
        return b"stat:%b err:%b done date:%b submit date:%b dlvrd:001 sub:001 id:%b" % (
            told,
            error,
            done,
            _minute(int(receipt.accepted_at) // 60),
            receipt.message_id,
        )
    return b"id:%b sub:001 dlvrd:001 submit date:%b done date:%b stat:%b err:%b text:%b" % (
        receipt.message_id,
        _minute(int(receipt.accepted_at) // 60),
        done,
        told,
        error,
        _FOREIGN_TEXT,
    )


def is_wanted(registered: int, recipient: int) -> bool:
    """Whether a receipt is asked for: 1 always, 2 only when it was not delivered; and whether there is one at all."""
    fate = FATES[recipient % 100]
    if not fate.is_reported:
        return False
    return registered & 3 == 1 or (registered & 3 == 2 and fate.status != Status.DELIVERED)  # noqa: PLR2004 - two bits
