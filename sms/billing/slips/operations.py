"""Writes of bank slips: handed in, opened, approved (which credits once), rejected."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sms.accounts.operations import record
from sms.accounts.queries import account
from sms.accounts.rules import AccountKind
from sms.billing.invoices.operations import PaidIn, issue_for_payment
from sms.billing.invoices.rules import LineKind
from sms.billing.slips import queries
from sms.billing.slips.queries import Slip
from sms.billing.slips.rules import (
    LONGEST_REASON,
    MOST_A_DAY,
    Bank,
    UnusableSlip,
    check_amount,
    check_day,
    tracking_number,
)
from sms.billing.taxes.queries import vat_permille
from sms.billing.taxes.rules import vat_within
from sms.billing.tiers.operations import note_paid_in
from sms.core import uploads
from sms.core.actor import Actor
from sms.core.calendar import day_of
from sms.core.db import execute, scalar
from sms.core.errors import Refusal
from sms.core.text import N_
from sms.ledger.operations import customer_wallet_id, open_wallet, post
from sms.ledger.rules import InsufficientBalance, Posting, TransferKind, WalletKind
from sms.lines.documents.rules import LOOK_BYTES, MOST_BYTES, media_type, shown_name

_DAY = timedelta(days=1)
_REVIEWED = N_("This slip was looked at already.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSlip:
    """A slip as somebody hands it in; what was paid in milli-rial, VAT in it."""

    bank: Bank
    tracking: str
    paid_on: date
    total_mrial: int
    file_name: str
    stream: BinaryIO


def hand_in(*, account_id: int, wanted: NewSlip, by: Actor, at: datetime) -> int:
    """Keep a slip for whoever stands above the account; returns its id. Raises UnusableSlip, or Refusal for too many,
    too large, or one that was handed in before."""
    tracking = tracking_number(wanted.tracking)
    check_day(wanted.paid_on, today=day_of(at))
    check_amount(wanted.total_mrial)
    approver_id, permille = _approver(account_id, at)
    if wanted.bank not in set(Bank):
        raise UnusableSlip("bank", N_("Choose the bank."))
    _check_how_many(account_id, at)
    name, size = uploads.keep(wanted.stream, most_bytes=MOST_BYTES)
    try:
        content = uploads.folder().joinpath(name).read_bytes()
        made = scalar(
            """INSERT INTO billing_bank_slip (account_id, approver_id, user_id, bank, tracking_number, paid_on,
                   total_mrial, vat_permille, vat_mrial, state, stored_name, file_name, media_type, size_bytes, sha256,
                   uploaded_at)
               VALUES (:account_id, :approver_id, :user_id, :bank, :tracking, :paid_on, :total, :permille, :vat,
                   'waiting', :name, :file_name, :media_type, :size, :sha256, :at)
               ON CONFLICT (approver_id, bank, tracking_number) WHERE state <> 'rejected' DO NOTHING RETURNING id""",
            account_id=account_id,
            approver_id=approver_id,
            user_id=by.id,
            bank=str(wanted.bank),
            tracking=tracking,
            paid_on=wanted.paid_on,
            total=wanted.total_mrial,
            permille=permille,
            vat=vat_within(wanted.total_mrial, permille=permille),
            name=name,
            file_name=shown_name(wanted.file_name),
            media_type=media_type(content[:LOOK_BYTES], content[-LOOK_BYTES:]),
            size=size,
            sha256=hashlib.sha256(content).digest(),
            at=at,
        )
        if made is None:
            raise UnusableSlip("tracking", N_("A slip with this bank and tracking number was handed in before."))
    except BaseException:
        uploads.remove(name)
        raise
    details = {"bank": str(wanted.bank), "total_mrial": wanted.total_mrial}
    _audit("slip.handed_in", int(made), details, account_id=account_id, by=by, at=at)
    return int(made)


def _approver(account_id: int, at: datetime) -> tuple[int, int]:
    """Who credits it, and the VAT in it: a reseller sells on its own books, so nothing is set apart there."""
    found = account(account_id)
    if found.parent_id is None:
        raise Refusal(N_("The installation's own account is not topped up."))
    is_direct = account(found.parent_id).kind == AccountKind.INSTALLATION
    return found.parent_id, vat_permille(at) if is_direct else 0


def _check_how_many(account_id: int, at: datetime) -> None:
    today = scalar(
        "SELECT count(*) FROM billing_bank_slip WHERE account_id = :id AND uploaded_at > :since",
        id=account_id,
        since=at - _DAY,
    )
    if today >= MOST_A_DAY:
        raise Refusal(N_("These are many slips for one day; go on tomorrow, or ask our staff."))


def approve(*, approver_id: int, slip_id: int, by: Actor, at: datetime) -> int:
    """The money is there: credit it, once; returns the transfer's id. The installation credits real money; a reseller
    gives from its own wallet.

    Raises NotFound, Refusal when it was looked at before or when a reseller has not so much.
    """
    slip = _taken(approver_id, slip_id)
    posting = _gift(slip, by, at) if _is_resellers(slip) else _payment(slip, by, at)
    try:
        transfer_id = post([posting], at=at)[posting.key]
    except InsufficientBalance:
        raise Refusal(N_("Your own balance is not enough to give this credit.")) from None
    execute(
        """UPDATE billing_bank_slip SET state = 'approved', transfer_id = :transfer_id, reviewed_by = :by,
               reviewed_at = :at WHERE id = :id""",
        id=slip_id,
        transfer_id=transfer_id,
        by=by.id,
        at=at,
    )
    if posting.kind is TransferKind.TOPUP:
        note_paid_in(account_id=slip.account_id, at=at)
    paid = PaidIn(
        kind=LineKind.SLIP,
        id=slip.id,
        seller_id=slip.approver_id,
        account_id=slip.account_id,
        amount_mrial=slip.amount_mrial,
        vat_permille=slip.vat_permille,
        vat_mrial=slip.vat_mrial,
    )
    issue_for_payment(paid, actor_id=by.id, at=at)
    details = {"amount_mrial": slip.amount_mrial, "transfer": transfer_id}
    _audit("slip.approved", slip_id, details, account_id=slip.account_id, by=by, at=at)
    return transfer_id


def _taken(approver_id: int, slip_id: int) -> Slip:
    """The slip, locked: whoever is second finds it looked at."""
    scalar("SELECT 1 FROM billing_bank_slip WHERE id = :id FOR UPDATE", id=slip_id)
    slip = queries.slip_for(approver_id, slip_id)
    if slip.state != "waiting":
        raise Refusal(_REVIEWED)
    return slip


def _is_resellers(slip: Slip) -> bool:
    return bool(account(slip.approver_id).kind != AccountKind.INSTALLATION)


def _payment(slip: Slip, by: Actor, at: datetime) -> Posting:
    wallet_id = customer_wallet_id(account_id=slip.account_id, at=at)
    bank = open_wallet(code=f"bank:{slip.bank}", kind=WalletKind.GATEWAY, at=at)
    tax = open_wallet(code="tax:vat", kind=WalletKind.TAX, at=at)
    return Posting(
        kind=TransferKind.TOPUP,
        key=f"slip:{slip.id}",
        subject=f"bank_slip:{slip.id}",
        amounts_mrial={wallet_id: slip.amount_mrial, tax: slip.vat_mrial, bank: -slip.total_mrial},
        actor_id=by.id,
    )


def _gift(slip: Slip, by: Actor, at: datetime) -> Posting:
    below = customer_wallet_id(account_id=slip.account_id, at=at)
    above = customer_wallet_id(account_id=slip.approver_id, at=at)
    return Posting(
        kind=TransferKind.CREDIT,
        key=f"slip:{slip.id}",
        subject=f"bank_slip:{slip.id}",
        amounts_mrial={below: slip.amount_mrial, above: -slip.amount_mrial},
        actor_id=by.id,
    )


def reject(*, approver_id: int, slip_id: int, reason: str, by: Actor, at: datetime) -> None:
    """It will not do, and why; the same slip may be handed in again. Raises NotFound, Refusal."""
    stated = " ".join(reason.split())[:LONGEST_REASON]
    if not stated:
        raise Refusal(N_("Say why: the customer reads the reason."))
    slip = _taken(approver_id, slip_id)
    execute(
        """UPDATE billing_bank_slip SET state = 'rejected', reason = :reason, reviewed_by = :by, reviewed_at = :at
           WHERE id = :id""",
        id=slip_id,
        reason=stated,
        by=by.id,
        at=at,
    )
    _audit("slip.rejected", slip_id, {"reason": stated}, account_id=slip.account_id, by=by, at=at)


# What is opened


def file_of(slip: Slip) -> Path:
    """Where a slip's file is; raises Refusal when it is gone."""
    path = uploads.folder().joinpath(slip.stored_name)
    if not path.is_file():
        raise Refusal(N_("The file of this slip is gone; ask for it once more."))
    return path


def open_file(*, approver_id: int, slip_id: int, by: Actor, at: datetime) -> Slip:
    """Whoever approves looks at the file; it stands in the audit. Raises NotFound or Refusal."""
    slip = queries.slip_for(approver_id, slip_id)
    file_of(slip)
    _audit("slip.opened", slip_id, {}, account_id=slip.account_id, by=by, at=at)
    return slip


def _audit(
    action: str, slip_id: int, details: Mapping[str, object], *, account_id: int, by: Actor, at: datetime
) -> None:
    record(
        actor_id=by.id,
        account_id=account_id,
        action=action,
        subject=f"bank_slip:{slip_id}",
        details=details,
        at=at,
        address=by.address,
    )
