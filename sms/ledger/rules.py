"""What makes a posting legal. Plain Python: amounts in milli-rial, a positive amount enters the wallet."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sms.core.errors import Refusal, SmsError
from sms.core.text import N_


class WalletKind(StrEnum):
    """Customer and escrow wallets may refuse; the others only record, so no send ever waits for another's row."""

    CUSTOMER = "customer"
    ESCROW = "escrow"
    REVENUE = "revenue"
    OPERATOR_COST = "operator_cost"
    GATEWAY = "gateway"
    ADJUSTMENT = "adjustment"
    PROFIT = "profit"
    GUARANTEE = "guarantee"
    TAX = "tax"


WALLET_LABELS: dict[WalletKind, str] = {
    WalletKind.CUSTOMER: N_("Customers’ balances"),
    WalletKind.ESCROW: N_("Set aside for sends and orders"),
    WalletKind.REVENUE: N_("Revenue"),
    WalletKind.OPERATOR_COST: N_("Owed to operators"),
    WalletKind.GATEWAY: N_("Payment gateways"),
    WalletKind.ADJUSTMENT: N_("Moved by hand"),
    WalletKind.PROFIT: N_("Earned by resellers"),
    WalletKind.GUARANTEE: N_("Cover of credit limits"),
    WalletKind.TAX: N_("Owed to the tax office"),
}

MOST_MRIAL = 10**16  # more than anybody moves at once, far less than a column holds
LONGEST_REASON = 500

AUTHORISING = frozenset({WalletKind.CUSTOMER, WalletKind.ESCROW})


class TransferKind(StrEnum):
    """Why money moves."""

    TOPUP = "topup"
    ADJUSTMENT = "adjustment"
    HOLD = "hold"
    CHARGE = "charge"
    RELEASE = "release"
    REPRICE = "reprice"
    REFUND = "refund"
    CREDIT = "credit"
    RENEWAL = "renewal"
    REVERSAL = "reversal"
    PROFIT = "profit"
    GUARANTEE = "guarantee"


TRANSFER_LABELS: dict[TransferKind, str] = {
    TransferKind.TOPUP: N_("Top-up"),
    TransferKind.ADJUSTMENT: N_("Adjustment"),
    TransferKind.HOLD: N_("Held for sending"),
    TransferKind.CHARGE: N_("Charged"),
    TransferKind.RELEASE: N_("Released, not sent"),
    TransferKind.REPRICE: N_("Price of another line"),
    TransferKind.REFUND: N_("Refund"),
    TransferKind.CREDIT: N_("Credit transfer"),
    TransferKind.RENEWAL: N_("Renewal of a line"),
    TransferKind.REVERSAL: N_("Reversal"),
    TransferKind.PROFIT: N_("Profit paid out"),
    TransferKind.GUARANTEE: N_("Cover of a credit limit"),
}


MANUAL = frozenset({TransferKind.TOPUP, TransferKind.ADJUSTMENT, TransferKind.CREDIT})
"""What people moved. Only this can be reversed: money of a send goes back by the send's own rules, or not at all."""

CUSTOMER_KINDS = tuple(kind for kind in TransferKind if kind is not TransferKind.CHARGE)
"""The kinds a customer's own wallet can see; a charge moves what was set aside before."""


class Direction(StrEnum):
    """Whether money came into a wallet or went out of it."""

    IN = "in"
    OUT = "out"


DIRECTION_LABELS: dict[Direction, str] = {Direction.IN: N_("Money in"), Direction.OUT: N_("Money out")}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a transfer is about: the kind of thing and its id; the kind is empty when the text names neither."""

    kind: str
    id: int | None


def subject_of(text: str) -> Subject:
    """The parts of a subject such as `campaign:12`."""
    kind, _, number = text.partition(":")
    return Subject(kind, int(number)) if kind and number.isascii() and number.isdecimal() else Subject("", None)


def why(*, kind: TransferKind, amount_mrial: int, subject: Subject) -> str:
    """Why money entered or left a customer's wallet, as a sentence with a place for the subject's %(number)s."""
    in_and_out = _BY_DIRECTION.get((subject.kind, kind)) or _BY_DIRECTION.get(("", kind))
    if in_and_out is not None:
        return in_and_out[amount_mrial <= 0]
    return _OF_SUBJECT.get((subject.kind, kind), TRANSFER_LABELS[kind])


# By what it is about ("": whatever it is) and the kind; first for money that enters, then for money that leaves.
_BY_DIRECTION: dict[tuple[str, TransferKind], tuple[str, str]] = {
    ("", TransferKind.ADJUSTMENT): (N_("Credited by our staff"), N_("Debited by our staff")),
    ("", TransferKind.GUARANTEE): (
        N_("Back from the cover of a sub-account’s credit limit"),
        N_("Set aside to cover the credit limit of a sub-account"),
    ),
    ("campaign", TransferKind.REPRICE): (
        N_("Back from campaign %(number)s: it goes on over a cheaper line"),
        N_("More set aside for campaign %(number)s: it goes on over a dearer line"),
    ),
}
_OF_SUBJECT: dict[tuple[str, TransferKind], str] = {
    ("campaign", TransferKind.HOLD): N_("Set aside for campaign %(number)s"),
    ("campaign", TransferKind.CHARGE): N_("Price of what the operator took of campaign %(number)s"),
    ("campaign", TransferKind.RELEASE): N_("Back from campaign %(number)s: these messages were not sent"),
    ("campaign", TransferKind.REFUND): N_("Refunded by the operator’s rule, campaign %(number)s"),
    ("line_order", TransferKind.HOLD): N_("Set aside for line order %(number)s"),
    ("line_order", TransferKind.CHARGE): N_("Price of the line of order %(number)s"),
    ("line_order", TransferKind.RELEASE): N_("Back from line order %(number)s: the line was not bought"),
    ("topup", TransferKind.TOPUP): N_("Paid in online, payment %(number)s"),
    ("bank_slip", TransferKind.TOPUP): N_("Paid in at the bank, slip %(number)s"),
}


class InsufficientBalance(SmsError):
    """The wallet would fall below its credit limit; `missing_mrial` more is needed. `wallet_id` is 0 where several
    wallets were asked for at once."""

    def __init__(self, *, missing_mrial: int, wallet_id: int = 0) -> None:
        super().__init__(N_("The balance is not enough."), missing_mrial=missing_mrial)
        self.missing_mrial = missing_mrial
        self.wallet_id = wallet_id


class NotCovered(Refusal):
    """Who grants a credit limit has not the money to cover it."""

    def __init__(self, *, missing_mrial: int) -> None:
        super().__init__(
            N_("A credit limit is covered by the reseller’s own money, and %(missing)s of that are not there."),
            missing=f"{rial_text(missing_mrial)} rial",
            missing_mrial=missing_mrial,
        )


class KeyReused(SmsError):
    """The same idempotency key came back with another body."""


class UnbalancedPosting(ValueError):
    """A posting whose amounts do not sum to zero: a fault of the caller, never of a user."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One transfer to make: `amounts_mrial` by wallet id. The key is unique for ever; the same key twice is one
    posting. Without `spends_credit` only what is there may be taken, whatever the credit limit allows."""

    kind: TransferKind
    key: str
    subject: str
    amounts_mrial: Mapping[int, int]
    reason: str = ""
    actor_id: int | None = None
    reverses_id: int | None = None
    spends_credit: bool = True

    def __post_init__(self) -> None:
        if sum(self.amounts_mrial.values()) != 0 or len(self.moved) < 2:  # noqa: PLR2004 - double entry
            raise UnbalancedPosting(self.key)

    @property
    def moved(self) -> dict[int, int]:
        """The wallets that do move."""
        return {wallet_id: amount for wallet_id, amount in self.amounts_mrial.items() if amount}

    @property
    def body_hash(self) -> bytes:
        """What the key stands for, so that a reused key with another body is noticed."""
        body = [self.kind, self.subject, self.reason, sorted(self.moved.items())]
        return hashlib.sha256(json.dumps(body).encode()).digest()


def missing(*, balance_mrial: int, credit_limit_mrial: int, amount_mrial: int) -> int:
    """How much is missing for `amount_mrial` to be taken out; 0 when it is there."""
    return max(0, amount_mrial - balance_mrial - credit_limit_mrial)


def cover_needed(*, limit_mrial: int, balance_mrial: int) -> int:
    """What has to lie aside for an account that may go `limit_mrial` below zero: all of that, and no less than it owes
    already."""
    return max(limit_mrial, -balance_mrial)


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(value: str) -> str:
    """A text as a spreadsheet may show it: what would be read as a formula gets an apostrophe in front."""
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def rial_text(amount_mrial: int) -> str:
    """An amount in rial as programs read it: a point, no grouping, no more digits than it has."""
    sign = "-" if amount_mrial < 0 else ""
    whole, rest = divmod(abs(amount_mrial), 1000)
    return f"{sign}{whole}.{rest:03}".rstrip("0").rstrip(".") if rest else f"{sign}{whole}"
