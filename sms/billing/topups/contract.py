"""What a payment gateway must be able to do: ask for a payment, verify it, tell how one stands. Amounts in rial."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from sms.billing.topups.rules import Answer
from sms.core.errors import SmsError


class Standing(StrEnum):
    """How a payment stands when nobody came back from it."""

    OPEN = "open"
    PAID = "paid"  # and still to be verified
    VERIFIED = "verified"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Access:
    """How to get at one account of ours: credentials by name, another address than the usual one, the sandbox."""

    credentials: Mapping[str, str] = field(repr=False)
    base_url: str = ""
    is_sandbox: bool = False
    timeout_seconds: int = 15


@dataclass(frozen=True, slots=True)
class Begun:
    """A payment that may be made: the gateway's name for it."""

    authority: str


class NotBegun(SmsError):
    """The gateway did not begin a payment; nobody can have paid."""


class PaymentGateway(Protocol):
    """One account at one gateway. None of its methods may be called inside of a transaction."""

    code: ClassVar[str]
    label: ClassVar[str]
    credential_fields: ClassVar[tuple[str, ...]]
    needs_address: ClassVar[bool]

    def __init__(self, access: Access) -> None: ...

    def request(self, *, amount_rial: int, description: str, callback_url: str) -> Begun:
        """Ask for a payment of so much; raises NotBegun."""

    def address(self, authority: str) -> str:
        """Where the payer goes to pay."""

    def verify(self, *, authority: str, amount_rial: int) -> Answer:
        """Take the payment, if it was made: only then is it ours. Never raises for what the other side does."""

    def inquire(self, authority: str) -> Standing:
        """How a payment stands, without taking it."""

    def close(self) -> None:
        """Close every connection."""
