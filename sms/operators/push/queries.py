"""Reads of the addresses that reports are pushed to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sms.core.db import row
from sms.operators.contract import Payload, Report
from sms.operators.registry import ADAPTERS


@dataclass(frozen=True, slots=True)
class Push:
    """A gateway as far as pushed reports go."""

    gateway_id: int
    name: str
    adapter: str
    token_hash: bytes | None = field(repr=False)
    made_at: datetime | None
    addresses: Sequence[str]  # networks; none: from anywhere

    @property
    def is_open(self) -> bool:
        """Whether there is an address that reports can be pushed to."""
        return self.token_hash is not None

    @property
    def parse(self) -> Callable[[Payload], list[Report]] | None:
        """Reads what is pushed; None when this operator pushes nothing over HTTP."""
        return getattr(ADAPTERS.get(self.adapter), "parse_reports", None)


def push(gateway_id: int) -> Push | None:
    """How reports are pushed to a gateway; None when there is no such gateway."""
    found = row(
        "SELECT id, name, adapter, push_token_hash, push_made_at, push_addresses FROM operators_gateway WHERE id = :id",
        id=gateway_id,
    )
    if found is None:
        return None
    token_hash = None if found.push_token_hash is None else bytes(found.push_token_hash)
    return Push(found.id, found.name, found.adapter, token_hash, found.push_made_at, found.push_addresses)
