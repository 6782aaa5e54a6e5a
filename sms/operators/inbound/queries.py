"""Reads of texts on their way in: which gateways are to be asked for them, and how what they answer is read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sms.core.db import rows, scalar
from sms.operators.contract import InboundText, RawInbound
from sms.operators.inbound.rules import Way
from sms.operators.protocols.pushed import texts_of
from sms.operators.queries import bound_adapters
from sms.operators.registry import ADAPTERS

_DUE = """
SELECT g.id FROM operators_gateway g LEFT JOIN operators_inbound_poll p ON p.gateway_id = g.id
WHERE g.adapter <> ALL(:bound) AND g.is_on AND g.stopped_reason <> 'credentials' AND g.inbound_every_seconds > 0
  AND coalesce(p.due_at <= :at, true) AND (p.lease_until IS NULL OR p.lease_until <= :at)
ORDER BY g.id
"""


def due_gateways(*, at: datetime) -> list[int]:
    """The gateways that are to be asked for texts now."""
    return [found.id for found in rows(_DUE, bound=bound_adapters(), at=at)]


def reader_of(adapter: str, way: Way) -> Callable[[RawInbound], list[InboundText]] | None:
    """How what came this way is read; None when nobody can."""
    if way is Way.PUSHED:
        return texts_of
    return getattr(ADAPTERS.get(adapter), "parse_inbound", None)


def has_arrived() -> bool:
    """Whether something waits to be read or to be taken into the inbox."""
    return bool(
        scalar(
            "SELECT EXISTS (SELECT FROM operators_inbound)"
            " OR EXISTS (SELECT FROM operators_inbound_raw WHERE read_at IS NULL)"
        )
    )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What came as texts and nobody could read."""

    gateway_name: str
    line_number: str
    shown: str  # its beginning, as far as it is text
    received_at: datetime


_UNREADABLE = """
SELECT g.name AS gateway_name, r.line_number, substring(r.content FROM 1 FOR 2000) AS content, r.received_at
FROM operators_inbound_raw r JOIN operators_gateway g ON g.id = r.gateway_id
WHERE r.read_at IS NOT NULL AND (r.text_count = 0 OR NOT r.is_whole) ORDER BY r.id DESC LIMIT :most
"""


def unreadable(*, most: int) -> list[Unreadable]:
    """The newest answers and pushes in which no text could be read, and those that broke off."""
    return [
        Unreadable(
            found.gateway_name, found.line_number, bytes(found.content).decode(errors="replace"), found.received_at
        )
        for found in rows(_UNREADABLE, most=most)
    ]
