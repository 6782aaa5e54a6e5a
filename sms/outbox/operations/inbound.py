"""Texts to our lines that arrive over a line to an operator: kept before they are acknowledged, joined from parts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sms.core.db import execute, rows
from sms.operators.contract import InboundPart, InboundText
from sms.operators.protocols.smpp.texts import decoded

PARTS_HOURS = 24  # after so long a reference may stand for another text

_KEEP_PART = """
INSERT INTO operators_inbound_part (gateway_id, sender, line_number, reference, total, place, content, data_coding,
    received_at)
VALUES (:gateway_id, :sender, :line_number, :reference, :total, :place, :content, :data_coding, :at)
ON CONFLICT (gateway_id, sender, line_number, reference, total, place) DO UPDATE
SET content = excluded.content, data_coding = excluded.data_coding, received_at = excluded.received_at
"""

_PARTS = """
SELECT place, content, data_coding FROM operators_inbound_part
WHERE gateway_id = :gateway_id AND sender = :sender AND line_number = :line_number AND reference = :reference
  AND total = :total AND received_at > :since
ORDER BY place FOR UPDATE
"""

_FORGET = """
DELETE FROM operators_inbound_part
WHERE gateway_id = :gateway_id AND sender = :sender AND line_number = :line_number AND reference = :reference
  AND total = :total
"""


def keep(texts: Sequence[InboundText], parts: Sequence[InboundPart], *, gateway_id: int, at: datetime) -> None:
    """Store these; a text whose last part has come is stored whole."""
    joined = [text for part in parts if (text := _joined(part, gateway_id=gateway_id, at=at)) is not None]
    for text in [*texts, *joined]:
        execute(
            "INSERT INTO operators_inbound (gateway_id, sender, line_number, body, sent_at, received_at)"
            " VALUES (:gateway_id, :sender, :line_number, :body, :sent_at, :at)",
            gateway_id=gateway_id,
            sender=_storable(text.sender),
            line_number=_storable(text.line_number),
            body=_storable(text.body),
            sent_at=text.sent_at,
            at=at,
        )


def _joined(part: InboundPart, *, gateway_id: int, at: datetime) -> InboundText | None:
    key = {
        "gateway_id": gateway_id,
        "sender": _storable(part.sender),
        "line_number": _storable(part.line_number),
        "reference": part.reference,
        "total": part.total,
    }
    execute(_KEEP_PART, **key, place=part.place, content=part.content, data_coding=part.data_coding, at=at)
    there = rows(_PARTS, **key, since=at - timedelta(hours=PARTS_HOURS))
    if len(there) < part.total:
        return None
    execute(_FORGET, **key)
    # Joined before it is read: a character may be cut in two by the end of a part.
    body = decoded(b"".join(bytes(each.content) for each in there), there[0].data_coding)
    return InboundText(part.sender, part.line_number, body, sent_at=None)


def give_up_waiting(*, at: datetime) -> int:
    """Store what there is of texts whose other parts did not come within a day; returns how many parts that were."""
    late = rows(
        "DELETE FROM operators_inbound_part WHERE received_at <= :before"
        " RETURNING gateway_id, sender, line_number, content, data_coding, received_at",
        before=at - timedelta(hours=PARTS_HOURS),
    )
    for part in late:
        body = decoded(bytes(part.content), part.data_coding)
        keep(
            [InboundText(part.sender, part.line_number, body, None)],
            [],
            gateway_id=part.gateway_id,
            at=part.received_at,
        )
    return len(late)


def _storable(text: str) -> str:
    """PostgreSQL keeps no zero character, and no half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
